// Rounds: every star that is the weakest of its neighbourhood goes, those near it are looked at again.
#include "sim/truth_detect.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "sim/fisher.h"
#include "sim/truth_near.h"

namespace star {
namespace {

constexpr std::int64_t grain = 32;

// For each star those within a distance, the nearest first.
struct Neighbours {
    std::vector<std::int64_t> first;
    std::vector<int> list;

    Neighbours(ThreadPool& pool, std::span<const PointSource> stars, double reach) : first(stars.size() + 1, 0) {
        const NearStars near(stars, reach);
        const auto visit = [&](std::size_t i, auto&& found) {
            near.for_each(stars[i].x, stars[i].y, [&](int j) {
                if (std::size_t(j) != i) found(j);
            });
        };
        const auto count = std::int64_t(stars.size());
        pool.for_range(count, 256, [&](std::int64_t from, std::int64_t to, int) {
            for (std::int64_t i = from; i < to; ++i) visit(std::size_t(i), [&](int) { ++first[std::size_t(i) + 1]; });
        });
        for (std::size_t i = 0; i < stars.size(); ++i) first[i + 1] += first[i];
        list.resize(std::size_t(first.back()));
        pool.for_range(count, 256, [&](std::int64_t from, std::int64_t to, int) {
            for (std::int64_t i = from; i < to; ++i) {
                const auto begin = list.begin() + first[std::size_t(i)];
                auto end = begin;
                visit(std::size_t(i), [&](int j) { *end++ = j; });
                const PointSource& s = stars[std::size_t(i)];
                const auto distance = [&](int j) {
                    const PointSource& t = stars[std::size_t(j)];
                    return (t.x - s.x) * (t.x - s.x) + (t.y - s.y) * (t.y - s.y);
                };
                std::sort(begin, end, [&](int a, int b) {
                    const double p = distance(a), q = distance(b);
                    return p != q ? p < q : a < b;
                });
            }
        });
    }
    std::span<const int> of(int i) const {
        const auto a = first[std::size_t(i)], b = first[std::size_t(i) + 1];
        return {list.data() + a, std::size_t(b - a)};
    }
};

std::vector<PointSource> picked(std::span<const PointSource> stars, std::span<const int> which) {
    std::vector<PointSource> out;
    out.reserve(which.size());
    for (int i : which) out.push_back(stars[std::size_t(i)]);
    return out;
}

}  // namespace

struct Detectability::State {
    std::vector<int> candidate;  // of each star of the list: its place among the candidates, or -1
    std::vector<double> snr;     // of candidates
    std::vector<char> alive;
    std::optional<Fisher> fisher;
    std::optional<Neighbours> near;
    Fisher::Scratch scratch;  // of snr_without

    double evaluate(int i, std::span<const int> known, Fisher::Scratch& scratch) const {
        int others[most_free_neighbours], n = 0;
        for (int j : near->of(i)) {
            if (!alive[std::size_t(j)] || std::find(known.begin(), known.end(), j) != known.end()) continue;
            others[n++] = j;
            if (n == most_free_neighbours) break;
        }
        return fisher->snr(i, {others, std::size_t(n)}, scratch);
    }

    void evaluate_all(ThreadPool& pool, const std::vector<int>& which) {
        std::vector<Fisher::Scratch> scratch(std::size_t(pool.threads()));
        pool.for_range(std::int64_t(which.size()), grain, [&](std::int64_t a, std::int64_t b, int worker) {
            for (std::int64_t k = a; k < b; ++k) {
                const int i = which[std::size_t(k)];
                snr[std::size_t(i)] = evaluate(i, {}, scratch[std::size_t(worker)]);
            }
        });
    }

    // Whether i is dropped before j.
    bool weaker(int i, int j) const {
        const double p = snr[std::size_t(i)], q = snr[std::size_t(j)];
        return p != q ? p < q : i > j;
    }

    void drop_weakest(ThreadPool& pool, double min_snr) {
        std::vector<int> failing(alive.size()), stale;
        std::iota(failing.begin(), failing.end(), 0);
        evaluate_all(pool, failing);
        std::vector<char> changed(alive.size(), 0), fails(alive.size(), 0), goes(alive.size(), 0);
        const auto passes = [&](int i) { return snr[std::size_t(i)] >= min_snr; };
        for (;;) {
            std::erase_if(failing, [&](int i) { return !alive[std::size_t(i)] || passes(i); });
            if (failing.empty()) break;
            std::fill(fails.begin(), fails.end(), 0);
            for (int i : failing) fails[std::size_t(i)] = 1;
            pool.for_range(std::int64_t(failing.size()), 256, [&](std::int64_t a, std::int64_t b, int) {
                for (std::int64_t k = a; k < b; ++k) {
                    const int i = failing[std::size_t(k)];
                    const auto around = near->of(i);
                    goes[std::size_t(i)] = std::none_of(around.begin(), around.end(),
                                                        [&](int j) { return fails[std::size_t(j)] && weaker(j, i); });
                }
            });
            stale.clear();
            for (int i : failing)
                if (goes[std::size_t(i)]) {
                    alive[std::size_t(i)] = 0;
                    for (int j : near->of(i)) changed[std::size_t(j)] = 1;
                }
            for (int i : failing)
                if (alive[std::size_t(i)] && changed[std::size_t(i)]) stale.push_back(i), changed[std::size_t(i)] = 0;
            evaluate_all(pool, stale);
        }
        stale.clear();
        for (std::size_t i = 0; i < alive.size(); ++i)
            if (alive[i] && changed[i]) stale.push_back(int(i));
        evaluate_all(pool, stale);
    }
};

Detectability::~Detectability() = default;
Detectability::Detectability(Detectability&&) noexcept = default;

Detectability::Detectability(ThreadPool& pool, std::span<const PointSource> stars, const Psf& psf,
                             const Exposure& exposure, const DetectLimits& limits, int width, int height)
    : state_(std::make_unique<State>()) {
    require(width > 0 && height > 0 && stars.size() < std::size_t{1} << 30, "detection: ", stars.size(),
            " stars in a field of ", width, "x", height);
    for (std::size_t i = 0; i < stars.size(); ++i)
        if (!(std::isfinite(stars[i].x) && std::isfinite(stars[i].y) && stars[i].flux >= 0 &&
              std::isfinite(stars[i].flux)))
            fail(Fault::input, "truth: star ", i + 1, " at ", stars[i].x, ", ", stars[i].y, " has a flux of ",
                 stars[i].flux);
    const FisherStamp stamp(psf);
    const Weights weights = pixel_weights(pool, stars, psf, exposure, limits.psf_error, width, height);
    const double sigma = native_sigma(exposure);
    const std::vector<double> alone = snr_alone(pool, stars, stamp, weights, sigma * sigma, limits.hopeless_snr);

    State& s = *state_;
    std::vector<int> order;
    for (std::size_t i = 0; i < stars.size(); ++i)
        if (alone[i] > 0 && alone[i] >= limits.hopeless_snr) order.push_back(int(i));
    std::sort(order.begin(), order.end(), [&](int i, int j) {
        const PointSource &a = stars[std::size_t(i)], &b = stars[std::size_t(j)];
        const double p = std::floor(a.y), q = std::floor(b.y);
        return p != q ? p < q : a.x != b.x ? a.x < b.x : i < j;
    });
    s.candidate.assign(stars.size(), -1);
    for (std::size_t k = 0; k < order.size(); ++k) s.candidate[std::size_t(order[k])] = int(k);
    const std::vector<PointSource> candidates = picked(stars, order);
    s.alive.assign(order.size(), 1), s.snr.assign(order.size(), 0);
    s.fisher.emplace(pool, candidates, stamp, weights);
    s.near.emplace(pool, candidates, limits.reach_fwhm * image_psf(psf, exposure).fwhm());
    s.drop_weakest(pool, limits.min_snr);
}

bool Detectability::counts(int star) const {
    const int i = state_->candidate[std::size_t(star)];
    return i >= 0 && state_->alive[std::size_t(i)];
}

double Detectability::snr(int star) const {
    const int i = state_->candidate[std::size_t(star)];
    return i >= 0 ? state_->snr[std::size_t(i)] : 0;
}

double Detectability::snr_without(int star, std::span<const int> known) const {
    require(counts(star), "detection: star ", star, " doesn't count");
    std::vector<int> places;
    for (int k : known) places.push_back(state_->candidate[std::size_t(k)]);
    return state_->evaluate(state_->candidate[std::size_t(star)], places, state_->scratch);
}

}  // namespace star
