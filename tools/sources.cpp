// From a fit to a table.
#include "tools/sources.h"

#include <algorithm>
#include <cmath>

namespace star {
namespace {

// Its neighbours' light where a star stands, over its own (or its error, if that is more): from the first on a
// neighbour's error is its own, from the second on one outshines it.
constexpr double biased_light = 1.0 / 3, outshining_light = 9;

// What is wrong with the pixels within a FWHM of a star.
std::int32_t pixel_flags(const FitStar& s, double fwhm, const Observation& o) {
    std::int32_t flags = 0;
    const int W = o.image.width, H = o.image.height;
    for (int y = int(std::floor(s.y - fwhm)); y <= int(std::floor(s.y + fwhm)); ++y)
        for (int x = int(std::floor(s.x - fwhm)); x <= int(std::floor(s.x + fwhm)); ++x) {
            if (std::hypot(x + 0.5 - s.x, y + 0.5 - s.y) > fwhm) continue;
            if (x < 0 || y < 0 || x >= W || y >= H) {
                flags |= flag_truncated;
                continue;
            }
            const std::size_t i = std::size_t(y) * std::size_t(W) + std::size_t(x);
            const float v = o.image.pixels[i];
            if (!std::isfinite(v)) flags |= flag_not_finite | flag_masked_pixels;
            flags |= flags_of(o.state(i));
        }
    return flags;
}

}  // namespace

std::int32_t flags_of(std::uint8_t state) {
    return (state & pixel_bad ? flag_masked_pixels : 0) | (state & pixel_cosmic ? flag_cosmic_ray : 0) |
           (state & pixel_saturated ? flag_saturated : 0);
}

FitInput::FitInput(const Observation& o, const PreparedSky& sky, double drizzle_sigma, double psf_error)
    : unit_(sky.sigma > 0 ? sky.sigma : 1) {
    const std::size_t size = o.image.pixels.size();
    pixels_.resize(size), sky_.resize(size), variance_.resize(size), unusable_.resize(size);
    const bool modelled = o.noise.electrons_per_unit > 0 && !sky.sigma_estimated;
    for (std::size_t i = 0; i < size; ++i) {
        const float v = o.image.pixels[i];
        pixels_[i] = float(v / unit_), sky_[i] = float(sky.background_map[i] / unit_);
        variance_[i] = float(o.empty_variance(i, sky) / (unit_ * unit_));
        const int x = int(i % std::size_t(o.image.width)), y = int(i / std::size_t(o.image.width));
        const Region& r = o.fitted;
        unusable_[i] =
            (o.state(i) & (pixel_bad | pixel_saturated)) != 0 || x < r.x0 || x >= r.x1 || y < r.y0 || y >= r.y1;
    }
    image_.width = o.image.width, image_.height = o.image.height;
    image_.pixels = pixels_, image_.sky = sky_, image_.variance = variance_, image_.unusable = unusable_;
    image_.electrons_per_unit = modelled ? o.noise.electrons_per_unit * unit_ : 0;
    image_.drizzle_sigma = modelled ? o.noise_blur(drizzle_sigma) : 0;
    image_.psf_error = psf_error;
}

std::vector<FitUnit> fit_units(const std::vector<Blend>& blends) {
    std::vector<FitUnit> units;
    for (const Blend& b : blends) {
        FitUnit u{b.box, {}};
        std::copy(b.p, b.p + classes_in_catalogue, u.chance.begin());
        units.push_back(u);
    }
    return units;
}

std::vector<Blend> counted(std::vector<Blend> blends, const std::vector<Source>& sources) {
    for (Blend& b : blends) b.fitted = 0;
    for (const Source& s : sources)
        if (s.blend > 0) ++blends[std::size_t(s.blend) - 1].fitted;
    return blends;
}

std::vector<Source> sources_of(const FieldFit& fit, const FitInput& input, const Observation& o) {
    const FitScene& scene = fit.scene();
    const std::vector<StarQuality> quality = star_quality(scene, fit.stars());
    std::vector<int> members;
    for (const FieldStar& s : fit.stars())
        if (s.unit >= 0) {
            if (s.unit >= int(members.size())) members.resize(std::size_t(s.unit) + 1, 0);
            ++members[std::size_t(s.unit)];
        }
    std::vector<Source> sources;
    for (std::size_t i = 0; i < fit.stars().size(); ++i) {
        const FieldStar& f = fit.stars()[i];
        Source s;
        s.id = int(i) + 1, s.blend = f.unit + 1;
        s.at = {f.at.x, f.at.y, f.at.flux * input.unit()};
        s.error = {f.error.x, f.error.y, f.error.flux * input.unit()};
        const bool bright = s.at.flux > 0 && std::isfinite(o.zeropoint.value);
        s.magnitude = bright ? o.zeropoint.value - 2.5 * std::log10(s.at.flux) : NAN;
        s.magnitude_error = bright ? 2.5 / std::log(10.0) * s.error.flux / s.at.flux : NAN;
        const int W = o.image.width, H = o.image.height;
        const int x = std::clamp(int(f.at.x), 0, W - 1), y = std::clamp(int(f.at.y), 0, H - 1);
        s.sky = (input.image().sky[std::size_t(y) * std::size_t(W) + std::size_t(x)] + f.sky) * input.unit();
        s.quality = quality[i];
        s.flags = pixel_flags(f.at, scene.fwhm(), o);
        if (f.unit >= 0 && members[std::size_t(f.unit)] > 1) s.flags |= flag_blended;
        const double foreign = s.quality.foreign / std::max(f.at.flux, f.error.flux);
        if (foreign > biased_light) s.flags |= flag_biased;
        if (foreign > outshining_light) s.flags |= flag_near_bright;
        if (!f.converged) s.flags |= flag_no_convergence;
        if (f.crowded) s.flags |= flag_percolated;
        sources.push_back(s);
    }
    return sources;
}

Table sources_table(const std::vector<Source>& sources, const CatalogueInfo& info, bool upper_limits) {
    const std::size_t n = sources.size();
    const auto column = [&]<class T>(T, auto&& value) {
        std::vector<T> v(n);
        for (std::size_t i = 0; i < n; ++i) v[i] = T(value(sources[i]));
        return v;
    };
    constexpr double half = fits_minus_edge;
    Table t;
    t.name = "SOURCES";
    auto& c = t.columns;
    c.push_back({"SOURCE_ID", "", "number of the star, from 1", "meta.id;meta.main", "I8",
                 column(std::int32_t{}, [](auto& s) { return s.id; })});
    c.push_back({"BLEND_ID", "", "number of its blending unit in BLENDS; 0: in none", "meta.id.parent", "I8",
                 column(std::int32_t{}, [](auto& s) { return s.blend; })});
    c.push_back({"X_IMAGE", "pix", "place by PSF fit; centre of the first pixel = 1", "pos.cartesian.x", "F10.4",
                 column(double{}, [](auto& s) { return s.at.x + half; })});
    c.push_back({"Y_IMAGE", "pix", "place by PSF fit; centre of the first pixel = 1", "pos.cartesian.y", "F10.4",
                 column(double{}, [](auto& s) { return s.at.y + half; })});
    c.push_back({"ERRX_IMAGE", "pix", "standard error of X_IMAGE; NaN if fixed", "stat.error;pos.cartesian.x", "F8.4",
                 column(float{}, [](auto& s) { return s.error.x; })});
    c.push_back({"ERRY_IMAGE", "pix", "standard error of Y_IMAGE; NaN if fixed", "stat.error;pos.cartesian.y", "F8.4",
                 column(float{}, [](auto& s) { return s.error.y; })});
    if (info.wcs) {
        t.cards.push_back({"RADESYS", info.wcs->frame(), "of RA and DEC"});
        std::vector<double> ra(n), dec(n);
        for (std::size_t i = 0; i < n; ++i) {
            const SkyPosition s = info.wcs->to_sky({sources[i].at.x + half, sources[i].at.y + half});
            ra[i] = s.ra, dec[i] = s.dec;
        }
        c.push_back({"RA", "deg", "right ascension, " + info.wcs->frame(), "pos.eq.ra;meta.main", "F13.8", ra});
        c.push_back({"DEC", "deg", "declination, " + info.wcs->frame(), "pos.eq.dec;meta.main", "F13.8", dec});
    }
    c.push_back({"FLUX_PSF", info.flux_unit, "flux of the whole PSF", "phot.flux", "E13.6",
                 column(double{}, [](auto& s) { return s.at.flux; })});
    c.push_back({"FLUXERR_PSF", info.flux_unit, "its standard error", "stat.error;phot.flux", "E13.6",
                 column(double{}, [](auto& s) { return s.error.flux; })});
    if (upper_limits)
        c.push_back({"LIMIT3", info.flux_unit, "3 sigma upper limit: max(FLUX_PSF, 0) + 3 FLUXERR_PSF", "phot.flux",
                     "E13.6", column(double{}, [](auto& s) { return std::max(s.at.flux, 0.0) + 3 * s.error.flux; })});
    const std::string system = info.magnitude_system.empty() ? "" : ", " + info.magnitude_system;
    c.push_back({"MAG_PSF", "mag", "magnitude of FLUX_PSF" + system, "phot.mag", "F8.4",
                 column(double{}, [](auto& s) { return s.magnitude; })});
    c.push_back({"MAGERR_PSF", "mag", "its standard error", "stat.error;phot.mag", "F8.4",
                 column(float{}, [](auto& s) { return s.magnitude_error; })});
    c.push_back({"BACKGROUND", info.flux_unit, "sky per pixel of the fit", "instr.background", "E13.6",
                 column(float{}, [](auto& s) { return s.sky; })});
    c.push_back({"SNR", "", "FLUX_PSF over its error, were place, sky, neighbours known", "stat.snr", "F9.2",
                 column(float{}, [](auto& s) { return s.quality.snr; })});
    c.push_back({"CHI2", "", "mean squared residual over its variance within 1.5 FWHM", "stat.fit.chi2", "F9.3",
                 column(float{}, [](auto& s) { return s.quality.chi2; })});
    c.push_back({"QF", "", "share of the PSF on usable pixels", "stat.fit.goodness", "F6.4",
                 column(float{}, [](auto& s) { return s.quality.good; })});
    c.push_back({"FRACFLUX", "", "share of the flux in its PSF that is its own", "stat.value", "F7.4",
                 column(float{}, [](auto& s) { return s.quality.own_share; })});
    c.push_back({"CROWD", "mag", "how much brighter, had its neighbours not been fitted", "phot.mag", "F7.3",
                 column(float{}, [](auto& s) { return s.quality.crowd; })});
    c.push_back({"SHARP", "", "0: a star; > 0: sharper, < 0: broader than the PSF", "stat.value", "F8.4",
                 column(float{}, [](auto& s) { return s.quality.sharp; })});
    c.push_back({"FLAGS", "", "bits; starblend info --flags N says what they mean", "meta.code.qual", "I6",
                 column(std::int32_t{}, [](auto& s) { return s.flags; })});
    return t;
}

std::vector<float> model_picture(const FieldFit& fit, const FitInput& input) {
    std::vector<float> picture(fit.scene().drawn().size());
    for (std::size_t i = 0; i < picture.size(); ++i)
        picture[i] = float((input.image().sky[i] + fit.scene().model(i)) * input.unit());
    return picture;
}

std::vector<float> residual_picture(const FieldFit& fit, const FitInput& input) {
    std::vector<float> picture(fit.scene().drawn().size(), NAN);
    for (std::size_t i = 0; i < picture.size(); ++i)
        if (fit.scene().usable(i)) picture[i] = float(fit.scene().residual(i) * input.unit());
    return picture;
}

}  // namespace star
