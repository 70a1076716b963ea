// The CPU's memory, and the choice between devices.
#include "kernels/device.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "kernels/dispatch.h"

namespace star {

namespace cpu {
void* allocate(std::size_t bytes) {
    constexpr std::size_t huge = 2 << 20;
    const bool large = bytes >= 4 * huge;
    const std::size_t alignment = large ? huge : 256;
    void* p = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (!p) fail(Fault::device, "out of memory: ", bytes, " bytes wanted");
    // Large pages, if the system has any: activations of many megabytes are read across their small pages.
    if (large) madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}
void release(void* p) noexcept { std::free(p); }
}  // namespace cpu

int cuda_devices() {
    if constexpr (with_cuda) return cuda::devices();
    return 0;
}

std::string cuda_trouble() {
    if constexpr (with_cuda) return cuda::trouble();
    return "this program was built without CUDA";
}

std::string device_name(Stream stream) {
    if constexpr (with_cuda)
        if (stream.device.kind == Device::Kind::cuda)
            return "cuda:" + std::to_string(stream.device.index) + " " + cuda::device_name(stream.device.index);
    return std::string("cpu ") + isa_name(stream.pool ? stream.pool->isa() : best_isa());
}

void* allocate(Device device, std::size_t bytes) {
    if constexpr (with_cuda)
        if (device.kind == Device::Kind::cuda) return cuda::allocate(device.index, bytes);
    require(device.kind == Device::Kind::cpu, "this build has no CUDA");
    return cpu::allocate(bytes);
}

void release(Device device, void* p) noexcept {
    if constexpr (with_cuda)
        if (device.kind == Device::Kind::cuda) return cuda::release(device.index, p);
    cpu::release(p);
}

void* allocate_host(Device device, std::size_t bytes) {
    if constexpr (with_cuda)
        if (device.kind == Device::Kind::cuda) return std::memset(cuda::allocate_host(bytes), 0, bytes);
    return std::memset(cpu::allocate(bytes), 0, bytes);
}

void release_host(Device device, void* p) noexcept {
    if constexpr (with_cuda)
        if (device.kind == Device::Kind::cuda) return cuda::release_host(p);
    cpu::release(p);
}

StreamOwner::StreamOwner(Device device, ThreadPool* pool) : stream_{device, pool} {
    if constexpr (with_cuda)
        if (device.kind == Device::Kind::cuda) stream_.handle = cuda::make_stream(device.index);
}

StreamOwner::~StreamOwner() {
    if constexpr (with_cuda)
        if (stream_.handle) cuda::free_stream(stream_.device.index, stream_.handle);
}

Event::Event(Device device) : device_(device) {
    if constexpr (with_cuda)
        if (device.kind == Device::Kind::cuda) handle_ = cuda::make_event(device.index);
}

Event::~Event() {
    if constexpr (with_cuda)
        if (handle_) cuda::free_event(device_.index, handle_);
}

void Event::record(Stream stream) {
    if constexpr (with_cuda)
        if (handle_ && !stream.dry) cuda::record_event(stream, handle_);
}

void Event::wait() const {
    if constexpr (with_cuda)
        if (handle_) cuda::wait_event(device_.index, handle_);
}

void copy_to_device(Stream stream, void* device, const void* host, std::size_t bytes) {
    on<[](Stream, void* d, const void* h, std::size_t n) {
        if (n) std::memcpy(d, h, n);
    },
       cuda::copy_to_device>(stream, device, host, bytes);
}

void copy_to_host(Stream stream, void* host, const void* device, std::size_t bytes) {
    on<[](Stream, void* h, const void* d, std::size_t n) {
        if (n) std::memcpy(h, d, n);
    },
       cuda::copy_to_host>(stream, host, device, bytes);
}

void copy_on_device(Stream stream, void* to, const void* from, std::size_t bytes) {
    on<[](Stream, void* t, const void* f, std::size_t n) {
        if (n) std::memcpy(t, f, n);
    },
       cuda::copy_on_device>(stream, to, from, bytes);
}

void fill_zero(Stream stream, void* device, std::size_t bytes) {
    on<[](Stream, void* d, std::size_t n) {
        if (n) std::memset(d, 0, n);
    },
       cuda::fill_zero>(stream, device, bytes);
}

void synchronize(Stream stream) {
    on<[](Stream) {}, cuda::synchronize>(stream);
}

}  // namespace star
