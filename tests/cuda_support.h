// What the tests of CUDA kernels share: a stream on the device, and arrays there between canaries.
#pragma once
#include <cstring>
#include <vector>

#include "kernels/device.h"
#include "tests/reference/compare.h"
#include "tests/skip.h"

namespace star::test {

inline constexpr Device gpu{Device::Kind::cuda, 0};

/// False, after saying so, where the test has to be skipped. The emulated device is always there.
inline bool gpu_missing() {
    if (cuda_devices() > 0) return false;
    skip("no GPU");
    return true;
}

struct Queue {
    ThreadPool pool;
    Stream stream{gpu, &pool, nullptr, false};
};

/// An input: exactly its size, so that the emulator's AddressSanitizer sees reads beyond.
template <class T>
Buffer<T> upload(Stream stream, const std::vector<T>& values) {
    Buffer<T> b(gpu, std::int64_t(values.size()));
    copy_to_device(stream, b.data(), values.data(), values.size() * sizeof(T));
    synchronize(stream);
    return b;
}

template <class T>
std::vector<T> download(Stream stream, const T* data, std::int64_t count) {
    std::vector<T> v(static_cast<std::size_t>(count));
    copy_to_host(stream, v.data(), data, v.size() * sizeof(T));
    synchronize(stream);
    return v;
}

/// An output: bytes 0xff, a NaN, between canaries.
template <class T>
class Output {
public:
    Output(Stream stream, std::int64_t count)
        : stream_(stream), bytes_(gpu, 2 * margin + count * std::int64_t{sizeof(T)}), count_(count) {
        std::vector<std::byte> all(std::size_t(bytes_.size()), std::byte{0xff});
        for (int i = 0; i < margin; ++i) all[std::size_t(i)] = all[all.size() - 1 - std::size_t(i)] = canary(i);
        copy_to_device(stream, bytes_.data(), all.data(), all.size());
        synchronize(stream);
    }
    Output(Stream stream, Shape shape) : Output(stream, shape.size()) {}
    T* data() const { return reinterpret_cast<T*>(bytes_.data() + margin); }
    std::int64_t size() const { return count_; }
    std::vector<T> values() const { return download(stream_, static_cast<const T*>(data()), count_); }
    /// Nothing was written outside.
    bool intact() const {
        const auto all = download(stream_, static_cast<const std::byte*>(bytes_.data()), bytes_.size());
        for (int i = 0; i < margin; ++i)
            if (all[std::size_t(i)] != canary(i) || all[all.size() - 1 - std::size_t(i)] != canary(i)) return false;
        return true;
    }

private:
    static constexpr int margin = 256;  // keeps the alignment
    static std::byte canary(int i) { return std::byte(0xa5 ^ (i & 15)); }
    Stream stream_;
    Buffer<std::byte> bytes_;
    std::int64_t count_;
};

/// True if a and b have the same bits.
template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

}  // namespace star::test
