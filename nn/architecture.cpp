// Checks of an architecture, and its anchors.
#include "nn/architecture.h"

#include <cmath>

#include "kernels/check.h"
#include "kernels/conv.h"
#include "kernels/max_pool.h"
#include "kernels/orient.h"

namespace star {
namespace {

void within(const char* field, double value, double low, double high) {
    if (!(value >= low && value <= high))
        fail(Fault::usage, field, " = ", value, ": must lie between ", low, " and ", high);
}

int halved(int extent) { return (extent + 1) / 2; }  // of a 3x3/2 convolution or pool with padding 1

}  // namespace

int Architecture::largest_stride() const {
    int s = stem_pool ? 2 : 1;
    for (const auto& c : stem) s *= c.stride;
    for (int stage : strides) s *= stage;
    for (int i = 0; i < pyramid_extra; ++i) s *= 2;
    return s;
}

void check(const Architecture& a) {
    if (a.in_channels != 1 && a.in_channels != 3)
        fail(Fault::usage, "in_channels = ", a.in_channels, ": must be 1 or 3");
    within("number of stem convolutions", double(a.stem.size()), 1, 4);
    for (const auto& c : a.stem) {
        within("stem size", c.size, 1, 11);
        if (c.size % 2 == 0) fail(Fault::usage, "stem size = ", c.size, ": must be odd");
        within("stem stride", c.stride, 1, 2);
        within("stem width", c.width, 1, 1024);
        if (c.width % 8) fail(Fault::usage, "stem width = ", c.width, ": must be a multiple of 8");
    }
    within("number of stages", double(a.blocks.size()), 1, 5);
    if (a.widths.size() != a.blocks.size() || a.strides.size() != a.blocks.size())
        fail(Fault::usage, "blocks, widths and strides must have one value per stage");
    for (std::size_t i = 0; i < a.blocks.size(); ++i) {
        within("blocks", a.blocks[i], 1, 64);
        within("widths", a.widths[i], 8, 1024);
        if (a.widths[i] % 8) fail(Fault::usage, "widths: ", a.widths[i], " is not a multiple of 8");
        within("strides", a.strides[i], 1, 2);
    }
    within("norm_epsilon", a.norm_epsilon, 0, 0.1);
    within("pyramid_width", a.pyramid_width, 8, 1024);
    within("head_width", a.head_width, 8, 1024);
    if (a.pyramid_width % 8 || a.head_width % 8)
        fail(Fault::usage, "pyramid_width and head_width must be multiples of 8");
    within("pyramid_first", a.pyramid_first, 0, double(a.blocks.size()) - 1);
    within("pyramid_levels", a.pyramid_levels, 1, double(a.blocks.size()) - a.pyramid_first);
    within("pyramid_extra", a.pyramid_extra, 0, 2);
    if (a.pyramid_extra && a.pyramid_first + a.pyramid_levels != int(a.blocks.size()))
        fail(Fault::usage, "pyramid_extra needs the coarsest level among pyramid_levels");
    within("head levels", a.head_levels(), 1, max_levels);
    within("head_depth", a.head_depth, 0, 16);
    within("classes", a.classes, 1, 64);
    within("prior", a.prior, 1e-6, 0.5);
    if (int(a.anchor_sizes.size()) != a.head_levels())
        fail(Fault::usage, "anchor_sizes must have ", a.head_levels(), " lists, one per head level");
    within("number of anchor_ratios", double(a.anchor_ratios.size()), 1, max_anchors_per_cell);
    for (const auto& level : a.anchor_sizes) {
        if (level.size() != a.anchor_sizes[0].size()) fail(Fault::usage, "anchor_sizes: lists of different lengths");
        within("anchors per cell", double(level.size() * a.anchor_ratios.size()), 1, max_anchors_per_cell);
        for (float s : level) within("anchor_sizes", s, 0.5, 1e5);
    }
    for (float r : a.anchor_ratios) within("anchor_ratios", r, 0.05, 20);
}

void check(const Procedure& p, const Architecture& a) {
    const int largest_stride = a.largest_stride();
    within("input_scale", p.input_scale, 1, 32);
    within("mesh size", p.mesh.size, 8, 4096);
    within("mesh filter", p.mesh.filter, 1, 15);
    if (p.mesh.filter % 2 == 0) fail(Fault::usage, "mesh filter = ", p.mesh.filter, ": must be odd");
    within("softening", p.normalise.softening, 1e-3, 1e3);
    within("full", p.normalise.full, 1e-30, 1e30);
    within("core", p.core, 8, 4096);
    within("halo", p.halo, 0, 1024);
    within("(core + 2 halo) times input_scale", double(p.core + 2 * p.halo) * p.input_scale, 8, 8192);
    const auto whole = [&](const char* field, int value) {
        if (std::int64_t{value} * p.input_scale % largest_stride)
            fail(Fault::usage, field, " = ", value, ": times input_scale it must be a multiple of the largest stride, ",
                 largest_stride);
    };
    whole("core", p.core), whole("halo", p.halo);
    within("psf_fwhm", p.psf_fwhm, 0.1, 1000);
    within("box_half_width", p.box_half_width, 0.5, 1000);
    within("suppress", p.suppress, 0, 100);
    within("threshold", p.threshold, 0, 1);
    within("top_k", p.top_k, 1, 1 << 20);
    within("temperature", p.temperature, 0.1, 10);
    if (p.orientations != 1 && p.orientations != orientations)
        fail(Fault::usage, "orientations = ", p.orientations, ": must be 1 or ", orientations);
    if (p.orientations > 1 && !(a.anchors_centred && a.anchor_ratios == std::vector<float>{1}))
        fail(Fault::usage, "orientations = ", p.orientations, ": the network's anchors aren't all square and centred");
}

AnchorGrid anchor_grid(const Architecture& a, int height, int width) {
    int h = height, w = width;
    for (const auto& c : a.stem)
        h = (h + 2 * (c.size / 2) - c.size) / c.stride + 1, w = (w + 2 * (c.size / 2) - c.size) / c.stride + 1;
    if (a.stem_pool) h = halved(h), w = halved(w);
    std::vector<std::pair<int, int>> maps;
    for (int s : a.strides) {
        if (s == 2) h = halved(h), w = halved(w);
        maps.emplace_back(h, w);
    }
    for (int i = 0; i < a.pyramid_extra; ++i) h = halved(h), w = halved(w), maps.emplace_back(h, w);

    AnchorGrid grid;
    grid.levels = a.head_levels();
    grid.per_cell = a.per_cell();
    std::int64_t total = 0;
    for (int l = 0; l < grid.levels; ++l) {
        AnchorLevel& level = grid.level[l];
        level.h = maps[std::size_t(a.pyramid_first + l)].first;
        level.w = maps[std::size_t(a.pyramid_first + l)].second;
        level.first = int(total);
        total += std::int64_t{level.h} * level.w * grid.per_cell;
        if (total > INT32_MAX)
            fail(Fault::usage, "more than ", INT32_MAX, " anchors in ", width, "x", height, " network pixels");
        // torchvision's strides are whole numbers; they differ from ours only where the input isn't a multiple of them
        level.stride_y = a.anchors_centred ? float(height) / float(level.h) : float(height / level.h);
        level.stride_x = a.anchors_centred ? float(width) / float(level.w) : float(width / level.w);
        int at = 0;
        for (float ratio : a.anchor_ratios)
            for (float size : a.anchor_sizes[std::size_t(l)]) {
                const float stretch = std::sqrt(ratio);
                float half_h = size * stretch / 2, half_w = size * (1 / stretch) / 2, x = 0, y = 0;
                if (a.anchors_centred)
                    x = level.stride_x / 2, y = level.stride_y / 2;
                else  // to the nearest integer, ties to even
                    half_h = std::nearbyint(half_h), half_w = std::nearbyint(half_w);
                level.cell[at++] = {x - half_w, y - half_h, x + half_w, y + half_h};
            }
    }
    grid.total = int(total);
    return grid;
}

}  // namespace star
