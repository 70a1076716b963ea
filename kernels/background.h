// The sky: a mesh of clipped modes, as SExtractor makes it (Bertin & Arnouts 1996, section 3), and the noise.
#pragma once
#include "kernels/arena.h"

namespace star {

struct Mesh {
    int size = 64;  ///< pixels per cell, each way; the last row and column of cells may be smaller (merged if < size/2)
    int filter = 3;   ///< median filter over so many cells, odd; 1 for none
    float clip = 3;   ///< sigma of the clipping about the median
    int rounds = 20;  ///< of clipping at most
};

constexpr int mesh_cells(int extent, int size) { return extent < size ? 1 : (extent + size / 2) / size; }

/// Per cell, from its usable pixels (finite, and mask = 0): clip iteratively at `clip` sigma about the median; then
/// background = 2.5 median - 1.5 mean, or the median where |mean - median| >= 0.3 sigma (a crowded cell); rms = clipped
/// sigma. Cells with fewer than a quarter of their pixels usable take the median of the nearest square ring of cells
/// that has others (if all are such, of those with any usable pixel); then both maps are median filtered, windows cut
/// at the edges. The median of an even number is the mean of the middle two.
///   image   (1,H,W,1) float
///   mask    (1,H,W,1) uint8, non-zero = unusable; data = null for none
///   level   (1,mesh_cells(H),mesh_cells(W),1) float, overwritten; all 0 if no pixel is usable
///   rms     as level
/// Sums in double, in a fixed order. Queued on `stream`; temporary memory from `scratch`.
void background_mesh(Stream stream, View<const float> image, View<const std::uint8_t> mask, Mesh how, View<float> level,
                     View<float> rms, Arena& scratch);

/// A mesh map at every pixel: bilinear between cells' centres, constant beyond the outermost.
///   mesh    (1,h,w,1);  size: Mesh::size;  out (1,H,W,1), overwritten
void mesh_to_image(Stream stream, View<const float> mesh, int size, View<float> out);

/// The random noise, seen through its high spatial frequencies, where stars broader than a pixel have little power:
/// per cell, 1.4826 * median|d| / 6 of d = the 3x3 filter (1,-2,1)x(1,-2,1) (norm 6) over its usable pixels; then the
/// lower quartile over cells, those left out that are constant (blank borders) or, if others exist, have fewer than a
/// quarter of their pixels usable. One float on the device, overwritten; NaN if no pixel and its eight neighbours are
/// usable, 0 if all cells are constant. Right for noise that is
/// independent from pixel to pixel; in a crowded field an upper limit, in a drizzled image a lower one.
void high_frequency_noise(Stream stream, View<const float> image, View<const std::uint8_t> mask, Mesh how, float* noise,
                          Arena& scratch);

/// Temporary memory of the two that look at every cell.
struct SkyWork {
    float *level, *rms;  ///< (cells) before the median filter
    int* usable;         ///< (cells) usable pixels
    int* distance;       ///< (cells) to the nearest cell with a value of its own, in cells
    float* pixels;       ///< (workers, pixels_room); a GPU has no workers
    std::int64_t pixels_room;
    float* ring;  ///< (workers, ring_room)
    std::int64_t ring_room;
};

namespace cuda {
void background_mesh(Stream, View<const float> image, View<const std::uint8_t> mask, Mesh how, View<float> level,
                     View<float> rms, SkyWork work);
void mesh_to_image(Stream, View<const float> mesh, int size, View<float> out);
void high_frequency_noise(Stream, View<const float> image, View<const std::uint8_t> mask, Mesh how, float* noise,
                          SkyWork work);
}  // namespace cuda

}  // namespace star
