// From counts to the network's input.
#pragma once
#include "kernels/device.h"

namespace star {

struct Normalise {
    enum class By {
        paper,  ///< (max(F, B) - B) / (full - B): the paper's Eq. 3 and 4
        asinh   ///< asinh((F - B) / (softening * sigma))
    } by = By::asinh;
    float full = 65535;   ///< paper: the largest flux a pixel can hold, in the image's units
    float softening = 1;  ///< asinh: in units of the noise
};

/// y = the stretch above; unusable pixels (not finite, or mask != 0) become 0 (the background).
///   image       (1,H,W,1) float
///   mask        (1,H,W,1) uint8, data = null for none
///   background  (1,H,W,1) float: B
///   sigma       one float on the device: the noise (not the clipped rms of a crowded mesh); read for asinh alone.
///               Not > 0 (an image that is constant or has no usable pixel): y is 0 everywhere
///   y           (1,H,W,1) float, overwritten; may be image's memory
/// paper uses one B for the image, its mean: pass a constant background. Queued on `stream`.
void normalise(Stream stream, View<const float> image, View<const std::uint8_t> mask, View<const float> background,
               const float* sigma, Normalise how, View<float> y);

/// Cuts a window with its corner (y0, x0), which may lie outside the image, where it is filled with 0.
///   image  (1,H,W,1) float;  y (1,h,w,1) T, overwritten
template <class T>
void cut_window(Stream stream, View<const float> image, int y0, int x0, View<T> y);

namespace cuda {
void normalise(Stream, View<const float> image, View<const std::uint8_t> mask, View<const float> background,
               const float* sigma, Normalise how, View<float> y);
template <class T>
void cut_window(Stream, View<const float> image, int y0, int x0, View<T> y);
}  // namespace cuda

}  // namespace star
