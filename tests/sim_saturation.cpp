// Saturated cores and what their charge ran over.
#include <doctest/doctest.h>

#include <cmath>

#include "sim/detector_noise.h"
#include "sim/saturation.h"
#include "sim/scene_defects.h"

using namespace star;

TEST_CASE("saturation: cores, and trails connected to them, and nothing else") {
    constexpr int w = 9, h = 7;
    std::vector<float> v(w * h, 10);
    const auto at = [&](int y, int x) -> float& { return v[std::size_t(y * w + x)]; };
    at(3, 4) = 100, at(4, 4) = 95, at(5, 4) = 91, at(6, 4) = 89;  // a trail that ends
    at(3, 5) = 92;
    at(2, 3) = 95;  // touches the core by its corner alone
    at(0, 0) = 95;  // bright, not connected
    at(1, 8) = NAN;
    std::vector<std::uint8_t> mask;
    mark_saturated(v, w, h, 100, mask);
    REQUIRE(mask.size() == v.size());
    std::vector<std::size_t> marked;
    for (std::size_t i = 0; i < mask.size(); ++i)
        if (mask[i] == mask_saturated) marked.push_back(i);
    CHECK(marked == std::vector<std::size_t>{3 * w + 4, 3 * w + 5, 4 * w + 4, 5 * w + 4});
    std::vector<std::uint8_t> none;
    mark_saturated(v, w, h, 101, none);
    CHECK(none.empty());
    std::vector<std::uint8_t> own(v.size(), 1);
    mark_saturated(v, w, h, 100, own);
    CHECK(int(own[3 * w + 4]) == (1 | mask_saturated));
    CHECK(int(own[0]) == 1);
}

TEST_CASE("saturation: the whole trail of a star that bled") {
    constexpr int w = 21, h = 200;
    std::vector<float> v(w * h, 0);
    v[100 * w + 10] = 60 * 1000.0f;  // sixty full wells
    bleed({v.data(), {1, h, w, 1}}, 1000);
    std::vector<std::uint8_t> mask;
    mark_saturated(v, w, h, 1000, mask);
    int filled = 0, marked = 0;
    for (std::size_t i = 0; i < v.size(); ++i) filled += v[i] >= 1000, marked += mask[i] != 0;
    CHECK(filled >= 59);
    CHECK(marked >= filled);
    CHECK(marked <= filled + 2);  // its two ends may be nearly full
}
