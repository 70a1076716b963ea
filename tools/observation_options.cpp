// Options of an image.
#include "tools/observation_options.h"

namespace star {

void add_observation_options(CLI::App& app, ObservationOptions& o) {
    app.add_option("image", o.image, "FITS image: file.fits, file.fits[SCI], file.fits[2]; .gz and tile-compressed too")
        ->required();
    app.add_option("--mask", o.mask, "Image whose non-zero pixels are unusable");
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
