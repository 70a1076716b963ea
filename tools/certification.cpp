// Trials and twins.
#include "tools/certification.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "kernels/random.h"
#include "tools/added_light.h"
#include "tools/artificial_stars.h"
#include "tools/cross_match.h"
#include "tools/score_match.h"

namespace star {
namespace {

constexpr double brightest_snr = 500, faintest_snr = 2;
constexpr std::size_t stars_in_twins = 2000;
constexpr std::size_t most_twins = 10;
constexpr std::uint64_t stream_of_twins = 0x6365727477696e00;  // apart from other uses of a seed
constexpr double least_found = 0.2;                            // share found that tells how many there are
constexpr double extreme = 0.02;                               // of the area at either end of the surface brightness
constexpr double least_weight = 0.05;                          // of a place, in that of the median one

struct PlacedStar {
    double x, y, magnitude;
};

// Of each of `a` its partner in `b`, or -1: one to one, nearest first, of those alike enough in place and magnitude.
std::vector<int> partners(const std::vector<PlacedStar>& a, const std::vector<PlacedStar>& b, double radius,
                          double most_mag) {
    const auto points = [](const std::vector<PlacedStar>& list) {
        std::vector<Point> out;
        for (const PlacedStar& s : list) out.push_back({s.x, s.y, 0});
        return out;
    };
    std::vector<MatchedPair> near = pairs_within(points(a), points(b), radius);
    std::erase_if(near, [&](const MatchedPair& p) {
        return !(std::fabs(a[std::size_t(p.a)].magnitude - b[std::size_t(p.b)].magnitude) <= most_mag);
    });
    std::vector<int> partner(a.size(), -1);
    for (const MatchedPair& p : one_to_one(near, a.size(), b.size())) partner[std::size_t(p.a)] = p.b;
    return partner;
}

std::uint64_t noise_seed(std::uint64_t seed, std::uint64_t use, int index) {
    const Random4 words = philox(seed, 0x6e6f6973655f6365 + use, std::uint64_t(index));
    return std::uint64_t{words.x[0]} << 32 | words.x[1];
}

ArtificialStars plan_of(const Observation& o, const Psf& psf, const FitsPlane& image, const WholeSky& sky,
                        const CertificationOptions& how) {
    const double independent = sky.estimated ? sky.sigma : sky.sigma / o.noise.correlation;
    const double noise = independent * std::sqrt(psf.noise_area());
    ArtificialStars plan{image.width,          image.height,          how.cell_fwhm * psf.fwhm(),
                         faintest_snr * noise, brightest_snr * noise, how.stars};
    if (std::isfinite(o.saturate.value))
        plan.brightest =
            std::clamp((o.saturate.value - sky.background) / psf.peak(), 10 * plan.faintest, plan.brightest);
    return plan;
}

// Which stars of a trial stand on a pixel that can be used; found out while the plates are read.
class UsablePlaces {
public:
    explicit UsablePlaces(const std::vector<ArtificialStar>& stars) : stars_(stars), usable_(stars.size()) {}

    void look(const Observation& o, const Plate& plate) {
        for (std::size_t i = 0; i < stars_.size(); ++i) {
            const int x = int(stars_[i].x), y = int(stars_[i].y);
            const Region& core = plate.core;
            if (x < core.x0 || x >= core.x1 || y < core.y0 || y >= core.y1) continue;
            const std::size_t at =
                std::size_t(y - plate.seen.y0) * std::size_t(o.image.width) + std::size_t(x - plate.seen.x0);
            usable_[i] = std::isfinite(o.image.pixels[at]) && !(o.state(at) & pixel_bad);
        }
    }
    bool operator[](std::size_t i) const { return usable_[i]; }

private:
    const std::vector<ArtificialStar>& stars_;
    std::vector<char> usable_;
};

// The work; its parts share what they find out.
template <class T>
class Certifier {
public:
    Certifier(DetectionRun<T>& run, const Model& model, const FitsPlane& image, const ImageFound& base,
              const CertificationOptions& how)
        : run_(run),
          model_(model),
          image_(image),
          base_(base),
          how_(how),
          psf_(run.psf()->psf),
          light_{run.pool(), psf_, model.exposure.drizzle_sigma},
          plan_(plan_of(run.observation(), psf_.middle(), image, base.sky, how)),
          brightness_(image.width, image.height, plan_.cell),
          known_(placed(base.rows.sources)),
          trials_(plan_artificial_stars(plan_, how.seed)) {
        out_.radius = how.radius_fwhm * psf_.middle().fwhm();
        out_.cell = plan_.cell;
        out_.magnitudes = {magnitude(plan_.brightest), magnitude(plan_.faintest)};
        out_.trials = int(trials_.size());
        out_.twins =
            int(std::clamp(stars_in_twins / std::max<std::size_t>(known_.size(), 1) + 1, std::size_t{1}, most_twins));
        survey();
    }

    Certification operator()(Console& console) {
        for (int i = 0; i < out_.trials + out_.twins && !interrupt::requested(); ++i) {
            console.progress("certifying", i, out_.trials + out_.twins, "detection");
            if (i < out_.trials ? !try_stars(i) : !try_twin(i - out_.trials)) break;
            ++out_.done;
        }
        return std::move(out_);
    }

private:
    double magnitude(double flux) const { return magnitude_of(flux, run_.observation()); }
    double flux_of(double magnitude) const {  // of which magnitude() is the inverse
        const double zero = run_.observation().zeropoint.value;
        return std::pow(10, -0.4 * (magnitude - (std::isfinite(zero) ? zero : 0)));
    }

    std::vector<PlacedStar> placed(const std::vector<Source>& sources) const {
        std::vector<PlacedStar> out;
        for (const Source& s : sources) out.push_back({s.at.x, s.at.y, magnitude(s.at.flux)});
        return out;
    }

    std::vector<int> partners_of(const std::vector<PlacedStar>& a, const std::vector<PlacedStar>& b) const {
        return partners(a, b, out_.radius, how_.magnitude);
    }

    // How many stars are to be expected where the image is so bright, up to a factor: by the light above its darkest,
    // held within bounds lest one star's light count for many.
    double weight(double level) const {
        const double range = bright_ - dark_;
        if (!(range > 0)) return 1;
        return std::clamp(level - dark_, std::max(least_weight * (usual_ - dark_), 1e-3 * range), range);
    }

    // How bright the image is, everywhere.
    void survey() {
        run_.for_each_plate([&](const Observation& part, const Plate& plate) {
            const Region& core = plate.core;
            const Window& seen = plate.seen;
            brightness_.add(part, {core.x0 - seen.x0, core.y0 - seen.y0, core.x1 - seen.x0, core.y1 - seen.y0}, seen.x0,
                            seen.y0);
        });
        for (int i = 0; i + 1 < levels_certified; ++i)
            out_.edges[std::size_t(i)] = brightness_.quantile((i + 1.0) / levels_certified);
        dark_ = brightness_.quantile(extreme), usual_ = brightness_.quantile(0.5);
        bright_ = brightness_.quantile(1 - extreme);
        for (const Source& s : base_.rows.sources)
            out_.levels.push_back(brightness_.around(s.at.x, s.at.y, s.at.flux * psf_.middle().energy()));
    }

    // One trial. False: interrupted.
    bool try_stars(int trial) {
        const std::vector<ArtificialStar>& put = trials_[std::size_t(trial)];
        std::vector<PointSource> stars;
        std::vector<PlacedStar> wanted;
        for (const ArtificialStar& s : put)
            stars.push_back({s.x, s.y, s.flux}), wanted.push_back({s.x, s.y, magnitude(s.flux)});
        UsablePlaces usable(put);
        const ImageFound found = run_.detect(nullptr, quiet_, [&](Observation& part, const Plate& plate) {
            usable.look(part, plate);
            add_stars(light_, stars, plate.seen.x0, plate.seen.y0, noise_seed(how_.seed, 0, trial), part);
        });
        if (!found.complete) return false;
        const std::vector<PlacedStar> rows = placed(found.rows.sources);
        const std::vector<int> partner = partners_of(wanted, rows), chance = partners_of(wanted, known_);
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            if (!usable[i]) continue;
            const double level = brightness_.around(wanted[i].x, wanted[i].y);
            ArtificialOutcome outcome{wanted[i].magnitude, level, weight(level), partner[i] >= 0, chance[i] >= 0};
            if (outcome.found) {
                const std::size_t row = std::size_t(partner[i]);
                const Source& s = found.rows.sources[row];
                outcome.magnitude_off = rows[row].magnitude - wanted[i].magnitude;
                outcome.x_off = s.at.x - wanted[i].x, outcome.y_off = s.at.y - wanted[i].y;
                outcome.flux_pull = (s.at.flux - put[i].flux) / s.error.flux;
            }
            out_.stars.push_back(outcome);
        }
        return true;
    }

    // Stars that the catalogue lacks, drawn as the trials tell: for each one found there are 1 / completeness, as far
    // as a fifth is found, and fainter as many in each bin as in the last of those.
    std::vector<ArtificialStar> missed_stars(Random& random) const {
        const Certificate certificate(out_.stars, {}, out_.edges);
        std::vector<ArtificialStar> stars;
        for (int level = 1; level <= levels_certified; ++level) {
            double expected = 0;  // in a bin
            for (const CertifiedBin& bin : certificate.bins(level)) {
                if (bin.placed == 0) continue;
                int rows = 0;
                for (std::size_t i = 0; i < known_.size(); ++i)
                    rows += known_[i].magnitude >= bin.from && known_[i].magnitude < bin.to &&
                            certificate.level_of(out_.levels[i]) == level;
                const double share = bin.completeness.value;
                if (share >= least_found) expected = rows / share;
                const int count = int(std::max(0.0, expected * (1 - share)) + random.uniform());
                for (int i = 0; i < count; ++i) {
                    const auto [x, y] = place_of(certificate, level, random);
                    stars.push_back({x, y, flux_of(random.uniform(bin.from, bin.to))});
                }
            }
        }
        return stars;
    }

    // Anywhere in that third of the image, the likelier the more light there is.
    std::pair<double, double> place_of(const Certificate& certificate, int level, Random& random) const {
        const double most = weight(level < levels_certified ? out_.edges[std::size_t(level - 1)] : bright_);
        double x = 0, y = 0;
        for (int attempt = 0; attempt < 1000; ++attempt) {
            x = random.uniform(0, image_.width), y = random.uniform(0, image_.height);
            const double here = brightness_.around(x, y);
            if (certificate.level_of(here) == level && random.uniform() * most < weight(here)) break;
        }
        return {x, y};
    }

    bool try_twin(int number) {
        Random random(how_.seed, stream_of_twins + std::uint64_t(number));
        std::vector<PointSource> stars;
        std::vector<PlacedStar> known = known_;
        for (const Source& s : base_.rows.sources) stars.push_back({s.at.x, s.at.y, s.at.flux});
        for (const ArtificialStar& s : missed_stars(random))
            stars.push_back({s.x, s.y, s.flux}), known.push_back({s.x, s.y, magnitude(s.flux)});
        const ImageFound found = run_.detect(nullptr, quiet_, [&](Observation& part, const Plate& plate) {
            make_twin(run_.stream(), light_, model_.procedure, stars, plate.seen.x0, plate.seen.y0,
                      noise_seed(how_.seed, 1, number), part);
        });
        if (!found.complete) return false;
        const std::vector<PlacedStar> rows = placed(found.rows.sources);
        const std::vector<int> partner = partners_of(rows, known);
        std::vector<int> by_chance(rows.size());
        for (int shift = 0; shift < chance_shifts; ++shift) {
            std::vector<PlacedStar> moved = rows;
            for (PlacedStar& s : moved) {  // around the image's edges
                s.x = std::fmod(s.x + chance_offset(shift).x + image_.width, image_.width);
                s.y = std::fmod(s.y + chance_offset(shift).y + image_.height, image_.height);
            }
            const std::vector<int> matched = partners_of(moved, known);
            for (std::size_t i = 0; i < rows.size(); ++i) by_chance[i] += matched[i] >= 0;
        }
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const double light = found.rows.sources[i].at.flux * psf_.middle().energy();
            out_.twin.push_back({rows[i].magnitude, brightness_.around(rows[i].x, rows[i].y, light), partner[i] >= 0,
                                 double(by_chance[i]) / chance_shifts});
        }
        return true;
    }

    DetectionRun<T>& run_;
    const Model& model_;
    const FitsPlane& image_;
    const ImageFound& base_;
    const CertificationOptions& how_;
    const PsfMap psf_;
    const Light light_;
    const ArtificialStars plan_;
    SurfaceBrightness brightness_;
    double dark_ = 0, usual_ = 0, bright_ = 0;
    const std::vector<PlacedStar> known_;
    const std::vector<std::vector<ArtificialStar>> trials_;
    Console quiet_{Console::Level::quiet};
    Certification out_;
};

}  // namespace

double magnitude_of(double flux, const Observation& o) {
    if (!(flux > 0)) return NAN;
    return (std::isfinite(o.zeropoint.value) ? o.zeropoint.value : 0) - 2.5 * std::log10(flux);
}

template <class T>
Certification certify(DetectionRun<T>& run, const Model& model, const FitsPlane& image, const ImageFound& base,
                      const CertificationOptions& how, Console& console) {
    require(run.psf().has_value(), "certify: no PSF");
    if (base.sky.usable == 0) return {};
    return Certifier<T>(run, model, image, base, how)(console);
}

template Certification certify(DetectionRun<float>&, const Model&, const FitsPlane&, const ImageFound&,
                               const CertificationOptions&, Console&);
template Certification certify(DetectionRun<bf16>&, const Model&, const FitsPlane&, const ImageFound&,
                               const CertificationOptions&, Console&);

}  // namespace star
