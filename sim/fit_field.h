// All stars of an image, at any density: fitted together in bounded pieces, counted, and what was missed looked for.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/types.h"
#include "sim/fit_pieces.h"
#include "sim/truth_near.h"

namespace star {

/// A blending unit as the network hands it over.
struct FitUnit {
    Box box;                       ///< px, pixel edges
    std::array<double, 5> chance;  ///< of 1, 2, 3, 4, 5 or more stars
};

/// A star of the fit.
struct FieldStar {
    FitStar at;
    FitErrors error;
    double sky = 0;          ///< image units per pixel, above FitImage::sky, of the piece it was fitted in
    int unit = -1;           ///< index of its unit; -1: in none
    bool converged = false;  ///< its last fit was
    bool crowded = false;    ///< its piece had more neighbours than could be fitted with it
};

struct FieldFitLimits {
    double min_snr = 3;     ///< a star goes whose flux is below so many times its error, to which is added in
                            ///< quadrature what FitImage::psf_error leaves of its neighbours' light where it stands
    double second_snr = 4;  ///< of a peak of the residual image that the second pass takes for a star
    int second_passes = 2;  ///< how often it looks
    int sweeps = 3;         ///< joint fits of all stars after each change of their number
};

/// Called between the stages; false stops, and the stars as they are then remain.
using KeepGoing = std::function<bool(int stage, int stages)>;

/// The stars of an image, in stages; each is a pure function of what was before, with equal bits for any threads of one
/// device.
///   sweep: the image is cut into cells of 4 FWHM (at least 8 px), their origin shifted by half a cell every other
///     time. A piece is up to 12 stars of one cell; fitted with it, but not taken from it, are the nearest of the stars
///     within 2 FWHM of them, 36 in all; all others are subtracted as the model has them. It looks at the pixels within
///     2.5 FWHM of its own stars and solves for one sky level. All pieces are fitted to one and the same residual
///     image, so that their order doesn't matter (restricted additive Schwarz: the neighbours that move along make up
///     for it); then the model is drawn anew.
///   choose: how many stars each unit has (fit_choice.h), units that see each other one after the other: in turns of
///     4 x 4 FWHM cells' four colours and, in a cell, by rank. A cell's 17th unit and those after it get none: what
///     they have, search finds.
///   search: peaks of the residual image (fit_peaks.h) become stars of the unit whose box they lie in, or of none.
///   prune: of the stars below min_snr those go that have no weaker one within 2 FWHM; what is left is swept again;
///     three times after each search, ten times in the end. Then those that are still below go at once.
/// Time and memory per star are bounded at any density. A fit that doesn't converge is marked, never dropped.
class FieldFit {
public:
    /// psf: of the image's stars. A piece and a unit have the PSF of their middle; the model is drawn with each star's.
    /// stream: where stars are fitted; all else is done by its pool's threads.
    FieldFit(Stream stream, const FitImage& image, const PsfMap& psf, const FieldFitLimits& limits);

    /// From units to stars: choose, sweep, search, prune. An empty list of units is fine: then only search finds stars.
    /// Boxes' edges are within 1e8 px of 0; so are measure()'s places. Throws Error otherwise.
    void find(std::span<const FitUnit> units, const KeepGoing& going = {});

    /// Stars at given places: one sweep after the other with places fixed (moves_px = 0) or within moves_px of where
    /// they were. None is added or taken away, none is insignificant.
    void measure(std::span<const FitStar> places, double moves_px);

    const std::vector<FieldStar>& stars() const { return stars_; }
    const FitScene& scene() const { return scene_; }

private:
    struct Own {
        int first, count;  // of order_
    };
    struct Plan;
    void show();
    void sweep(const GroupLimits& how, bool with_errors);
    void sweeps(int count);
    void choose(std::span<const FitUnit> units);
    void choose_among(std::span<const FitUnit> units, std::span<const int> which);
    bool search(std::span<const FitUnit> units);
    bool prune();
    double significance(const FieldStar&) const;
    std::vector<Own> pieces(double side);
    FitPiece piece_at(const FitRectangle& rectangle, double x, double y) const;  // with the PSF of (x, y)
    Plan plan(const Own& own, const NearStars& near) const;
    void fit_plans(std::span<const Own> list, const NearStars& near, const GroupLimits& how, bool with_errors,
                   std::vector<FieldStar>& next);

    static constexpr double cell_fwhm = 4;  // FWHM: pieces' and turns' cells

    FieldFitLimits limits_;
    FitScene scene_;
    PieceFit fit_;
    std::vector<FieldStar> stars_;
    std::vector<int> order_;
    int sweep_ = 0;
};

}  // namespace star
