// The numbers everything is made of: bf16 rounding and the counter-based generator against its published answers.
#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <limits>

#include "kernels/random.h"
#include "kernels/types.h"

using namespace star;

TEST_CASE("bf16 rounds to nearest even and keeps NaN and infinity") {
    CHECK(widen(to_bf16(1.0f)) == 1.0f);
    CHECK(widen(to_bf16(1.00390625f)) == 1.0f);       // half way: to even
    CHECK(widen(to_bf16(1.01171875f)) == 1.015625f);  // half way: to even, upwards
    CHECK(widen(to_bf16(1.0039064f)) == 1.0078125f);  // just above half way
    CHECK(std::isinf(widen(to_bf16(std::numeric_limits<float>::max()))));
    CHECK(std::isnan(widen(to_bf16(std::nanf("")))));
    CHECK(std::isnan(widen(to_bf16(std::bit_cast<float>(0x7f800001u)))));  // a NaN whose upper half looks infinite
    for (std::uint32_t u = 0; u < 0x10000; ++u)
        if (const bf16 b{std::uint16_t(u)}; !std::isnan(widen(b))) CHECK(to_bf16(widen(b)) == b);
}

TEST_CASE("Philox4x32-10 gives its published answers") {  // Random123's kat_vectors
    const Random4 zero = philox(0, 0, 0);
    CHECK(zero.x[0] == 0x6627e8d5);
    CHECK(zero.x[1] == 0xe169c58d);
    CHECK(zero.x[2] == 0xbc57ac4c);
    CHECK(zero.x[3] == 0x9b00dbd8);
    const Random4 ones = philox(~0ull, ~0ull, ~0ull);
    CHECK(ones.x[0] == 0x408f276d);
    CHECK(ones.x[1] == 0x41c83b0e);
    CHECK(ones.x[2] == 0xa20bc7c6);
    CHECK(ones.x[3] == 0x6d5451fd);
}

TEST_CASE("the moments of the distributions lie within five standard errors") {
    const int n = 200000;
    Random r(1, 2);
    double sum = 0, sum2 = 0;
    for (int i = 0; i < n; ++i) {
        const double x = r.normal();
        sum += x, sum2 += x * x;
    }
    CHECK(std::fabs(sum / n) < 5 / std::sqrt(n));
    CHECK(std::fabs(sum2 / n - 1) < 5 * std::sqrt(2.0 / n));
    for (double mean : {0.3, 9.99, 10.0, 47.0, 1e6}) {
        sum = sum2 = 0;
        for (int i = 0; i < n; ++i) {
            const double x = r.poisson(mean);
            sum += x, sum2 += (x - mean) * (x - mean);
        }
        CHECK(std::fabs(sum / n - mean) < 5 * std::sqrt(mean / n));
        CHECK(std::fabs(sum2 / n - mean) < 5 * std::sqrt((mean + 2 * mean * mean) / n));
    }
    CHECK(Random(1, 1).poisson(0) == 0);
}
