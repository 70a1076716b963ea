// The dialect of simt.h on a CPU, for tests: one fibre per CUDA thread, one block at a time per thread of the stream's
// pool. A part of simt.h: include that.
//
// It is as unkind as the contract allows:
// - Shared and device memory start as NaN (bytes 0xff). Buffers have exact sizes, so that AddressSanitizer points at
// the
//   kernel's line; fibres have guard pages; both sanitizers know of the fibres. The memory of shared_memory is exact
//   too.
// - An asynchronous copy makes its destination NaN when issued and lands when waited for.
// - Between two barriers each warp runs as far as it can before the next one starts, forward or reverse, and so do the
//   lanes of a warp between collectives: whatever two threads do without a barrier between them happens in both orders.
//   Shuffled takes turns at random. Blocks run in that order too. A test that wants equal bits from all three finds
//   races.
// - Work that is queued on a stream waits until it is waited for (simt_queue.cpp).
// - Error, naming kernel and line: a barrier or collective that not all reach, or reach at different lines; a
// misaligned
//   copy or matrix load, or one not within shared memory; a return with copies in flight; more shared memory than was
//   launched with, or than an sm_80 has; a grid that hardware refuses.
// What it can't know: fragment layouts (it believes fragment.h), registers, time, and how memory is ordered between
// blocks.
#pragma once
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __launch_bounds__(...)
#define __grid_constant__

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};
inline thread_local constinit dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace star {
namespace simt {

using Where = std::source_location;

enum class Order { forward, reverse, shuffled };
/// The order in which threads run in all launches that begin later, in any thread of the program. Thread-safe.
void set_order(Order, unsigned seed = 0);

/// The device then has so many bytes; what is held already stays. Thread-safe
void limit_memory(std::int64_t bytes);
std::int64_t held_memory();  ///< bytes of the device. Thread-safe

/// What kernels did to memory. A request is one access of a warp: a copy_async, a plain read or write, a matrix load.
/// Sectors are 32 bytes of global memory: a request of 512 contiguous bytes, aligned, has 16. A conflict is a pass over
/// the banks of shared memory more than the bytes alone need: hardware passes over 128 bytes at a time. Lanes run one
/// after the other, so a request is put together from what each lane does at one place for the n-th time.
struct Counters {
    std::int64_t launches = 0, blocks = 0;
    std::int64_t copy_requests = 0, copy_bytes = 0, copy_sectors = 0;  ///< from global memory
    std::int64_t copy_conflicts = 0;                                   ///< in shared memory, of copy_async's writes
    std::int64_t matrix_loads = 0, bank_conflicts = 0;                 ///< in shared memory, of matrix loads
    // Plain reads and writes: only of launches within counted(), and where accesses_seen (config.h).
    std::int64_t read_requests = 0, read_sectors = 0;        ///< of global memory
    std::int64_t write_requests = 0, write_sectors = 0;      ///< of global memory; integer atomics too
    std::int64_t shared_requests = 0, shared_conflicts = 0;  ///< reads and writes of shared memory
    Counters& operator+=(const Counters&);
    Counters operator-(const Counters&) const;
    bool operator==(const Counters&) const = default;
    std::int64_t global_bytes() const { return 32 * (copy_sectors + read_sectors + write_sectors); }
};
Counters counters();  ///< of the whole program so far. Thread-safe
/// While one lives, plain reads and writes are counted too, and kernels take their time.
class Watch {
public:
    Watch();
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
};
/// What f's launches did, if nothing else launches meanwhile; f waits for its streams.
template <class F>
Counters counted(F f) {
    const Watch watch;
    const Counters before = counters();
    f();
    return counters() - before;
}
Counters last_launch();  ///< of the last launch that the calling thread ran

/// Puts work on a stream (simt_queue.cpp), or keeps it for later while this thread records (graph.h).
void queue(Stream, std::function<void()> work);
bool recording_now();  ///< this thread

// What the verbs below are made of.
void check_launch(const Site&, Grid);  ///< Throws Error for what no device takes.
void run(const Site&, Grid, void (*thread)(void* kernel), void* kernel);
bool in_device_memory(std::uintptr_t, int bytes);  ///< Thread-safe
/// A plain read or write by the running thread, anywhere; `place` tells it from others in the kernel's code.
void plain_access(const void* place, std::uintptr_t at, int bytes, bool write);
void* shared(std::size_t bytes, Where);
void barrier(Where);
/// Waits until all 32 lanes have called; the last one calls resolve with every lane's operand.
void collective(void* mine, void (*resolve)(void* const lanes[32]), Where);
void copy_begin(void* to, const void* from, bool valid, Where);
void copy_commit();
void copy_wait(int pending);
/// ldmatrix: lane 8j + r points at row r of matrix j; each lane gets two neighbours of each of `matrices`: of a row, or
/// turned, of a column.
void load_matrices(const bf16* mine, int matrices, bool turned, bf16* out, Where);
void multiply(FragC&, const FragA&, const FragB&, Where);

/// A shuffle: lane i gets the value of lane from(i, by).
template <int (*from)(int lane, int by), class T>
T shuffle(T v, int by, Where where) {
    static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
    struct Operand {
        T in, out;
        int by;
    } mine{v, v, by};
    collective(
        &mine,
        [](void* const lanes[32]) {
            for (int i = 0; i < 32; ++i) {
                auto& me = *static_cast<Operand*>(lanes[i]);
                me.out = static_cast<Operand*>(lanes[from(i, me.by)])->in;
            }
        },
        where);
    return mine.out;
}
inline int lane_xor(int lane, int mask) { return (lane ^ mask) & 31; }
inline int lane_up(int lane, int by) { return lane >= by ? lane - by : lane; }
inline int lane_down(int lane, int by) { return lane + by < 32 ? lane + by : lane; }
inline int lane_idx(int, int from) { return from & 31; }

}  // namespace simt

template <class... P>
void launch(Site site, Grid g, void (*kernel)(P...), std::type_identity_t<P>... args) {
    static_assert((std::is_trivially_copyable_v<P> && ...));
    if (site.stream.dry) return;
    simt::check_launch(site, g);
    simt::queue(site.stream, [=]() mutable {
        auto thread = [&] { kernel(args...); };
        simt::run(
            site, g, [](void* t) { (*static_cast<decltype(thread)*>(t))(); }, &thread);
    });
}

template <class T>
T& shared_memory(simt::Where where = simt::Where::current()) {
    static_assert(std::is_trivial_v<T> && alignof(T) <= 128);
    return *static_cast<T*>(simt::shared(sizeof(T), where));
}

inline void sync_block(simt::Where where = simt::Where::current()) { simt::barrier(where); }
inline void sync_warp(simt::Where where = simt::Where::current()) {
    simt::collective(
        nullptr, [](void* const*) {}, where);
}
inline int lane() { return int(threadIdx.x & 31); }

template <class T>
T shuffle_xor(T v, int mask, simt::Where where = simt::Where::current()) {
    return simt::shuffle<simt::lane_xor>(v, mask, where);
}
template <class T>
T shuffle_up(T v, int by, simt::Where where = simt::Where::current()) {
    return simt::shuffle<simt::lane_up>(v, by, where);
}
template <class T>
T shuffle_down(T v, int by, simt::Where where = simt::Where::current()) {
    return simt::shuffle<simt::lane_down>(v, by, where);
}
template <class T>
T shuffle_idx(T v, int from, simt::Where where = simt::Where::current()) {
    return simt::shuffle<simt::lane_idx>(v, from, where);
}

inline unsigned ballot(bool p, simt::Where where = simt::Where::current()) {
    struct Operand {
        bool in;
        unsigned out;
    } mine{p, 0};
    simt::collective(
        &mine,
        [](void* const lanes[32]) {
            unsigned votes = 0;
            for (int i = 0; i < 32; ++i) votes |= unsigned(static_cast<Operand*>(lanes[i])->in) << i;
            for (int i = 0; i < 32; ++i) static_cast<Operand*>(lanes[i])->out = votes;
        },
        where);
    return mine.out;
}
inline bool any(bool p, simt::Where where = simt::Where::current()) { return ballot(p, where) != 0; }
inline bool all(bool p, simt::Where where = simt::Where::current()) { return ballot(p, where) == ~0u; }

template <class T>
requires std::is_integral_v<T> &&(sizeof(T) >= 4) T atomic_add(T* p, std::type_identity_t<T> v) {
    return std::atomic_ref(*p).fetch_add(v, std::memory_order_relaxed);
}
template <class T>
requires std::is_integral_v<T> &&(sizeof(T) >= 4) T atomic_max(T* p, std::type_identity_t<T> v) {
    std::atomic_ref at(*p);
    T old = at.load(std::memory_order_relaxed);
    while (old < v && !at.compare_exchange_weak(old, v, std::memory_order_relaxed)) {
    }
    return old;
}
template <class T>
requires std::is_integral_v<T> &&(sizeof(T) >= 4) T
    atomic_cas(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> v) {
    std::atomic_ref(*p).compare_exchange_strong(expected, v, std::memory_order_relaxed);
    return expected;
}

inline void copy_async(void* shared, const void* global, bool valid, simt::Where where = simt::Where::current()) {
    simt::copy_begin(shared, global, valid, where);
}
inline void copy_commit() { simt::copy_commit(); }
template <int pending>
void copy_wait() {
    simt::copy_wait(pending);
}

inline FragA load_a(const bf16* mine, simt::Where where = simt::Where::current()) {
    FragA f;
    simt::load_matrices(mine, 4, false, f.x, where);
    return f;
}
inline FragB load_b(const bf16* mine, simt::Where where = simt::Where::current()) {
    FragB f;
    simt::load_matrices(mine, 2, false, f.x, where);
    return f;
}
inline FragB2 load_b2(const bf16* mine, simt::Where where = simt::Where::current()) {
    bf16 x[8];
    simt::load_matrices(mine, 4, false, x, where);
    return std::bit_cast<FragB2>(x);
}
inline FragA load_a_across(const bf16* mine, simt::Where where = simt::Where::current()) {
    FragA f;
    simt::load_matrices(mine, 4, true, f.x, where);
    return f;
}
inline FragB2 load_b2_across(const bf16* mine, simt::Where where = simt::Where::current()) {
    bf16 x[8];
    simt::load_matrices(mine, 4, true, x, where);
    return std::bit_cast<FragB2>(x);
}
inline FragA load_a(const bf16* tile, int stride, simt::Where where = simt::Where::current()) {
    return load_a(tile + a_source(lane()).offset(stride), where);
}
inline FragB load_b(const bf16* tile, int stride, simt::Where where = simt::Where::current()) {
    return load_b(tile + b_source(lane()).offset(stride), where);
}
inline FragB2 load_b2(const bf16* tile, int stride, simt::Where where = simt::Where::current()) {
    return load_b2(tile + b2_source(lane()).offset(stride), where);
}
inline void mma(FragC& c, const FragA& a, const FragB& b, simt::Where where = simt::Where::current()) {
    simt::multiply(c, a, b, where);
}

}  // namespace star
