// A globular cluster as a list of stars.
#pragma once
#include <cstdint>
#include <vector>

#include "sim/detector_noise.h"
#include "sim/field_spec.h"
#include "sim/scene_luminosity.h"
#include "sim/star.h"

namespace star {

/// King's (1962) empirical profile: surface density ~ ((1 + (r/core)^2)^-1/2 - (1 + (tidal/core)^2)^-1/2)^2 for
/// r < tidal = core 10^concentration. Catalogues such as Harris's give core and concentration of King's (1966) models,
/// which hold more of their stars outside: of NGC 2298 half within 0.98 arcmin by Harris, 0.80 by this profile.
class KingProfile {
public:
    KingProfile(double core, double concentration);  ///< core > 0 in any unit; concentration in 0.1...4
    double tidal() const { return tidal_; }
    double density(double r) const;   ///< per unit area, of a cluster of one star
    double enclosed(double r) const;  ///< share of the stars within r (King 1962, Eq. 18)
    double quantile(double u) const;  ///< the radius that holds a share u in [0, 1]

private:
    double area(double r) const;
    double core_, tidal_, total_;
};

/// A knot of a mass-luminosity relation; magnitudes are linear in log mass between knots.
struct MassLuminosity {
    double mass, mag;  ///< solar masses; absolute magnitude
};

/// Power laws of main-sequence stars (Duric, Advanced Astrophysics, 2004: L ~ m^4 above 0.43 solar masses, m^2.3
/// below), set to M_V = 3.9 at a turn-off of 0.8 solar masses. Bolometric slopes stand for those of a band: a
/// metal-poor cluster's faint end in V is steeper. Give an isochrone's knots for more.
std::vector<MassLuminosity> power_law_luminosities();

struct Cluster {
    double stars = 0;     ///< expected number of systems in the whole cluster; Poisson
    double x = 0, y = 0;  ///< px from the middle of the field to the centre, which may lie anywhere
    double core_px = 250, concentration = 1.38;
    double slope = 0.5;  ///< dN/dm ~ m^slope
    double mass_min = 0.2, mass_max = 0.8;
    double segregation = 0;  ///< core radius ~ (mass / mean mass)^-segregation, tidal radius the same; 0: none
    double distance_modulus = 15.6;
    std::vector<MassLuminosity> luminosity = power_law_luminosities();  ///< masses rising, covering mass_min...mass_max
    double binaries = 0;  ///< share of systems with a companion in the same place, mass ratio uniform in (q_min, 1)
    double q_min = 0.5;
    double giants = 0;  ///< share of systems that have left the main sequence
    double giant_tip = -2.5, giant_base = 3.9, giant_slope = 0.3;  ///< absolute magnitudes; N ~ 10^(giant_slope M)
};

void check_cluster(const Cluster& c);  ///< Throws Error (Fault::usage) naming the first value out of range.

/// NGC 2298 (Harris 1996, 2010 edition): (m-M)_V = 15.60, core 0.31 arcmin, concentration 1.38, mass 8.5e4 solar
/// masses, a mass function stripped to dN/dm ~ m^0.5 over 0.2...0.8 solar masses, of which the mass makes 160,000 stars
/// if none of it is dark. Binaries and giants are ours: 5 % and 1 %. offset_arcmin: from the cluster's centre along x
/// to the middle of the field (0: the core).
Cluster ngc2298(double pixel_scale, double offset_arcmin);

/// A compact cluster in M31 in the middle of the field, of `stars` stars down to 6 mag below M31's distance modulus
/// (24.47, McConnachie et al. 2005) in F475W: core radius 0.22 arcsec (0.8 pc), concentration 1.3, one luminosity
/// function 10^(0.25 M) from a tip at M = -1. Round numbers, chosen by eye so that 1,600 stars have the radial profile
/// of AP142's light (bench/m31.sh scene); no catalogue was used.
Cluster m31_cluster(double pixel_scale, double stars);

/// The stars of the cluster within `margin` px of [0, width) x [0, height). Companions are stars of their own, in the
/// same place. Star i of the cluster is a function of seed, index and i alone, so that neighbouring fields of one
/// cluster (equal seed and index, another centre) agree. Throws Error (Fault::usage) above 2^26 stars.
std::vector<Star> make_cluster(const Cluster& c, const Exposure& exposure, const FieldSpec& field);

}  // namespace star
