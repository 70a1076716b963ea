// The fragment layout is a layout at all; cuda_fragments.cpp shows whether it is the hardware's.
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "kernels/fragment.h"

using namespace star;

TEST_CASE("fragments cover their matrices once") {
    std::vector<int> a(256), b(128), c(128);
    for (int l = 0; l < 32; ++l) {
        for (int i = 0; i < 8; ++i) ++a[std::size_t(a_row(l, i) * 16 + a_col(l, i))];
        for (int i = 0; i < 4; ++i)
            ++b[std::size_t(b_row(l, i) * 8 + b_col(l, i))], ++c[std::size_t(c_row(l, i) * 8 + c_col(l, i))];
    }
    for (const auto& counts : {a, b, c}) CHECK(std::all_of(counts.begin(), counts.end(), [](int n) { return n == 1; }));
}
