// The memory of the emulated device: star::cuda as device.h declares it. Blocks of memory have exact sizes and start as
// NaN.
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "kernels/simt.h"

namespace star::simt {
namespace {

/// Where the device's memory lies: what is allocated, by address.
struct Map {
    std::shared_mutex lock;
    std::map<std::uintptr_t, std::size_t> bytes;
    std::int64_t held = 0, limit = INT64_MAX;
};
Map& map() {
    static Map m;
    return m;
}

/// Of exact size and NaN; null if there is none.
void* fresh_memory(std::size_t bytes) {
    void* p = nullptr;
    if (posix_memalign(&p, 256, bytes) != 0) return nullptr;
    return std::memset(p, 0xff, bytes);
}

}  // namespace

void limit_memory(std::int64_t bytes) {
    const std::lock_guard hold(map().lock);
    map().limit = bytes;
}

std::int64_t held_memory() {
    const std::shared_lock hold(map().lock);
    return map().held;
}

bool in_device_memory(std::uintptr_t at, int bytes) {
    Map& m = map();
    const std::shared_lock hold(m.lock);
    auto after = m.bytes.upper_bound(at);
    return after != m.bytes.begin() && (--after, at + std::uintptr_t(bytes) <= after->first + after->second);
}

}  // namespace star::simt

namespace star::cuda {

int devices() { return 1; }
std::string trouble() { return {}; }
std::string device_name(int) { return "emulator"; }

void* allocate(int index, std::size_t bytes) {
    require(index == 0, "emulator: there is no device ", index);
    require(!simt::recording_now(), "emulator: a recording can't allocate");
    simt::Map& m = simt::map();
    const std::lock_guard hold(m.lock);
    void* const p = m.held + std::int64_t(bytes) <= m.limit ? simt::fresh_memory(bytes) : nullptr;
    if (!p) fail(Fault::device, "emulator: out of memory: ", bytes, " bytes wanted");
    m.bytes[reinterpret_cast<std::uintptr_t>(p)] = bytes;
    m.held += std::int64_t(bytes);
    return p;
}

void release(int, void* p) noexcept {
    if (!p) return;
    {
        simt::Map& m = simt::map();
        const std::lock_guard hold(m.lock);
        const auto at = m.bytes.find(reinterpret_cast<std::uintptr_t>(p));
        m.held -= std::int64_t(at->second);
        m.bytes.erase(at);
    }
    std::free(p);
}

void* allocate_host(std::size_t bytes) {
    void* const p = simt::fresh_memory(bytes);
    if (!p) fail(Fault::device, "emulator: out of the host's memory: ", bytes, " bytes wanted");
    return p;
}
void release_host(void* p) noexcept { std::free(p); }

void copy_to_device(Stream stream, void* device, const void* host, std::size_t bytes) {
    if (bytes) simt::queue(stream, [=] { std::memcpy(device, host, bytes); });
}
void copy_to_host(Stream stream, void* host, const void* device, std::size_t bytes) {
    if (bytes) simt::queue(stream, [=] { std::memcpy(host, device, bytes); });
}
void copy_on_device(Stream stream, void* to, const void* from, std::size_t bytes) {
    if (bytes) simt::queue(stream, [=] { std::memcpy(to, from, bytes); });
}
void fill_zero(Stream stream, void* device, std::size_t bytes) {
    if (bytes) simt::queue(stream, [=] { std::memset(device, 0, bytes); });
}

}  // namespace star::cuda
