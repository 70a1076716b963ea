// The CUDA decoding against the definition in double precision: rows in order, right to a few roundings, none missing.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/cuda_decode_cases.h"
#include "tests/reference/decode.h"

using namespace star;
using namespace star::test;

namespace {

constexpr double u = 0x1p-24;

// A candidate by definition; how far a score may be off: exp, log1p, expm1 within 2 ulp, 5 sums, a quotient.
struct Wanted {
    int label, anchor, order;
    double score;
    double within() const { return 24 * u * score; }
};

template <class T>
std::vector<Wanted> wanted(const DecodeCase<T>& c, int n, int l) {
    std::vector<Wanted> all;
    const Shape s = c.logits_shape(l);
    for (int at = 0; at < s.h * s.w * c.grid.per_cell; ++at) {
        std::vector<double> z;
        for (int k = 0; k < c.how.classes; ++k)
            z.push_back(
                widen(c.logits[std::size_t(l)][std::size_t((std::int64_t{n} * s.h * s.w + at / c.grid.per_cell) * s.c +
                                                           at % c.grid.per_cell * c.how.classes + k)]));
        const int anchor = c.grid.level[l].first + at;
        if (c.how.scoring == Scoring::each_class)
            for (int k = 0; k < c.how.classes; ++k)
                all.push_back({k, anchor, at * c.how.classes + k, reference::any_score({z[std::size_t(k)]})});
        else
            all.push_back({int(std::max_element(z.begin(), z.end()) - z.begin()), anchor, at, reference::any_score(z)});
    }
    return all;
}

// The box's edge, and how far it may be off: 10 roundings of numbers no larger than these.
template <class T>
bool box_is_right(const DecodeCase<T>& c, int n, int l, int anchor, Box got) {
    const Shape d = c.deltas_shape(l);
    const int at = anchor - c.grid.level[l].first;
    const T* const r = c.deltas[std::size_t(l)].data() + (std::int64_t{n} * d.h * d.w + at / c.grid.per_cell) * d.c +
                       at % c.grid.per_cell * 4;
    const Box a = anchor_box(c.grid, anchor);
    const auto edge = [&](double centre, double size, double shift, double log, int side, double most) {
        const double x = centre + shift * size, w = size * std::exp(std::min(log, double(max_log_ratio)));
        return reference::Bounded{std::clamp(x + side * 0.5 * w, 0.0, most),
                                  10 * u * (std::fabs(centre) + size + std::fabs(shift * size) + w)};
    };
    const double ax = 0.5 * (double(a.x0) + a.x1), ay = 0.5 * (double(a.y0) + a.y1), W = c.how.width, H = c.how.height;
    const double aw = double(a.x1) - a.x0, ah = double(a.y1) - a.y0;
    return reference::close(got.x0, edge(ax, aw, widen(r[0]), widen(r[2]), -1, W)) &&
           reference::close(got.x1, edge(ax, aw, widen(r[0]), widen(r[2]), 1, W)) &&
           reference::close(got.y0, edge(ay, ah, widen(r[1]), widen(r[3]), -1, H)) &&
           reference::close(got.y1, edge(ay, ah, widen(r[1]), widen(r[3]), 1, H));
}

template <class T>
void check(Stream stream, const DecodeCase<T>& c) {
    const DecodedRows got = decode_on_gpu(stream, c);
    for (int n = 0; n < c.images; ++n) {
        std::size_t row = std::size_t(n) * std::size_t(c.capacity());
        const std::size_t end = row + std::size_t(got.count[std::size_t(n)]);
        int wrong = 0;
        for (int l = 0; l < c.grid.levels; ++l) {
            const auto want = wanted(c, n, l);
            std::set<int> taken;
            float last_score = INFINITY;
            int last_order = -1;
            for (; row < end && level_of(c.grid, got.anchors[row]) == l; ++row) {
                const int at = got.anchors[row] - c.grid.level[l].first;
                const bool each = c.how.scoring == Scoring::each_class;
                const int order = each ? at * c.how.classes + got.labels[row] : at;
                const Wanted& w = want[std::size_t(order)];
                wrong += !reference::close(got.scores[row], {w.score, w.within()}) || w.label != got.labels[row] ||
                         !(got.scores[row] > c.how.threshold) || !box_is_right(c, n, l, w.anchor, got.boxes[row]);
                wrong += !(got.scores[row] < last_score || (got.scores[row] == last_score && order > last_order));
                for (int k = 0; k < c.how.classes; ++k) {
                    const Shape s = c.logits_shape(l);
                    const double z =
                        widen(c.logits[std::size_t(l)]
                                      [std::size_t((std::int64_t{n} * s.h * s.w + at / c.grid.per_cell) * s.c +
                                                   at % c.grid.per_cell * c.how.classes + k)]);
                    const double chance = reference::any_score({z});
                    wrong += !reference::close(got.chances[row * std::size_t(c.how.classes) + std::size_t(k)],
                                               {chance, 24 * u * chance});
                }
                last_score = got.scores[row], last_order = order;
                taken.insert(order);
            }
            const bool full = int(taken.size()) == c.how.top_k;
            const double least = full ? double(last_score) : double(c.how.threshold);
            wrong += int(taken.size()) > c.how.top_k;
            for (const Wanted& w : want) wrong += !taken.count(w.order) && w.score - w.within() > least;
        }
        CHECK(row == end);
        CHECK(wrong == 0);
    }
}

}  // namespace

TEST_CASE_TEMPLATE("decode_boxes on a CUDA stream gives the rows of the definition", T, float, bf16) {
    if (gpu_missing()) return;
    Queue q;
    for (const Scoring scoring : {Scoring::each_class, Scoring::any_class})
        for (const int top_k : {1, 10, 1000})
            for (const float threshold : {0.0f, 0.05f, 0.5f, 0.999f}) {
                CAPTURE(top_k);
                CAPTURE(threshold);
                check(q.stream, DecodeCase<T>(reference::small_grid(), 2, {scoring, 5, threshold, top_k, 80, 64}));
            }
    check(q.stream, DecodeCase<T>(tall_grid(), 3, {Scoring::any_class, 5, 0.1f, 300, 148, 116}));
}

TEST_CASE(
    "decode_boxes on a CUDA stream: equal scores go in order, NaN never passes, rows without a box are left out") {
    if (gpu_missing()) return;
    Queue q;
    for (const Scoring scoring : {Scoring::each_class, Scoring::any_class})
        for (const int top_k : {256, 257, 700}) {
            const int per = scoring == Scoring::each_class ? 2 : 1;
            DecodeCase<float> c(tall_grid(), 2, {scoring, 2, 0.3f, top_k, 148, 116});
            for (auto& level : c.logits)
                for (std::size_t i = 0; i < level.size(); ++i) level[i] = i / 4 % 3 ? 40.0f : NAN;  // a score of 1
            for (auto& level : c.deltas)
                for (std::size_t i = 0; i < level.size(); i += 56) level[i] = NAN;  // anchor 0 of every seventh cell
            const DecodedRows got = decode_on_gpu(q.stream, c);
            for (int n = 0; n < c.images; ++n) {
                std::vector<int> anchors, labels;
                for (int l = 0; l < 2; ++l) {
                    int best = 0;
                    const Shape s = c.logits_shape(l);
                    for (int at = 0; at < s.h * s.w * 2; ++at)
                        for (int k = 0; k < per && best < top_k; ++k) {
                            const int cell = n * s.h * s.w + at / 2;
                            if ((cell * s.c + at % 2 * 2 + k) / 4 % 3 == 0 || best++ == top_k) continue;
                            if (cell % 7 == 0 && at % 2 == 0) continue;
                            anchors.push_back(c.grid.level[l].first + at), labels.push_back(k);
                        }
                }
                REQUIRE(got.count[std::size_t(n)] == int(anchors.size()));
                const auto start = std::ptrdiff_t(n) * c.capacity();
                CHECK(std::equal(anchors.begin(), anchors.end(), got.anchors.begin() + start));
                CHECK(std::equal(labels.begin(), labels.end(), got.labels.begin() + start));
            }
        }
}
