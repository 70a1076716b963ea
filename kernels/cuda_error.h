// What CUDA's runtime reports, in one line for the person who runs the program. Plain C++: tested without CUDA.
#pragma once
#include <source_location>
#include <string>

namespace star {

/// The runtime's codes that are no fault of this program's; simt_cuda.h checks that the numbers are CUDA's.
enum class CudaCode {
    out_of_memory = 2,
    driver_too_old = 35,
    device_busy = 46,
    no_device = 100,
    device_too_old = 209,
    driver_without_ptx = 222
};

struct CudaStatus {
    int code;
    const char *name, *words;  ///< cudaGetErrorName, cudaGetErrorString
};

/// For the codes above a sentence about the machine; for all others "file:line: what: name: words". what: what was
/// tried, such as a kernel and its launch's shape.
std::string cuda_message(CudaStatus, std::source_location where, const std::string& what);

/// The oldest architecture that kernels are compiled for: compute capability major.0.
inline constexpr int oldest_major = 8;

/// What a look at the machine's devices found.
struct CudaSeen {
    CudaStatus status;         ///< of counting them; code 0 if that went well
    int driver = 0;            ///< newest CUDA that the driver knows, 1000 major + 10 minor; 0: there is no driver
    int runtime = 0;           ///< the CUDA that this program was built with, likewise
    int devices = 0;           ///< counted
    int usable = 0;            ///< of them, from the first on
    int major = 0, minor = 0;  ///< compute capability of the first that isn't usable
};

/// Why no device can be used; empty if one can.
std::string cuda_trouble(const CudaSeen&);

}  // namespace star
