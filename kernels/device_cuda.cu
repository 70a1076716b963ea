// The memory and streams of real GPUs: star::cuda as device.h declares it.
#include "kernels/simt.h"

namespace star::cuda {
namespace {

using Where = std::source_location;

void choose(int index, Where where = Where::current()) {
    check_cuda(cudaSetDevice(index), where, "CUDA device ", index);
}

cudaStream_t queue(Stream stream, Where where = Where::current()) {
    choose(stream.device.index, where);
    return cudaStream_t(stream.handle);
}

}  // namespace

int devices() {
    int count = 0, usable = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess) {  // no driver, or one too old
        cudaGetLastError();
        return 0;
    }
    // Devices are numbered from 0 without gaps, so those behind one that is too old can't be used.
    for (int major = 0; usable < count; ++usable)
        if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, usable) != cudaSuccess || major < 8)
            break;
    return usable;
}

void* allocate(int index, std::size_t bytes) {
    choose(index);
    void* p = nullptr;
    const cudaError_t status = cudaMalloc(&p, bytes);
    if (status == cudaErrorMemoryAllocation) {
        std::size_t free = 0, total = 0;
        cudaGetLastError();
        cudaMemGetInfo(&free, &total);
        fail(Fault::device, "CUDA device ", index, " is out of memory: ", bytes, " bytes wanted, ", free, " of ", total,
             " free");
    }
    check_cuda(status, Where::current(), "cudaMalloc of ", bytes, " bytes");
    return p;
}

void release(int index, void* p) noexcept {
    if (p && cudaSetDevice(index) == cudaSuccess) cudaFree(p);
}

void copy_to_device(Stream stream, void* device, const void* host, std::size_t bytes) {
    if (bytes)
        check_cuda(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, queue(stream)), Where::current(),
                   "copy of ", bytes, " bytes to the device");
}

void copy_to_host(Stream stream, void* host, const void* device, std::size_t bytes) {
    if (bytes)
        check_cuda(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, queue(stream)), Where::current(),
                   "copy of ", bytes, " bytes from the device");
}

void fill_zero(Stream stream, void* device, std::size_t bytes) {
    if (bytes)
        check_cuda(cudaMemsetAsync(device, 0, bytes, queue(stream)), Where::current(), "zeroing ", bytes, " bytes");
}

void synchronize(Stream stream) {
    check_cuda(cudaStreamSynchronize(queue(stream)), Where::current(), "work queued before");
}

}  // namespace star::cuda
