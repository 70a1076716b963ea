// Suppression against the plain quadratic loop: equal indices for both criteria, groups, images, odd boxes; and its
// speed.
#include <ctime>
#include <utility>

#include "kernels/nms.h"
#include "tests/reference/array.h"
#include "tests/reference/nms.h"

using namespace star;
using namespace star::reference;

namespace {

struct Set {
    std::vector<Box> boxes;
    std::vector<float> scores;
    std::vector<int> groups;  // empty for none
    int size() const { return int(boxes.size()); }
};

// sizes between `least` and `most`, logarithmically; scores on a raster, so that some are equal, 0 and -0 among them
Set random_set(int count, double field, double least, double most, int groups, std::uint64_t seed) {
    Set s;
    Random r(seed, 3);
    for (int i = 0; i < count; ++i) {
        const double w = least * std::pow(most / least, r.uniform()), h = w * std::exp(r.normal() * 0.3);
        const double x = r.uniform(-field / 4, field), y = r.uniform(-field / 4, field);
        s.boxes.push_back({float(x), float(y), float(x + w), float(y + h)});
        s.scores.push_back(float(r.below(201) - 100) / 100 * (r.below(2) ? 1.0f : -1.0f));
        if (groups) s.groups.push_back(r.below(groups) - 1);
    }
    return s;
}

struct Kept {
    Array<int> index, count;
};

Kept run(const std::vector<Set>& images, Nms how, int threads = 2) {
    int rows = 1;
    for (const Set& s : images) rows = std::max(rows, s.size());
    const Shape shape{int(images.size()), 1, 1, rows};
    Array<Box> boxes(shape);
    Array<float> scores(shape);
    Array<int> groups(shape), count({1, 1, 1, shape.n});
    for (int n = 0; n < shape.n; ++n) {
        const Set& s = images[std::size_t(n)];
        count[n] = s.size();
        for (int i = 0; i < s.size(); ++i) {
            const std::int64_t at = std::int64_t{n} * rows + i;
            boxes[at] = s.boxes[std::size_t(i)], scores[at] = s.scores[std::size_t(i)];
            if (!s.groups.empty()) groups[at] = s.groups[std::size_t(i)];
        }
    }
    const Array<Box> boxes_before = boxes;
    Desk desk(threads, 16 << 20);
    Kept kept{Array<int>(shape), Array<int>({1, 1, 1, shape.n})};
    nms(desk.stream, boxes.view(), scores.view(),
        images[0].groups.empty() ? View<const int>{} : read_only(groups.view()), count.view(), how, kept.index.view(),
        kept.count.view(), desk.arena);
    CHECK(boxes == boxes_before);
    CHECK((kept.index.intact() && kept.count.intact()));
    return kept;
}

void check_sets(const std::vector<Set>& images, Nms how) {
    const Kept got = run(images, how);
    const std::int64_t rows = got.index.shape().c;
    for (int n = 0; n < int(images.size()); ++n) {
        const Set& s = images[std::size_t(n)];
        const std::vector<int> want = star::reference::nms(s.boxes, s.scores, s.groups, how);
        REQUIRE(got.count[n] == int(want.size()));
        int wrong = 0;
        for (std::size_t i = 0; i < want.size(); ++i) wrong += got.index[n * rows + std::int64_t(i)] != want[i];
        CHECK(wrong == 0);
    }
}

double processor_seconds(const std::vector<Set>& images, Nms how) {
    const std::clock_t start = std::clock();
    run(images, how);
    return double(std::clock() - start) / CLOCKS_PER_SEC;
}

}  // namespace

TEST_CASE("suppression by IoU is the quadratic loop, exactly") {
    for (const float threshold : {0.0f, 0.05f, 0.3f, 0.5f, 0.7f, 0.95f, 1.0f, 2.0f})
        for (const int groups : {0, 3}) {
            CAPTURE(threshold);
            const Nms how{Nms::By::iou, threshold};
            check_sets({random_set(600, 60, 4, 8, groups, 1),
                        random_set(1, 60, 4, 8, groups, 2),
                        {{}, {}, {}},
                        random_set(300, 20, 4, 8, groups, 3)},
                       how);
            check_sets({random_set(600, 100, 0.01, 300, groups, 4)}, how);  // all sizes
            check_sets({random_set(300, 1e6, 1e-3, 1e7, groups, 5)}, how);
            check_sets({random_set(400, 1e-7, 1e-9, 1e-6, groups, 6)}, how);  // below the smallest layer
            check_sets({random_set(300, 1e15, 1e13, 1e15, groups, 7)}, how);  // above the largest
        }
}

TEST_CASE("suppression finds pairs that only just overlap enough") {
    for (const double t : {0.02, 0.3, 0.5, 0.9}) {
        CAPTURE(t);
        Set s;
        Random r(8, 8);
        for (int i = 0; i < 400;
             ++i) {  // apart from each other; in each the IoU is t (1 +- 1e-4), reached in four ways
            const double x = 1000 * (i % 20) + r.uniform(), y = 1000 * (i / 20) + r.uniform();
            const double size = std::pow(2, r.uniform(2, 8)), iou = t * (1 + r.uniform(-1e-4, 1e-4));
            const double shift = size * (1 - iou) / (1 + iou), inner = size * iou;
            const Box outer{float(x), float(y), float(x + size), float(y + size)};
            const Box others[] = {
                {float(x), float(y), float(x + inner), float(y + size)},  // narrower, at an edge
                {float(x), float(y + size - inner), float(x + size), float(y + size)},
                {float(x + shift), float(y), float(x + size + shift), float(y + size)},  // as large, beside
                {float(x), float(y - shift), float(x + size), float(y + size - shift)}};
            s.boxes.push_back(r.below(2) ? outer : others[i % 4]);
            s.boxes.push_back(s.boxes.back() == outer ? others[i % 4] : outer);
            s.scores.push_back(float(r.uniform())), s.scores.push_back(float(r.uniform()));
        }
        check_sets({s}, {Nms::By::iou, float(t)});
        const int kept = run({s}, {Nms::By::iou, float(t)}).count[0];
        CHECK((kept > 500 && kept < 700));  // about half of the pairs are on either side
    }
}

TEST_CASE("suppression by centre is the quadratic loop, exactly") {
    for (const float threshold : {0.0f, 0.3f, 3.0f, 50.0f, 1e9f})
        for (const int groups : {0, 3}) {
            CAPTURE(threshold);
            const Nms how{Nms::By::centre, threshold};
            check_sets({random_set(800, 60, 4, 8, groups, 1), random_set(5, 60, 4, 8, groups, 2)}, how);
            check_sets({random_set(300, 1e6, 1e-3, 1e7, groups, 5)}, how);
        }
    Set raster;  // distances that equal the threshold exactly: such boxes stay
    for (int i = 0; i < 400; ++i) {
        const float x = float(i % 20) * 3, y = float(i / 20) * 3;
        raster.boxes.push_back({x - 1, y - 1, x + 1, y + 1}), raster.scores.push_back(float(i * 7 % 400));
    }
    check_sets({raster}, {Nms::By::centre, 3});
    check_sets({raster}, {Nms::By::centre, std::nextafter(3.0f, 4.0f)});
    CHECK(run({raster}, {Nms::By::centre, 3}).count[0] == 400);
}

TEST_CASE("suppression: boxes that are empty, inverted, touching or enormous") {
    Set s;
    for (int i = 0; i < 3; ++i)
        for (const Box b : {Box{0, 0, 0, 5}, Box{5, 5, 1, 9}, Box{9, 9, 1, 1}, Box{0, 0, 4, 4}, Box{4, 0, 8, 4},
                            Box{0, 0, 8, 4}, Box{-3e38f, -3e38f, 3e38f, 3e38f}, Box{-1e18f, -1e18f, 1e18f, 1e18f},
                            Box{1e30f, 0, 1.00001e30f, 4}, Box{0, 0, 1e-30f, 1e-30f}})
            s.boxes.push_back(b), s.scores.push_back(float(s.boxes.size() % 7));
    for (const float t : {0.0f, 0.5f}) check_sets({s}, {Nms::By::iou, t}), check_sets({s}, {Nms::By::centre, t});
}

TEST_CASE("suppression of a hundred thousand boxes is quick: random, identical or of many sizes") {
    const Set random = random_set(100000, 4000, 6, 12, 0, 1), sizes = random_set(100000, 4000, 1, 100, 0, 2);
    Set same = random;
    for (Box& b : same.boxes) b = {10, 10, 20, 20};
    for (const Nms how : {Nms{Nms::By::iou, 0.5f}, Nms{Nms::By::iou, 0.1f}, Nms{Nms::By::centre, 4}})
        for (const Set* s : {&random, &sizes, &std::as_const(same)}) {
            const double t = processor_seconds({*s}, how);
            INFO(int(how.by), " ", how.threshold, ": ", t, " s");
            CHECK(t < 5);  // measured 0.01 to 0.4; room for sanitizers; the quadratic loop takes a minute
        }
}

TEST_CASE("suppression: any thread count gives the same rows; rehearsal; errors") {
    std::vector<Set> images;
    for (int n = 0; n < 5; ++n) images.push_back(random_set(500, 60, 2, 12, 2, std::uint64_t(n)));
    const Kept one = run(images, {}, 1), four = run(images, {}, 4);
    CHECK(one.index == four.index);
    CHECK(one.count == four.count);
    const Array<Box> boxes({2, 1, 1, 50}, std::vector<Box>(100, Box{0, 0, 1, 1}));
    const Array<float> scores({2, 1, 1, 50}, std::vector<float>(100, 1.0f)),
        fewer({1, 1, 1, 50}, std::vector<float>(50, 1.0f));
    const Array<int> count({1, 1, 1, 2}, {50, 7});
    Array<int> kept({2, 1, 1, 50}), kept_count({1, 1, 1, 2});
    CHECK(rehearses([&](Stream stream, Arena& arena) {
        nms(stream, boxes.view(), scores.view(), {}, count.view(), {}, kept.view(), kept_count.view(), arena);
    }));
    Desk desk;
    const auto call = [&](const Array<float>& s, Nms how, Array<int>& k) {
        nms(desk.stream, boxes.view(), s.view(), {}, count.view(), how, k.view(), kept_count.view(), desk.arena);
    };
    CHECK_THROWS_AS(call(fewer, {}, kept), Error);
    CHECK_THROWS_AS(call(scores, {}, kept_count), Error);
    CHECK_THROWS_AS(call(scores, {Nms::By::iou, -1}, kept), Error);
    CHECK_THROWS_AS(call(scores, {Nms::By::iou, NAN}, kept), Error);
    CHECK_THROWS_AS(call(scores, {Nms::By::centre, INFINITY}, kept), Error);
}
