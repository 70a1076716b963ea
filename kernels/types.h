// The vocabulary every folder shares: numbers, shapes, views, boxes. Plain C++20, no CUDA.
// Functions used on both sides are constexpr: nvcc's --expt-relaxed-constexpr makes a constexpr
// function callable from device code, so nothing here needs __host__ __device__.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace star {

/// The upper half of an IEEE float. Storage only: all arithmetic is done in float.
struct bf16 {
    std::uint16_t bits;
    constexpr bool operator==(const bf16&) const = default;  // of bits
};

constexpr float widen(float v) { return v; }
constexpr float widen(bf16 v) { return std::bit_cast<float>(std::uint32_t{v.bits} << 16); }

/// Rounds to nearest, ties to even; NaN stays NaN.
constexpr bf16 to_bf16(float v) {
    const auto u = std::bit_cast<std::uint32_t>(v);
    if ((u & 0x7fffffffu) > 0x7f800000u) return {std::uint16_t(u >> 16 | 0x40u)};
    return {std::uint16_t((u + 0x7fffu + (u >> 16 & 1u)) >> 16)};
}

/// Rounds a float to the storage type T of activations: float keeps it, bf16 rounds to nearest even.
template <class T>
constexpr T narrow(float v) {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, bf16>);
    if constexpr (std::is_same_v<T, float>)
        return v;
    else
        return to_bf16(v);
}

constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr int round_up(int a, int b) { return ceil_div(a, b) * b; }

/// Channels in memory: a multiple of 8, the padding always zero. One channel (the sky) stays one.
constexpr int padded_channels(int c) { return c == 1 ? 1 : round_up(c, 8); }

/// Extent of a feature map: images, rows, columns, channels. The last index varies fastest.
struct Shape {
    int n = 1, h = 1, w = 1, c = 1;
    constexpr std::int64_t size() const { return std::int64_t{n} * h * w * c; }
    constexpr bool operator==(const Shape&) const = default;
};

/// Contiguous NHWC data somebody else owns. Passed by value, valid in kernels.
template <class T>
struct View {
    T* data = nullptr;
    Shape shape{};
    constexpr std::int64_t size() const { return shape.size(); }
    template <class U>
    requires std::is_same_v<U, const T>
    constexpr operator View<U>() const { return {data, shape}; }
};

template <class T>
constexpr View<const T> read_only(View<T> v) {
    return {v.data, v.shape};
}

/// A rectangle in pixel edges: an image of W columns spans 0...W. x_edge = x_0based + 0.5, x_FITS = x_edge + 0.5.
struct Box {
    float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
    constexpr float width() const { return x1 - x0; }
    constexpr float height() const { return y1 - y0; }
    constexpr float x() const { return 0.5f * (x0 + x1); }
    constexpr float y() const { return 0.5f * (y0 + y1); }
    constexpr float area() const { return width() * height(); }
    constexpr bool operator==(const Box&) const = default;
};

/// Intersection over union. 0 where the union is empty.
constexpr float iou(Box a, Box b) {
    const float x0 = a.x0 > b.x0 ? a.x0 : b.x0, x1 = a.x1 < b.x1 ? a.x1 : b.x1;
    const float y0 = a.y0 > b.y0 ? a.y0 : b.y0, y1 = a.y1 < b.y1 ? a.y1 : b.y1;
    const float both = x1 > x0 && y1 > y0 ? (x1 - x0) * (y1 - y0) : 0;
    const float either = a.area() + b.area() - both;
    return either > 0 ? both / either : 0;
}

}  // namespace star
