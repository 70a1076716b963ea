// Which planes of a file belong to an image, and how their bits are meant: HST, JWST, LSST, DES, DECam, our own.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/fits_image.h"

namespace star {

/// What a plane of weights says; SExtractor's WEIGHT_TYPE, its MAP_ left out, and the inverse variance.
enum class Weight {
    none,        ///< nothing: noise from the header, the options or the model
    background,  ///< nothing either: noise estimated from the image itself
    rms,         ///< standard deviations, image units
    variance,    ///< their squares
    weight,      ///< relative inverse variances: to be scaled to the noise at the sky's level
    ivar         ///< inverse variances
};

/// By its name in --weight-type. Throws Error (Fault::usage) listing the names.
Weight weight_named(const std::string& name);
const char* to_string(Weight w);

/// What plane an HDU holds, by its EXTNAME, or by PRODTYPE in DECam's files; none if that doesn't say.
Weight weight_of(const FitsHeader& header);

/// Planes of the same file that go with an image: of the same extent and the same EXTVER.
struct Companions {
    std::string noise, mask;  ///< as read_image takes them; empty: none
    std::string noise_name, mask_name;
    Weight weight = Weight::none;  ///< of noise
};
Companions companions_of(const FitsPlane& image);

/// Whether an HDU is such a plane, or another that only goes with an image: CTX, VAR_POISSON, AREA...
bool is_companion(const Hdu& hdu);

/// A file that a user names beside `image`: without an extension of its own, the one of the image's EXTNAME and EXTVER,
/// where there is one, else the first image.
std::string beside(const std::string& name, const FitsPlane& image);

/// What a pixel is fit for. Saturated ones the network sees, as it did in its training; fits don't.
enum PixelState : std::uint8_t {
    pixel_bad = 1,       ///< unusable for everything
    pixel_cosmic = 2,    ///< a cosmic ray is suspected: a flag, no more
    pixel_saturated = 4  ///< clipped, or charge has run over it
};

/// Bits of a mask plane (or its integer codes), as the pipeline that wrote it means them.
struct MaskMeaning {
    const char* dialect = "non-zero is unusable";
    std::uint32_t bad = ~std::uint32_t{0}, cosmic = 0, saturated = 0;
    bool codes = false;  ///< values are codes, not bits: DECam's, from version 3.5 of its pipeline

    std::uint8_t state(std::uint32_t value) const;
};
MaskMeaning mask_meaning(const FitsMask& mask);

}  // namespace star
