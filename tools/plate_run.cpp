// The loop over plates.
#include "tools/plate_run.h"

#include <algorithm>

#include "kernels/check.h"

namespace star {
namespace {

// Where units of two plates are one: as the suppression over tiles has it, by centre; half a box by IoU.
double blend_radius(const Procedure& p) { return p.suppress_by_centre ? p.suppress * p.psf_fwhm : p.box_half_width; }

std::string place(const Plate& p) {
    return fmt::format("columns {} to {}, rows {} to {}", std::max(p.core.x0, 0) + 1,
                       std::min(p.core.x1, p.seen.x0 + p.seen.width), std::max(p.core.y0, 0) + 1,
                       std::min(p.core.y1, p.seen.y0 + p.seen.height));
}

template <class T>
PlateFound one_plate(Stream stream, const Detector<T>& detector, const DetectionPlan& plan, const Plate& plate,
                     const WholeSky& sky, Console& console) {
    ObservationOptions options = plan.image;
    options.window = plate.seen, options.repeated = true;
    Console quiet(Console::Level::quiet);
    Observation o = open_observation(options, plan.model, quiet);
    return detect_plate(stream, detector, plan, plate, &sky, o, console);
}

}  // namespace

template <class T>
ImageFound detect_plates(Stream stream, const Detector<T>& detector, const DetectionPlan& plan,
                         const std::vector<Plate>& plates, Observation& first, ProgressFile* progress,
                         Console& console) {
    ImageFound out;
    if (plates.size() == 1) {
        PlateFound found = detect_plate(stream, detector, plan, plates[0], nullptr, first, console);
        out.rows = std::move(found.rows), out.sky = found.sky, out.stars = std::move(found.stars);
        out.tiles = found.tiles, out.tiles_done = found.tiles_done, out.complete = found.complete;
        return out;
    }
    first.image.pixels = {}, first.mask = {}, first.hidden = {}, first.map.reset();  // read again in its turn
    out.sky = sky_of_plates(stream, plan, plates, console);
    std::vector<PlateRows> rows(plates.size());
    for (std::size_t i = 0; i < plates.size() && !interrupt::requested(); ++i) {
        const auto known = progress ? progress->done().find(int(i)) : std::map<int, PlateFound>::iterator{};
        const bool resumed = progress && known != progress->done().end();
        PlateFound found;
        if (resumed) {
            found = std::move(known->second);
        } else {
            console.say("plate {} of {}: {}", i + 1, plates.size(), place(plates[i]));
            try {
                found = one_plate(stream, detector, plan, plates[i], out.sky, console);
            } catch (const Error& e) {
                if (e.fault != Fault::input && e.fault != Fault::device) throw;
                console.warn("{}: {}: {}; nothing is found there", plan.image.image, place(plates[i]), e.what());
                ++out.failed;
                continue;
            }
            if (found.complete && progress) progress->add(int(i), found);
        }
        out.tiles += found.tiles, out.tiles_done += found.tiles_done;
        out.complete = out.complete && found.complete;
        rows[i] = std::move(found.rows);
    }
    out.complete = out.complete && !interrupt::requested();
    out.rows = merged(std::move(rows), plates, blend_radius(plan.model.procedure));
    return out;
}

template ImageFound detect_plates(Stream, const Detector<float>&, const DetectionPlan&, const std::vector<Plate>&,
                                  Observation&, ProgressFile*, Console&);
template ImageFound detect_plates(Stream, const Detector<bf16>&, const DetectionPlan&, const std::vector<Plate>&,
                                  Observation&, ProgressFile*, Console&);

}  // namespace star
