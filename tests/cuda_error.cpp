// CUDA's failures in words: fed with the runtime's codes, and as this machine answers.
#include "kernels/cuda_error.h"

#include <doctest/doctest.h>

#include "kernels/simt.h"

using namespace star;

namespace {

const auto here = std::source_location::current();

std::string said(int code, const char* name, const char* words, const std::string& what) {
    const std::string text = cuda_message({code, name, words}, here, what);
    CHECK(text.find('\n') == std::string::npos);
    return text;
}

CudaSeen seen(int code, const char* name, int driver) { return {{code, name, "words"}, driver, 13000}; }

}  // namespace

TEST_CASE("CUDA's failures that are the machine's say what the machine lacks") {
    CHECK(said(100, "cudaErrorNoDevice", "w", "x") == "no CUDA device was found (cudaErrorNoDevice)");
    CHECK(said(35, "cudaErrorInsufficientDriver", "w", "x") ==
          "the NVIDIA driver is missing, or too old for this program (cudaErrorInsufficientDriver)");
    CHECK(said(209, "cudaErrorNoKernelImageForDevice", "w", "x") ==
          "the CUDA device is too old: compute capability 8.0 is needed (cudaErrorNoKernelImageForDevice)");
    CHECK(said(222, "cudaErrorUnsupportedPtxVersion", "w", "x") ==
          "the NVIDIA driver is too old to prepare this program's kernels for the device "
          "(cudaErrorUnsupportedPtxVersion)");
    CHECK(said(46, "cudaErrorDevicesUnavailable", "w", "x") ==
          "the CUDA device is in use by another process, or switched off (cudaErrorDevicesUnavailable)");
    CHECK(said(2, "cudaErrorMemoryAllocation", "w", "cudaMalloc of 64 bytes") ==
          "the CUDA device is out of memory: cudaMalloc of 64 bytes (cudaErrorMemoryAllocation)");
}

TEST_CASE("a launch that fails names its line, its kernel, its shape and CUDA's words") {
    const std::string place = std::string(here.file_name()) + ":" + std::to_string(here.line()) + ": ";
    const std::string what = "fill in " + in_words({{3, 2, 1}, 256, 4096});
    CHECK(said(719, "cudaErrorLaunchFailure", "unspecified launch failure", what) ==
          place +
              "fill in 3x2x1 blocks of 256 threads with 4096 bytes of shared memory: cudaErrorLaunchFailure: "
              "unspecified launch failure");
    CHECK(said(9, "cudaErrorInvalidConfiguration", "invalid configuration argument", what) ==
          place + what + ": cudaErrorInvalidConfiguration: invalid configuration argument");
    CHECK(said(999, "cudaErrorUnknown", "unknown error", "copy") == place + "copy: cudaErrorUnknown: unknown error");
}

TEST_CASE("why no CUDA device can be used") {
    CHECK(cuda_trouble(seen(35, "cudaErrorInsufficientDriver", 0)) == "there is no NVIDIA driver");
    CHECK(cuda_trouble(seen(35, "cudaErrorInsufficientDriver", 11040)) ==
          "the NVIDIA driver is too old: it knows CUDA 11.4, this program needs 13.0");
    CHECK(cuda_trouble(seen(100, "cudaErrorNoDevice", 13000)) == "no CUDA device was found (cudaErrorNoDevice)");
    CHECK(cuda_trouble(seen(0, "cudaSuccess", 13000)) == "no CUDA device was found");
    CudaSeen old = seen(0, "cudaSuccess", 13000);
    old.devices = 2, old.major = 7, old.minor = 5;
    CHECK(cuda_trouble(old) == "the first CUDA device is too old: its compute capability is 7.5, 8.0 is needed");
    old.usable = 1;
    CHECK(cuda_trouble(old).empty());
    CHECK(cuda_trouble(seen(802, "cudaErrorSystemNotReady", 13000)).find("cudaErrorSystemNotReady: words") !=
          std::string::npos);
}

TEST_CASE("this machine either has a device that can be used, or says in one line why not") {
    const std::string why = cuda_trouble();
    CHECK((cuda_devices() == 0) == !why.empty());
    CHECK(why.find('\n') == std::string::npos);
    if (!why.empty()) MESSAGE(why);
}
