// Scores for people (tables) and for machines (JSON).
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tools/score_evaluation.h"

namespace star {

struct ScoreReport {
    struct Part {
        std::string key;    ///< in JSON: "by_box"
        std::string title;  ///< "By box: IoU >= 0.2"
        Evaluation evaluation;
    };
    /// What was scored: name and value, in the order shown.
    std::vector<std::pair<std::string, std::string>> about;
    std::vector<Part> parts;
    std::vector<std::string> remarks;  ///< shown after the tables

    /// Counts and figures; curves and profiles are for machines and pictures. Undefined figures are "n/a".
    std::string text() const;
    /// Undefined figures are null. Schema "starblend-scores-1".
    std::string json() const;
};

}  // namespace star
