// One function per section, with the bounds that make sense for each key.
#include "tools/scene_setup.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "tools/foreign_catalogue.h"
#include "tools/psf_setup.h"

namespace star {
namespace {

Mock mock_of(Config& c) {
    Mock m;
    const std::string mix = c.text("mock.mix", "P3");
    if (mix == "P1")
        m.mix = mix_p1;
    else if (mix == "P2")
        m.mix = mix_p2;
    else if (mix == "P3")
        m.mix = mix_p3;
    else if (mix != "weights")
        c.refuse("mock.mix", "must be P1, P2, P3, or \"weights\" with mock.weights");
    const auto weights = c.numbers("mock.weights", {m.mix.begin(), m.mix.end()}, 0, 1e6);
    if (weights.size() != m.mix.size()) c.refuse("mock.weights", "needs five numbers");
    std::copy(weights.begin(), weights.end(), m.mix.begin());
    m.slope = c.number("mock.slope", m.slope, -2, 2);
    m.mag_min = c.number("mock.mag_min", m.mag_min, -30, 50);
    m.mag_max = c.number("mock.mag_max", m.mag_max, -30, 50);
    m.mag_limit = c.number("mock.mag_limit", std::max(m.mag_max, m.mag_limit), -30, 50);
    m.contrast = c.number("mock.contrast", m.contrast, 0, 20);
    m.min_separation = c.number("mock.min_separation", m.min_separation, 0, 1000);
    // units per square pixel; a negative number asks for as many as fit
    const auto density = [&](const char* key) {
        const double d = c.number(key, -1, -1, 1);
        return d < 0 ? as_many_as_fit : d;
    };
    m.density_min = density("mock.density_min");
    m.density_max = density("mock.density_max");
    m.dist_min = c.number("mock.dist_min", m.dist_min, 0, 100);
    m.faint_density = c.number("mock.faint_density", m.faint_density, 0, 10);
    m.faint_min = c.number("mock.faint_min", m.faint_min, -30, 50);
    m.faint_limit = c.number("mock.faint_limit", std::max(m.faint_min, m.faint_limit), -30, 50);
    check_mock(m);
    return m;
}

LuminosityFunction luminosity_of(Config& c, const LuminosityFunction& standard) {
    std::vector<double> mags, logs;
    for (const auto& k : standard.knots()) mags.push_back(k.mag), logs.push_back(k.log_density);
    mags = c.numbers("disk.mag", mags, -30, 60);
    logs = c.numbers("disk.log_density", logs, -30, 30);
    if (mags.size() != logs.size() || mags.size() < 2)
        c.refuse("disk.log_density", "needs as many numbers as disk.mag, two at least");
    std::vector<LuminosityFunction::Knot> knots;
    for (std::size_t i = 0; i < mags.size(); ++i) knots.push_back({mags[i], logs[i]});
    return LuminosityFunction(knots);
}

Disk disk_of(Config& c) {
    // M31's, in AB magnitudes: 0.10 brighter in F475W than Vega's
    const double limit = c.number("disk.limit", 28.2, 25, 40), bright = c.number("disk.bright", 27.3, -30, 60);
    const double density = c.number("disk.density", 0.045, 0, 100);
    Disk d = m31_disk(0, limit, -0.10);
    d.luminosity = luminosity_of(c, d.luminosity);
    if (!(d.luminosity.count(bright) > 0)) c.refuse("disk.bright", "no star of the luminosity function is brighter");
    d.density = density * d.luminosity.total() / d.luminosity.count(bright);
    d.gradient_x = c.number("disk.gradient_x", 0, -1, 1);
    d.gradient_y = c.number("disk.gradient_y", 0, -1, 1);
    check_disk(d);
    return d;
}

Cluster cluster_of(Config& c, Cluster s, double pixel_scale) {
    s.stars = c.number("cluster.stars", s.stars, 0, double(1 << 26));
    s.x = c.number("cluster.x", s.x * pixel_scale, -1e6, 1e6) / pixel_scale;  // arcsec from the field's middle
    s.y = c.number("cluster.y", s.y * pixel_scale, -1e6, 1e6) / pixel_scale;
    s.core_px = c.number("cluster.core", s.core_px * pixel_scale, 1e-3, 1e6) / pixel_scale;  // arcsec
    s.concentration = c.number("cluster.concentration", s.concentration, 0.1, 4);
    s.slope = c.number("cluster.slope", s.slope, -10, 10);
    s.mass_min = c.number("cluster.mass_min", s.mass_min, 0.01, 100);
    s.mass_max = c.number("cluster.mass_max", s.mass_max, 0.01, 100);
    s.segregation = c.number("cluster.segregation", s.segregation, 0, 1);
    s.distance_modulus = c.number("cluster.distance_modulus", s.distance_modulus, -10, 60);
    s.binaries = c.number("cluster.binaries", s.binaries, 0, 1);
    s.q_min = c.number("cluster.q_min", s.q_min, 0.01, 1);
    s.giants = c.number("cluster.giants", s.giants, 0, 1);
    s.giant_tip = c.number("cluster.giant_tip", s.giant_tip, -30, 30);
    s.giant_base = c.number("cluster.giant_base", s.giant_base, -30, 30);
    s.giant_slope = c.number("cluster.giant_slope", s.giant_slope, -5, 5);
    std::vector<double> masses, mags;
    for (const MassLuminosity& k : s.luminosity) masses.push_back(k.mass), mags.push_back(k.mag);
    masses = c.numbers("cluster.masses", masses, 1e-3, 1e3);
    mags = c.numbers("cluster.mags", mags, -30, 60);
    if (masses.size() != mags.size()) c.refuse("cluster.mags", "needs as many numbers as cluster.masses");
    s.luminosity.clear();
    for (std::size_t i = 0; i < masses.size(); ++i) s.luminosity.push_back({masses[i], mags[i]});
    check_cluster(s);
    return s;
}

// Any catalogue with places and magnitudes: FITS, ECSV, CSV, SExtractor's.
std::vector<Star> listed_stars(Config& c, const Exposure& exposure) {
    const std::string file = c.text("scene.list", "");
    CatalogueColumns columns;
    columns.named = parse_columns(c.text("scene.columns", ""));     // "x=XCEN,y=YCEN,mag=F475W"
    const double first = c.number("scene.first_pixel", -1, -1, 1);  // 0 or 1; -1: by the columns' names
    if (first >= 0) columns.first_pixel = first;
    if (file.empty()) fail(Fault::usage, "scene.list: names the file of the stars; none was given");
    const FoundList list = read_foreign(file, columns);
    std::vector<Star> stars;
    for (std::size_t i = 0; i < list.rows.size(); ++i) {
        const Found& row = list.rows[i];
        if (!(row.magnitude > -30 && row.magnitude < 60))
            fail(Fault::input, file, ": row ", i + 1,
                 ": a star needs a magnitude, column MAG or scene.columns = \"mag=NAME\"");
        stars.push_back({row.x, row.y, row.magnitude, electrons(row.magnitude, exposure), -1});
    }
    return stars;
}

void read_detector_effects(Config& c, const Instrument& instrument, SceneOptions& s) {
    if (c.boolean("scene.galaxies", false)) {
        s.galaxies.emplace();
        s.galaxies->pixel_scale = instrument.pixel_scale;
    }
    if (c.boolean("scene.cosmic_rays", false)) {
        CosmicRays r;
        r.rate = c.number("scene.cosmic_ray_rate", r.rate, 0, 1e6);         // per cm2 and s
        r.pixel_um = c.number("scene.detector_pixel", r.pixel_um, 1, 100);  // micrometres
        r.thickness_um = c.number("scene.detector_thickness", r.thickness_um, 0.1, 1000);
        s.cosmic_rays = r;
    }
    if (c.boolean("scene.defects", false)) {
        Defects d;
        d.hot = c.number("scene.hot", d.hot, 0, 1);
        d.hot_rate = c.number("scene.hot_rate", d.hot_rate, 0, 1e6);  // e-/s
        d.dead = c.number("scene.dead", d.dead, 0, 1);
        s.defects = d;
    }
    s.bleeding = c.boolean("scene.bleeding", false);
    s.sky_gradient_x = c.number("scene.sky_gradient_x", 0, -1e6, 1e6);  // e-/s/px per px
    s.sky_gradient_y = c.number("scene.sky_gradient_y", 0, -1e6, 1e6);
}

}  // namespace

SceneOptions read_scene(Config& c, const Instrument& instrument) {
    SceneOptions s;
    const std::string stars =
        c.choice("scene.stars", "mock", {"mock", "ngc2298", "m31-disk", "m31-cluster", "list", "none"});
    const double scale = instrument.pixel_scale;
    if (stars == "mock") s.mock = mock_of(c);
    if (stars == "ngc2298") s.clusters = {cluster_of(c, ngc2298(scale, 0), scale)};
    if (stars == "m31-cluster") s.clusters = {cluster_of(c, m31_cluster(scale, 1600), scale)};
    if (stars == "m31-disk" || stars == "m31-cluster") s.disks = {disk_of(c)};
    if (stars == "list") s.list = listed_stars(c, instrument.exposure);
    read_detector_effects(c, instrument, s);
    s.varying_psf = read_varying_psf(c, instrument.exposure);
    check_scene(s, instrument.exposure);
    return s;
}

TruthOptions read_truth_options(Config& c, const SceneOptions& scene) {
    TruthOptions t;
    const bool paper = c.choice("truth.labels", "detectable", {"detectable", "paper"}) == "paper";
    t.labels = paper ? Labels::paper : Labels::detectable;
    const std::string units = c.choice("truth.units", scene.mock ? "given" : "linked", {"given", "linked"});
    t.units = units == "linked" ? Units::linked : Units::given;
    if (t.units == Units::given && !scene.mock) c.refuse("truth.units", "only a mock's stars have given units");
    t.limits.min_snr = c.number("truth.min_snr", t.limits.min_snr, 0.1, 100);
    t.limits.hopeless_snr = c.number("truth.hopeless_snr", std::min(t.limits.hopeless_snr, t.limits.min_snr), 0.1, 100);
    t.certain_snr = c.number("truth.certain_snr", std::max(t.certain_snr, t.limits.min_snr), 0.1, 100);
    t.limits.reach_fwhm = c.number("truth.reach_fwhm", t.limits.reach_fwhm, 0.1, 10);
    t.limits.psf_error = c.number("truth.psf_error", t.limits.psf_error, 0, 1);
    t.rules.merge_px = c.number("truth.merge_px", t.rules.merge_px, 0.01, 100);
    t.rules.contrast = c.number("truth.contrast", t.rules.contrast, 0, 10);
    t.rules.most_stars = int(c.integer("truth.most_stars", t.rules.most_stars, 1, 1000));
    t.rules.most_fwhm = c.number("truth.most_fwhm", t.rules.most_fwhm, 0.1, 100);
    t.box_fwhm = c.number("truth.box_fwhm", t.box_fwhm, 0.1, 20);
    t.box_min = c.number("truth.box_min", t.box_min, 0.5, 1000);
    check_truth(t);
    return t;
}

}  // namespace star
