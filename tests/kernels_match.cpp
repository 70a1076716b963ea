// Matching against brute force over all pairs, exactly: ties, ignored regions, best anchors, empty images.
#include "kernels/match.h"
#include "tests/reference/array.h"
#include "tests/reference/match.h"

using namespace star;
using namespace star::reference;

namespace {

struct Scene {
    AnchorGrid grid;
    std::vector<Box> boxes;
    std::vector<std::int8_t> labels;
    std::vector<int> first{0};
    int images() const { return int(first.size()) - 1; }
};

// Units on a quarter-pixel raster, so that IoUs are often equal; one box in eight is an ignored region.
Scene random_scene(int images, int units, std::uint64_t seed) {
    Scene s{small_grid(), {}, {}};
    Random r(seed, 1);
    for (int n = 0; n < images; ++n) {
        const int count = n == 1 ? 0 : units;  // the second image is empty
        for (int u = 0; u < count; ++u) {
            const float x = float(r.below(400) - 40) / 4, y = float(r.below(320) - 20) / 4;
            const float w = float(1 + r.below(80)) / 4, h = float(1 + r.below(80)) / 4;
            s.boxes.push_back(r.below(16) ? Box{x, y, x + w, y + h} : Box{x, y, x, y + h});
            s.labels.push_back(r.below(8) ? std::int8_t(r.below(5)) : label_ignored);
            if (r.below(5) == 0) s.boxes.push_back(s.boxes.back()), s.labels.push_back(std::int8_t(r.below(5)));
        }
        s.first.push_back(int(s.boxes.size()));
    }
    return s;
}

struct Result {
    Array<int> match, positives;
    Array<std::int8_t> labels;
};

Result run(const Scene& s, Matching how, int threads = 2) {
    Desk desk(threads);
    const int units = int(s.boxes.size()), images = s.images();
    const Array<Box> boxes({1, 1, 1, units}, s.boxes);
    const Array<std::int8_t> truth({1, 1, 1, units}, s.labels);
    const Array<int> first({1, 1, 1, images + 1}, s.first);
    const Shape shape{images, 1, 1, s.grid.total};
    Result out{Array<int>(shape), Array<int>({1, 1, 1, images}), Array<std::int8_t>(shape)};
    match_anchors(desk.stream, s.grid, {boxes.view(), truth.view(), first.view()}, how, out.match.view(),
                  out.labels.view(), out.positives.view(), desk.arena);
    CHECK((boxes.intact() && out.match.intact() && out.labels.intact() && out.positives.intact()));
    return out;
}

void check_scene(const Scene& s, Matching how) {
    const Result got = run(s, how);
    for (int n = 0; n < s.images(); ++n) {
        const std::vector<int> want =
            match(s.grid, s.boxes, s.labels, s.first[std::size_t(n)], s.first[std::size_t(n) + 1], how);
        int wrong = 0, positives = 0;
        for (int i = 0; i < s.grid.total; ++i) {
            const int m = want[std::size_t(i)];
            const std::int64_t at = std::int64_t{n} * s.grid.total + i;
            wrong += got.match[at] != m;
            wrong += got.labels[at] != (m >= 0 ? s.labels[std::size_t(m)] : m == -1 ? label_background : label_ignored);
            positives += m >= 0;
        }
        CHECK(wrong == 0);
        CHECK(got.positives[n] == positives);
    }
}

}  // namespace

TEST_CASE("matching is brute force, exactly") {
    for (int seed = 0; seed < 12; ++seed)
        for (const Matching how :
             {Matching{}, Matching{0.5f, 0.5f, true}, Matching{0.3f, 0.1f, false}, Matching{2, 0.2f, true}}) {
            CAPTURE(seed);
            check_scene(random_scene(3, 1 + 5 * seed, std::uint64_t(seed)), how);
        }
}

TEST_CASE("matching: an anchor that is the best of several takes the one of highest IoU, the first of equals") {
    Scene s{small_grid(), {}, {}};
    const Box anchor = anchor_box(s.grid, 0);
    const auto shifted = [&](float by) { return Box{anchor.x0 - by, anchor.y0, anchor.x1 - by, anchor.y1}; };
    s.boxes = {shifted(3), shifted(2), shifted(2), shifted(2.5f)};
    s.labels = {0, 1, 2, 3};
    s.first = {0, 4};
    const Result r = run(s, {0.9f, 0.8f, true});
    CHECK(r.match[0] == 1);
    CHECK(r.labels[0] == 1);
    check_scene(s, {0.9f, 0.8f, true});
}

TEST_CASE("matching: images without units are background, regions apart") {
    Scene s{small_grid(), {}, {}};
    s.first = {0, 0};
    const Result empty = run(s, {});
    for (int i = 0; i < s.grid.total; ++i) CHECK(empty.match[i] == -1);
    CHECK(empty.positives[0] == 0);
    s.boxes = {{10, 10, 20, 20}};
    s.labels = {label_ignored};
    s.first = {0, 1};
    check_scene(s, {});
    s.boxes = {{0, 0, 1e30f, 1e30f}};
    check_scene(s, {});
    s.boxes = {{NAN, 0, 5, 5}};
    s.labels = {1};
    check_scene(s, {});
}

TEST_CASE("matching: any thread count gives the same bits; rehearsal; errors") {
    const Scene s = random_scene(5, 60, 9);
    const Result one = run(s, {}, 1), four = run(s, {}, 4);
    CHECK(one.match == four.match);
    CHECK(one.labels == four.labels);
    CHECK_THROWS_AS(run(s, {0.4f, 0.5f, true}), Error);
    CHECK_THROWS_AS(run(s, {0.4f, 0, true}), Error);
    Scene wrong = s;
    wrong.grid.total += 1;
    CHECK_THROWS_AS(run(wrong, {}), Error);
    wrong = s;
    wrong.grid.level[1].stride_x = 0;
    CHECK_THROWS_AS(run(wrong, {}), Error);
    const int units = int(s.boxes.size());
    const Array<Box> boxes({1, 1, 1, units}, s.boxes);
    const Array<std::int8_t> truth({1, 1, 1, units}, s.labels);
    const Array<int> first({1, 1, 1, 6}, s.first);
    Array<int> match({5, 1, 1, s.grid.total}), positives({1, 1, 1, 5});
    Array<std::int8_t> labels({5, 1, 1, s.grid.total}), short_labels({4, 1, 1, s.grid.total});
    CHECK(rehearses([&](Stream stream, Arena& arena) {
        match_anchors(stream, s.grid, {boxes.view(), truth.view(), first.view()}, {}, match.view(), labels.view(),
                      positives.view(), arena);
    }));
    Desk desk;
    CHECK_THROWS_AS(match_anchors(desk.stream, s.grid, {boxes.view(), truth.view(), first.view()}, {}, match.view(),
                                  short_labels.view(), positives.view(), desk.arena),
                    Error);
}
