// The rounds of Anderson and King: stars to the PSF, the PSF to the stars.
#include "sim/psf_measure.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sim/psf_measure_stars.h"
#include "sim/spline.h"

namespace star {
namespace {

constexpr int rounds = 12, first_rejection = 4, first_gentle = 4, first_moves = 8;
constexpr double capture = 0.19;  // px: of 0.13 to 0.25, tried on simulated fields, the width scatters least with it
constexpr int core = 3;           // px: where positions, fluxes and centroids are measured
constexpr double quartic_within = 4;  // px: beyond, the PSF is smoother and fainter

using Kernel = std::array<double, 25>;

// The weights that give the least-squares polynomial of this degree through 5 x 5 points at their middle.
Kernel smoothing_kernel(int degree) {
    // The polynomials 1, x, y, x^2 ... made orthonormal over the points; the value at the middle is sum p(0) p(point).
    std::vector<Kernel> basis;
    for (int total = 0; total <= degree; ++total)
        for (int py = 0; py <= total; ++py) {
            Kernel p;
            for (int i = 0; i < 25; ++i) p[i] = std::pow(i % 5 - 2, total - py) * std::pow(i / 5 - 2, py);
            for (int twice = 0; twice < 2; ++twice)  // again, against what rounding left
                for (const Kernel& q : basis) {
                    double dot = 0;
                    for (int i = 0; i < 25; ++i) dot += p[i] * q[i];
                    for (int i = 0; i < 25; ++i) p[i] -= dot * q[i];
                }
            double norm = 0;
            for (double v : p) norm += v * v;
            for (double& v : p) v /= std::sqrt(norm);
            basis.push_back(p);
        }
    Kernel k{};
    for (const Kernel& q : basis)
        for (int i = 0; i < 25; ++i) k[i] += q[12] * q[i];
    return k;
}

struct Sample {
    int node;
    double residual, weight;
};

class Rounds {
public:
    Rounds(const MeasuredImage& image, const PsfMeasure& how, StarSelection& selection)
        : image_(image),
          s_(selection),
          k_(how.oversampling),
          radius_(how.radius),
          half_(how.radius * how.oversampling) {
        psf_.assign(std::size_t(side()) * side(), 0);
        good_.assign(s_.stars.size(), true);
        residual_.assign(s_.stars.size(), 0);
    }

    void run() {
        for (int round = 0; round < rounds; ++round) {
            if (round > 0)
                for (IsolatedStar& s : s_.stars) fit(s, round >= first_moves);
            if (round >= first_rejection) reject();
            const std::vector<double> before = psf_;
            move_nodes();
            smooth(round < first_gentle ? std::vector<double>(psf_.size()) : before);
            centre();
            normalise();
        }
        for (IsolatedStar& s : s_.stars) fit(s, true);
    }

    int side() const { return 2 * half_ + 1; }
    const std::vector<double>& psf() const { return psf_; }
    const std::vector<bool>& good() const { return good_; }

    // rms of (image - model) within the core, and of sigma alone, in units of the star's peak.
    std::array<double, 2> quality(const IsolatedStar& s) const {
        double squares = 0;
        int n = 0;
        for_pixels(s, core, [&](double dx, double dy, double value) {
            const double r = value - s.flux * model(dx, dy);
            squares += r * r, ++n;
        });
        const double peak = s.flux * model(0, 0);
        return {std::sqrt(squares / std::max(n, 1)) / peak, s_.sigma / peak};
    }

private:
    // f(dx, dy, value above the sky) for the usable pixels whose centres lie within `reach` px of the star along each
    // axis.
    template <class F>
    void for_pixels(const IsolatedStar& s, double reach, F f) const {
        for (int y = s.row - radius_; y <= s.row + radius_; ++y)
            for (int x = s.column - radius_; x <= s.column + radius_; ++x) {
                const double dx = x - s.x, dy = y - s.y;
                if (std::fabs(dx) > reach || std::fabs(dy) > reach || !usable(image_, x, y)) continue;
                f(dx, dy, double(image_.pixels[std::size_t(y) * image_.w + x]) - s.sky);
            }
    }

    double model(double dx, double dy) const {
        if (spline_.empty()) return 0;
        const double u = dx * k_ + half_, v = dy * k_ + half_;
        const int first_x = int(std::floor(u)) - 1, first_y = int(std::floor(v)) - 1;
        double sum = 0;
        for (int y = std::max(0, first_y); y <= std::min(side() - 1, first_y + 3); ++y)
            for (int x = std::max(0, first_x); x <= std::min(side() - 1, first_x + 3); ++x)
                sum += spline(u - x) * spline(v - y) * spline_[std::size_t(y) * side() + x];
        return sum;
    }

    // Gauss-Newton for flux and, if it may move, x and y; steps of at most 0.3 px.
    void fit(IsolatedStar& s, bool moves) const {
        const double h = 0.5 / k_;
        for (int step = 0; step < 3; ++step) {
            double a[3][4] = {};
            for_pixels(s, core, [&](double dx, double dy, double value) {
                const double p = model(dx, dy);
                double row[3] = {p};
                if (moves) {
                    row[1] = -s.flux * (model(dx + h, dy) - model(dx - h, dy)) / (2 * h);
                    row[2] = -s.flux * (model(dx, dy + h) - model(dx, dy - h)) / (2 * h);
                }
                for (int i = 0; i < 3; ++i) {
                    for (int j = 0; j < 3; ++j) a[i][j] += row[i] * row[j];
                    a[i][3] += row[i] * (value - s.flux * p);
                }
            });
            for (int i = 0; i < 3; ++i)  // elimination: the matrix is positive definite unless the star is nothing
                for (int j = 0; j < 3; ++j) {
                    if (j == i || !(a[i][i] > 0)) continue;
                    const double factor = a[j][i] / a[i][i];
                    for (int l = 0; l < 4; ++l) a[j][l] -= factor * a[i][l];
                }
            const double flux = s.flux + a[0][3] / a[0][0];
            const double mx = moves ? a[1][3] / a[1][1] : 0, my = moves ? a[2][3] / a[2][2] : 0;
            if (!(flux > 0 && std::isfinite(mx) && std::isfinite(my))) return;
            s.flux = flux;
            s.x = std::clamp(s.x + std::clamp(mx, -0.3, 0.3), s.column - 1.5, s.column + 1.5);
            s.y = std::clamp(s.y + std::clamp(my, -0.3, 0.3), s.row - 1.5, s.row + 1.5);
        }
    }

    void reject() {
        std::vector<double> all;
        for (std::size_t i = 0; i < good_.size(); ++i) all.push_back(residual_[i] = quality(s_.stars[i])[0]);
        const double typical = median(all);
        for (std::size_t i = 0; i < good_.size(); ++i)
            good_[i] = s_.stars[i].flux > 0 && residual_[i] <= std::max(2 * typical, 2 * quality(s_.stars[i])[1]);
    }

    void move_nodes() {
        std::vector<Sample> samples;
        for (std::size_t i = 0; i < good_.size(); ++i) {
            const IsolatedStar& s = s_.stars[i];
            if (!good_[i] || !(s.flux > 0)) continue;
            for_pixels(s, radius_ + 0.5, [&](double dx, double dy, double value) {
                const double p = model(dx, dy),
                             deviation = s.flux * (0.02 * p + 1e-6);  // never 0: an image may have no noise
                const double weight = s.flux * s.flux / (s_.sigma * s_.sigma + deviation * deviation);
                const auto range = [&](double d) {
                    return std::array{std::max(0, int(std::ceil((d - capture) * k_)) + half_),
                                      std::min(side() - 1, int(std::floor((d + capture) * k_)) + half_)};
                };
                const auto [left, right] = range(dx);
                const auto [bottom, top] = range(dy);
                for (int y = bottom; y <= top; ++y)
                    for (int x = left; x <= right; ++x) samples.push_back({y * side() + x, value / s.flux - p, weight});
            });
        }
        std::stable_sort(samples.begin(), samples.end(),
                         [](const Sample& a, const Sample& b) { return a.node < b.node; });
        for (std::size_t first = 0; first < samples.size();) {
            std::size_t last = first;
            while (last < samples.size() && samples[last].node == samples[first].node) ++last;
            psf_[std::size_t(samples[first].node)] += clipped_mean({samples.data() + first, last - first});
            first = last;
        }
        update_spline();
    }

    static double clipped_mean(std::span<const Sample> samples) {
        std::vector<double> values;
        for (const Sample& s : samples) values.push_back(s.residual);
        const double centre = median(values);
        for (double& v : values) v = std::fabs(v - centre);
        const double limit = 3 * 1.4826 * median(values);
        double sum = 0, weight = 0;
        for (const Sample& s : samples)
            if (std::fabs(s.residual - centre) <= limit) sum += s.weight * s.residual, weight += s.weight;
        return weight > 0 ? sum / weight : 0;
    }

    // Smooths what was added to `base`; without a base all of it, which blurs a core that is sharp for the nodes.
    void smooth(const std::vector<double>& base) {
        static const Kernel quadratic = smoothing_kernel(2), quartic = smoothing_kernel(4);
        const std::vector<double> raw = psf_;
        for (int y = 2; y < side() - 2; ++y)
            for (int x = 2; x < side() - 2; ++x) {
                const bool near = std::hypot(x - half_, y - half_) < quartic_within * k_;
                const Kernel& kernel = near ? quartic : quadratic;
                const std::size_t at = std::size_t(y) * side() + x;
                double sum = near ? base[at] : 0;
                for (std::size_t i = 0; i < 25; ++i) {
                    const std::size_t from = std::size_t(y + int(i) / 5 - 2) * side() + x + i % 5 - 2;
                    sum += kernel[i] * (near ? raw[from] - base[from] : raw[from]);
                }
                psf_[at] = sum;
            }
        update_spline();
    }

    void centre() {
        double sum = 0, cx = 0, cy = 0;
        for (int y = -core * k_; y <= core * k_; ++y)
            for (int x = -core * k_; x <= core * k_; ++x) {
                if (x * x + y * y > core * core * k_ * k_) continue;
                const double v = psf_[std::size_t(y + half_) * side() + x + half_];
                sum += v, cx += v * x, cy += v * y;
            }
        if (!(sum > 0)) return;
        std::vector<Filter> rows, columns;
        for (int i = 0; i < side(); ++i)
            for (auto* axis : {&rows, &columns}) {
                const double u = i + std::clamp(axis == &rows ? cy / sum : cx / sum, -0.5 * k_, 0.5 * k_);
                Filter f{int(std::floor(u)) - 1, {}};
                for (int n = 0; n < 4; ++n) f.weights.push_back(spline(u - (f.first + n)));
                axis->push_back(std::move(f));
            }
        psf_ = filtered(spline_, side(), side(), rows, columns);
        update_spline();
    }

    void normalise() {
        double sum = 0;
        for (double v : psf_) sum += v;
        if (!(sum > 0)) fail(Fault::input, "the stars' light sums to ", sum, ": no PSF");
        for (double& v : psf_) v *= double(k_) * k_ / sum;
        update_spline();
    }

    void update_spline() {
        spline_ = psf_;
        spline_coefficients(spline_, side(), side());
    }

    const MeasuredImage& image_;
    StarSelection& s_;
    int k_, radius_, half_;
    std::vector<double> psf_, spline_;  // at the nodes; its spline's coefficients
    std::vector<bool> good_;
    std::vector<double> residual_;
};

void check(const MeasuredImage& image, const PsfMeasure& how) {
    require(image.w > 0 && image.h > 0 && image.pixels.size() == std::size_t(image.w) * std::size_t(image.h) &&
                (image.mask.empty() || image.mask.size() == image.pixels.size()),
            "measure_psf: ", image.pixels.size(), " pixels, ", image.mask.size(), " of a mask");
    if (how.oversampling < 3 || how.oversampling > 8 || how.radius < 4 || how.radius > 50 || how.min_stars < 3 ||
        how.max_stars < how.min_stars || std::isnan(how.saturate))
        fail(Fault::usage, "PSF measurement: oversampling ", how.oversampling, " (3...8), radius ", how.radius,
             " (4...50), stars ", how.min_stars, " (3...) to ", how.max_stars, ", saturation ", how.saturate);
}

void want_stars(int stars, const PsfMeasurement& m, const PsfMeasure& how) {
    if (stars >= how.min_stars) return;
    fail(Fault::input, "only ", stars, " of ", m.peaks, " peaks above 20 sigma can tell a PSF (", m.saturated,
         " saturated or on bad pixels, ", m.crowded, " not alone within ", how.radius, " px or near the edge, ",
         m.rejected, " of another shape); ", how.min_stars, " are needed");
}

}  // namespace

PsfMeasurement measure_psf(const MeasuredImage& image, const PsfMeasure& how) {
    check(image, how);
    StarSelection selection = select_stars(image, how);
    PsfMeasurement m{.psf = Psf::gaussian(2, {2, 1}),
                     .peaks = selection.peaks,
                     .saturated = selection.saturated,
                     .crowded = selection.crowded,
                     .sigma = selection.sigma};
    want_stars(int(selection.stars.size()), m, how);
    Rounds rounds(image, how, selection);
    rounds.run();
    double squares = 0, noise = 0;
    for (std::size_t i = 0; i < selection.stars.size(); ++i) {
        if (!rounds.good()[i]) continue;
        const auto [residual, expected] = rounds.quality(selection.stars[i]);
        squares += residual * residual, noise += expected * expected;
        ++m.used;
    }
    m.rejected = int(selection.stars.size()) - m.used;
    want_stars(m.used, m, how);
    m.residual = std::sqrt(squares / m.used);
    m.expected = std::sqrt(noise / m.used);
    const std::vector<float> pixels(rounds.psf().begin(), rounds.psf().end());
    m.psf = Psf::from_image({pixels, rounds.side(), rounds.side(), double(how.oversampling), PsfValues::effective});
    return m;
}

}  // namespace star
