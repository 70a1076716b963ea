// CUDA's failures in words.
#include "kernels/cuda_error.h"

#include <sstream>

namespace star {
namespace {

std::string version(int number) { return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10); }

}  // namespace

std::string cuda_message(CudaStatus status, std::source_location where, const std::string& what) {
    std::ostringstream text;
    switch (CudaCode(status.code)) {
        case CudaCode::out_of_memory:
            text << "the CUDA device is out of memory: " << what;
            break;
        case CudaCode::driver_too_old:
            text << "the NVIDIA driver is missing, or too old for this program";
            break;
        case CudaCode::device_busy:
            text << "the CUDA device is in use by another process, or switched off";
            break;
        case CudaCode::no_device:
            text << "no CUDA device was found";
            break;
        case CudaCode::device_too_old:
            text << "the CUDA device is too old: compute capability " << oldest_major << ".0 is needed";
            break;
        case CudaCode::driver_without_ptx:
            text << "the NVIDIA driver is too old to prepare this program's kernels for the device";
            break;
        default:
            text << where.file_name() << ':' << where.line() << ": " << what << ": " << status.name << ": "
                 << status.words;
            return text.str();
    }
    text << " (" << status.name << ')';
    return text.str();
}

std::string cuda_trouble(const CudaSeen& seen) {
    std::ostringstream text;
    if (seen.usable > 0) return {};
    if (CudaCode(seen.status.code) == CudaCode::driver_too_old && seen.driver == 0)
        text << "there is no NVIDIA driver";
    else if (CudaCode(seen.status.code) == CudaCode::driver_too_old)
        text << "the NVIDIA driver is too old: it knows CUDA " << version(seen.driver) << ", this program needs "
             << version(seen.runtime);
    else if (seen.status.code != 0)
        return cuda_message(seen.status, std::source_location::current(), "counting CUDA devices");
    else if (seen.devices == 0)
        text << "no CUDA device was found";
    else
        text << "the first CUDA device is too old: its compute capability is " << seen.major << '.' << seen.minor
             << ", " << oldest_major << ".0 is needed";
    return text.str();
}

}  // namespace star
