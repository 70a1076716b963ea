// A group fit against plain definitions: derivatives, linear algebra, and what simulated stars say of its errors.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/random.h"
#include "sim/detector_noise.h"
#include "sim/fisher.h"
#include "sim/fit_group.h"
#include "sim/render.h"

using namespace star;

namespace {

constexpr double sky_electrons = 50, read_noise = 5;

Exposure exposure(double drizzle) {
    Exposure e;
    e.exptime_s = 100, e.sky = sky_electrons / e.exptime_s, e.dark = 0, e.read_noise = read_noise;
    e.full_well = 1e9, e.drizzle_sigma = drizzle;
    return e;
}

struct Seen {
    int w, h;
    std::vector<float> image;  // electrons
};

Seen observe(ThreadPool& pool, const std::vector<PointSource>& stars, const Psf& psf, const Exposure& e, int w, int h,
             std::uint64_t seed) {
    Seen s{w, h, std::vector<float>(std::size_t(w) * h)};
    render(pool, stars, psf, {s.image.data(), {1, h, w, 1}});
    expose(pool, {s.image.data(), {1, h, w, 1}}, {}, e, seed, 0);
    return s;
}

// The square of the image around a place, 4 px wider than `radius`; weights from sky, read-out and these stars' light,
// for pixels within `radius` of one of them.
FitPixels around(const Seen& s, const Psf& psf, const std::vector<FitStar>& stars, double cx, double cy, double radius,
                 const Exposure& e) {
    const int reach = int(drizzle_kernel(e.drizzle_sigma).size()) / 2, half = int(std::ceil(radius)) + 4 + reach;
    FitPixels p;
    p.column = std::max(0, int(std::floor(cx)) - half), p.row = std::max(0, int(std::floor(cy)) - half);
    p.resize(std::min(s.w, int(std::floor(cx)) + half + 1) - p.column,
             std::min(s.h, int(std::floor(cy)) + half + 1) - p.row);
    for (int y = 0; y < p.h; ++y)
        for (int x = 0; x < p.w; ++x) {
            const std::size_t i = std::size_t(y) * p.w + x;
            const double px = p.column + x + 0.5, py = p.row + y + 0.5;
            double light = 0, nearest = INFINITY;
            for (const FitStar& t : stars) {
                light += t.flux * psf.at(px - t.x, py - t.y);
                nearest = std::min(nearest, std::hypot(px - t.x, py - t.y));
            }
            p.light[i] = double(s.image[std::size_t(p.row + y) * s.w + p.column + x]) - sky_electrons;
            p.variance[i] = sky_electrons + read_noise * read_noise + std::max(light, 0.0);
            if (nearest <= radius) p.weight[i] = 1 / p.variance[i];
        }
    return p;
}

struct Pulls {
    double sum = 0, squares = 0;
    int n = 0;
    void operator()(double z) { sum += z, squares += z * z, ++n; }
    double mean() const { return sum / n; }
    double width() const { return std::sqrt(squares / n - mean() * mean()); }
};

}  // namespace

TEST_CASE("fit: pulls of isolated stars, raw and drizzled") {
    ThreadPool pool(2);
    const int side = 75, pitch = 26, size = side * pitch;
    for (double drizzle : {0.0, 0.4}) {
        const Exposure e = exposure(drizzle);
        const Psf native = Psf::moffat(1.7, 3, {6, 10}), psf = image_psf(native, e);
        std::vector<PointSource> stars;
        Random r(11, 3);
        for (int i = 0; i < side * side; ++i) {
            const double x = i % side * pitch + pitch / 2 + r.uniform(-0.5, 0.5);
            const double y = i / side * pitch + pitch / 2 + r.uniform(-0.5, 0.5);
            stars.push_back({x, y, 300 * std::pow(100.0, r.uniform())});  // signal-to-noise 10 to 160
        }
        const Seen seen = observe(pool, stars, psf, e, size, size, 5);
        const FisherStamp stamp(psf, 1e-5);
        const auto kernel = drizzle_kernel(drizzle);
        GroupFit fit(stamp, {}, pool.isa());
        Pulls flux, x, y;
        int unconverged = 0;
        for (const PointSource& s : stars) {
            std::vector<FitStar> guess{{s.x + 0.2, s.y - 0.2, 0.8 * s.flux}};
            std::vector<FitErrors> errors(1);
            bool converged = false;
            for (int sweep = 0; sweep < 3; ++sweep) {  // weights follow the model
                const FitPixels p = around(seen, psf, guess, s.x, s.y, 2.5 * psf.fwhm(), e);
                converged = fit.fit(p, guess).converged;
                fit.errors(p, guess, kernel, errors);
            }
            unconverged += !converged;
            flux((guess[0].flux - s.flux) / errors[0].flux);
            x((guess[0].x - s.x) / errors[0].x), y((guess[0].y - s.y) / errors[0].y);
        }
        CAPTURE(drizzle);
        MESSAGE(flux.n, " stars, drizzle ", drizzle, ": flux ", flux.mean(), " +- ", flux.width(), ", x ", x.mean(),
                " +- ", x.width(), ", y ", y.mean(), " +- ", y.width());
        CHECK(unconverged == 0);
        // Standard errors of mean and width of n pulls: 0.013 and 0.009.
        for (const Pulls* p : {&flux, &x, &y}) {
            CHECK(std::fabs(p->mean()) < 0.05);
            CHECK(p->width() > 0.95);
            CHECK(p->width() < 1.05);
        }
    }
}

TEST_CASE("fit: pairs one to two FWHM apart scatter as the Cramér-Rao bound says, without bias") {
    ThreadPool pool(2);
    const Exposure e = exposure(0);
    const Psf psf = Psf::moffat(1.7, 3, {6, 10});
    const FisherStamp stamp(psf, 1e-5);
    const int side = 20, pitch = 30, size = side * pitch, n = side * side;
    GroupFit fit(stamp, {}, pool.isa());
    double pooled = 0;
    int cases = 0;
    for (double separation : {1.0, 1.5, 2.0})
        for (double ratio : {1.0, 3.0, 10.0}) {
            std::vector<PointSource> stars;
            Random r(17, std::uint64_t(10 * separation + ratio));
            for (int i = 0; i < n; ++i) {
                const double angle = r.uniform(0, 6.283185307), d = separation * psf.fwhm();
                const double x = i % side * pitch + pitch / 2 + r.uniform(-0.5, 0.5);
                const double y = i / side * pitch + pitch / 2 + r.uniform(-0.5, 0.5);
                stars.push_back({x, y, 8000});
                stars.push_back({x + d * std::cos(angle), y + d * std::sin(angle), 8000 / ratio});
            }
            const Seen seen = observe(pool, stars, psf, e, size, size, 7);
            const Weights weights = pixel_weights(pool, stars, psf, e, 0, size, size);
            double squares = 0, bias = 0, errors_squares = 0;
            for (int i = 0; i < n; ++i) {
                const PointSource &a = stars[std::size_t(2 * i)], &b = stars[std::size_t(2 * i) + 1];
                std::vector<FitStar> guess{{a.x + 0.1, a.y, a.flux}, {b.x, b.y - 0.1, b.flux}};
                std::vector<FitErrors> errors(2);
                for (int sweep = 0; sweep < 3; ++sweep) {
                    const FitPixels p = around(seen, psf, guess, a.x, a.y, 2.5 * psf.fwhm(), e);
                    fit.fit(p, guess);
                    fit.errors(p, guess, std::vector<double>{1}, errors);
                }
                std::vector<PointSource> pair{a, b};
                const bool swapped = std::floor(b.y) != std::floor(a.y) ? b.y < a.y : b.x < a.x;
                if (swapped) std::swap(pair[0], pair[1]);
                Fisher::Scratch scratch;
                const int faint = swapped ? 0 : 1, other = 1 - faint;
                const double bound = b.flux / Fisher(pool, pair, stamp, weights).snr(faint, {&other, 1}, scratch);
                const double z = (guess[1].flux - b.flux) / bound;
                squares += z * z, bias += z;
                errors_squares += errors[1].flux * errors[1].flux / (bound * bound);
            }
            bias /= n;
            const double scatter = std::sqrt(squares / n - bias * bias), claimed = std::sqrt(errors_squares / n);
            MESSAGE(separation, " FWHM, 1:", ratio, ": the fainter's flux scatters by ", scatter,
                    " of the bound, claims ", claimed, ", bias ", bias);
            // Standard errors of 400: 0.05 of the bias, 0.035 of the scatter. A fit of places has a bias of its own of
            // second order, 1 / snr in these units, on top.
            CHECK(std::fabs(bias) < 0.3);
            CHECK(scatter < 1.1 + 4 * 0.035);
            CHECK(scatter > 1 - 4 * 0.035);
            CHECK(std::fabs(claimed / scatter - 1) < 4 * 0.035);
            pooled += scatter * scatter, ++cases;
        }
    pooled = std::sqrt(pooled / cases);
    MESSAGE("all pairs: ", pooled, " of the bound");
    CHECK(pooled < 1.1);
}

TEST_CASE("fit: instruction sets differ by rounding alone, and light may be put back by the fit") {
    ThreadPool pool(2);
    const Exposure e = exposure(0.4);
    const Psf psf = image_psf(Psf::moffat(1.7, 3, {6, 10}), e);
    const FisherStamp stamp(psf, 1e-5);
    const auto kernel = drizzle_kernel(0.4);
    const std::vector<PointSource> stars{{20.3, 20.1, 9000}, {22.9, 19.2, 4000}, {18.2, 23.7, 2500}, {27, 26.4, 6000}};
    const Seen seen = observe(pool, stars, psf, e, 40, 40, 3);
    std::vector<FitStar> start;
    for (const PointSource& s : stars) start.push_back({s.x + 0.1, s.y - 0.1, 0.9 * s.flux});
    const FitPixels whole = around(seen, psf, start, 22, 22, 2.5 * psf.fwhm(), e);
    for (const bool moves : {true, false}) {
        GroupLimits limits;
        limits.moves = moves;
        std::vector<FitStar> want;
        std::vector<FitErrors> sigma;
        for (Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512})
            for (const bool drawn : {false, true}) {
                if (isa > best_isa()) continue;
                CAPTURE(isa_name(isa));
                CAPTURE(drawn);
                FitPixels p = whole;
                GroupFit fit(stamp, limits, isa);
                if (drawn) fit.add(p, start, -1);
                std::vector<FitStar> got = start;
                std::vector<FitErrors> errors(got.size());
                CHECK(fit.fit(p, got, drawn).converged);
                fit.errors(p, got, kernel, errors);
                if (want.empty()) want = got, sigma = errors;
                // Sums of a few hundred products; a well-conditioned system makes little more of their rounding.
                for (std::size_t i = 0; i < got.size(); ++i) {
                    CHECK(std::fabs(got[i].flux - want[i].flux) <= 1e-9 * sigma[i].flux);
                    CHECK(std::fabs(errors[i].flux - sigma[i].flux) <= 1e-9 * sigma[i].flux);
                    CHECK(std::fabs(got[i].x - want[i].x) <= (moves ? 1e-9 * sigma[i].x : 0));
                    CHECK(std::isnan(errors[i].y) == !moves);
                    if (moves) CHECK(std::fabs(errors[i].y - sigma[i].y) <= 1e-9 * sigma[i].y);
                }
            }
    }
}
