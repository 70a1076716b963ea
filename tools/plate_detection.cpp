// Network, flags and fit of one plate.
#include "tools/plate_detection.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"

namespace star {
namespace {

// Sums over a box of whole pixels, and what is wrong with them.
void measure(Blend& b, const Observation& o, const PreparedSky& sky) {
    const int W = o.image.width, H = o.image.height;
    if (b.box.x0 < 0 || b.box.y0 < 0 || b.box.x1 > float(W) || b.box.y1 > float(H)) b.flags |= flag_truncated;
    const auto clamp = [](float v, int most) { return std::clamp(int(std::lround(v)), 0, most); };
    const int x0 = clamp(b.box.x0, W), x1 = clamp(b.box.x1, W), y0 = clamp(b.box.y0, H), y1 = clamp(b.box.y1, H);
    double flux = 0, variance = 0;
    for (int y = y0; y < y1; ++y)
        for (int x = x0; x < x1; ++x) {
            const std::size_t i = std::size_t(y) * std::size_t(W) + std::size_t(x);
            const float v = o.image.pixels[i];
            if (!std::isfinite(v)) {
                b.flags |= flag_not_finite | flag_masked_pixels;
                continue;
            }
            b.flags |= flags_of(o.state(i));
            if (o.state(i) & pixel_bad) continue;
            flux += double(v) - sky.background_map[i];
            // independent pixels: resampling moves noise between neighbours but keeps the variance of large sums
            variance += o.variance(i, sky);
        }
    b.flux = flux;
    b.flux_error = std::sqrt(variance);
    const bool bright = flux > 0 && std::isfinite(o.zeropoint.value);
    b.magnitude = bright ? o.zeropoint.value - 2.5 * std::log10(flux) : NAN;
    b.magnitude_error = bright ? 2.5 / std::log(10.0) * b.flux_error / flux : NAN;
    const int cx = std::clamp(int(b.x), 0, W - 1), cy = std::clamp(int(b.y), 0, H - 1);
    b.background = sky.background_map[std::size_t(cy) * std::size_t(W) + std::size_t(cx)];
}

std::vector<Blend> blends_of(const Detections& found, const Observation& o) {
    std::vector<Blend> blends;
    for (const Detection& d : found.units) {
        Blend b;
        b.box = d.box;
        b.x = d.box.x(), b.y = d.box.y();
        b.score = d.score;
        b.stars = d.label + 1;
        const auto chances = class_chances(d);
        std::copy(chances.begin(), chances.end(), b.p);
        if (b.stars > 1) b.flags |= flag_blended;
        double sorted[classes_in_catalogue];
        std::copy(b.p, b.p + classes_in_catalogue, sorted);
        std::sort(sorted, sorted + classes_in_catalogue);
        if (sorted[classes_in_catalogue - 1] - sorted[classes_in_catalogue - 2] < 0.1) b.flags |= flag_low_margin;
        measure(b, o, found.sky);
        blends.push_back(b);
    }
    return blends;
}

// The tiles of the plate's core.
std::vector<TileSeen> tiles_seen(const Observation& o, const PreparedSky& sky, const Plate& plate, int side,
                                 const std::vector<Blend>& blends) {
    const int W = o.image.width, H = o.image.height;
    const Region core = core_in_plate(plate);
    const int x0 = std::max(core.x0, 0), y0 = std::max(core.y0, 0), x1 = std::min(core.x1, W),
              y1 = std::min(core.y1, H);
    std::vector<TileSeen> tiles;
    std::vector<float> variance;
    const int columns = (x1 - x0 + side - 1) / side;
    for (int ty = y0; ty < y1; ty += side)
        for (int tx = x0; tx < x1; tx += side) {
            TileSeen t;
            t.column = (plate.seen.x0 + tx) / side, t.row = (plate.seen.y0 + ty) / side;
            variance.clear();
            double background = 0;
            for (int y = ty; y < std::min(ty + side, y1); ++y)
                for (int x = tx; x < std::min(tx + side, x1); ++x) {
                    const std::size_t i = std::size_t(y) * std::size_t(W) + std::size_t(x);
                    if (!std::isfinite(o.image.pixels[i]) || (o.state(i) & pixel_bad)) continue;
                    ++t.usable, background += sky.background_map[i];
                    variance.push_back(float(o.empty_variance(i, sky)));
                }
            if (t.usable) {
                const auto middle = variance.begin() + std::ptrdiff_t(variance.size() / 2);
                std::nth_element(variance.begin(), middle, variance.end());
                const double independent = std::sqrt(double(*middle));
                if (o.noise.electrons_per_unit > 0) t.noise = independent * o.noise.electrons_per_unit;
                const double sigma = independent * (sky.sigma_estimated ? 1 : o.noise.correlation);
                if (std::isfinite(o.saturate.value) && sigma > 0)
                    t.brightest = (o.saturate.value - background / double(t.usable)) / sigma;
            }
            tiles.push_back(t);
        }
    for (const Blend& b : blends) {
        const int x = int(std::floor(b.x)), y = int(std::floor(b.y));
        if (x >= x0 && x < x1 && y >= y0 && y < y1)
            ++tiles[std::size_t((y - y0) / side) * std::size_t(columns) + std::size_t((x - x0) / side)].units;
    }
    return tiles;
}

std::int64_t usable_in_core(const Observation& o, const Region& core) {
    std::int64_t n = 0;
    for (int y = std::max(core.y0, 0); y < std::min(core.y1, o.image.height); ++y)
        for (int x = std::max(core.x0, 0); x < std::min(core.x1, o.image.width); ++x) {
            const std::size_t i = std::size_t(y) * std::size_t(o.image.width) + std::size_t(x);
            n += std::isfinite(o.image.pixels[i]) && !(o.state(i) & pixel_bad);
        }
    return n;
}

std::int64_t pixels(const Plate& plate) { return std::int64_t{plate.seen.width} * plate.seen.height; }

// Image, mask, what the network doesn't see, variance.
std::int64_t observation_bytes(const Plate& plate) { return pixels(plate) * (4 + 1 + 1 + 4); }

// As many tiles and streams at once as the memory allows beside the plate and, of an image in plates, the next one,
// which is read meanwhile; never a matter of the result.
template <class T>
Flow flow(Stream stream, const Detector<T>& detector, const DetectionPlan& plan, const Plate& plate, bool one_of_many) {
    const std::int64_t next = one_of_many ? observation_bytes(plate) : 0;
    const auto bytes = [&](int tiles, int streams) {
        return next + observation_bytes(plate) +
               detector.memory_bytes(stream, plate.seen.height, plate.seen.width, {tiles, streams});
    };
    if (const std::int64_t least = std::max(bytes(1, 1), next + plate_bytes(plate)); least > plan.memory)
        fail(Fault::device, plan.image.image, ": needs ", (least >> 20) + 1, " MB; --mem-limit allows ",
             plan.memory >> 20);
    const Flow usual = usual_flow(stream);
    const int streams = bytes(1, usual.streams) > plan.memory ? 1 : usual.streams;
    const std::int64_t one = bytes(1, streams), more = std::max<std::int64_t>(bytes(2, streams) - one, 1);
    return {int(std::clamp<std::int64_t>(1 + (plan.memory - one) / more, 1, usual.tiles)), streams};
}

}  // namespace

std::array<double, classes_in_catalogue> class_chances(const Detection& d) {
    double sum = 0;
    for (int k = 0; k < classes_in_catalogue; ++k) sum += d.chances[k];
    std::array<double, classes_in_catalogue> out{};
    for (int k = 0; k < classes_in_catalogue; ++k)
        out[std::size_t(k)] = sum > 0 ? d.chances[k] / sum : 1.0 / classes_in_catalogue;
    return out;
}

// The observation, background, and a fit's copies, model and sizes.
std::int64_t plate_bytes(const Plate& plate) { return pixels(plate) * 40; }

Observation open_first(ObservationOptions& o, const std::vector<Plate>& plates, const Model& model, Console& console) {
    if (plates.size() == 1) return open_observation(o, model, console);
    for (std::size_t i = 0; i < plates.size(); ++i) {
        o.window = plates[(plates.size() / 2 + i) % plates.size()].seen;
        try {
            return open_observation(o, model, console);
        } catch (const Error& e) {
            if (e.fault != Fault::input || i + 1 == plates.size()) throw;
        }
    }
    return {};
}

Observation open_plate(const DetectionPlan& plan, const Plate& plate) {
    ObservationOptions options = plan.image;
    options.window = plate.seen, options.repeated = true;
    Console quiet(Console::Level::quiet);
    return open_observation(options, plan.model, quiet);
}

WholeSky sky_of_plates(Stream stream, const DetectionPlan& plan, const std::vector<Plate>& plates, Console& console) {
    WholeSky out;
    double background = 0, variance = 0;
    for (std::size_t i = 0; i < plates.size() && !interrupt::requested(); ++i) {
        console.progress("measuring the sky", std::int64_t(i), std::int64_t(plates.size()), "plate");
        try {
            Observation o = open_plate(plan, plates[i]);
            if (plan.alter) plan.alter(o, plates[i]);
            const std::int64_t usable = usable_in_core(o, core_in_plate(plates[i]));
            if (usable == 0) continue;
            const PreparedSky sky = prepare_sky(stream, o.sky(), plan.model.procedure);
            background += sky.background * double(usable), variance += sky.sigma * sky.sigma * double(usable);
            out.estimated = out.estimated || sky.sigma_estimated;
            out.usable += usable;
        } catch (const Error& e) {
            if (e.fault != Fault::input && e.fault != Fault::device) throw;  // said when it is the plate's turn
        }
    }
    if (out.usable == 0) return out;
    out.background = background / double(out.usable), out.sigma = std::sqrt(variance / double(out.usable));
    return out;
}

template <class T>
PlateFound detect_plate(Stream stream, const Detector<T>& detector, const DetectionPlan& plan, const Plate& plate,
                        const WholeSky* sky, Observation& o, Console& console) {
    if (plan.alter) plan.alter(o, plate);
    if (sky) {
        o.whole_sigma = sky->sigma;
        o.fitted = fitted_in_plate(plate);
    }
    Detections found = detector.detect(
        stream, o.sky(), flow(stream, detector, plan, plate, sky != nullptr),
        [&](int done, int all) {
            console.progress("detecting", done, all, "tile");
            return !interrupt::requested();
        },
        core_in_plate(plate));
    if (sky) found.sky.sigma_estimated = sky->estimated;
    found.sky.normalised = {};
    PlateFound out;
    out.tiles = found.tiles, out.tiles_done = found.tiles_done;
    out.sky = {found.sky.background, found.sky.sigma, found.sky.sigma_estimated,
               usable_in_core(o, core_in_plate(plate))};
    mark_cosmic_rays(*stream.pool, o, found.sky, plan.psf, plan.cosmic_rays, console);
    std::vector<Blend> blends = blends_of(found, o);
    out.seen = tiles_seen(o, found.sky, plate, plan.model.procedure.core, blends);
    auto stars = fit_stars(stream, plan.stars, plan.psf,
                           {o, found.sky, plan.model, blends, plate.seen.x0, plate.seen.y0}, console);
    out.complete = !found.cancelled && (!stars || stars->complete);
    std::vector<Source> sources;
    if (stars) sources = std::move(stars->sources);
    if (sky) {
        out.rows = rows_of_plate(std::move(blends), std::move(sources), plate);
    } else {
        out.rows = {std::move(blends), std::move(sources)};
        if (stars) out.stars = std::make_unique<FittedStars>(*std::move(stars));
    }
    return out;
}

template PlateFound detect_plate(Stream, const Detector<float>&, const DetectionPlan&, const Plate&, const WholeSky*,
                                 Observation&, Console&);
template PlateFound detect_plate(Stream, const Detector<bf16>&, const DetectionPlan&, const Plate&, const WholeSky*,
                                 Observation&, Console&);

}  // namespace star
