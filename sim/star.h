// A star, as catalogues and scenes list them.
#pragma once

namespace star {

struct Star {
    double x = 0, y = 0;       ///< px, pixel edges
    double mag = 0, flux = 0;  ///< flux: electrons over all exposures
    int unit = -1;             ///< number of the blending unit it was grown in, from 0; -1: in none
};

}  // namespace star
