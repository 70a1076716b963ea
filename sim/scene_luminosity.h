// A luminosity function: how many stars (or galaxies) there are per magnitude.
#pragma once
#include <vector>

namespace star {

/// Piecewise exponential: log10 of the density per magnitude is linear between knots and zero density lies outside.
/// Immutable.
class LuminosityFunction {
public:
    struct Knot {
        double mag;
        double log_density;  ///< log10 of the number per magnitude, in any unit
    };
    /// Two knots at least, magnitudes rising, all numbers finite, |log_density| <= 30. Throws Error (Fault::usage).
    explicit LuminosityFunction(std::vector<Knot> knots);

    const std::vector<Knot>& knots() const { return knots_; }
    double brightest() const { return knots_.front().mag; }
    double faintest() const { return knots_.back().mag; }
    /// Number brighter than mag, in the unit of the density.
    double count(double mag) const;
    double total() const { return cumulative_.back(); }
    /// The magnitude that a share u in [0, 1] of all are brighter than.
    double quantile(double u) const;

private:
    std::vector<Knot> knots_;
    std::vector<double> cumulative_;  // at the knots
};

}  // namespace star
