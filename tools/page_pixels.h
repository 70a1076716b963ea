// An image packed for a page: 16-bit asinh codes, as fine as the room allows.
#pragma once
#include <string>
#include <vector>

namespace star {

/// value = sky + unit * sinh((code - middle) / per_e), for codes from 1; 0: not finite.
struct PackedPixels {
    static constexpr int middle = 32896;  ///< in the middle of a high byte, so that noise about the sky stays in it

    int width = 0, height = 0;  ///< of the codes
    int bin = 1;                ///< each is the mean of bin x bin pixels; the last row and column may have fewer
    double sky = 0, noise = 1, top = 0;
    double unit = 1, per_e = 1;
    double step_sky = 0;     ///< between codes at the sky, in units of the noise
    double step_bright = 0;  ///< between codes far above it, as a share of the value
    std::string data;        ///< base64 of a zlib stream: high bytes row by row from the bottom, then the low ones
};

/// The finest steps with which `data` has at most `most_bytes`, from noise/16 and 0.25 % to 1.4 times the noise and 6
/// %; where even those don't fit, or above 4096 x 4096, pixels are binned.
PackedPixels pack_pixels(const std::vector<float>& image, int width, int height, std::size_t most_bytes);

}  // namespace star
