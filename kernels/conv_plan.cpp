// Geometry and blocking of the CPU's convolution.
#include "kernels/conv_plan.h"

namespace star {

ConvGrid forward_grid(Shape x, Shape w, Conv how) {
    const Shape y = conv_shape(x, w, how);
    return {.source = x,
            .out = y,
            .step_in = how.stride,
            .offset_h = -how.pad,
            .offset_w = -how.pad,
            .taps_h = w.h,
            .taps_w = w.w,
            .grid_h = y.h,
            .grid_w = y.w,
            .start_h = 0,
            .start_w = 0,
            .step_out = 1};
}

namespace {

struct Phase {
    int taps, start, count, offset;
};

/// One dimension of a phase of the input gradient: dx has `extent`, the filter `taps`.
Phase phase(int extent, int taps, Conv how, int which) {
    Phase p;
    p.taps = which < taps ? ceil_div(taps - which, how.stride) : 0;
    p.start = ((which - how.pad) % how.stride + how.stride) % how.stride;
    p.count = p.start < extent ? ceil_div(extent - p.start, how.stride) : 0;
    // dx row h gets tap r from dy row (h + pad - r) / stride; q counts the taps backwards, so that dy's rows ascend.
    p.offset = (p.start + how.pad - which) / how.stride - (p.taps - 1);
    return p;
}

}  // namespace

ConvGrid backward_grid(Shape x, Shape w, Conv how, int phase_h, int phase_w) {
    const Phase h = phase(x.h, w.h, how, phase_h), v = phase(x.w, w.w, how, phase_w);
    return {.source = conv_shape(x, w, how),
            .out = x,
            .step_in = 1,
            .offset_h = h.offset,
            .offset_w = v.offset,
            .taps_h = v.taps ? h.taps : 0,
            .taps_w = h.taps ? v.taps : 0,
            .grid_h = h.count,
            .grid_w = v.count,
            .start_h = h.start,
            .start_w = v.start,
            .step_out = how.stride};
}

void point(const ConvGrid& g, const ConvPixels& of, int tap, int channel, const float** at) {
    const int r = tap / g.taps_w, s = tap % g.taps_w;
    for (int m = 0; m < of.count; ++m) {
        const ConvPixel& p = of.pixels[m];
        const int row = p.row + r, column = p.column + s;
        const bool inside = unsigned(row) < unsigned(g.source.h) && unsigned(column) < unsigned(g.source.w);
        const std::int64_t from = p.image + (std::int64_t{row} * g.source.w + column) * g.source.c + channel;
        at[m] = inside ? of.source + from : of.zeros;
    }
}

}  // namespace star
