// Data of each unit, five fits, five evidences.
#include "sim/oracle.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/match.h"
#include "sim/fisher.h"
#include "sim/oracle_fit.h"

namespace star {
namespace {

constexpr int most_stars = 5;

// The whole image, once: what isn't explained by any star, and how well each pixel is known.
struct Prepared {
    std::vector<double> residual, weight;
};

Prepared prepare(ThreadPool& pool, const Field& field, const Psf& psf, const Exposure& e) {
    std::vector<PointSource> all;
    for (const TruthStar& s : field.truth.stars) all.push_back({s.x, s.y, s.flux});
    const Shape shape{1, field.height, field.width, 1};
    std::vector<float> light(std::size_t(shape.size()));
    render(pool, all, psf, {light.data(), shape}, 1e-3 * native_sigma(e));  // far below what a fit can see
    Prepared p{std::vector<double>(light.size()),
               pixel_weights(pool, all, psf, e, 0, field.width, field.height).pixels};
    const double unit = image_unit(e), background = background_level(e);
    for (std::size_t i = 0; i < light.size(); ++i) {
        p.residual[i] = (double(field.image[i]) - background) / unit - double(light[i]);
        const bool usable = std::isfinite(field.image[i]) && (field.mask.empty() || !field.mask[i]);
        if (!usable) p.residual[i] = p.weight[i] = 0;
    }
    return p;
}

// One unit's pixels, the light of `stars` put back.
OracleData cut(const Prepared& p, const Field& field, const Box& box, double rim, const FisherStamp& stamp,
               const std::vector<PointSource>& stars) {
    const auto low = [&](float v) { return std::max(0, int(std::floor(v - rim))); };
    OracleData d;
    d.x0 = low(box.x0), d.y0 = low(box.y0);
    d.width = std::min(field.width, int(std::ceil(box.x1 + rim))) - d.x0;
    d.height = std::min(field.height, int(std::ceil(box.y1 + rim))) - d.y0;
    if (d.width <= 0 || d.height <= 0) return {};
    for (int y = d.y0; y < d.y0 + d.height; ++y)
        for (int x = d.x0; x < d.x0 + d.width; ++x) {
            const std::size_t i = std::size_t(y) * std::size_t(field.width) + std::size_t(x);
            d.value.push_back(p.residual[i]), d.weight.push_back(p.weight[i]);
        }
    for (const PointSource& s : stars) add_light(d, stamp, s, 1, d.value);
    return d;
}

struct Possible {
    double area;       // px^2, of a fainter star's place
    double log_range;  // of its ln flux
};

double log_evidence(const OracleFit& fit, const Possible& possible) {
    const int k = int(fit.stars.size()), n = 3 * k;
    auto matrix = fit.information;
    double evidence = -0.5 * fit.chi2 + 0.5 * n * std::log(2 * std::numbers::pi);
    for (int i = 0; i < n; ++i)  // a uniform distribution of width w has the variance w^2 / 12
        matrix[std::size_t(i) * std::size_t(n + 1)] +=
            12 / (i % 3 == 2 ? possible.log_range * possible.log_range : possible.area);
    if (!cholesky(matrix, n)) return -INFINITY;
    for (int i = 0; i < n; ++i) evidence -= std::log(matrix[std::size_t(i) * std::size_t(n + 1)]);
    for (int j = 1; j < k; ++j)  // j fainter stars have j! orders; the brightest star's prior is the same for every k
        evidence += std::log(double(j)) - std::log(possible.area) - std::log(possible.log_range);
    return evidence;
}

OracleVerdict judge(const OracleData& data, const FisherStamp& stamp, const std::vector<PointSource>& truth, int rim,
                    const Possible& possible) {
    OracleVerdict v;
    const double ratio = std::exp(possible.log_range);
    OracleFit fit;
    for (int k = 1; k <= most_stars; ++k) {
        std::vector<PointSource> start(truth.begin(), truth.begin() + std::min<std::ptrdiff_t>(k, std::ssize(truth)));
        if (k > std::ssize(truth)) {
            start = fit.stars;
            double most = 0;
            for (const PointSource& s : start) most = std::max(most, s.flux);
            start.push_back(best_addition(data, stamp, fit.residual, rim, most / ratio));
        }
        fit = fit_stars(data, stamp, std::move(start), ratio);
        v.evidence[std::size_t(k) - 1] = log_evidence(fit, possible);
        v.converged[std::size_t(k) - 1] = fit.converged;
    }
    v.asked = true;
    return v;
}

}  // namespace

std::vector<OracleVerdict> consult_oracle(ThreadPool& pool, const Field& field, const Psf& psf,
                                          const Exposure& exposure, const OraclePrior& prior) {
    check_exposure(exposure);
    if (exposure.drizzle_sigma > 0)
        fail(Fault::usage, "the oracle knows independent pixels alone: this exposure is drizzled");
    require(prior.contrast > 0 && prior.contrast <= 10 && prior.reach_fwhm >= 0, "oracle: contrast = ", prior.contrast,
            ", reach_fwhm = ", prior.reach_fwhm);
    const Prepared prepared = prepare(pool, field, psf, exposure);
    // Wings beyond this stamp hold less of a star than the truth of its neighbours can be taken away to.
    const FisherStamp stamp(psf, 1e-7);
    const double half_way = std::pow(10, -0.4 * prior.contrast / 2);
    const double reach =
        prior.reach_fwhm > 0 ? prior.reach_fwhm * psf.fwhm() : psf.radius_at(0.5) + psf.radius_at(0.5 * half_way);
    const Possible possible{std::numbers::pi * reach * reach, 0.4 * std::log(10.0) * prior.contrast};
    std::vector<OracleVerdict> verdicts(field.truth.units.size());
    pool.for_each(std::int64_t(verdicts.size()), [&](std::int64_t i, int) {
        const TruthUnit& u = field.truth.units[std::size_t(i)];
        if (u.label == label_ignored || u.count == 0) return;
        std::vector<PointSource> stars;
        for (int s = u.first; s < u.first + u.count; ++s) {
            const TruthStar& t = field.truth.stars[std::size_t(s)];
            stars.push_back({t.x, t.y, t.flux});
        }
        const OracleData data = cut(prepared, field, u.box, psf.fwhm(), stamp, stars);
        double known = 0;
        for (const double w : data.weight) known += w;
        if (!(known > 0) || !(stars.front().flux > 0)) return;
        verdicts[std::size_t(i)] = judge(data, stamp, stars, int(psf.fwhm()), possible);
    });
    return verdicts;
}

std::array<double, 5> oracle_posterior(const OracleVerdict& verdict, const ClassMix& mix) {
    std::array<double, 5> p{};
    if (!verdict.asked) return p;
    double most = -INFINITY, sum = 0;
    for (std::size_t k = 0; k < p.size(); ++k)
        if (mix[k] > 0) most = std::max(most, verdict.evidence[k]);
    if (!std::isfinite(most)) return p;
    for (std::size_t k = 0; k < p.size(); ++k)
        if (mix[k] > 0) sum += p[k] = mix[k] * std::exp(verdict.evidence[k] - most);
    for (double& v : p) v /= sum;
    return p;
}

}  // namespace star
