// A detector tried on simulated fields: what evaluate scores, and what training fixes its threshold on.
#pragma once
#include <optional>

#include "nn/detector.h"
#include "sim/field.h"
#include "tools/score.h"
#include "tools/score_galaxies.h"

namespace star {

/// The truth as scores want it. zeropoint: magnitude of one electron over all exposures; NaN if not known.
std::vector<Wanted> wanted(const Truth& truth, double zeropoint);

/// Its stars, as units of one. Those that don't count but whose signal-to-noise is 2 or more are neither asked for nor
/// punished; fainter ones are none.
std::vector<Wanted> wanted_stars(const Truth& truth, double zeropoint);

/// Its galaxies that are no star to any eye: a half-light radius above 0.15 arcsec and within it (the PSF's half width
/// added in quadrature) a signal-to-noise above 10.
std::vector<WantedGalaxy> wanted_galaxies(const Field& field, const FieldSimulator& simulator, double pixel_scale);

struct TriedField {
    Field field;
    ScoredField scored;
    Detections detections;  ///< what was found, with the sky as it was used; the normalised image is left out
};

/// Simulates a field, detects on `stream`, pairs both up for scoring. nullopt if the user interrupts.
template <class T>
std::optional<TriedField> detect_field(Stream stream, const Detector<T>& detector, const FieldSimulator& simulator,
                                       const FieldSpec& which);

/// The score threshold at which F1 (of units found at all, whatever their class) is highest, over steps of 0.02.
double best_threshold(const std::vector<ScoredField>& fields, const MatchRule& rule);

}  // namespace star
