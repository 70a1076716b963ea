// Random numbers by counter: Philox4x32-10 (Salmon et al. 2011). No state: a draw is a function of seed, stream and
// index, so work can be split in any way and give the same bits, and a kernel on any device draws the same numbers.
#pragma once
#include <cstdint>

namespace star {

struct Random4 {
    std::uint32_t x[4];
};

/// Four independent 32-bit words for (seed, stream, index).
constexpr Random4 philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
    std::uint32_t c[4] = {std::uint32_t(index), std::uint32_t(index >> 32), std::uint32_t(stream),
                          std::uint32_t(stream >> 32)};
    std::uint32_t k0 = std::uint32_t(seed), k1 = std::uint32_t(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53} * c[0], b = std::uint64_t{0xCD9E8D57} * c[2];
        const std::uint32_t n0 = std::uint32_t(b >> 32) ^ c[1] ^ k0, n2 = std::uint32_t(a >> 32) ^ c[3] ^ k1;
        c[0] = n0, c[1] = std::uint32_t(b), c[2] = n2, c[3] = std::uint32_t(a);
        k0 += 0x9E3779B9, k1 += 0xBB67AE85;
    }
    return {{c[0], c[1], c[2], c[3]}};
}

/// (0, 1): never 0 and never 1, 53 bits.
constexpr double uniform(std::uint32_t high, std::uint32_t low) {
    return (double((std::uint64_t{high} << 32 | low) >> 11) + 0.5) * 0x1p-53;
}

/// Number `k` of those that Random(seed, stream).uniform() draws one after the other.
constexpr double uniform_at(std::uint64_t seed, std::uint64_t stream, std::uint64_t k) {
    const Random4 r = philox(seed, stream, k / 2);
    return k % 2 == 0 ? uniform(r.x[0], r.x[1]) : uniform(r.x[2], r.x[3]);  // no index, which a kernel would spill for
}

/// A sequence of draws from one stream, for code that draws in order.
class Random {
public:
    Random(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

    double uniform() {
        if (at_ == 4) block_ = philox(seed_, stream_, index_++), at_ = 0;
        at_ += 2;
        return star::uniform(block_.x[at_ - 2], block_.x[at_ - 1]);
    }
    double uniform(double low, double high) { return low + (high - low) * uniform(); }
    int below(int n) { return int(uniform() * n); }  ///< 0...n-1
    double normal();                                 ///< mean 0, variance 1 (Box-Muller)
    double poisson(double mean);                     ///< exact (Knuth below 10, Hörmann's PTRS above); mean >= 0

private:
    std::uint64_t seed_, stream_, index_ = 0;
    Random4 block_{};
    int at_ = 4;
};

}  // namespace star
