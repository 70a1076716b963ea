// The PSF's table: its spline, its radial profile, and blurs of it.
#include "sim/psf.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "kernels/psf_spline.h"
#include "sim/spline.h"

namespace star {
namespace {

constexpr int angles = 64;  // of the azimuthal average: enough for the eight-fold structure of vanes and pixels

}  // namespace

Psf Psf::from_samples(std::vector<double> samples, int half, int oversampling) {
    const int size = 2 * half + 1, k = oversampling;
    require(half >= 0 && k >= 1 && samples.size() == std::size_t(size) * size, "Psf: ", samples.size(), " samples for ",
            size);
    auto t = std::make_shared<Table>();
    t->oversampling = k;
    t->half = half;
    t->reach = int(std::ceil((half + 2.0) / k + 0.5));
    t->extent = 2 * (t->reach + padding) + 1;
    double sum = 0, squares = 0;
    for (double v : samples) sum += v, squares += v * v;
    t->energy = sum / (double(k) * k);
    t->noise_area = double(k) * k / squares;

    t->beyond.assign(std::size_t(t->reach) + 1, 0);
    t->missing = t->beyond;
    for (int y = -half; y <= half; ++y)
        for (int x = -half; x <= half; ++x) {
            // The stamp of radius r leaves out pixels whose centres are r + 1/2 px or more from the star along an axis:
            // from the node before that on, for a pixel may lie between two.
            const int r = int(std::floor(double(std::max(std::abs(x), std::abs(y)) + 1) / k - 0.5));
            if (r < 0) continue;
            const double v = std::fabs(samples[std::size_t(y + half) * size + x + half]);
            t->beyond[std::size_t(r)] = std::max(t->beyond[std::size_t(r)], v);
            t->missing[std::size_t(r)] += v / (double(k) * k);
        }
    for (std::size_t r = std::size_t(t->reach); r-- > 0;) {
        t->beyond[r] = std::max(t->beyond[r], t->beyond[r + 1]);
        t->missing[r] += t->missing[r + 1];
    }

    std::vector<double> c = samples;
    t->samples = std::move(samples);
    spline_coefficients(c, size, size);
    const std::size_t plane = std::size_t(t->extent) * t->extent;
    t->coefficients.assign(plane * k * k, 0);
    const int origin = half - (t->reach + padding) * k;  // the node that is the first of the first plane
    for (int y = 0; y < size; ++y)
        for (int x = 0; x < size; ++x) {
            const int qy = y - origin, qx = x - origin;
            t->coefficients[std::size_t(qy % k * k + qx % k) * plane + std::size_t(qy / k) * t->extent + qx / k] =
                float(c[std::size_t(y) * size + x]);
        }

    Psf psf(t);
    t->profile_step = 1.0 / (8 * k);
    const int steps = half * 8 + 1;
    for (int i = 0; i < steps; ++i) {
        const double r = i * t->profile_step;
        double mean = 0;
        for (int a = 0; a < (i ? angles : 1); ++a) {
            const double angle = 2 * std::numbers::pi * (a + 0.5) / angles;
            mean += psf.at(r * std::cos(angle), r * std::sin(angle));
        }
        t->profile.push_back(mean / (i ? angles : 1));
    }
    t->cumulative.push_back(0);
    for (int i = 1; i < steps; ++i) {  // 2 pi r e, with e linear between the steps
        const double a = (i - 1) * t->profile_step, b = i * t->profile_step;
        const double p = t->profile[std::size_t(i) - 1], q = t->profile[std::size_t(i)];
        const double ring = (b - a) * (p * (2 * a + b) + q * (a + 2 * b)) / 6;
        t->cumulative.push_back(t->cumulative.back() + 2 * std::numbers::pi * ring);
    }
    return psf;
}

Psf Psf::mixed(std::span<const Psf> parts, std::span<const double> weights) {
    require(!parts.empty() && parts.size() == weights.size(), "Psf: ", parts.size(), " parts, ", weights.size(),
            " weights");
    std::vector<double> sum(parts[0].samples().size());
    double total = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        require(parts[i].half() == parts[0].half() && parts[i].oversampling() == parts[0].oversampling(),
                "Psf: parts on different grids");
        total += weights[i];
        for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += weights[i] * parts[i].samples()[k];
    }
    require(std::fabs(total - 1) < 1e-9, "Psf: weights that sum to ", total);
    Psf psf = from_samples(std::move(sum), parts[0].half(), parts[0].oversampling());
    if (!(psf.peak() > 0)) fail(Fault::input, "PSF grid: between its nodes nothing is left at a PSF's centre");
    return psf;
}

Psf::Phase Psf::phase(double offset, int plane, int line) const {
    const Table& t = *table_;
    const SplineNodes nodes = spline_nodes(offset, middle(), t.oversampling);
    Phase p{};
    int phase = nodes.first % t.oversampling, pixel = nodes.first / t.oversampling;
    for (int i = 0; i < 4; ++i) {
        p.at[i] = phase * plane + pixel * line;
        p.weight[i] = spline_weight(nodes.f, i);
        if (++phase == t.oversampling) phase = 0, ++pixel;
    }
    return p;
}

Psf::Phase Psf::phase_x(double offset) const { return phase(offset, table_->extent * table_->extent, 1); }

Psf::Phase Psf::phase_y(double offset) const {
    return phase(offset, table_->extent * table_->extent * table_->oversampling, table_->extent);
}

float Psf::at(double dx, double dy) const {
    const double limit = table_->reach + 0.5;
    if (!(std::fabs(dx) < limit && std::fabs(dy) < limit)) return 0;
    const int n = int(std::lround(dx)), m = int(std::lround(dy));
    if (std::abs(n) > table_->reach || std::abs(m) > table_->reach) return 0;
    const Phase x = phase_x(n - dx), y = phase_y(m - dy);
    const int pixel = m * stride() + n;
    double sum = 0;
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j)
            sum += double(y.weight[i]) * x.weight[j] * coefficients()[y.at[i] + x.at[j] + pixel];
    return float(sum);
}

double Psf::radius_at(double fraction) const {
    require(fraction > 0 && fraction < 1, "Psf: the radius at ", fraction, " of the peak");
    const auto& p = table_->profile;
    const double level = fraction * p[0];
    for (std::size_t i = 1; i < p.size(); ++i)
        if (p[i] <= level) return (double(i) - (level - p[i]) / (p[i - 1] - p[i])) * table_->profile_step;
    return double(p.size() - 1) * table_->profile_step;
}

double Psf::enclosed(double radius) const {
    const auto& c = table_->cumulative;
    if (!(radius > 0)) return 0;
    const double at = radius / table_->profile_step;
    if (at >= double(c.size() - 1)) return c.back();
    const auto i = std::size_t(at);
    return c[i] + (at - double(i)) * (c[i + 1] - c[i]);
}

int Psf::stamp_radius(double pixel, double total) const {
    if (!(pixel > 0 && total > 0)) return reach();
    const auto radius = [](const std::vector<double>& falling, double limit) {
        return int(std::lower_bound(falling.begin(), falling.end(), limit, std::greater<>()) - falling.begin());
    };
    return std::min(reach(), std::max(radius(table_->beyond, pixel), radius(table_->missing, total)));
}

Psf Psf::resampled(int oversampling) const {
    const int size = 2 * table_->half + 1, half = table_->half * oversampling / table_->oversampling;
    std::vector<double> c = table_->samples;
    spline_coefficients(c, size, size);
    std::vector<Filter> axis;
    for (int i = -half; i <= half; ++i) {
        const double u = table_->half + double(i) * table_->oversampling / oversampling;
        Filter f{int(std::floor(u)) - 1, {}};
        for (int k = 0; k < 4; ++k) f.weights.push_back(spline(u - (f.first + k)));
        axis.push_back(std::move(f));
    }
    return from_samples(filtered(c, size, size, axis, axis), half, oversampling);
}

Psf Psf::convolved_gaussian(double sigma) const {
    if (sigma == 0) return *this;
    require(sigma >= least_blur && sigma <= most_blur, "Psf: a blur of sigma ", sigma,
            " px; 0 or 1/32...20 can be done");
    // A Gaussian sampled at least once per sigma sums and convolves like the continuous one to 1e-8.
    if (sigma * oversampling() < 1) return resampled(int(std::ceil(1 / sigma))).convolved_gaussian(sigma);
    const double s = sigma * oversampling();
    const int extent = int(std::ceil(6 * s)), size = 2 * table_->half + 1, half = table_->half + extent;
    std::vector<double> weights;
    double sum = 0;
    for (int i = -extent; i <= extent; ++i) weights.push_back(std::exp(-0.5 * i * i / (s * s))), sum += weights.back();
    for (double& w : weights) w /= sum;
    std::vector<Filter> axis;
    for (int i = -half; i <= half; ++i) axis.push_back({i + table_->half - extent, weights});
    return from_samples(filtered(table_->samples, size, size, axis, axis), half, oversampling());
}

Psf Psf::convolved(std::span<const double> kernel, int w, int h) const {
    require(w > 0 && h > 0 && w % 2 && h % 2 && kernel.size() == std::size_t(w) * h, "Psf: a kernel of ", w, "x", h);
    double total = 0;
    for (double v : kernel) total += v;
    require(std::isfinite(total) && total > 0, "Psf: a kernel of sum ", total);
    const int k = oversampling(), old = 2 * table_->half + 1, half = table_->half + std::max(w, h) / 2 * k;
    const int size = 2 * half + 1;
    std::vector<double> out(std::size_t(size) * size);
    for (int my = 0; my < h; ++my)
        for (int mx = 0; mx < w; ++mx) {
            const double weight = kernel[std::size_t(my) * w + mx] / total;
            const int shift = half - table_->half;
            for (int y = 0; y < old; ++y) {
                double* to = out.data() + std::size_t(y + shift + (my - h / 2) * k) * size + shift + (mx - w / 2) * k;
                const double* from = table_->samples.data() + std::size_t(y) * old;
                for (int x = 0; x < old; ++x) to[x] += weight * from[x];
            }
        }
    return from_samples(std::move(out), half, k);
}

}  // namespace star
