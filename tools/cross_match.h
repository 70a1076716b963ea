// Pairs of points of two lists that are near each other: in a plane or on the sphere, in time that grows with the
// lists. Pure: no files, no output.
#pragma once
#include <cstdint>
#include <vector>

namespace star {

/// A place in a plane (z = 0) or on the unit sphere. One that isn't finite is near nothing.
struct Point {
    double x, y, z;
};
Point on_sphere(double ra_deg, double dec_deg);

struct MatchedPair {
    int a, b;         ///< indices
    double distance;  ///< straight
};

/// All pairs no more than `radius` apart, by distance, then a, then b. Throws Error (Fault::usage) for more than
/// `most_pairs`: the radius is too large for such dense lists.
std::vector<MatchedPair> pairs_within(const std::vector<Point>& a, const std::vector<Point>& b, double radius);
inline constexpr std::int64_t most_pairs = 50'000'000;

/// Of pairs in ascending distance, those whose both ends are still free when their turn comes: nobody has a nearer
/// partner who would rather have them. Swapping the lists swaps the ends and nothing else, equal distances apart.
std::vector<MatchedPair> one_to_one(const std::vector<MatchedPair>& pairs, std::size_t a, std::size_t b);

}  // namespace star
