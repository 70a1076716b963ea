// The memory of the emulated device: star::cuda as device.h declares it. Blocks of memory have exact sizes and start as
// NaN.
#include <cstdlib>
#include <cstring>

#include "kernels/device.h"

namespace star::cuda {

int devices() { return 1; }

void* allocate(int index, std::size_t bytes) {
    require(index == 0, "emulator: there is no device ", index);
    void* p = nullptr;
    if (posix_memalign(&p, 256, bytes) != 0) fail(Fault::device, "emulator: out of memory: ", bytes, " bytes wanted");
    std::memset(p, 0xff, bytes);
    return p;
}

void release(int, void* p) noexcept { std::free(p); }

void copy_to_device(Stream, void* device, const void* host, std::size_t bytes) {
    if (bytes) std::memcpy(device, host, bytes);
}
void copy_to_host(Stream, void* host, const void* device, std::size_t bytes) {
    if (bytes) std::memcpy(host, device, bytes);
}
void fill_zero(Stream, void* device, std::size_t bytes) {
    if (bytes) std::memset(device, 0, bytes);
}
void synchronize(Stream) {}

}  // namespace star::cuda
