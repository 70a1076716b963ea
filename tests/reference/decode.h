// Decoding by definition: all candidates of a level, sorted, cut. Scores by the same float formulas as the engine's,
// since equality of indices is what is tested; their accuracy is a test of its own.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/decode.h"
#include "tests/reference/array.h"

namespace star::reference {

struct Candidate {
    Box box;
    float score;
    int label, anchor;
    std::vector<float> logits;
};

inline double any_score(const std::vector<double>& z) {  // 1 - prod (1 - sigmoid(z))
    double log_none = 0;
    for (double v : z) log_none -= v > 0 ? v + std::log1p(std::exp(-v)) : std::log1p(std::exp(v));
    return -std::expm1(log_none);
}

inline float float_score(Scoring scoring, const std::vector<float>& z, int k) {
    if (scoring == Scoring::each_class) return 1 / (1 + std::exp(-z[std::size_t(k)]));
    float sum = 0;
    for (float v : z) sum += (v > 0 ? v : 0.0f) + std::log1p(std::exp(-std::fabs(v)));
    return -std::expm1(-sum);
}

template <class T>
std::vector<Candidate> decode_image(const HeadOutputs<T>& heads, const AnchorGrid& grid, Decode how, int n) {
    std::vector<Candidate> all;
    for (int l = 0; l < grid.levels; ++l) {
        std::vector<Candidate> level;
        const Shape s = heads.logits[l].shape, d = heads.deltas[l].shape;
        for (int cell = 0; cell < s.h * s.w; ++cell)
            for (int a = 0; a < grid.per_cell; ++a) {
                const std::int64_t at = std::int64_t{n} * s.h * s.w + cell;
                std::vector<float> z;
                for (int k = 0; k < how.classes; ++k)
                    z.push_back(widen(heads.logits[l].data[at * s.c + a * how.classes + k]));
                const bool each = how.scoring == Scoring::each_class;
                for (int k = 0; k < (each ? how.classes : 1); ++k) {
                    const float score = float_score(how.scoring, z, k);
                    if (!(score > how.threshold)) continue;
                    const int label = each ? k : int(std::max_element(z.begin(), z.end()) - z.begin());
                    const T* const r = heads.deltas[l].data + at * d.c + 4 * a;
                    const int anchor = grid.level[l].first + cell * grid.per_cell + a;
                    Box b = decode(Delta{widen(r[0]), widen(r[1]), widen(r[2]), widen(r[3])}, anchor_box(grid, anchor));
                    for (float* v : {&b.x0, &b.x1}) *v = *v < 0 ? 0 : *v > how.width ? how.width : *v;
                    for (float* v : {&b.y0, &b.y1}) *v = *v < 0 ? 0 : *v > how.height ? how.height : *v;
                    level.push_back({b, score, label, anchor, z});
                }
            }
        std::stable_sort(level.begin(), level.end(),
                         [](const Candidate& x, const Candidate& y) { return x.score > y.score; });
        if (int(level.size()) > how.top_k) level.resize(std::size_t(how.top_k));
        for (const Candidate& c : level)
            if (!std::isnan(c.box.x0 + c.box.y0 + c.box.x1 + c.box.y1)) all.push_back(c);
    }
    return all;
}

}  // namespace star::reference
