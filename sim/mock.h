// The paper's mock catalogue (Astro-RetinaNet, section 2.1): base stars that keep their distance, grown into blending
// units. What each unit is called is another matter: sim/truth.h.
#pragma once
#include <array>
#include <limits>
#include <vector>

#include "sim/detector_noise.h"
#include "sim/field_spec.h"
#include "sim/psf.h"
#include "sim/star.h"

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
    double faint_density = 0;   ///< stars/px^2 of a field without labels, Poisson and uniform
    double faint_min = 26, faint_limit = 29;  ///< their magnitudes
};

void check_mock(const Mock& options);  ///< Throws Error (Fault::usage) naming the first value out of range.

/// A field and what shines into it from its margin. A pure function of its arguments.
///   base stars: uniform over the field and its margin, min_separation apart, also across the field's edge; magnitudes
///     by Eq. 1; the class by `mix`. At jamming they crowd along the margin's own outer edge, beyond which there is
///     nothing to keep a distance from. From two separations inwards the density is that of the middle to 1 %: with a
///     margin of that much, the field is the same up to its edge.
///   members (Eq. 2): m2 ~ U(m1, min(m1 + contrast, mag_limit)); the k-th, k > 2, ~ U(m_(k-1), min(m1 + contrast,
///   mag_limit)).
///     Each lies around the member before it, at a uniform angle and a uniform distance in (dist_min, dist_max);
///     dist_max = r_c + r_k, r_k = where its own profile falls to half its peak, r_c = where the profile of the member
///     before falls to half of *its* peak; profiles are azimuthal averages of `psf`.
///   edges: members may lie anywhere; units are grown in the margin as in the field.
/// Returns units one after the other, numbered from 0, the base star of each first; then the stars of no unit. `psf` is
/// that of the output image: image_psf(). Fluxes come from `exposure`. Throws Error for bad options.
std::vector<Star> make_mock(const Mock& options, const Psf& psf, const Exposure& exposure, const FieldSpec& field);

}  // namespace star
