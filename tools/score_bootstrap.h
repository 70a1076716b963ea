// Bootstrap over fields: how far a figure would move with other fields of the same kind.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

namespace star {

inline constexpr int bootstrap_resamples = 500;

/// Resamples of a set of fields, drawn once, so that all figures see the same ones. A pure function of its arguments.
class Bootstrap {
public:
    /// Fewer than two fields have no resamples.
    Bootstrap(std::size_t fields, std::uint64_t seed);

    /// Of each resample: how many times it holds each field.
    const std::vector<std::vector<int>>& times() const { return times_; }

private:
    std::vector<std::vector<int>> times_;
};

/// The middle 68.27 % of the values that are finite; NaN where most aren't, or there are none.
std::pair<double, double> middle(std::vector<double> values);

}  // namespace star
