// Headers' dialects: HST, JWST and the keys most cameras share.
#include "tools/observation.h"

#include <algorithm>
#include <cmath>

#include "kernels/background.h"
#include "kernels/check.h"
#include "sim/saturation.h"
#include "tools/zero_point.h"

namespace star {
namespace {

// The mean of what these keys say: DECam's detectors have two amplifiers, A and B.
std::optional<double> header_number(const FitsImage& image, std::initializer_list<const char*> keys, bool zero_too) {
    for (const char* key : keys) {
        auto v = image.number_of(key);
        if (!v) {
            const auto a = image.number_of(std::string(key) + "A"), b = image.number_of(std::string(key) + "B");
            if (a && b) v = 0.5 * (*a + *b);
        }
        // Some writers put 0 for "unknown".
        if (v && std::isfinite(*v) && (*v > 0 || (*v == 0 && zero_too))) return v;
    }
    return {};
}

// A positive (or, with zero_too, non-negative) number from the option, else the first of these keys, else the model.
Sourced choose(const FitsImage& image, double option, std::initializer_list<const char*> keys, double model,
               bool zero_too = false) {
    if (!std::isnan(option)) return {option, "option"};
    if (const auto v = header_number(image, keys, zero_too)) return {*v, "header"};
    return {model, "model"};
}

bool from_model(const Sourced& s) { return std::string(s.source) == "model"; }

// Zero point and saturation: from the option, else the header.
void set_magnitudes(Observation& out, const ObservationOptions& o, const FluxUnit& unit) {
    const FitsImage& image = out.image;
    if (!std::isnan(o.zeropoint)) {
        out.zeropoint = {o.zeropoint, "option"};
        out.magnitude_system = o.magnitude_system.empty() ? "AB" : o.magnitude_system;
    } else if (const ZeroPoint zero =
                   header_zero_point(image, unit, out.rate, out.exptime.value, out.wcs ? out.wcs->pixel_scale() : NAN);
               std::isfinite(zero.magnitude)) {
        out.zeropoint = {zero.magnitude, "header"};
        out.magnitude_system = zero.system;
    }
    if (!std::isnan(o.saturate))
        out.saturate = {o.saturate, "option"};
    else if (const auto s = image.number_of("SATURATE"); s && *s > 0)
        out.saturate = {*s, "header"};
}

// Electrons of one unit: of counts by the gain; of MJy/sr by the calibration that the pipeline divided by, JWST's
// PHOTMJSR and Spitzer's FLUXCONV, both MJy/sr per DN/s. 0: unknown.
double electrons_per_unit(const Observation& out, const FluxUnit& unit) {
    const double exptime = out.exptime.value, gain = out.gain.value;
    if (unit.countable()) return out.rate ? exptime * gain : gain;
    if (unit.kind != FluxUnit::Kind::surface_brightness || from_model(out.exptime) || from_model(out.gain)) return 0;
    const auto conversion = header_number(out.image, {"PHOTMJSR", "FLUXCONV"}, false);
    return conversion ? exptime * gain / *conversion : 0;
}

void read_exposure(Observation& out, const ObservationOptions& o, const FluxUnit& unit, const Exposure& model) {
    const FitsImage& image = out.image;
    out.rate = unit.kind == FluxUnit::Kind::unstated ? model.rate : unit.per_second;
    out.flux_unit = unit.standard;
    out.exptime = choose(image, o.exptime, {"EXPTIME", "EXPOSURE", "XPOSURE", "TEXPTIME", "EFFEXPTM"}, model.exptime_s);
    out.exposures = choose(image, o.exposures, {"NCOMBINE", "NDRIZIM"}, model.exposures);
    if (from_model(out.exposures) && !out.model_pixels) out.exposures = {1, "assumption"};
    out.gain = unit.kind == FluxUnit::Kind::electrons && std::isnan(o.gain)
                   ? Sourced{1, "header"}
                   : choose(image, o.gain, {"GAIN", "CCDGAIN", "EGAIN"}, model.gain);
    out.read_noise =
        choose(image, o.read_noise, {"RDNOISE", "READNOIS", "RON", "RONOISE", "READNSE"}, model.read_noise, true);
    if (!(out.exptime.value > 0) || !(out.gain.value > 0) || !(out.exposures.value >= 1) ||
        !(out.read_noise.value >= 0))
        fail(Fault::usage, "exposure time and gain must be positive, exposures at least 1, read noise not negative");
}

// Relative weights become variances: at the sky's level they are the noise model's, or else what the image's high
// frequencies show when every pixel is weighted alike.
void scale_weights(NoiseMap& map, const Observation& out, const Procedure& how) {
    if (!(map.sky_sigma > 0)) return;
    double sigma = out.noise.sigma(0) > 0 ? out.noise.sigma(0) : 0;  // with a subtracted sky it is read-out alone
    ThreadPool pool(1);
    const Stream stream{{}, &pool, nullptr, false};
    std::vector<float> even(map.variance.size());
    for (std::size_t i = 0; i < even.size(); ++i)
        even[i] = float(out.image.pixels[i] * map.sky_sigma / std::sqrt(map.variance[i]));
    const View<const float> view{even.data(), {1, out.image.height, out.image.width, 1}};
    float estimate = NAN;
    Arena measure = Arena::measuring();
    high_frequency_noise(Stream{{}, &pool, nullptr, true}, view, {nullptr, nothing}, how.mesh, &estimate, measure);
    Arena memory({}, measure.peak());
    high_frequency_noise(stream, view, {nullptr, nothing}, how.mesh, &estimate, memory);
    if (estimate > 0) sigma = std::max(sigma, double(estimate));
    if (sigma > 0) scale(map, sigma * sigma / (map.sky_sigma * map.sky_sigma));
}

void use_map(Observation& out, const Planes& planes, const Procedure& how, bool electrons_known) {
    out.map = noise_map(*planes.noise, planes.weight, out.image, out.mask);
    if (planes.weight == Weight::weight) scale_weights(*out.map, out, how);
    if (out.mask.empty()) out.mask.resize(out.image.pixels.size());
    for (std::size_t i = 0; i < out.mask.size(); ++i)
        if (!std::isfinite(out.map->variance[i])) out.mask[i] |= pixel_bad;
    if (!electrons_known && out.map->electrons_per_unit > 0) out.noise.electrons_per_unit = out.map->electrons_per_unit;
}

// Where the noise comes from, if not from the header.
void say_noise(const Observation& out, const ObservationOptions& o, const Planes& planes, const FluxUnit& unit,
               Console& console) {
    if (planes.noise) {
        if (out.map->electrons_per_unit > 0 && out.noise.electrons_per_unit == out.map->electrons_per_unit)
            console.say("electrons per unit: from the noise map's slope with the flux: {:.4g}",
                        out.map->electrons_per_unit);
        return;
    }
    if (planes.weight == Weight::background) return;
    if (!unit.countable() && !(out.noise.electrons_per_unit > 0))
        console.warn("{}: BUNIT = {}: {}; the noise is estimated from the image", o.image,
                     out.image.text_of("BUNIT").value_or(""),
                     unit.standard.empty() ? "not a count of photons"
                                           : "no noise map, and no gain and exposure time to count photons with");
    else if (!(out.noise.electrons_per_unit > 0))
        console.warn(
            "{}: the header has neither gain nor exposure time, and the pixels aren't those of the model's "
            "training; the noise is estimated from the image (--gain, --exptime, --weight tell it)",
            o.image);
    else
        for (const auto& [name, value] : {std::pair{"exposure time", out.exptime},
                                          {"number of exposures", out.exposures},
                                          {"gain", out.gain},
                                          {"read noise", out.read_noise}})
            if (from_model(value))
                console.say("{}: the header doesn't say; taken from the model's training: {:g}", name, value.value);
}

// Of one level alone, whatever the sky's: so many electrons to a unit that the sky's photons are nothing beside the
// read-out (a part in 10^18 of the variance, times the sky over its variance).
Noise constant_noise(double sigma, double correlation) {
    const double electrons = 1e18 / (sigma * sigma);
    return {electrons, sigma * electrons * sigma * electrons, correlation};
}

}  // namespace

Sky Observation::sky() const {
    const Shape shape{1, image.height, image.width, 1};
    Noise stated = noise;
    if (whole_sigma > 0)
        stated = constant_noise(whole_sigma, 1);
    else if (map && map->sky_sigma > 0)
        stated = constant_noise(map->sky_sigma, noise.correlation);
    Sky s{{image.pixels.data(), shape}, {nullptr, nothing}, stated};
    if (!hidden.empty()) s.mask = {hidden.data(), shape};
    return s;
}

double Observation::empty_variance(std::size_t i, const PreparedSky& sky) const {
    const double level = sky.background_map[i];
    if (map) return map->empty(i, image.pixels[i] - level, noise.electrons_per_unit);
    const double sigma = sky.sigma_estimated ? sky.sigma : noise.sigma(level) / noise.correlation;
    return sigma * sigma;
}

double Observation::variance(std::size_t i, const PreparedSky& sky) const {
    if (map && map->electrons_per_unit > 0) return map->variance[i];
    const double light = std::max(double(image.pixels[i]) - sky.background_map[i], 0.0);
    return empty_variance(i, sky) + (noise.electrons_per_unit > 0 ? light / noise.electrons_per_unit : 0);
}

void Observation::mark_pixels() {
    if (std::isfinite(saturate.value)) mark_saturated(image.pixels, image.width, image.height, saturate.value, mask);
    hidden.resize(mask.size());
    for (std::size_t i = 0; i < mask.size(); ++i) hidden[i] = mask[i] & pixel_bad;
}

Observation open_observation(const ObservationOptions& o, const Model& model, Console& console) {
    Observation out;
    out.image = o.window ? read_image(o.image, *o.window) : read_image(o.image);
    const FitsImage& image = out.image;
    out.wcs = Wcs::from_header(image.header);
    out.model_pixels =
        !(out.wcs && std::fabs(std::log(out.wcs->pixel_scale() / model.pixel_scale)) > std::log(other_pixels));
    Planes planes = read_planes(o.image, o.window, o.planes, console);
    out.mask = std::move(planes.states);
    const FluxUnit unit = parse_flux_unit(image.text_of("BUNIT").value_or(""));
    read_exposure(out, o, unit, model.exposure);
    set_magnitudes(out, o, unit);

    const double correlation =
        background_sigma(model.exposure) / (native_sigma(model.exposure) * image_unit(model.exposure));
    // What the noise hangs on and nobody but the model says: that of another instrument doesn't tell.
    const bool guessed = (unit.countable() && from_model(out.gain)) || (out.rate && from_model(out.exptime));
    const double electrons = guessed && !out.model_pixels ? 0 : electrons_per_unit(out, unit),
                 exposures = std::min(out.exposures.value, 1e5);
    // A model without noise has none to correlate; nor does its drizzle tell about another instrument's pixels.
    out.noise = {electrons, exposures * out.read_noise.value * out.read_noise.value,
                 out.model_pixels && correlation > 0 && std::isfinite(correlation) ? correlation : 1};
    if (planes.noise) use_map(out, planes, model.procedure, electrons > 0 && !guessed);
    if (!o.repeated) say_noise(out, o, planes, unit, console);
    if (!planes.noise && (!(electrons > 0) || planes.weight == Weight::background)) out.noise = {};
    out.mark_pixels();
    return out;
}

}  // namespace star
