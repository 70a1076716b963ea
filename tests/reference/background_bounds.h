// How far a sky mesh and its interpolation on any device may be from their definitions.
#pragma once
#include "tests/reference/array.h"
#include "tests/reference/background.h"

namespace star::reference {

struct SkyBounds {
    Bounds level, rms;
};

inline SkyBounds sky_bounds(const Array<float>& image, const Array<std::uint8_t>* mask, const Mesh& how) {
    const Shape s = image.shape();
    const SkyMesh want = sky_mesh(
        s.h, s.w,
        [&](int y, int x) {
            return std::isfinite(image[std::int64_t{y} * s.w + x]) && !(mask && (*mask)[std::int64_t{y} * s.w + x]);
        },
        [&](int y, int x) { return double(image[std::int64_t{y} * s.w + x]); }, how);
    Bounds level(std::int64_t(want.level.size())), rms(std::int64_t(want.rms.size()));
    level.value = want.level, rms.value = want.rms;
    for (std::size_t i = 0; i < level.value.size(); ++i) {  // rounded to float once, twice where two are averaged
        level.bound[i] = 2.01 * 0x1p-24 * std::fabs(level.value[i]) + 1e-12 * rms.value[i];
        rms.bound[i] = 2.01 * 0x1p-24 * rms.value[i] + 1e-12 * std::fabs(level.value[i]);
    }

    return {level, rms};
}

inline Bounds interpolated(const Array<float>& mesh, int size, Shape s) {
    const int h = mesh.shape().h, w = mesh.shape().w;
    Bounds expected(s.size());
    for (int y = 0; y < s.h; ++y)
        for (int x = 0; x < s.w; ++x) {
            const Between i = between(y, h, s.h, size), j = between(x, w, s.w, size);
            const auto row = [&](int k) { return (1 - j.part) * mesh[k * w + j.low] + j.part * mesh[k * w + j.high]; };
            const auto at = std::size_t(y * s.w + x);
            expected.value[at] = (1 - i.part) * row(i.low) + i.part * row(i.high);
            // a dozen roundings, none of a number above the largest node
            expected.bound[at] = 12 * 0x1p-24 *
                                 std::max({std::fabs(mesh[i.low * w + j.low]), std::fabs(mesh[i.low * w + j.high]),
                                           std::fabs(mesh[i.high * w + j.low]), std::fabs(mesh[i.high * w + j.high])});
        }

    return expected;
}

}  // namespace star::reference
