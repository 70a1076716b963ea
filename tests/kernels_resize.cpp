// Enlargement against its definition; factor 1 copies; wrong shapes are errors.
#include "kernels/resize.h"
#include "tests/reference/resize.h"

using namespace star;
using namespace star::reference;

namespace {

template <class T>
void check_case(const EnlargeCase& k) {
    CAPTURE(k.x.h);
    CAPTURE(k.x.w);
    CAPTURE(k.factor);
    Desk desk;
    const Array<T> x = random_array<T>(k.x, 41);
    Array<T> y({k.x.n, k.x.h * k.factor, k.x.w * k.factor, k.x.c});
    enlarge<T>(desk.stream, x.view(), k.factor, y.view());
    CHECK(all_within(enlarged(x, k.factor), y));
    if (k.factor == 1) CHECK(y == x);
}

}  // namespace

TEST_CASE("enlarge is its definition") {
    for (const EnlargeCase& k : enlarge_cases) check_case<float>(k), check_case<bf16>(k);
}

TEST_CASE("enlarge: wrong shapes are errors") {
    Desk desk;
    Array<float> x({1, 3, 4, 1}), y({1, 6, 8, 1}), wrong({1, 6, 9, 1});
    CHECK_THROWS_AS(enlarge<float>(desk.stream, x.view(), 2, wrong.view()), Error);
    CHECK_THROWS_AS(enlarge<float>(desk.stream, x.view(), 3, y.view()), Error);
    CHECK_THROWS_AS(enlarge<float>(desk.stream, x.view(), 0, y.view()), Error);
}
