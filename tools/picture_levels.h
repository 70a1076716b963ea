// Where the sky, its noise and the bright end of an image lie: what stretches are made of.
#pragma once
#include <vector>

namespace star {

struct PictureLevels {
    double middle = 0;  ///< median of the finite pixels
    double noise = 1;   ///< from the median to the 16th percentile; 1 if that is nothing
    double top = 0;     ///< the brightest 0.3 % begin here
};
/// Of every n-th pixel where there are more than a million. The defaults where no pixel is finite.
PictureLevels picture_levels(const std::vector<float>& image);

}  // namespace star
