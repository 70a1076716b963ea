// Order statistics of many floats by one block: exact, without sorting, moving or storing them.
//
// A source of values has `int slots` and `bool get(int slot, float& v)`: false where there is no value. NaN isn't one.
#pragma once
#include "kernels/simt.h"

namespace star {

/// Integers in the order of the floats (-0 before 0), and back.
constexpr unsigned order_key(float v) {
    const auto bits = std::bit_cast<unsigned>(v);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}
constexpr float float_of_key(unsigned key) { return std::bit_cast<float>(key >> 31 ? key & 0x7fffffffu : ~key); }

inline constexpr int select_bins = 256;

struct SelectShared {
    unsigned bins[select_bins];
    unsigned count, not_low, high;  // of a census
    unsigned bin, before;           // the bin that holds the rank, how many values lie in those before it
};

/// The values whose keys lie in low...high: all of the source that a function keeps.
struct Kept {
    unsigned count, low, high;
};

/// Counts the values that keep(v) accepts, and finds the least and the largest. All threads of the block call and get
/// the result, here and below.
template <class Source, class Keep>
__device__ Kept census(const Source& from, Keep keep, SelectShared& s) {
    sync_block();  // whoever read s before has done so
    if (threadIdx.x == 0) s.count = s.not_low = s.high = 0;
    sync_block();  // s is zero
    Kept mine{0, ~0u, 0};
    float v;
    for (int i = int(threadIdx.x); i < from.slots; i += int(blockDim.x))
        if (from.get(i, v) && keep(v)) {
            const unsigned key = order_key(v);
            ++mine.count;
            mine.low = key < mine.low ? key : mine.low, mine.high = key > mine.high ? key : mine.high;
        }
    if (mine.count) {
        atomic_add(&s.count, mine.count);
        atomic_max(&s.not_low, ~mine.low);
        atomic_max(&s.high, mine.high);
    }
    sync_block();  // all threads have added theirs
    return {s.count, ~s.not_low, s.high};
}

/// The first bin whose values and those before it are more than `rank`. By warp 0.
__device__ inline void find_bin(unsigned rank, SelectShared& s) {
    constexpr int each = select_bins / 32;
    unsigned own = 0;
    for (int i = 0; i < each; ++i) own += s.bins[lane() * each + i];
    unsigned up_to = own;
    for (int by = 1; by < 32; by *= 2) {
        const unsigned below = shuffle_up(up_to, by);
        if (lane() >= by) up_to += below;
    }
    unsigned before = up_to - own;
    if (before <= rank && rank < up_to) {  // true for one lane
        int bin = lane() * each;
        while (before + s.bins[bin] <= rank) before += s.bins[bin++];
        s.bin = unsigned(bin), s.before = before;
    }
}

/// The value of this rank, from 0, among those kept; rank < kept.count.
template <class Source>
__device__ float select(const Source& from, Kept kept, unsigned rank, SelectShared& s) {
    unsigned low = kept.low, high = kept.high;
    while (low < high) {
        int shift = 0;
        while ((high - low) >> shift >= unsigned(select_bins)) ++shift;
        // Nobody reads the bins now: find_bin was the last, before a barrier.
        for (int b = int(threadIdx.x); b < select_bins; b += int(blockDim.x)) s.bins[b] = 0;
        sync_block();  // the bins are empty
        float v;
        for (int i = int(threadIdx.x); i < from.slots; i += int(blockDim.x))
            if (from.get(i, v))
                if (const unsigned key = order_key(v); key >= low && key <= high)
                    atomic_add(&s.bins[(key - low) >> shift], 1u);
        sync_block();  // all are counted
        if (threadIdx.x < 32) find_bin(rank, s);
        sync_block();  // the bin is known
        rank -= s.before;
        low += s.bin << shift;
        const unsigned last = (1u << shift) - 1;  // of the bin
        if (high - low > last) high = low + last;
    }
    return float_of_key(low);
}

/// The two values in the middle of those kept; the same one twice if their number is odd.
struct Middle {
    float low, high;
};
template <class Source>
__device__ Middle middle_two(const Source& from, Kept kept, SelectShared& s) {
    const float low = select(from, kept, (kept.count - 1) / 2, s);
    if (kept.count % 2) return {low, low};
    const unsigned at = order_key(low);
    const Kept above = census(
        from, [&](float v) { return order_key(v) > at && order_key(v) <= kept.high; }, s);
    const bool again = kept.count - above.count > kept.count / 2;
    return {low, again ? low : float_of_key(above.low)};
}

/// The middle one, or the mean of the middle two.
template <class Source>
__device__ float median(const Source& from, Kept kept, SelectShared& s) {
    const Middle m = middle_two(from, kept, s);
    return kept.count % 2 ? m.low : 0.5f * (m.low + m.high);
}

}  // namespace star
