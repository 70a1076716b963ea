// Medians against a sort, in every instruction set.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/random.h"
#include "sim/median_filter.h"

using namespace star;

TEST_CASE("median filter: a sort's middle, for any size, radius and instruction set") {
    Random random(7, 0);
    for (const auto& [w, h] : {std::pair{1, 1}, {2, 5}, {15, 3}, {16, 16}, {17, 9}, {50, 23}}) {
        std::vector<float> in;
        for (int i = 0; i < w * h; ++i)  // ties, both signs, infinities
            in.push_back(random.uniform() < 0.02 ? INFINITY : float(int(random.uniform(-40, 40))) / 4);
        for (int radius : {1, 2, 3}) {
            std::vector<float> want;
            for (int y = 0; y < h; ++y)
                for (int x = 0; x < w; ++x) {
                    std::vector<float> window;
                    for (int v = y - radius; v <= y + radius; ++v)
                        for (int u = x - radius; u <= x + radius; ++u)
                            window.push_back(in[std::size_t(std::clamp(v, 0, h - 1) * w + std::clamp(u, 0, w - 1))]);
                    std::sort(window.begin(), window.end());
                    want.push_back(window[window.size() / 2]);
                }
            for (Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512})
                if (isa <= best_isa()) {
                    CAPTURE(w);
                    CAPTURE(radius);
                    CAPTURE(isa_name(isa));
                    CHECK(median_filter(isa, in, w, h, radius) == want);
                }
        }
    }
    CHECK_THROWS(median_filter(Isa::baseline, std::vector<float>(4), 2, 2, 4));
    CHECK_THROWS(median_filter(Isa::baseline, std::vector<float>(3), 2, 2, 1));
}
