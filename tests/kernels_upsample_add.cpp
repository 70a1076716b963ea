// Upsample-and-add against its definition: one rounding forward, sums of a few floats backward.
#include "kernels/upsample_add.h"
#include "tests/reference/array.h"

using namespace star;
using namespace star::reference;

namespace {

struct Pair {
    Shape coarse, fine;
};
const Pair pairs[] = {{{1, 1, 1, 1}, {1, 1, 1, 1}},      {{2, 3, 5, 8}, {2, 6, 10, 8}},
                      {{1, 4, 4, 24}, {1, 7, 8, 24}},    {{3, 1, 2, 3}, {3, 13, 11, 3}},
                      {{1, 5, 5, 100}, {1, 5, 9, 100}},  {{2, 7, 3, 65}, {2, 17, 4, 65}},
                      {{1, 13, 13, 64}, {1, 25, 25, 64}}};

std::int64_t coarse_index(Shape s, Shape t, std::int64_t fine) {  // floor(h * Hc / H) in doubles: exact at these sizes
    const std::int64_t c = fine % t.c, w = fine / t.c % t.w, h = fine / t.c / t.w % t.h, n = fine / t.c / t.w / t.h;
    const auto i = std::int64_t(std::floor(double(h * s.h) / t.h)), j = std::int64_t(std::floor(double(w * s.w) / t.w));
    return ((n * s.h + i) * s.w + j) * s.c + c;
}

template <class T>
void check_pair(Pair p) {
    CAPTURE(p.fine.h);
    CAPTURE(p.fine.c);
    Desk desk;
    const Array<T> coarse = random_array<T>(p.coarse, 31), lateral = random_array<T>(p.fine, 32);
    Array<T> y(p.fine), in_place = lateral, dcoarse(p.coarse);
    upsample_add<T>(desk.stream, coarse.view(), lateral.view(), y.view());
    upsample_add<T>(desk.stream, coarse.view(), in_place.view(), in_place.view());
    int wrong = 0;
    for (std::int64_t i = 0; i < y.size(); ++i)
        wrong += widen(y[i]) != widen(narrow<T>(widen(lateral[i]) + widen(coarse[coarse_index(p.coarse, p.fine, i)])));
    CHECK(wrong == 0);
    CHECK(y.intact());
    CHECK(in_place == y);

    upsample_add_backward<T>(desk.stream, y.view(), dcoarse.view());
    std::vector<double> sum(std::size_t(p.coarse.size())), size(sum), terms(sum);
    for (std::int64_t i = 0; i < y.size(); ++i) {
        const auto at = std::size_t(coarse_index(p.coarse, p.fine, i));
        sum[at] += widen(y[i]), size[at] += std::fabs(widen(y[i])), terms[at] += 1;
    }
    Bounds bounds(p.coarse.size());
    for (std::size_t i = 0; i < sum.size(); ++i) {
        const Bounded b = sum_of_products<T>(sum[i], size[i], terms[i]);
        bounds.value[i] = b.value, bounds.bound[i] = b.bound;
    }
    CHECK(all_within(bounds, dcoarse));
}

}  // namespace

TEST_CASE("upsample-and-add is its definition, forward and backward") {
    for (const Pair& p : pairs) check_pair<float>(p), check_pair<bf16>(p);
}

TEST_CASE("upsample-and-add: wrong shapes are errors") {
    Desk desk;
    Array<float> coarse({1, 4, 4, 8}), fine({1, 8, 8, 8}), other({1, 8, 8, 16}), small({1, 3, 8, 8});
    CHECK_THROWS_AS(upsample_add<float>(desk.stream, coarse.view(), fine.view(), other.view()), Error);
    CHECK_THROWS_AS(upsample_add<float>(desk.stream, coarse.view(), other.view(), fine.view()), Error);
    CHECK_THROWS_AS(upsample_add<float>(desk.stream, coarse.view(), small.view(), small.view()), Error);
    CHECK_THROWS_AS(upsample_add_backward<float>(desk.stream, small.view(), coarse.view()), Error);
}
