// Pieces of stars to fit: cuda_fit_stars.cpp compares the kernel with the CPU, emulated_fit_stars.cpp runs it in all
// orders.
#pragma once
#include <doctest/doctest.h>

#include <bit>
#include <cmath>

#include "kernels/fit_stars.h"
#include "kernels/random.h"
#include "sim/fit_pieces.h"
#include "tests/cuda_support.h"

namespace star::test {

/// Both forms sum in double, in different orders, and go the same way: results differ by what the normal equations'
/// solution makes of rounding. Of n parameters, each in units of its error, that is at most about n u kappa, u = 2^-53,
/// kappa the condition number of the equations scaled to a diagonal of ones: 8e8 for two stars 0.1 px apart through
/// this PSF with places, fluxes and sky free, which is the worst here: 7 u kappa = 7e-7.
inline constexpr double apart = 1e-6;

struct FitResult {
    std::vector<FitStar> stars;
    std::vector<FitErrors> errors;
    std::vector<GroupResult> results;
    bool operator==(const FitResult& o) const {  // bits, but for padding
        if (results.size() != o.results.size()) return false;
        for (std::size_t i = 0; i < results.size(); ++i) {
            const GroupResult &a = results[i], &b = o.results[i];
            if (std::memcmp(&a.sky, &b.sky, 8) || std::memcmp(&a.chi2, &b.chi2, 8) || a.pixels != b.pixels ||
                a.iterations != b.iterations || a.converged != b.converged)
                return false;
        }
        return same_bits(stars, o.stars) && same_bits(errors, o.errors);
    }
};

/// An image of noise and of the stars of some pieces, whose starting values the scene shows.
class FitCase {
public:
    static constexpr int width = 60, height = 52;
    bool alone = false;  ///< the model has none of the stars, and all pixels of the rectangles count

    /// psf: of one place or many. drizzle: px.
    FitCase(ThreadPool& pool, PsfMap map, double drizzle)
        : pool_(pool), map_(std::move(map)), drizzle_(drizzle), stamp_(map_.middle(), 1e-4) {
        pixels_.resize(std::size_t(width * height)), sky_.assign(pixels_.size(), 100.0f);
        variance_.assign(pixels_.size(), 40.0f), unusable_.assign(pixels_.size(), 0);
        Random r(3, 8);
        for (float& v : pixels_) v = float(100 + std::sqrt(40.0) * r.normal());
        for (int i = 0; i < 40; ++i) unusable_[std::size_t(r.uniform(0, width * height))] = 1;
        for (std::size_t i = 0; i < pixels_.size(); ++i)
            if (unusable_[i]) pixels_[i] = NAN;
    }

    const FisherStamp& stamp() const { return stamp_; }
    double fwhm() const { return map_.middle().fwhm(); }

    /// Puts stars into the image, and a piece that starts with them at a distance. own of them tell where it looks.
    void add(std::vector<FitStar> truth, int own, double away, double fraction = 0.9) {
        FitPiece p;
        double x0 = INFINITY, y0 = INFINITY, x1 = -INFINITY, y1 = -INFINITY;
        p.first = int(stars_.size()), p.own = own, p.stars = int(truth.size());
        for (int i = 0; i < p.stars; ++i) {
            const FitStar& s = truth[std::size_t(i)];
            const double side = i % 2 ? 1 : -1;
            stars_.push_back({s.x + side * away, s.y - 0.6 * side * away, fraction * s.flux});
            for (int y = 0; y < height; ++y)
                for (int x = 0; x < width; ++x)
                    pixels_[std::size_t(y * width + x)] +=
                        float(s.flux * map_.at(s.x, s.y).at(x + 0.5 - s.x, y + 0.5 - s.y));
            if (i >= own) continue;
            x0 = std::min(x0, s.x - seen()), x1 = std::max(x1, s.x + seen());
            y0 = std::min(y0, s.y - seen()), y1 = std::max(y1, s.y + seen());
        }
        const auto whole = [](double v) { return int(std::floor(std::clamp(v, -1e6, 1e6))); };
        if (own == 0) x0 = y0 = 10, x1 = y1 = 20;
        rectangles_.push_back({whole(x0), whole(y0), whole(x1) + 1, whole(y1) + 1});
        const LocalPsf psf = map_.at(0.5 * (x0 + x1), 0.5 * (y0 + y1));
        for (const LocalPsf::Part& part : psf.parts()) {
            p.table[p.parts] = int(part.psf - map_.nodes().data());
            p.weight[p.parts++] = part.weight;
        }
        pieces_.push_back(p);
    }
    /// In `count` random places within `radius` of a place.
    void add_random(double x, double y, double radius, int count, int own, std::uint64_t seed) {
        Random r(seed, 1);
        std::vector<FitStar> stars;
        for (int i = 0; i < count; ++i) {
            const double dx = r.uniform(-radius, radius), dy = r.uniform(-radius, radius);
            stars.push_back({x + dx, y + dy, 200 * std::pow(50.0, r.uniform())});
        }
        add(std::move(stars), own, 0.15);
    }
    void hide(int x0, int y0, int x1, int y1) {
        for (int y = y0; y < y1; ++y)
            for (int x = x0; x < x1; ++x) unusable_[std::size_t(y * width + x)] = 1;
    }

    /// What PieceFit makes of it on a stream.
    FitResult fitted(Stream stream, const GroupLimits& limits) {
        const FitScene scene = shown();
        FitResult r{stars_, std::vector<FitErrors>(stars_.size()), std::vector<GroupResult>(pieces_.size())};
        PieceFit fit(stream, stamp_);
        fit.fit(scene, {pieces_, limits, reach(), !alone, r.stars, r.errors, r.results});
        return r;
    }

    /// What the kernel makes of it, every array between canaries; with_errors: false leaves them as they were.
    FitResult from_kernel(Stream stream, const GroupLimits& limits, bool with_errors) {
        const FitScene scene = shown();
        FitPlanes planes = scene.planes();
        const auto pixels = upload(stream, pixels_), sky = upload(stream, sky_), variance = upload(stream, variance_);
        const auto model = upload(stream, std::vector<float>(scene.drawn().begin(), scene.drawn().end()));
        const auto usable =
            upload(stream, std::vector<std::uint8_t>(scene.usable_pixels().begin(), scene.usable_pixels().end()));
        planes.pixels = pixels.data(), planes.sky = sky.data(), planes.variance = variance.data();
        planes.model = model.data(), planes.usable = usable.data();
        const Psf& one = map_.middle();
        std::vector<float> all;
        for (const Psf& psf : map_.nodes())
            all.insert(all.end(), psf.coefficients(), psf.coefficients() + psf.table_size());
        const auto tables = upload(stream, all);
        const auto kernel = upload(stream, std::vector<double>(scene.kernel().begin(), scene.kernel().end()));
        const auto pieces = upload(stream, pieces_);
        const auto count = std::int64_t(stars_.size());
        const Output<FitStar> stars(stream, count);
        const Output<FitErrors> errors(stream, count);
        const Output<GroupResult> results(stream, std::int64_t(pieces_.size()));
        copy_to_device(stream, stars.data(), stars_.data(), stars_.size() * sizeof(FitStar));
        FitExtent most;
        for (const FitPiece& p : pieces_) {
            most.pixels = std::max(most.pixels, p.w * p.h), most.stars = std::max(most.stars, p.stars);
            most.mixed |= p.parts > 1;
        }
        const FitBatch batch{
            planes,         {tables.data(), one.oversampling(), one.stride(), one.middle(), stamp_.radius()},
            kernel.data(),  int(kernel.size()),
            reach(),        !alone,
            pieces.data(),  int(pieces_.size()),
            stars.data(),   with_errors ? errors.data() : nullptr,
            results.data(), limits};
        const Output<std::byte> workspace(stream, cuda::fit_stars_workspace(batch, most));
        cuda::fit_stars(stream, batch, most, workspace.data());
        synchronize(stream);
        require(stars.intact() && errors.intact() && results.intact() && workspace.intact(),
                "fit_stars wrote outside its outputs and its workspace");
        require(same_bits(download(stream, static_cast<const float*>(model.data()), model.size()),
                          std::vector<float>(scene.drawn().begin(), scene.drawn().end())) &&
                    same_bits(download(stream, static_cast<const float*>(tables.data()), tables.size()), all),
                "fit_stars changed its inputs");
        return {stars.values(), errors.values(), results.values()};
    }

    const std::vector<FitPiece>& pieces() const { return pieces_; }
    double reach() const { return alone ? INFINITY : seen(); }

private:
    FitScene shown() {
        FitImage image{width, height, pixels_, sky_, variance_, unusable_, 2, drizzle_, 0.01};
        FitScene scene(pool_, image, map_);
        if (!alone) scene.show(stars_);
        for (std::size_t i = 0; i < pieces_.size(); ++i) {
            const auto& [x0, y0, x1, y1] = rectangles_[i];
            static_cast<FitRectangle&>(pieces_[i]) = scene.rectangle(x0, y0, x1, y1);
        }
        return scene;
    }

    double seen() const { return 2.5 * fwhm(); }
    struct Edges {
        int x0, y0, x1, y1;
    };
    ThreadPool& pool_;
    PsfMap map_;
    double drizzle_;
    FisherStamp stamp_;
    std::vector<float> pixels_, sky_, variance_;
    std::vector<std::uint8_t> unusable_;
    std::vector<FitStar> stars_;
    std::vector<FitPiece> pieces_;
    std::vector<Edges> rectangles_;
};

}  // namespace star::test
