// Headers' dialects: HST, JWST and the keys most cameras share.
#include "tools/observation.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "kernels/check.h"

namespace star {
namespace {

std::string upper(std::string s) {
    std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return char(std::toupper(c)); });
    return s;
}

// BUNIT as real headers have it ("ELECTRONS/S", "COUNTS", "DN") in the FITS standard's spelling; empty if it is
// neither.
std::string standard_unit(const std::string& upper_case, bool rate) {
    for (const auto& [start, unit] : {std::pair{"ELECTRON", "electron"},
                                      {"E-", "electron"},
                                      {"ADU", "adu"},
                                      {"DN", "adu"},
                                      {"COUNT", "count"},
                                      {"CPS", "count"}})
        if (upper_case.rfind(start, 0) == 0) return std::string(unit) + (rate ? "/s" : "");
    for (const auto& [name, unit] : {std::pair{"JY", "Jy"}, {"MJY/SR", "MJy/sr"}, {"JY/BEAM", "Jy/beam"}})
        if (upper_case == name) return unit;
    return "";
}

// "ELECTRONS/S", "electron s-1", "ADU s**-1", "counts/sec": the denominator as a word of its own, not the one of
// MJy/sr.
bool per_second(const std::string& upper_case) {
    for (const char* tail : {"/S", "/SEC", "/SECOND", " S-1", " S**-1", " S^-1", ".S-1", "*S-1", "*S**-1"})
        if (upper_case.ends_with(tail)) return true;
    return upper_case == "CPS";
}

// A positive (or, with zero_too, non-negative) number from the option, else the first of these keys, else the model.
Sourced choose(const FitsImage& image, double option, std::initializer_list<const char*> keys, double model,
               bool zero_too = false) {
    if (!std::isnan(option)) return {option, "option"};
    for (const char* key : keys)
        if (const auto v = image.number_of(key); v && std::isfinite(*v)) {
            if (*v < 0 || (*v == 0 && !zero_too)) continue;  // some writers put 0 for "unknown"
            return {*v, "header"};
        }
    return {model, "model"};
}

// Zero point and saturation: from the option, else the header.
Observation with_magnitudes(Observation out, const ObservationOptions& o) {
    const FitsImage& image = out.image;
    if (!std::isnan(o.zeropoint)) {
        out.zeropoint = {o.zeropoint, "option"};
        out.magnitude_system = o.magnitude_system.empty() ? "AB" : o.magnitude_system;
    } else if (const auto zero = image.number_of("MAGZERO"), photzp = image.number_of("PHOTZP"); zero || photzp) {
        out.zeropoint = {zero ? *zero : *photzp, "header"};
        out.magnitude_system = image.text_of("MAGSYS").value_or("unknown");
    } else {
        const auto flam = image.number_of("PHOTFLAM"), plam = image.number_of("PHOTPLAM");
        if (flam && plam && *flam > 0 && *plam > 0) {  // ACS Data Handbook: AB from the flux density of 1 e-/s
            const double zeropoint = -2.5 * std::log10(*flam) - 5 * std::log10(*plam) - 2.408;
            out.zeropoint = {zeropoint + (out.rate ? 0 : 2.5 * std::log10(out.exptime.value)), "header"};
            out.magnitude_system = "AB";
        }
    }
    if (!std::isnan(o.saturate))
        out.saturate = {o.saturate, "option"};
    else if (const auto s = image.number_of("SATURATE"); s && *s > 0)
        out.saturate = {*s, "header"};
    return out;
}

}  // namespace

Sky Observation::sky() const {
    const Shape shape{1, image.height, image.width, 1};
    Sky s{{image.pixels.data(), shape}, {nullptr, nothing}, noise};
    if (!mask.empty()) s.mask = {mask.data(), shape};
    return s;
}

Observation open_observation(const ObservationOptions& o, const Model& model, Console& console) {
    Observation out;
    out.image = read_image(o.image);
    const FitsImage& image = out.image;
    if (!o.mask.empty()) {
        const FitsMask mask = read_mask(o.mask);
        if (mask.width != image.width || mask.height != image.height)
            fail(Fault::input, o.mask, ": NAXIS: the mask has ", mask.width, "x", mask.height, " pixels, the image ",
                 image.width, "x", image.height);
        out.mask.resize(mask.pixels.size());
        std::transform(mask.pixels.begin(), mask.pixels.end(), out.mask.begin(),
                       [](std::uint32_t v) { return std::uint8_t(v != 0); });
    }

    const std::string unit = upper(image.text_of("BUNIT").value_or(""));
    const bool electrons = unit.rfind("ELECTRON", 0) == 0 || unit.rfind("E-", 0) == 0;
    const bool countable =
        unit.empty() || standard_unit(unit, false).find_first_not_of("electronaduc") == std::string::npos;
    out.rate = unit.empty() ? model.exposure.rate : per_second(unit);
    out.flux_unit = standard_unit(unit, out.rate);
    out.exptime = choose(image, o.exptime, {"EXPTIME", "EXPOSURE", "XPOSURE", "TEXPTIME"}, model.exposure.exptime_s);
    out.exposures = choose(image, o.exposures, {"NCOMBINE", "NDRIZIM"}, model.exposure.exposures);
    out.gain = electrons && std::isnan(o.gain)
                   ? Sourced{1, "header"}
                   : choose(image, o.gain, {"GAIN", "CCDGAIN", "EGAIN"}, model.exposure.gain);
    out.read_noise =
        choose(image, o.read_noise, {"RDNOISE", "READNOIS", "RON", "READNSEA"}, model.exposure.read_noise, true);
    if (!(out.exptime.value > 0) || !(out.gain.value > 0) || !(out.exposures.value >= 1) ||
        !(out.read_noise.value >= 0))
        fail(Fault::usage, "exposure time and gain must be positive, exposures at least 1, read noise not negative");

    Exposure e = model.exposure;
    e.exptime_s = out.exptime.value;
    e.exposures = int(std::min(out.exposures.value, 1e5));
    e.gain = out.gain.value;
    e.read_noise = out.read_noise.value;
    const double correlation =
        background_sigma(model.exposure) / (native_sigma(model.exposure) * image_unit(model.exposure));
    out.noise = {out.rate ? e.exptime_s * e.gain : e.gain, e.exposures * e.read_noise * e.read_noise,
                 correlation > 0 && std::isfinite(correlation) ? correlation
                                                               : 1};  // a model without noise has none to correlate
    if (!countable) {
        console.warn("{}: BUNIT = {}: not a count of photons; the noise is estimated from the image", o.image,
                     image.text_of("BUNIT").value_or(""));
        out.noise = {};
        return with_magnitudes(std::move(out), o);
    }
    for (const auto& [name, value] : {std::pair{"exposure time", out.exptime},
                                      {"number of exposures", out.exposures},
                                      {"gain", out.gain},
                                      {"read noise", out.read_noise}})
        if (std::string(value.source) == "model")
            console.say("{}: the header doesn't say; taken from the model's training: {:g}", name, value.value);

    return with_magnitudes(std::move(out), o);
}

}  // namespace star
