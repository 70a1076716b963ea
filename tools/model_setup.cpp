// What a configuration says of a network and of the images it is for: all that is read of a model's own.
#include <algorithm>

#include "tools/setup.h"

namespace star {

Exposure read_exposure(Config& c) {
    Exposure e;
    e.exptime_s = c.number("exposure.exptime", e.exptime_s, 1e-3, 1e7);
    e.exposures = int(c.integer("exposure.exposures", e.exposures, 1, 100000));
    e.gain = c.number("exposure.gain", e.gain, 1e-6, 1e6);
    e.zeropoint = c.number("exposure.zeropoint", e.zeropoint, -50, 100);
    e.sky = c.number("exposure.sky", e.sky, 0, 1e9);
    e.dark = c.number("exposure.dark", e.dark, 0, 1e9);
    e.read_noise = c.number("exposure.read_noise", e.read_noise, 0, 1e6);
    e.full_well = c.number("exposure.full_well", e.full_well, 1, 1e12);
    e.drizzle_sigma = c.number("exposure.drizzle_sigma", e.drizzle_sigma, 0, 2);
    e.rate = c.boolean("exposure.rate", e.rate);
    e.whole_adu = c.boolean("exposure.whole_adu", e.whole_adu);
    return e;
}

Architecture read_architecture(Config& c) {
    Architecture a;
    const auto ints = [&](const char* key, const std::vector<int>& standard) {
        const auto v = c.integers(key, {standard.begin(), standard.end()}, 0, 4096);
        return std::vector<int>(v.begin(), v.end());
    };
    a.in_channels = int(c.integer("network.in_channels", a.in_channels, 1, 3));
    const auto size = ints("network.stem_size", {7}), stride = ints("network.stem_stride", {2}),
               width = ints("network.stem_width", {64});
    if (stride.size() != size.size() || width.size() != size.size())
        c.refuse("network.stem_size", "stem_size, stem_stride and stem_width must have one value per convolution");
    a.stem.clear();
    for (std::size_t i = 0; i < size.size(); ++i) a.stem.push_back({size[i], stride[i], width[i]});
    a.stem_pool = c.boolean("network.stem_pool", a.stem_pool);
    a.blocks = ints("network.blocks", a.blocks);
    a.widths = ints("network.width", a.widths);
    a.strides = ints("network.stride", a.strides);
    a.norm_epsilon = float(c.number("network.norm_epsilon", a.norm_epsilon, 0, 0.1));
    a.pyramid_width = int(c.integer("network.pyramid_width", a.pyramid_width, 8, 1024));
    a.pyramid_first = int(c.integer("network.pyramid_first", a.pyramid_first, 0, 8));
    a.pyramid_levels = int(c.integer("network.pyramid_levels", a.pyramid_levels, 1, 8));
    a.pyramid_extra = int(c.integer("network.pyramid_extra", a.pyramid_extra, 0, 2));
    a.head_depth = int(c.integer("network.head_depth", a.head_depth, 0, 16));
    a.head_width = int(c.integer("network.head_width", a.head_width, 8, 1024));
    a.classes = int(c.integer("network.classes", a.classes, 1, 8));
    a.prior = float(c.number("network.prior", a.prior, 1e-6, 0.5));
    std::vector<double> standard;
    for (const auto& level : a.anchor_sizes) standard.insert(standard.end(), level.begin(), level.end());
    const auto sizes = c.numbers("network.anchor_size", standard, 0.5, 1e5);
    const auto levels = std::size_t(a.head_levels());
    if (sizes.empty() || sizes.size() % levels)
        c.refuse("network.anchor_size", "needs the same number of sizes for each head level");
    a.anchor_sizes.assign(levels, {});
    for (std::size_t i = 0; i < sizes.size(); ++i)
        a.anchor_sizes[i / (sizes.size() / levels)].push_back(float(sizes[i]));
    const auto ratios = c.numbers("network.anchor_ratio", {0.5, 1, 2}, 0.05, 20);
    a.anchor_ratios.assign(ratios.begin(), ratios.end());
    a.anchors_centred = c.boolean("network.anchors_centred", a.anchors_centred);
    check(a);
    return a;
}

Procedure read_procedure(Config& c, const Architecture& a) {
    Procedure p;
    p.input_scale = int(c.integer("procedure.input_scale", p.input_scale, 1, 32));
    const bool paper = c.choice("procedure.normalisation", "asinh", {"asinh", "paper"}) == "paper";
    p.normalise.by = paper ? Normalise::By::paper : Normalise::By::asinh;
    p.normalise.full = float(c.number("procedure.full", p.normalise.full, 1e-30, 1e30));
    p.normalise.softening = float(c.number("procedure.softening", p.normalise.softening, 1e-3, 1e3));
    p.mesh.size = int(c.integer("procedure.mesh", p.mesh.size, 8, 4096));
    p.core = int(c.integer("procedure.core", p.core, 8, 4096));
    p.halo = int(c.integer("procedure.halo", p.halo, 0, 1024));
    p.box_half_width = float(c.number("procedure.box_half_width", p.box_half_width, 0.5, 1000));
    p.psf_fwhm = float(c.number("procedure.psf_fwhm", p.psf_fwhm, 0.1, 1000));
    p.suppress_by_centre = c.choice("procedure.suppress_by", "centre", {"centre", "iou"}) == "centre";
    p.suppress = float(c.number("procedure.suppress", p.suppress, 0, 100));
    p.threshold = float(c.number("procedure.threshold", p.threshold, 0, 1));
    p.top_k = int(c.integer("procedure.top_k", p.top_k, 1, 1 << 20));
    p.temperature = float(c.number("procedure.temperature", p.temperature, 0.1, 10));
    p.orientations = int(c.integer("procedure.orientations", p.orientations, 1, 8));
    check(p, a);
    return p;
}

}  // namespace star
