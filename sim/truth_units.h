// Units of a real scene: which stars blend with which (steps 2 to 4 of a scene's truth; step 1 is truth_detect.h).
#pragma once
#include <span>
#include <vector>

#include "sim/psf.h"
#include "sim/render.h"
#include "sim/truth_near.h"

namespace star {

struct UnitRules {
    double merge_px = 0.5;  ///< a star nearer than this to a brighter one is part of it
    double contrast = 2.5;  ///< magnitudes between two linked stars, at most
    int most_stars = 8;     ///< of a unit, before it is split
    double most_fwhm = 4;   ///< between any two stars of a unit, before it is split
};

/// A star and the fainter ones it can't be told from.
struct MergedStar {
    double x = 0, y = 0, flux = 0;  ///< flux-weighted centroid, px, pixel edges; sum
    std::vector<int> parts;         ///< indices into the list, the brightest first
};

/// Brightest first (equal fluxes: in the order of the list), each star joins the brightest one kept so far that is
/// nearer than merge_px to it, else is kept. Distances are between the stars' own places: merging doesn't move them.
/// The result is sorted by flux of the brightest part.
std::vector<MergedStar> merge_stars(std::span<const PointSource> stars, double merge_px);

struct Grouping {
    std::vector<std::vector<int>> units;  ///< indices of stars, the brightest first; units by their brightest star
    std::vector<char> percolated;         ///< of each unit: it was split from one that was too large
};

/// Two stars are linked if nearer than dist_max (truth_geometry.h) and within `contrast` magnitudes of each other;
/// units are the connected components. One of more than most_stars stars, or with two stars more than most_fwhm FWHM
/// apart, is split at its weakest links, the largest separation / dist_max first (equal ones: the later stars'), until
/// no part is too large. `psf`: of the image. Every star is in exactly one unit. Deterministic.
Grouping group_stars(std::span<const PointSource> stars, const Psf& psf, const UnitRules& rules);

/// The links of a star with those of a list. Refers to the list.
class LinkFinder {
public:
    LinkFinder(std::span<const PointSource> stars, const Psf& psf, double contrast);
    struct Link {
        int star = -1;
        double weakness = 0;  ///< separation / dist_max, below 1
    };
    /// All, in an order that depends on the list alone; none with itself, if `star` is of the list.
    std::vector<Link> links(const PointSource& star) const;
    /// The one of least weakness (equal ones: the earlier star's), or -1 if there is none.
    Link strongest(const PointSource& star) const;

private:
    std::span<const PointSource> stars_;
    Psf psf_;
    double faintest_;
    NearStars near_;
};

}  // namespace star
