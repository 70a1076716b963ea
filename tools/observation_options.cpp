// Options of an image.
#include "tools/observation_options.h"

namespace star {

void add_plane_options(CLI::App& app, PlaneOptions& o, CLI::Option* only_with) {
    const auto add = [&](const char* name, std::string& value, const char* text) {
        CLI::Option* option = app.add_option(name, value, text);
        if (only_with) option->needs(only_with);
    };
    add("--mask", o.mask,
        "Mask or data quality: an image, or none (default: DQ, MASK... of the same file). Bits as HST, JWST, LSST, "
        "DES and DECam mean them; else non-zero is unusable");
    add("--mask-bits", o.mask_bits, "Bits of the mask that make a pixel unusable: 17, 0x11 (default: its pipeline's)");
    add("--weight", o.weight, "Noise map: an image, or none (default: ERR, VARIANCE, WHT... of the same file)");
    add("--weight-type", o.weight_type,
        "What it holds: rms, variance, weight (relative), ivar (default: as its EXTNAME says); none: the header's "
        "noise; "
        "background: noise estimated from the image");
}

void add_observation_options(CLI::App& app, ObservationOptions& o) {
    app.add_option("image", o.images,
                   "FITS images: file.fits, file.fits[SCI], file.fits[SCI,2], file.fits[2], file.fits[*] for all of a "
                   "file, @list for a file of names; .gz and tile-compressed .fz too. Of several, outputs are a folder "
                   "(NAME_cat.fits in it) or hold {}, which stands for NAME")
        ->required();
    add_plane_options(app, o.planes);
    app.add_option("--exptime", o.exptime, "s, all exposures together (default: the header, then the model)")
        ->check(CLI::PositiveNumber);
    app.add_option("--exposures", o.exposures, "How many were added up")->check(CLI::Range(1, 100000));
    app.add_option("--gain", o.gain, "e-/ADU")->check(CLI::PositiveNumber);
    app.add_option("--rdnoise", o.read_noise, "e- rms per exposure")->check(CLI::NonNegativeNumber);
    app.add_option("--saturate", o.saturate, "Level from which pixels are saturated, image units");
    app.add_option("--zeropoint", o.zeropoint,
                   "Magnitude of one unit of the image (default: MAGZERO, PHOTZP, or PHOTFLAM and PHOTPLAM)");
    app.add_option("--magsys", o.magnitude_system, "System of --zeropoint: AB or Vega (default: AB)");
}

}  // namespace star
