// Charged particles that cross the detector while it is exposed.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/types.h"

namespace star {

struct CosmicRays {
    double rate = 1;            ///< per cm^2 and s; about 1 in low Earth orbit (Miles et al. 2021, for HST's detectors)
    double pixel_um = 10;       ///< CSST's; ACS: 15
    double thickness_um = 15;   ///< of the silicon; about this in thinned CCDs
    double charge_per_um = 80;  ///< electrons; of a minimum-ionising particle in silicon (Janesick 2001)
    double straggling = 0.3;    ///< sigma of the logarithm of the charge per length: stands for Landau's law; ours
    double longest_px = 200;    ///< tracks are cut there: grazing particles are rare
};

/// A straight track at the detector's surface.
struct Track {
    double x0, y0, x1, y1;  ///< px, pixel edges
    double electrons;
};

void check_cosmic_rays(const CosmicRays& c);  ///< Throws Error (Fault::usage) naming the first value out of range.

/// Tracks with their middle in the field or within longest_px / 2 of it; their number is Poisson with mean rate * area
/// * exptime_s. Directions are those of an isotropic flux through a plane (density 2 cos for the cosine of the angle to
/// the normal, azimuths uniform): a track of slope `cos` is thickness sqrt(1/cos^2 - 1) long and leaves thickness/cos *
/// charge_per_um * exp(straggling * normal). A pure function of its arguments. Throws Error (Fault::usage) above 2^26.
std::vector<Track> make_cosmic_rays(const CosmicRays& c, double exptime_s, int width, int height, std::uint64_t seed,
                                    std::uint64_t index);

/// image(0, y, x, 0) += what each track leaves there, in electrons, even along its length (1/8 px steps; a track of no
/// length in one pixel). image (1,H,W,1): expected electrons, before noise, which is then some per cent too large on
/// tracks.
void add_tracks(std::span<const Track> tracks, View<float> image);

}  // namespace star
