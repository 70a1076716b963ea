// Which stars an image can show at all, on a GPU: sim/fisher.h's information and the rule of sim/truth_detect.h, of all
// stars of several fields at once.
#pragma once
#include <cstdint>

#include "kernels/device.h"

namespace star {

/// A star between the nodes of its PSF's table (sim/psf.h, Psf::Phase), and how the weights change as the star moves.
struct FisherTaps {
    int at_y[4], at_x[4];
    float y[4], x[4];
    double dy[4], dx[4];
};

struct FisherStar {
    FisherTaps taps;
    double x, y, flux;  ///< px, pixel edges; electrons
    int column, row;    ///< the star's own pixel
    int field;
};

/// An image, and what is asked of its stars. Pointers are to the device.
struct FisherField {
    int first, last;      ///< its stars, sorted by row, then x; their stamps reach the image
    int width, height;    ///< px
    std::int64_t pixels;  ///< its first in `weights`
    const float* table;   ///< the PSF's, which the stars' taps address
    int stride, radius;   ///< of the table's rows; of stamps, px
    double variance;      ///< of an empty pixel, e^2
    double psf_error;     ///< of the model, per pixel
    double hopeless_snr, min_snr, reach_px;
};

/// At most so many neighbours, the nearest, are free at once; a field that can be resolved has fewer than 40 within
/// 3 FWHM.
inline constexpr int most_free_neighbours = 60;

/// Everything on the device. Room for lists is the caller's to know: counts that positions alone allow.
struct FisherWork {
    const FisherField* fields;  ///< (count)
    const FisherStar* stars;    ///< (total)
    int count, total;
    double* weights;               ///< of all pixels: 1 / variance
    double* own;                   ///< (total) x 9: what a star shares with itself
    double* snr;                   ///< (total)
    int* alive;                    ///< (total)
    int* marks;                    ///< (total) x 3
    int *near_first, *near;        ///< (total + 1), and the lists: within reach_px, the nearest first
    int *pair_first, *pair_other;  ///< (total + 1), and the lists: later stars within 2 reach_px, in order
    double* pair;                  ///< (length of pair_other) x 9
    std::int64_t near_room, pair_room;
    double* matrices;   ///< fisher_warps(count) x matrix_side^2
    double* diagonals;  ///< fisher_warps(count) x matrix_side
    int matrix_side;    ///< 3 (1 + the most neighbours any star can have, most_free_neighbours if there are more)
};

inline constexpr int fisher_block_warps = 16;
constexpr int fisher_warps(int fields) { return fields * fisher_block_warps; }

namespace cuda {

/// weights[i] = 1 / (variance + m + (psf_error m)^2), m = max(light[i], 0), for the field's width x height pixels.
///   light  on the device, as many
void weigh_pixels(Stream, const FisherField& field, const float* light, double* weights);

/// The stars that count: alive[i] = 1, and snr[i] the Cramer-Rao signal-to-noise of star i with all that count within
/// reach_px free; else alive[i] = 0, and snr[i] what it was when the star was dropped: 0 if it is below hopeless_snr
/// with all others known. The rule is that of sim/truth_detect.h, round for round, its sums over pixels in another
/// order. Sums have a fixed order: equal bits for any grid. Reads fields, stars and weights, overwrites the rest.
void find_detectable(Stream, const FisherWork& work);

}  // namespace cuda
}  // namespace star
