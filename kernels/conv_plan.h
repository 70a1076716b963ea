// How the CPU's convolution cuts its work into blocks, and where in its workspace they lie.
// What decides the order of a sum (depth blocks, pixel chunks) depends on the image's shape alone; what only decides
// who does it (items) may also depend on the number of images and threads.
#pragma once
#include <algorithm>

#include "kernels/conv.h"
#include "kernels/conv_simd.h"

namespace star {

/// A convolution in its general form, the forward one and each phase of the input gradient: one output image's rows
/// start_h, start_h + step_out, ... (grid_h of them; columns likewise) are sums over taps_h * taps_w * source.c.
/// Tap (r, s) of grid point (i, j) reads source row i * step_in + offset_h + r, column j * step_in + offset_w + s.
struct ConvGrid {
    Shape source, out;
    int step_in, offset_h, offset_w, taps_h, taps_w;
    int grid_h, grid_w, start_h, start_w, step_out;
    int depth() const { return taps_h * taps_w * source.c; }
    std::int64_t pixels() const { return std::int64_t{source.n} * grid_h * grid_w; }
};

ConvGrid forward_grid(Shape x, Shape w, Conv how);
/// The outputs (h, v) of the input gradient with (h + pad) % stride == phase_h, likewise v: those see the same taps,
/// r = phase_h + stride * (taps_h - 1 - q) for q = 0...taps_h - 1. There may be no taps (dx = 0) or no such pixel.
ConvGrid backward_grid(Shape x, Shape w, Conv how, int phase_h, int phase_w);

/// Where a float source is read where it lies: some pixels of it, and zeros (source.c of them) for what lies outside.
struct ConvPixels {
    const float *source, *zeros;
    const ConvPixel* pixels;
    int count;
};

/// at[m] = pixel m's source under a tap (r * taps_w + s), from a channel on; zeros outside the image.
void point(const ConvGrid&, const ConvPixels&, int tap, int channel, const float** at);

/// Pixels that one item of the forward convolution and the input gradient takes: a depth block of them stays in a
/// second-level cache of 512 KB while all panels pass, each of which stays in the first-level cache meanwhile. A run of
/// conv_runs(), so that an item finds its own moments.
inline constexpr int conv_item_pixels = 128;
static_assert(conv_runs({1, conv_item_pixels, 1, 1}).rows_per_run == conv_item_pixels);

/// Into how many groups, each an item of its own, the panels of so many items' pixels go to keep the threads busy.
inline int conv_groups(std::int64_t items, int panels, int threads) {
    return threads == 1 ? 1 : int(std::min<std::int64_t>(panels, ceil_div(std::int64_t{8} * threads, items)));
}

/// Bytes handed out front to back, each piece aligned to a cache line. Counts only, while there is no memory.
class Carve {
public:
    explicit Carve(std::byte* memory) : memory_(memory) {}
    template <class T>
    T* take(std::int64_t count) {
        std::byte* at = memory_ ? memory_ + used_ : nullptr;
        used_ += (count * std::int64_t{sizeof(T)} + 63) / 64 * 64;
        return reinterpret_cast<T*>(at);
    }
    std::int64_t used() const { return used_; }

private:
    std::byte* memory_;
    std::int64_t used_ = 0;
};

/// Columns of weights in panels of two vectors; the last one has three rather than leave one over.
struct ConvPanels {
    int columns, wide, padded;  // wanted; in a whole panel; with the last panel's filling
    ConvPanels(int columns, int lanes) : columns(columns), wide(2 * lanes), padded(round_up(columns, lanes)) {}
    int count() const { return padded < wide ? 1 : padded / wide; }
    int width(int panel) const { return panel + 1 < count() ? wide : padded - panel * wide; }
    int valid(int panel) const { return panel + 1 < count() ? wide : columns - panel * wide; }
};

/// Cuts [0, total) into as few equal parts as keep within `most`, in multiples of `unit`. Part i starts at i * part.
struct ConvParts {
    int total, part;
    ConvParts(int total, int most, int unit = 8)
        : total(total), part(round_up(ceil_div(total, total > most ? ceil_div(total, most) : 1), unit)) {}
    int count() const { return total > part ? ceil_div(total, part) : 1; }
    int first(int i) const { return i * part; }
    int size(int i) const { return total - first(i) < part ? total - first(i) : part; }
};

/// Cuts a depth of `taps` times `channels` into blocks of at most conv_depth: of whole taps, or of a part of one.
struct ConvBlocks {
    int channels;
    ConvParts taps, parts;  // of the taps; of one tap's channels
    ConvBlocks(int taps, int channels)
        : channels(channels),
          taps(taps, channels > 0 && channels < conv_depth ? conv_depth / channels : 1, 1),  // 0: a phase without taps
          parts(channels, conv_depth) {}
    int count() const { return taps.count() * parts.count(); }
    int tap(int block) const { return taps.first(block / parts.count()); }
    int segments(int block) const { return taps.size(block / parts.count()); }
    int channel(int block) const { return parts.first(block % parts.count()); }
    int length(int block) const { return parts.size(block % parts.count()); }
    int first(int block) const { return tap(block) * channels + channel(block); }
    int size(int block) const { return segments(block) * length(block); }
    int most() const { return taps.part * parts.part; }
};

}  // namespace star
