// Scores for people (tables, a page with pictures) and for machines (JSON, CSV).
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tools/score_evaluation.h"
#include "tools/score_galaxies.h"

namespace star {

/// A field to look at: its picture, and what was found in it.
struct ScorePicture {
    std::string title;
    int width = 0, height = 0;       ///< px
    std::vector<std::uint8_t> grey;  ///< row by row from the top, 0 black
    ScoredField field;
};

/// An image as a picture of at most `side` px, its lower left corner if it is larger: asinh from the median up, in
/// units of the noise about it, to the brightest 0.3 % of pixels. Pixels that aren't finite are black.
ScorePicture picture_of(const std::vector<float>& image, const ScoredField& field, int side, std::string title);

struct ScoreReport {
    struct Part {
        std::string key;    ///< in JSON: "by_box"
        std::string title;  ///< "By box: IoU >= 0.2"
        MatchRule rule;
        Evaluation evaluation;
    };
    /// What was scored: name and value, in the order shown.
    std::vector<std::pair<std::string, std::string>> about;
    std::vector<Part> parts;
    GalaxyTally galaxies, galaxies_by_chance;  ///< chance: the sum of eight shifted lists
    std::vector<std::string> remarks;          ///< shown after the tables
    std::vector<ScorePicture> pictures;

    /// Counts and figures; curves and profiles are for machines and pictures. Undefined figures are "n/a".
    std::string text() const;
    /// Undefined figures are null. Schema "starblend-scores-1".
    std::string json() const;
    /// A row per number: part, figure, bin, value, low, high, chance, n; what isn't defined is empty.
    std::string csv() const;
    /// One HTML page that needs nothing else: numbers beside plots, and the pictures with boxes in layers (matched by
    /// the first part's rule). Works without a network and without scripts.
    std::string html() const;
};

}  // namespace star
