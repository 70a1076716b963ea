// The paper's mock catalogue (Astro-RetinaNet, section 2.1): base stars that keep their distance, grown into blending
// units.
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/types.h"
#include "sim/detector_noise.h"
#include "sim/psf.h"

namespace star {

/// Relative numbers of units with 1, 2, 3, 4, 5 stars.
using ClassMix = std::array<double, 5>;
inline constexpr ClassMix mix_p1{1, 2, 2, 2, 2}, mix_p2{1, 1, 1, 1, 1}, mix_p3{2, 1, 1, 1, 1};

inline constexpr double as_many_as_fit = std::numeric_limits<double>::infinity();

struct Mock {
    ClassMix mix = mix_p3;
    double slope = 0.3;                 ///< b of Eq. 1, N(m) ~ 10^(b m), for base stars and faint stars
    double mag_min = 20, mag_max = 26;  ///< of base stars
    double mag_limit = 26;              ///< no member is fainter; at least mag_max
    double contrast = 2.5;              ///< magnitudes from the base star to its faintest member, at most
    double min_separation = 8;          ///< px between base stars
    double density_min = as_many_as_fit,
           density_max =
               as_many_as_fit;  ///< units/px^2: each field's is uniform between the two,
                                ///< the number of units Poisson about it, as far as they fit (jamming: 0.0109 at 8 px)
    double dist_min = 0.5;      ///< px between a member and the one it grows from
    double box_fwhm = 1.4,
           box_min = 2.5;      ///< half-width of a star's square: the larger of box_fwhm FWHM and box_min px
    double faint_density = 0;  ///< stars/px^2 of a field without labels, Poisson and uniform
    double faint_min = 26, faint_limit = 29;  ///< their magnitudes
    double min_snr = 0;                       ///< units below it are label_ignored; 0: all are truth, as in the paper
};

struct Star {
    double x = 0, y = 0;       ///< px, pixel edges
    double mag = 0, flux = 0;  ///< flux: electrons over all exposures
    int unit = -1;             ///< index into MockField::units; -1: belongs to none
};

struct Unit {
    int first = 0, count = 0;  ///< its members: stars[first] ... stars[first + count - 1], the base star first
    std::int8_t label = 0;     ///< count - 1, at most 4; or label_ignored (kernels/match.h)
    Box box;                   ///< union of its stars' squares; may reach beyond the image
    double x = 0, y = 0;       ///< flux-weighted centroid, px, pixel edges, inside the image
};

struct MockField {
    std::vector<Star> stars;  ///< those of units first, unit by unit
    std::vector<Unit> units;
};

void check_mock(const Mock& options);  ///< Throws Error (Fault::usage) naming the first value out of range.

/// A field of width x height px and what shines into it from `margin` px around. A pure function of its arguments.
///   base stars: uniform over the field and its margin, min_separation apart, also across the field's edge; magnitudes
///     by Eq. 1; the class by `mix`. At jamming they crowd along the margin's own outer edge, beyond which there is
///     nothing to keep a distance from. From two separations inwards the density is that of the middle to 1 %: with a
///     margin of that much, the field is the same up to its edge.
///   members (Eq. 2): m2 ~ U(m1, min(m1 + contrast, mag_limit)); the k-th, k > 2, ~ U(m_(k-1), min(m1 + contrast,
///   mag_limit)).
///     Each lies around the member before it, at a uniform angle and a uniform distance in (dist_min, dist_max);
///     dist_max = r_c + r_k, r_k = where its own profile falls to half its peak, r_c = where the profile of the member
///     before falls to half of *its* peak; profiles are azimuthal averages of `psf`.
///   edges: members may lie anywhere. A unit whose centroid is outside [0, width) x [0, height) is no truth: its stars
///   shine
///     on with unit = -1.
///   SNR (for min_snr): the unit's flux / (native_sigma * sqrt(psf.noise_area())): a matched filter on sky-limited
///   noise.
/// `psf` is that of the output image: image_psf(). Fluxes and noise come from `exposure`. Throws Error for bad options.
MockField make_mock(const Mock& options, const Psf& psf, const Exposure& exposure, int width, int height, double margin,
                    std::uint64_t seed, std::uint64_t index);

}  // namespace star
