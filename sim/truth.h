// Truth labels of any list of stars: which units the image holds, and how many stars each may be asked to show.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/star.h"
#include "sim/truth_detect.h"
#include "sim/truth_units.h"

namespace star {

/// Which stars count.
enum class Labels {
    paper,       ///< all of them
    detectable,  ///< those whose flux has a Cramér-Rao signal-to-noise of min_snr (truth_detect.h)
};

/// Where units come from.
enum class Units {
    given,   ///< Star::unit, as the mock catalogue grew them; those of none shine, and count for nothing
    linked,  ///< the list itself: merged, linked and split (truth_units.h)
};

struct TruthOptions {
    Labels labels = Labels::detectable;
    Units units = Units::given;
    DetectLimits limits;
    UnitRules rules;
    double certain_snr = 4;  ///< from here on a star counts for certain; a unit whose last star is below is ignored
    double box_fwhm = 1.4,
           box_min = 2.5;  ///< half-width of a star's square: the larger of box_fwhm FWHM and box_min px
};

/// A star as the truth has it: one of the list, or several merged.
struct TruthStar {
    double x = 0, y = 0, flux = 0;  ///< px, pixel edges; electrons
    double snr = 0;       ///< Detectability::snr(); of the brightest part with the others known; NaN for Labels::paper
    double chance = 0;    ///< that it counts: 0 below hopeless_snr, 1 from certain_snr on, linear between
    bool counts = false;  ///< chance is at least that of min_snr
    int unit = -1;        ///< index into Truth::units; -1: of none
    int source = 0;       ///< index into the list: its brightest part
};

struct TruthUnit {
    int first = 0, count = 0;        ///< stars[first] ... stars[first + count - 1] count, the brightest first
    std::int8_t label = label_none;  ///< min(count, 5) - 1, or label_ignored (kernels/match.h)
    bool soft = false;               ///< a star of it may or may not count
    bool percolated = false;         ///< split from a larger one
    std::array<float, 5> chance{};   ///< of 1, 2, 3, 4, 5 or more stars; sums to 1; all 0 if ignored
    Box box;                         ///< union of the squares of the stars that count; if none does, of all its stars
    double x = 0, y = 0, flux = 0;   ///< flux-weighted centroid of the same, px, pixel edges; sum, electrons

    static constexpr std::int8_t label_none = -1;
};

struct Truth {
    std::vector<TruthStar> stars;  ///< those that count, unit by unit; then the others
    std::vector<TruthUnit> units;
};

void check_truth(const TruthOptions& options);  ///< Throws Error (Fault::usage) naming the first value out of range.

/// The truth of an image of width x height px that shows `stars` (places and fluxes in electrons; magnitudes aren't
/// read). psf: on native pixels, before any drizzle.
///   units given: a unit's members are its stars; a member counts or not as Labels says.
///   units linked: stars that count (and, with Labels::paper, have a flux above 0) are merged, linked and split. One
///     that doesn't but whose chance isn't 0 then joins the unit of its strongest link, without ever joining two, or is
///     an ignored unit of its own.
///   soft: a unit with a star whose chance is neither 0 nor 1. Its chances of k stars are those of independent stars,
///     given that there is at least one.
///   ignored: no star counts, or the last one, all others of the unit being known, is below certain_snr.
///   edges: a unit whose centroid is outside [0, width) x [0, height) is no truth: its stars have unit = -1.
///   What is left, faint light in a unit's box included, is neither asked for nor punished.
/// A pure function of its arguments; equal bits for any number of threads. Throws Error (Fault::input) for a star that
/// isn't finite, of negative flux, or too dense a list.
Truth label_truth(ThreadPool& pool, std::span<const Star> stars, const Psf& psf, const Exposure& exposure,
                  const TruthOptions& options, int width, int height);

/// Chances of 1, 2, 3, 4, 5 or more of independent events, given at least one; all 0 if there can't be one.
std::array<float, 5> count_chances(std::span<const double> chances);

}  // namespace star
