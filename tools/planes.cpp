// Options first, then what lies beside the image.
#include "tools/planes.h"

#include <charconv>

#include "kernels/check.h"

namespace star {
namespace {

std::uint32_t bits_of(const std::string& text) {
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    const char *const first = text.data() + (hex ? 2 : 0), *const last = text.data() + text.size();
    std::uint32_t bits = 0;
    const auto [end, error] = std::from_chars(first, last, bits, hex ? 16 : 10);
    if (error != std::errc{} || end != last || bits == 0)
        fail(Fault::usage, "--mask-bits ", text, ": a number of 32 bits above 0, such as 17 or 0x11");
    return bits;
}

void check_extent(const std::string& name, const FitsPlane& image, const char* what) {
    const FitsPlane plane = describe_image(name, false);
    if (plane.width != image.width || plane.height != image.height)
        fail(Fault::input, name, ": NAXIS: the ", what, " has ", plane.width, "x", plane.height, " pixels, the image ",
             image.width, "x", image.height);
}

std::string read_states(const std::string& name, const std::optional<Window>& window, const PlaneOptions& o,
                        Planes& out) {
    const FitsMask mask = window ? read_mask(name, *window) : read_mask(name);
    MaskMeaning meaning = mask_meaning(mask);
    if (!o.mask_bits.empty()) meaning = {"unusable by --mask-bits", bits_of(o.mask_bits), 0, 0, false};
    out.states.resize(mask.pixels.size());
    for (std::size_t i = 0; i < out.states.size(); ++i) out.states[i] = meaning.state(mask.pixels[i]);
    return meaning.dialect;
}

// The plane of weights: which file, and of what kind.
std::pair<std::string, Weight> choose_noise(const PlaneOptions& o, const Companions& own, const FitsPlane& image) {
    if (o.weight == "none") return {"", Weight::none};
    Weight kind = o.weight_type.empty() ? Weight::none : weight_named(o.weight_type);
    if (!o.weight_type.empty() && (kind == Weight::none || kind == Weight::background)) return {"", kind};
    if (o.weight.empty()) {
        if (own.noise.empty() && kind != Weight::none)
            fail(Fault::usage, image.header.where, ": --weight-type ", o.weight_type,
                 ": the file has no plane of weights beside this image; --weight names one");
        return {own.noise, kind == Weight::none ? own.weight : kind};
    }
    return {beside(o.weight, image), kind};
}

}  // namespace

Planes read_planes(const std::string& image_name, const std::optional<Window>& window, const PlaneOptions& o,
                   Console& console) {
    const FitsPlane image = describe_image(image_name, false);
    const Companions own = companions_of(image);
    Planes out;
    std::string said;
    if (const bool auto_mask = o.mask.empty(); o.mask != "none" && !(auto_mask && own.mask.empty())) {
        const std::string name = auto_mask ? own.mask : beside(o.mask, image);
        check_extent(name, image, "mask");
        const std::string dialect = read_states(name, window, o, out);
        said = fmt::format("mask from {} ({})", auto_mask ? own.mask_name : o.mask, dialect);
    } else if (!o.mask_bits.empty()) {
        fail(Fault::usage, image.header.where, ": --mask-bits: there is no mask; --mask names one");
    }
    const auto [name, kind] = choose_noise(o, own, image);
    out.weight = kind;
    if (!name.empty()) {
        check_extent(name, image, "noise map");
        out.noise = window ? read_image(name, *window) : read_image(name);
        if (kind == Weight::none) out.weight = weight_of(out.noise->header);
        if (out.weight == Weight::none) out.weight = weight_of(out.noise->primary);  // DECam says it there
        if (out.weight == Weight::none)
            fail(Fault::usage, name, ": what kind of weights? --weight-type: rms, variance, weight or ivar");
        said += fmt::format("{}noise from {} ({})", said.empty() ? "" : ", ",
                            o.weight.empty() ? own.noise_name : o.weight, to_string(out.weight));
    }
    if (!said.empty()) console.say("{}: {}; --mask none, --weight none leave them out", image.header.where, said);
    return out;
}

}  // namespace star
