// Whether the numbers a catalogue gives as probabilities are probabilities.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "tools/score_bootstrap.h"
#include "tools/score_match.h"

namespace star {

inline constexpr int reliability_bins = 10;  ///< equal widths in [0, 1]

/// What was predicted beside what came true, in bins of the prediction.
struct Reliability {
    struct Bin {
        double predicted = 0;      ///< mean in the bin
        double observed = 0;       ///< share that came true
        double low = 0, high = 0;  ///< of observed: 68 % bootstrap interval over fields
        double n = 0;              ///< predictions in it
    };
    std::string of;                          ///< "score", or "classes": the five probabilities of every unit, pooled
    std::array<Bin, reliability_bins> bins;  ///< by prediction; an empty bin has n = 0 and NaN
};

/// Sums over any number of fields.
struct CalibrationSums {
    struct Bin {
        double n = 0, predicted = 0, observed = 0;
    };
    std::array<Bin, reliability_bins> score{}, classes{};
    double units = 0;  ///< matched, their chances known: what follows is summed over them
    double brier = 0, log_loss = 0;
    ClassChances frequencies{};  ///< of the truth

    void add(const CalibrationSums& other, double times);
};

/// score: over the detections that count, the score against whether it is a unit. classes: over those that are, p_k
/// against the truth's chances q_k (1 for its class where no star is in doubt). Detections without chances are of other
/// programs, whose scores are no probabilities: they aren't counted.
CalibrationSums calibration_sums(const std::vector<Wanted>& wanted, const std::vector<Found>& found,
                                 const Matches& matches);

/// NaN where undefined.
struct CalibrationFigures {
    double score_error =
        0;  ///< expected calibration error: mean over predictions of |predicted - observed| of their bin
    double classes_error = 0;  ///< the same of the class probabilities
    double brier = 0;  ///< mean over units of the expected sum_k (p_k - [its class is k])^2, q_k being its chances
    double brier_skill = 0;  ///< 1 - brier / that of the truth's own class frequencies, given to every unit
    double log_loss = 0;     ///< mean of -sum_k q_k ln p_k, nats; a p_k below 1e-12 counts as that
};
CalibrationFigures calibration_figures(const CalibrationSums& sums);

/// fields: the sums of each.
std::vector<Reliability> reliability(const std::vector<CalibrationSums>& fields, const Bootstrap& bootstrap);

inline constexpr double least_temperature = 0.1, most_temperature = 10;

/// The temperature T at which p_k^(1/T) / sum_j p_j^(1/T) of the matched detections has the least log loss. The loss is
/// convex in 1/T: the zero of its derivative is bisected to 1e-9, between the bounds above. 1 where
/// none is better than another. A pure function of its arguments.
double best_temperature(const std::vector<ScoredField>& fields, const MatchRule& rule);

}  // namespace star
