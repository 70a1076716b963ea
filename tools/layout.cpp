// Names of planes and bits, as the pipelines document them.
#include "tools/layout.h"

#include <algorithm>
#include <utility>

#include "io/letter_case.h"
#include "kernels/check.h"

namespace star {
namespace {

constexpr std::pair<const char*, Weight> weight_names[] = {
    {"none", Weight::none},         {"background", Weight::background}, {"rms", Weight::rms},
    {"variance", Weight::variance}, {"weight", Weight::weight},         {"ivar", Weight::ivar}};

// In order of preference where a file has several. WGT are DES's, WHT those of a drizzle: exposure times at worst.
constexpr std::pair<const char*, Weight> noise_planes[] = {
    {"ERR", Weight::rms},       {"ERROR", Weight::rms},       {"RMS", Weight::rms},           {"SIGMA", Weight::rms},
    {"UNCERT", Weight::rms},    {"UNCERTAINTY", Weight::rms}, {"VARIANCE", Weight::variance}, {"VAR", Weight::variance},
    {"IVAR", Weight::ivar},     {"INVVAR", Weight::ivar},     {"WGT", Weight::ivar},          {"WTMAP", Weight::ivar},
    {"WEIGHT", Weight::weight}, {"WHT", Weight::weight}};

constexpr const char* mask_planes[] = {"DQ", "MASK", "MSK", "DQM", "DQMASK", "FLAGS", "FLAG", "BPM"};

std::vector<std::int64_t> extent(const Hdu& hdu) {
    if (!hdu.compressed()) return hdu.axes;
    return {hdu.header.integer("ZNAXIS1").value_or(0), hdu.header.integer("ZNAXIS2").value_or(0)};
}

bool fits(const Hdu& hdu, const FitsPlane& image) {
    const std::string kind = hdu.kind();
    const auto axes = extent(hdu);
    return hdu.number != image.number && (kind == "IMAGE" || kind == "PRIMARY" || hdu.compressed()) &&
           axes.size() >= 2 && axes[0] == image.width && axes[1] == image.height && hdu.version() == image.version;
}

const Hdu* named(const std::vector<Hdu>& hdus, const FitsPlane& image, const char* name) {
    for (const Hdu& hdu : hdus)
        if (fits(hdu, image) && upper(hdu.name()) == name) return &hdu;
    return nullptr;
}

std::string address(const FitsPlane& image, const Hdu& hdu) {
    return image.file + "[" + std::to_string(hdu.number) + "]";
}

// LSST writes where each plane's bit is: MP_SAT = 1.
std::uint32_t lsst_bits(const FitsHeader& header, std::initializer_list<const char*> planes) {
    std::uint32_t bits = 0;
    for (const char* plane : planes)
        for (const char* start : {"MP_", "HIERARCH MP_"})
            if (const auto bit = header.integer(std::string(start) + plane); bit && *bit >= 0 && *bit < 32)
                bits |= std::uint32_t{1} << *bit;
    return bits;
}

bool has_lsst_planes(const FitsHeader& header) {
    return std::any_of(header.cards.begin(), header.cards.end(),
                       [](const Card& c) { return c.key.starts_with("MP_") || c.key.starts_with("HIERARCH MP_"); });
}

}  // namespace

Weight weight_named(const std::string& name) {
    for (const auto& [known, weight] : weight_names)
        if (name == known) return weight;
    fail(Fault::usage, "--weight-type ", name, ": choose none, background, rms, variance, weight or ivar");
}

const char* to_string(Weight w) {
    for (const auto& [name, weight] : weight_names)
        if (w == weight) return name;
    return "none";
}

Weight weight_of(const FitsHeader& header) {
    const std::string name = upper(header.text("EXTNAME").value_or(""));
    if (upper(header.text("PRODTYPE").value_or("")) == "WTMAP") return Weight::ivar;  // DECam's community pipeline
    for (const auto& [known, weight] : noise_planes)
        if (name == known) return weight;
    return Weight::none;
}

Companions companions_of(const FitsPlane& image) {
    const std::vector<Hdu> hdus = list_hdus(image.file);
    Companions out;
    for (const auto& [name, weight] : noise_planes)
        if (const Hdu* hdu = named(hdus, image, name)) {
            out.noise = address(image, *hdu), out.noise_name = hdu->name(), out.weight = weight;
            break;
        }
    for (const char* name : mask_planes)
        if (const Hdu* hdu = named(hdus, image, name)) {
            out.mask = address(image, *hdu), out.mask_name = hdu->name();
            break;
        }
    return out;
}

bool is_companion(const Hdu& hdu) {
    const std::string name = upper(hdu.name());
    static constexpr const char* others[] = {"CTX",      "CON",  "AREA", "VAR_POISSON", "VAR_RNOISE",
                                             "VAR_FLAT", "SAMP", "TIME", "D2IMARR",     "WCSDVARR"};
    const auto is = [&](const char* other) { return name == other; };
    return weight_of(hdu.header) != Weight::none || std::any_of(std::begin(mask_planes), std::end(mask_planes), is) ||
           std::any_of(std::begin(others), std::end(others), is);
}

std::string beside(const std::string& name, const FitsPlane& image) {
    const ImageName parts = parse_image_name(name);
    if (!parts.extension.empty() || image.extension.empty()) return name;
    for (const Hdu& hdu : list_hdus(parts.file))
        if (upper(hdu.name()) == upper(image.extension) && hdu.version() == image.version)
            return name + "[" + std::to_string(hdu.number) + "]";
    return name;
}

std::uint8_t MaskMeaning::state(std::uint32_t value) const {
    if (codes)  // 3 saturated, 4 bled, 5 cosmic ray; 1, 2, 6, 7, 8: bad, no value, low weight, transient, streak
        return std::uint8_t(value == 0                 ? 0
                            : value == 3 || value == 4 ? pixel_saturated
                            : value == 5               ? pixel_bad | pixel_cosmic
                                                       : pixel_bad);
    return std::uint8_t((value & bad ? pixel_bad : 0) | (value & cosmic ? pixel_cosmic : 0) |
                        (value & saturated ? pixel_saturated : 0));
}

MaskMeaning mask_meaning(const FitsMask& mask) {
    const std::string telescope = upper(mask.text_of("TELESCOP").value_or("")),
                      instrument = upper(mask.text_of("INSTRUME").value_or("")), name = upper(mask.extension);
    if (has_lsst_planes(mask.header)) {
        const auto bits = [&](std::initializer_list<const char*> planes) { return lsst_bits(mask.header, planes); };
        return {"LSST: BAD, NO_DATA, UNMASKEDNAN, CR, INTRP are unusable",
                bits({"BAD", "NO_DATA", "UNMASKEDNAN", "CR", "INTRP"}) & ~bits({"SAT"}), bits({"CR"}), bits({"SAT"}),
                false};
    }
    if (mask.header.integer("SATURAT"))
        return {"starblend: saturated pixels", ~std::uint32_t{4}, 0, 4, false};  // simulate's own
    // DO_NOT_USE. Saturated or hit ramps without it have a slope from their good groups.
    if (telescope == "JWST") return {"JWST: bit 0 (DO_NOT_USE) is unusable", 1, 0, 0, false};
    // ACS and WFC3 data handbooks, data quality: warm (64) and unstable (32) pixels and charge traps (1024) are
    // calibrated well enough; 256 and 2048 saturated; 4096 and 8192 cosmic rays.
    if (telescope == "HST")
        return {"HST: all bits but 32, 64 and 1024 are unusable", 0xffffu & ~(32u | 64u | 1024u | 256u | 2048u),
                4096 | 8192, 256 | 2048, false};
    // DES: BPM 1, SATURATE 2, INTERP 4, BADAMP 8, CRAY 16, STAR 32, TRAIL 64, EDGEBLEED 128, SSXTALK 256, EDGE 512,
    // STREAK 1024, SUSPECT 2048 (Morganson et al. 2018, table 9). A star's halo and suspect pixels still measure.
    if (name == "MSK")
        return {"DES: all bits but STAR, EDGE and SUSPECT are unusable", 0x7fffu & ~(2u | 32u | 64u | 512u | 2048u), 16,
                2 | 64, false};
    if (instrument == "DECAM" &&
        std::all_of(mask.pixels.begin(), mask.pixels.end(), [](std::uint32_t v) { return v <= 8; }))
        return {"DECam: codes of its community pipeline", 0, 0, 0, true};
    return {};
}

}  // namespace star
