// Decoding against sorting everything: equal rows for both scorings, ties, NaN, several images, large levels.
#include "kernels/decode.h"
#include "tests/reference/array.h"
#include "tests/reference/decode.h"
#include "tests/reference/match.h"

using namespace star;
using namespace star::reference;

namespace {

template <class T>
struct Heads {
    AnchorGrid grid;
    std::vector<Array<T>> logits, deltas;
    int images;

    Heads(AnchorGrid g, int images, int classes, double sigma, double mean) : grid(g), images(images) {
        for (int l = 0; l < grid.levels; ++l) {
            const AnchorLevel& v = grid.level[l];
            logits.push_back(random_array<T>({images, v.h, v.w, padded_channels(grid.per_cell * classes)},
                                             71 + std::uint64_t(l), sigma, mean));
            deltas.push_back(
                random_array<T>({images, v.h, v.w, padded_channels(4 * grid.per_cell)}, 81 + std::uint64_t(l), 0.7));
        }
    }
    HeadOutputs<T> views() const {
        HeadOutputs<T> h;
        for (std::size_t l = 0; l < logits.size(); ++l) h.logits[l] = logits[l].view(), h.deltas[l] = deltas[l].view();
        return h;
    }
};

struct Rows {
    Array<Box> boxes;
    Array<float> scores, chances;
    Array<int> labels, anchors, count;
    Rows(int images, int capacity, int classes = 5)
        : boxes({images, 1, 1, capacity}),
          scores({images, 1, 1, capacity}),
          chances({images, 1, capacity, classes}),
          labels({images, 1, 1, capacity}),
          anchors({images, 1, 1, capacity}),
          count({1, 1, 1, images}) {}
    Candidates views() {
        return {boxes.view(), scores.view(), labels.view(), anchors.view(), chances.view(), count.view()};
    }
    bool intact() const {
        return boxes.intact() && scores.intact() && labels.intact() && anchors.intact() && chances.intact() &&
               count.intact();
    }
};

template <class T>
void check_heads(const Heads<T>& h, Decode how, int threads = 2) {
    const int capacity = h.grid.levels * how.top_k;
    Desk desk(threads, 64 << 20);
    Rows rows(h.images, capacity, how.classes);
    decode_boxes<T>(desk.stream, h.views(), h.grid, how, rows.views(), desk.arena);
    CHECK(rows.intact());
    for (int n = 0; n < h.images; ++n) {
        const std::vector<Candidate> want = decode_image(h.views(), h.grid, how, n);
        REQUIRE(rows.count[n] == int(want.size()));
        int wrong = 0;
        for (std::size_t i = 0; i < want.size(); ++i) {
            const std::int64_t at = std::int64_t{n} * capacity + std::int64_t(i);
            wrong += rows.anchors[at] != want[i].anchor || rows.labels[at] != want[i].label ||
                     rows.scores[at] != want[i].score || !(rows.boxes[at] == want[i].box);
            for (std::size_t k = 0; k < want[i].logits.size(); ++k) {
                const float chance = float_score(Scoring::each_class, want[i].logits, int(k));
                const float got = rows.chances[at * how.classes + std::int64_t(k)];
                wrong += !(got == chance || (std::isnan(chance) && std::isnan(got)));
            }
        }
        CHECK(wrong == 0);
    }
}

AnchorGrid large_grid() {  // its level is cut into several pieces
    AnchorGrid g{1, 2, 0, {}};
    g.level[0] = {163, 157, 4, 4, 0, {{-4, -4, 4, 4}, {-8, -8, 8, 8}}};
    g.total = 163 * 157 * 2;
    return g;
}

}  // namespace

TEST_CASE("decode gives the rows of the definition") {
    for (const Scoring scoring : {Scoring::each_class, Scoring::any_class})
        for (const int top_k : {1, 10, 1000})
            for (const float threshold : {0.0f, 0.05f, 0.5f, 0.999f}) {
                CAPTURE(top_k);
                CAPTURE(threshold);
                const Decode how{scoring, 5, threshold, top_k, 80, 64};
                check_heads(Heads<float>(small_grid(), 3, 5, 2, -1), how);
                check_heads(Heads<bf16>(small_grid(), 2, 5, 2, -1), how);
            }
    check_heads(Heads<float>(small_grid(), 2, 1, 2, -3), {Scoring::any_class, 1, 0.1f, 50, 80, 64});
}

TEST_CASE("decode: large levels, many equal scores, any thread count") {
    for (const Scoring scoring : {Scoring::each_class, Scoring::any_class}) {
        Heads<float> h(large_grid(), 2, 3, 2, 0);
        for (auto& l : h.logits)
            for (std::int64_t i = 0; i < l.size(); ++i) l[i] = std::round(2 * l[i]) / 2;
        for (const int threads : {1, 4}) check_heads(h, {scoring, 3, 0.3f, 500, 640, 640}, threads);
        for (auto& l : h.logits)
            for (std::int64_t i = 0; i < l.size(); ++i) l[i] = 30;  // all scores are 1
        check_heads(h, {scoring, 3, 0.3f, 500, 640, 640});
    }
}

TEST_CASE("decode: NaN never passes, infinity does") {
    for (const Scoring scoring : {Scoring::each_class, Scoring::any_class}) {
        Heads<float> h(small_grid(), 2, 5, 2, -1);
        for (auto& l : h.logits)
            for (std::int64_t i = 0; i < l.size(); i += 5) l[i] = i % 3 ? NAN : i % 2 ? INFINITY : -INFINITY;
        for (auto& d : h.deltas)
            for (std::int64_t i = 0; i < d.size(); i += 17) d[i] = i % 3 ? NAN : i % 2 ? INFINITY : -INFINITY;
        check_heads(h, {scoring, 5, 0.05f, 100, 80, 64});
        for (auto& l : h.logits)
            for (std::int64_t i = 0; i < l.size(); ++i) l[i] = NAN;
        check_heads(h, {scoring, 5, 0, 100, 80, 64});
    }
}

TEST_CASE("decode: scores are right to a few roundings") {
    const AnchorGrid grid = small_grid();
    for (const Scoring scoring : {Scoring::each_class, Scoring::any_class}) {
        const Heads<float> h(grid, 1, 5, 4, -6);
        Desk desk(2, 64 << 20);
        Rows rows(1, grid.total * 5 * grid.levels);
        const Decode how{scoring, 5, 0, grid.total * 5, 80, 64};
        decode_boxes<float>(desk.stream, h.views(), grid, how, rows.views(), desk.arena);
        CHECK(rows.count[0] == (scoring == Scoring::each_class ? grid.total * 5 : grid.total));
        int wrong = 0;
        for (int i = 0; i < rows.count[0]; ++i) {
            const int l = level_of(grid, rows.anchors[i]), at = rows.anchors[i] - grid.level[l].first;
            const Array<float>& z = h.logits[std::size_t(l)];
            std::vector<double> logits;
            for (int k = 0; k < 5; ++k)
                if (scoring == Scoring::any_class || k == rows.labels[i])
                    logits.push_back(z[std::int64_t{at / grid.per_cell} * z.shape().c + at % grid.per_cell * 5 + k]);
            const double score = any_score(logits);
            wrong +=
                !(std::fabs(rows.scores[i] - score) <= 24 * 0x1p-24 * score);  // exp, log1p, expm1: 2 ulp each, 5 sums
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("decode: rehearsal and errors") {
    const Heads<float> h(small_grid(), 2, 5, 2, -1);
    const int per_image = 3 * 50;
    Rows rows(2, per_image), few(2, per_image - 1), images(3, per_image);
    const Decode how{Scoring::each_class, 5, 0.1f, 50, 80, 64};
    CHECK(rehearses([&](Stream stream, Arena& arena) {
        decode_boxes<float>(stream, h.views(), h.grid, how, rows.views(), arena);
    }));
    Desk desk;
    const auto run = [&](const AnchorGrid& grid, Decode d, Rows& r) {
        decode_boxes<float>(desk.stream, h.views(), grid, d, r.views(), desk.arena);
    };
    CHECK_THROWS_AS(run(h.grid, how, few), Error);
    CHECK_THROWS_AS(run(h.grid, how, images), Error);
    Rows six(2, per_image, 6);
    CHECK_THROWS_AS(run(h.grid, how, six), Error);
    Candidates without = rows.views();
    without.chances = {};
    decode_boxes<float>(desk.stream, h.views(), h.grid, how, without, desk.arena);
    Decode wrong = how;
    wrong.classes = 6;
    CHECK_THROWS_AS(run(h.grid, wrong, rows), Error);
    wrong = how;
    wrong.top_k = 0;
    CHECK_THROWS_AS(run(h.grid, wrong, rows), Error);
    AnchorGrid other = h.grid;
    other.level[1].w += 1;
    CHECK_THROWS_AS(run(other, how, rows), Error);
}
