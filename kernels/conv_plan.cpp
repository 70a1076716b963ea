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

ConvItems conv_items(std::int64_t tiles, int panels, ConvItems most, bool columns_last, int threads) {
    const int wanted = threads == 1 ? 1 : 8 * threads, least = 4;  // tiles: a panel fetched from afar pays from here on
    ConvItems size{int(tiles < most.rows ? tiles : most.rows), panels < most.columns ? panels : most.columns};
    const auto enough = [&] {
        return ceil_div(tiles, std::int64_t{size.rows}) * ceil_div(panels, size.columns) >= wanted;
    };
    const auto cut_rows = [&](int down_to) {
        while (!enough() && size.rows > down_to) size.rows = size.rows / 2 > down_to ? ceil_div(size.rows, 2) : down_to;
    };
    const auto cut_columns = [&] {
        while (!enough() && size.columns > 1) size.columns = ceil_div(size.columns, 2);
    };
    if (columns_last) cut_rows(least);
    cut_columns();
    cut_rows(columns_last ? 1 : least);
    // Equal items.
    size.rows = int(ceil_div(tiles, ceil_div(tiles, std::int64_t{size.rows})));
    size.columns = ceil_div(panels, ceil_div(panels, size.columns));
    return size;
}

}  // namespace star
