// Sees each plain read and write of a kernel: the compiler puts a call before it. The emulated .cu files are compiled
// with GCC's instrumentation for ThreadSanitizer (CMakeLists.txt), whose calls arrive here instead of at that library.
#include "kernels/simt_traffic.h"

namespace {

/// Inlined into the calls below, so that the address is that of the kernel's instruction.
[[gnu::always_inline]] inline void seen(const void* at, std::size_t bytes, bool write) {
    if (star::simt::watches.load(std::memory_order_relaxed))
        star::simt::plain_access(__builtin_return_address(0), reinterpret_cast<std::uintptr_t>(at), int(bytes), write);
}

template <class T>
[[gnu::always_inline]] inline T added(T* at, T v) {
    seen(at, sizeof v, true);
    return __atomic_fetch_add(at, v, __ATOMIC_SEQ_CST);
}

template <class T>
[[gnu::always_inline]] inline bool exchanged(T* at, T* expected, T v) {
    seen(at, sizeof v, true);
    return __atomic_compare_exchange_n(at, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

}  // namespace

extern "C" {

void __tsan_init() {}
void __tsan_read1(void* at) { seen(at, 1, false); }
void __tsan_read2(void* at) { seen(at, 2, false); }
void __tsan_read4(void* at) { seen(at, 4, false); }
void __tsan_read8(void* at) { seen(at, 8, false); }
void __tsan_read16(void* at) { seen(at, 16, false); }
void __tsan_write1(void* at) { seen(at, 1, true); }
void __tsan_write2(void* at) { seen(at, 2, true); }
void __tsan_write4(void* at) { seen(at, 4, true); }
void __tsan_write8(void* at) { seen(at, 8, true); }
void __tsan_write16(void* at) { seen(at, 16, true); }
void __tsan_unaligned_read2(void* at) { seen(at, 2, false); }
void __tsan_unaligned_read4(void* at) { seen(at, 4, false); }
void __tsan_unaligned_read8(void* at) { seen(at, 8, false); }
void __tsan_unaligned_read16(void* at) { seen(at, 16, false); }
void __tsan_unaligned_write2(void* at) { seen(at, 2, true); }
void __tsan_unaligned_write4(void* at) { seen(at, 4, true); }
void __tsan_unaligned_write8(void* at) { seen(at, 8, true); }
void __tsan_unaligned_write16(void* at) { seen(at, 16, true); }
void __tsan_read_range(void* at, std::size_t bytes) { seen(at, bytes, false); }
void __tsan_write_range(void* at, std::size_t bytes) { seen(at, bytes, true); }
void __tsan_vptr_update(void*, void*) {}

// What the dialect's atomics are made of: these calls stand instead of the instructions.
std::uint32_t __tsan_atomic32_load(const std::uint32_t* at, int) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }
std::uint32_t __tsan_atomic32_fetch_add(std::uint32_t* at, std::uint32_t v, int) { return added(at, v); }
int __tsan_atomic32_compare_exchange_strong(std::uint32_t* at, std::uint32_t* expected, std::uint32_t v, int, int) {
    return exchanged(at, expected, v);
}
int __tsan_atomic32_compare_exchange_weak(std::uint32_t* at, std::uint32_t* expected, std::uint32_t v, int, int) {
    return exchanged(at, expected, v);
}
std::uint64_t __tsan_atomic64_load(const std::uint64_t* at, int) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }
std::uint64_t __tsan_atomic64_fetch_add(std::uint64_t* at, std::uint64_t v, int) { return added(at, v); }
int __tsan_atomic64_compare_exchange_strong(std::uint64_t* at, std::uint64_t* expected, std::uint64_t v, int, int) {
    return exchanged(at, expected, v);
}
int __tsan_atomic64_compare_exchange_weak(std::uint64_t* at, std::uint64_t* expected, std::uint64_t v, int, int) {
    return exchanged(at, expected, v);
}
}
