// What artificial stars say about a catalogue: completeness, biases and purity by magnitude and by how bright the place
// is. Pure: no files, no output.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "io/fits_table.h"
#include "tools/comparison.h"
#include "tools/share.h"

namespace star {

/// An artificial star, put in and looked for.
struct ArtificialOutcome {
    double magnitude = 0;  ///< as put in
    double level = 0;      ///< local surface brightness: mean pixel around its place, without it; image units
    double weight = 1;     ///< of its place among all of the image's: how many stars there are to be expected
    bool found = false;
    bool by_chance = false;  ///< a row of the image without it would have counted as finding it
    /// Of those found, as measured minus as put in: mag, px, px, and the flux in units of its stated error.
    double magnitude_off = 0, x_off = 0, y_off = 0, flux_pull = 0;
};

/// A row of the catalogue of a twin image, whose stars are known.
struct TwinRow {
    double magnitude = 0, level = 0;  ///< as measured
    bool real = false;                ///< it is one of the twin's stars
    double chance = 0;  ///< how often it would be one somewhere else: share of the shifts of score_match.h
};

inline constexpr int levels_certified = 3;  ///< classes of surface brightness: thirds of the image's area

struct CertifiedBin {
    double from = 0, to = 0;  ///< mag
    int placed = 0, found = 0;
    Share completeness;  ///< of the whole image: by the weights of the places; of a class: each place like any other
    double chance = 0;   ///< share found by chance alone
    int rows = 0;        ///< of the twin's catalogue
    Share purity;
    double purity_chance = 0;  ///< share that would be stars of the twin by chance alone
    MedianSpread magnitude_off, x_off, y_off, flux_pull;
};

/// A magnitude, with the interval that follows from the bins'. NaN where the curve doesn't cross the share.
struct MagnitudeLimit {
    double value = 0, low = 0, high = 0;
};

class Certificate {
public:
    /// edges: levels below edges[0] are the first class, those below edges[1] the second. Bins are half a magnitude
    /// wide and cover all artificial stars.
    Certificate(const std::vector<ArtificialOutcome>& stars, const std::vector<TwinRow>& twin,
                std::array<double, levels_certified - 1> edges);

    /// level: a class, from 1; 0: the whole image, its places weighted.
    const std::vector<CertifiedBin>& bins(int level) const { return bins_[std::size_t(level)]; }
    int level_of(double surface_brightness) const;

    /// Completeness at a place: between the middles of bins by the straight line, constant beyond them; of the place's
    /// class where that has at least ten stars in each of both bins, else of the whole image. NaN without either, or
    /// for a magnitude that isn't finite.
    double completeness(double magnitude, double surface_brightness) const;
    /// Where completeness falls through `share`: the faintest such place.
    MagnitudeLimit limit(double share, int level) const;

    /// COMPLETE: a row per class and bin.
    Table table() const;

private:
    std::array<double, levels_certified - 1> edges_;
    std::array<std::vector<CertifiedBin>, levels_certified + 1> bins_;
};

}  // namespace star
