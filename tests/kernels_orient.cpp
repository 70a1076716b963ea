// Orientations against geometry: what is shown, what comes back, which way offsets turn.
#include <set>

#include "kernels/orient.h"
#include "tests/reference/orient.h"

using namespace star;
using namespace star::reference;

TEST_CASE("the eight orientations of a map are all different, and undone") {
    std::set<std::vector<int>> shown;
    for (int g = 0; g < orientations; ++g) {
        std::vector<int> cells;
        for (int i = 0; i < 3; ++i)
            for (int j = 0; j < 3; ++j) {
                const Cell of = seen_at(g, {i, j}, 3), back = shown_at(g, of, 3);
                CHECK(back.row == i);
                CHECK(back.column == j);
                cells.push_back(3 * of.row + of.column);
            }
        if (g == 0) CHECK(std::is_sorted(cells.begin(), cells.end()));
        shown.insert(cells);
    }
    CHECK(shown.size() == 8);
}

TEST_CASE_TEMPLATE("orient shows every orientation", T, float, bf16) {
    for (const Shape s : orient_cases) {
        CAPTURE(s.h);
        Desk desk;
        const Array<T> x = random_array<T>(s, 5);
        Array<T> y({orientations * s.n, s.h, s.w, s.c});
        orient<T>(desk.stream, x.view(), y.view());
        CHECK(y == oriented(x));
    }
}

TEST_CASE_TEMPLATE("the mean of orientations is its definition", T, float, bf16) {
    for (const Shape s : mean_cases)
        for (const Turning turning : {Turning::never, Turning::offsets}) {
            CAPTURE(s.h);
            CAPTURE(int(turning));
            Desk desk;
            const Array<T> x = random_array<T>({orientations * s.n, s.h, s.w, s.c}, 6);
            Array<T> y(s);
            average_orientations<T>(desk.stream, x.view(), turning, y.view());
            CHECK(all_within(orientations_mean(x, turning), y));
        }
}

TEST_CASE("what is shown and averaged back is what was") {
    Desk desk;
    Array<float> x({2, 5, 5, 3});
    for (std::int64_t i = 0; i < x.size(); ++i) x[i] = float(i);
    Array<float> shown({16, 5, 5, 3}), back(x.shape());
    orient<float>(desk.stream, x.view(), shown.view());
    average_orientations<float>(desk.stream, shown.view(), Turning::never, back.view());
    CHECK(back == x);
}

TEST_CASE("orientations: wrong shapes are errors") {
    Desk desk;
    Array<float> x({1, 3, 3, 4}), y({8, 3, 3, 4}), wide({1, 3, 4, 4}), many({8, 3, 4, 4}), odd({1, 3, 3, 3}),
        odd_y({8, 3, 3, 3});
    CHECK_THROWS_AS(orient<float>(desk.stream, wide.view(), many.view()), Error);
    CHECK_THROWS_AS(orient<float>(desk.stream, x.view(), many.view()), Error);
    CHECK_THROWS_AS(average_orientations<float>(desk.stream, x.view(), Turning::never, y.view()), Error);
    CHECK_THROWS_AS(average_orientations<float>(desk.stream, many.view(), Turning::never, wide.view()), Error);
    CHECK_THROWS_AS(average_orientations<float>(desk.stream, odd_y.view(), Turning::offsets, odd.view()), Error);
}
