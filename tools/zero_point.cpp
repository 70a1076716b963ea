// Zero points: each convention in one line.
#include "tools/zero_point.h"

#include <numbers>

namespace star {
namespace {

constexpr double ab_jansky = 3631;  // of AB magnitude 0 (Oke & Gunn 1983)

double ab_of(double jansky) { return -2.5 * std::log10(jansky / ab_jansky); }

std::optional<double> positive(const FitsPlane& image, const char* key) {
    const auto v = image.number_of(key);
    return v && std::isfinite(*v) && *v > 0 ? v : std::nullopt;
}

}  // namespace

ZeroPoint header_zero_point(const FitsPlane& image, const FluxUnit& unit, bool rate, double exptime_s,
                            double pixel_arcsec) {
    for (const char* key : {"MAGZERO", "MAGZPT", "PHOTZP"})
        if (const auto zero = image.number_of(key); zero && std::isfinite(*zero))
            return {*zero, image.text_of("MAGSYS").value_or("unknown"), key};
    if (unit.kind == FluxUnit::Kind::flux_density) return {ab_of(unit.jansky), "AB", "BUNIT"};
    if (unit.kind == FluxUnit::Kind::surface_brightness) {
        if (const auto sr = positive(image, "PIXAR_SR")) return {ab_of(unit.jansky * *sr), "AB", "PIXAR_SR"};
        const double side = pixel_arcsec / 3600 * std::numbers::pi / 180;
        if (side > 0) return {ab_of(unit.jansky * side * side), "AB", "the WCS's pixel area"};
        return {};
    }
    if (const auto flux = positive(image, "FLUXMAG0")) return {2.5 * std::log10(*flux), "AB", "FLUXMAG0"};
    const auto flam = positive(image, "PHOTFLAM"), plam = positive(image, "PHOTPLAM");
    if (flam && plam && unit.countable()) {  // ACS Data Handbook: AB from the flux density of 1 e-/s
        const double zero = -2.5 * std::log10(*flam) - 5 * std::log10(*plam) - 2.408;
        return {zero + (rate ? 0 : 2.5 * std::log10(exptime_s)), "AB", "PHOTFLAM, PHOTPLAM"};
    }
    return {};
}

}  // namespace star
