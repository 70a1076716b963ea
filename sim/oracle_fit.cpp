// Stamps, normal equations, damped steps.
#include "sim/oracle_fit.h"

#include <algorithm>
#include <cmath>

namespace star {
namespace {

constexpr int most_iterations = 40;
constexpr double rest = 1e-4;                   // px, and ln flux
constexpr double longest = 0.5, brightest = 1;  // of one step, px and ln flux: beyond, the PSF isn't linear

// Calls visit(pixel, de/dx, de/dy, e) for the data's pixels under a star's stamp.
template <class Visit>
void under(const OracleData& d, const FisherStamp& stamp, const PointSource& s, std::vector<double>& scratch,
           Visit&& visit) {
    const int n = stamp.side(), r = stamp.radius();
    scratch.resize(3 * std::size_t(n) * std::size_t(n));
    stamp.fill(s.x, s.y, scratch.data());
    const int column = int(std::floor(s.x)) - r, row = int(std::floor(s.y)) - r;
    for (int y = std::max(d.y0, row); y < std::min(d.y0 + d.height, row + n); ++y)
        for (int x = std::max(d.x0, column); x < std::min(d.x0 + d.width, column + n); ++x) {
            const double* e = scratch.data() + std::size_t(y - row) * 3 * std::size_t(n) + std::size_t(x - column);
            visit(std::size_t(y - d.y0) * std::size_t(d.width) + std::size_t(x - d.x0), e[0], e[n], e[2 * n]);
        }
}

// Residuals, chi^2, information and gradient of stars.
struct Normal {
    std::vector<double> residual, matrix, gradient, jacobian, scratch;
    double chi2 = 0;

    void build(const OracleData& d, const FisherStamp& stamp, const std::vector<PointSource>& stars) {
        const std::size_t pixels = d.value.size(), n = 3 * stars.size();
        residual = d.value;
        jacobian.assign(n * pixels, 0);
        for (std::size_t k = 0; k < stars.size(); ++k) {
            const double f = stars[k].flux;
            double* j = jacobian.data() + 3 * k * pixels;
            under(d, stamp, stars[k], scratch, [&](std::size_t i, double ex, double ey, double e) {
                j[i] = f * ex, j[pixels + i] = f * ey, j[2 * pixels + i] = f * e;
                residual[i] -= f * e;
            });
        }
        matrix.assign(n * n, 0), gradient.assign(n, 0);
        chi2 = 0;
        for (std::size_t i = 0; i < pixels; ++i) chi2 += d.weight[i] * residual[i] * residual[i];
        for (std::size_t a = 0; a < n; ++a) {
            const double* ja = jacobian.data() + a * pixels;
            for (std::size_t i = 0; i < pixels; ++i) gradient[a] += d.weight[i] * ja[i] * residual[i];
            for (std::size_t b = a; b < n; ++b) {
                const double* jb = jacobian.data() + b * pixels;
                double sum = 0;
                for (std::size_t i = 0; i < pixels; ++i) sum += d.weight[i] * ja[i] * jb[i];
                matrix[a * n + b] = matrix[b * n + a] = sum;
            }
        }
    }
};

// Solves U^T U x = b for the factor U of cholesky(); b becomes x.
void solve(const std::vector<double>& u, int n, std::vector<double>& b) {
    const auto at = [&](int i, int j) { return u[std::size_t(i) * std::size_t(n) + std::size_t(j)]; };
    for (int i = 0; i < n; ++i) {
        for (int k = 0; k < i; ++k) b[std::size_t(i)] -= at(k, i) * b[std::size_t(k)];
        b[std::size_t(i)] /= at(i, i);
    }
    for (int i = n - 1; i >= 0; --i) {
        for (int k = i + 1; k < n; ++k) b[std::size_t(i)] -= at(i, k) * b[std::size_t(k)];
        b[std::size_t(i)] /= at(i, i);
    }
}

// A step taken, kept within the data and the contrast; the longest component.
double move(std::vector<PointSource>& stars, const std::vector<double>& step, const OracleData& d, double ratio) {
    const auto before = stars;
    double most = 0, change = 0;
    for (std::size_t k = 0; k < stars.size(); ++k) {
        PointSource& s = stars[k];
        s.x = std::clamp(s.x + std::clamp(step[3 * k], -longest, longest), double(d.x0), double(d.x0 + d.width));
        s.y = std::clamp(s.y + std::clamp(step[3 * k + 1], -longest, longest), double(d.y0), double(d.y0 + d.height));
        s.flux *= std::exp(std::clamp(step[3 * k + 2], -brightest, brightest));
        most = std::max(most, s.flux);
    }
    for (std::size_t k = 0; k < stars.size(); ++k) {
        PointSource& s = stars[k];
        s.flux = std::max(s.flux, most / ratio);
        change = std::max({change, std::abs(s.x - before[k].x), std::abs(s.y - before[k].y),
                           std::abs(std::log(s.flux / before[k].flux))});
    }
    return change;
}

}  // namespace

bool cholesky(std::vector<double>& a, int n) {
    const auto at = [&](int i, int j) -> double& { return a[std::size_t(i) * std::size_t(n) + std::size_t(j)]; };
    for (int i = 0; i < n; ++i) {
        double pivot = at(i, i);
        for (int k = 0; k < i; ++k) pivot -= at(k, i) * at(k, i);
        if (!(pivot > 0)) return false;
        at(i, i) = std::sqrt(pivot);
        for (int j = i + 1; j < n; ++j) {
            double sum = at(i, j);
            for (int k = 0; k < i; ++k) sum -= at(k, i) * at(k, j);
            at(i, j) = sum / at(i, i);
        }
    }
    return true;
}

void add_light(const OracleData& data, const FisherStamp& stamp, const PointSource& star, double times,
               std::vector<double>& pixels) {
    std::vector<double> scratch;
    under(data, stamp, star, scratch,
          [&](std::size_t i, double, double, double e) { pixels[i] += times * star.flux * e; });
}

PointSource best_addition(const OracleData& d, const FisherStamp& stamp, const std::vector<double>& residual, int rim,
                          double least_flux) {
    PointSource best{d.x0 + 0.5 * d.width, d.y0 + 0.5 * d.height, least_flux};
    double highest = -INFINITY;
    std::vector<double> scratch;
    for (int y = d.y0 + rim; y < d.y0 + d.height - rim; ++y)
        for (int x = d.x0 + rim; x < d.x0 + d.width - rim; ++x) {
            const PointSource here{x + 0.5, y + 0.5, 1};
            double signal = 0, norm = 0;
            under(d, stamp, here, scratch, [&](std::size_t i, double, double, double e) {
                signal += d.weight[i] * e * residual[i], norm += d.weight[i] * e * e;
            });
            if (!(norm > 0) || signal / std::sqrt(norm) <= highest) continue;
            highest = signal / std::sqrt(norm);
            best = {here.x, here.y, std::max(signal / norm, least_flux)};
        }
    return best;
}

OracleFit fit_stars(const OracleData& data, const FisherStamp& stamp, std::vector<PointSource> start,
                    double largest_ratio) {
    const int n = 3 * int(start.size());
    OracleFit fit;
    fit.stars = std::move(start);
    move(fit.stars, std::vector<double>(std::size_t(n), 0), data, largest_ratio);  // into its bounds
    Normal now, tried;
    now.build(data, stamp, fit.stars);
    double damping = 1e-3;
    for (int i = 0; i < most_iterations && !fit.converged; ++i) {
        auto damped = now.matrix;
        for (int k = 0; k < n; ++k) {
            double& pivot = damped[std::size_t(k) * std::size_t(n + 1)];
            pivot = pivot * (1 + damping) + 1e-9;  // a star without light under it has no place
        }
        auto step = now.gradient, factor = damped;
        if (!cholesky(factor, n)) {
            damping *= 10;
            continue;
        }
        solve(factor, n, step);
        auto stars = fit.stars;
        const double change = move(stars, step, data, largest_ratio);
        tried.build(data, stamp, stars);
        if (tried.chi2 <= now.chi2) {
            fit.stars = std::move(stars);
            std::swap(now, tried);
            damping = std::max(damping / 10, 1e-9);
            fit.converged = change < rest;
        } else {
            damping *= 10;
            fit.converged = damping > 1e9 || change < rest;
        }
    }
    fit.chi2 = now.chi2, fit.information = std::move(now.matrix), fit.residual = std::move(now.residual);
    return fit;
}

}  // namespace star
