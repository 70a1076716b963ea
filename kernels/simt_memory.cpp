// The memory of the emulated device: star::cuda as device.h declares it. Blocks of memory have exact sizes and start as
// NaN.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "kernels/graph.h"
#include "kernels/simt.h"

namespace star::simt {
namespace {
using Recording = std::vector<std::function<void()>>;
thread_local std::unique_ptr<Recording> recording;
}  // namespace

void queue(std::function<void()> work) {
    if (recording)
        recording->push_back(std::move(work));
    else
        work();
}

}  // namespace star::simt

namespace star::cuda {

int devices() { return 1; }
std::string trouble() { return {}; }
std::string device_name(int) { return "emulator"; }

void* allocate(int index, std::size_t bytes) {
    require(index == 0, "emulator: there is no device ", index);
    require(!simt::recording, "emulator: a recording can't allocate");
    void* p = nullptr;
    if (posix_memalign(&p, 256, bytes) != 0) fail(Fault::device, "emulator: out of memory: ", bytes, " bytes wanted");
    std::memset(p, 0xff, bytes);
    return p;
}

void release(int, void* p) noexcept { std::free(p); }

void* allocate_host(std::size_t bytes) { return allocate(0, bytes); }
void release_host(void* p) noexcept { std::free(p); }

void* make_stream(int) { return new char; }
void free_stream(int, void* stream) noexcept { delete static_cast<char*>(stream); }
void* make_event(int) { return nullptr; }
void free_event(int, void*) noexcept {}
void record_event(Stream, void*) {}
void wait_event(int, void*) {}

void copy_to_device(Stream, void* device, const void* host, std::size_t bytes) {
    if (bytes) simt::queue([=] { std::memcpy(device, host, bytes); });
}
void copy_to_host(Stream, void* host, const void* device, std::size_t bytes) {
    if (bytes) simt::queue([=] { std::memcpy(host, device, bytes); });
}
void copy_on_device(Stream, void* to, const void* from, std::size_t bytes) {
    if (bytes) simt::queue([=] { std::memcpy(to, from, bytes); });
}
void fill_zero(Stream, void* device, std::size_t bytes) {
    if (bytes) simt::queue([=] { std::memset(device, 0, bytes); });
}
void synchronize(Stream) { require(!simt::recording, "emulator: a recording can't wait for the device"); }

void record_begin(Stream) {
    require(!simt::recording, "emulator: this thread records already");
    simt::recording = std::make_unique<simt::Recording>();
}

std::function<void()> record_end(Stream, bool) {
    const std::shared_ptr<simt::Recording> done = std::move(simt::recording);
    return [done] {
        for (const auto& work : *done) work();
    };
}

}  // namespace star::cuda
