// Part of an image, for those too large to be held whole.
#pragma once
#include <string>

#include "io/fits_image.h"

namespace star {

/// Pixels [x0, x0 + width) x [y0, y0 + height) of an image, from 0.
struct Window {
    int x0 = 0, y0 = 0, width = 0, height = 0;
    bool operator==(const Window&) const = default;
};

/// What read_image() returns, without the pixels. With `datasum` it reads the data once, and keeps none of them;
/// without, none is read and datasum is 0.
FitsPlane describe_image(const std::string& name, bool datasum);

/// As read_image() and read_mask(), but the window alone: width, height and pixels are its own, datasum is 0, the
/// header is the image's. Memory: the window's, and the bytes of a compressed image. Of a plain file no more than the
/// window's rows is read; of a gzip file all that stands before. Fault::input if the window reaches beyond the image.
FitsImage read_image(const std::string& name, const Window& window);
FitsMask read_mask(const std::string& name, const Window& window);

}  // namespace star
