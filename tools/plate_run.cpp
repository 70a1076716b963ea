// The loop over plates.
#include "tools/plate_run.h"

#include <algorithm>
#include <functional>
#include <future>

#include "kernels/check.h"

namespace star {
namespace {

// Where units of two plates are one: as the suppression over tiles has it, by centre; half a box by IoU.
double blend_radius(const Procedure& p) { return p.suppress_by_centre ? p.suppress * p.psf_fwhm : p.box_half_width; }

/// Opens plates in ascending order, the next one on a thread of its own while the last one is worked on. Only one
/// thread at a time reads.
class PlateReader {
public:
    /// wanted: the numbers of the plates that will be asked for, in this order.
    PlateReader(const DetectionPlan& plan, const std::vector<Plate>& plates, std::vector<int> wanted)
        : plan_(plan), plates_(plates), wanted_(std::move(wanted)) {
        start();
    }
    /// The next wanted plate. Throws what opening it threw.
    Observation next() {
        std::future<Observation> ready = std::move(ahead_);
        ready.wait();
        start();  // whether or not this one could be read
        return ready.get();
    }

private:
    void start() {
        if (started_ < wanted_.size())
            ahead_ = std::async(std::launch::async, open_plate, std::cref(plan_),
                                std::cref(plates_[std::size_t(wanted_[started_++])]));
    }

    const DetectionPlan& plan_;
    const std::vector<Plate>& plates_;
    std::vector<int> wanted_;
    std::size_t started_ = 0;
    std::future<Observation> ahead_;
};

}  // namespace

template <class T>
ImageFound detect_plates(Stream stream, const Detector<T>& detector, const DetectionPlan& plan,
                         const std::vector<Plate>& plates, Observation& first, ProgressFile* progress,
                         Console& console) {
    ImageFound out;
    if (plates.size() == 1) {
        PlateFound found = detect_plate(stream, detector, plan, plates[0], nullptr, first, console);
        out.rows = std::move(found.rows), out.seen = std::move(found.seen), out.sky = found.sky,
        out.stars = std::move(found.stars);
        out.tiles = found.tiles, out.tiles_done = found.tiles_done, out.complete = found.complete;
        return out;
    }
    first.image.pixels = {}, first.mask = {}, first.hidden = {}, first.map.reset();  // read again in its turn
    out.sky = sky_of_plates(stream, plan, plates, console);
    std::vector<int> wanted;
    for (int i = 0; i < int(plates.size()); ++i)
        if (!progress || !progress->done().contains(i)) wanted.push_back(i);
    PlateReader reader(plan, plates, std::move(wanted));
    std::vector<PlateRows> rows(plates.size());
    for (std::size_t i = 0; i < plates.size() && !interrupt::requested(); ++i) {
        const auto known = progress ? progress->done().find(int(i)) : std::map<int, PlateFound>::iterator{};
        const bool resumed = progress && known != progress->done().end();
        PlateFound found;
        if (resumed) {
            found = std::move(known->second);
        } else {
            console.say("plate {} of {}: {}", i + 1, plates.size(), words_for(plates[i]));
            try {
                Observation o = reader.next();
                found = detect_plate(stream, detector, plan, plates[i], &out.sky, o, console);
            } catch (const Error& e) {
                if (e.fault != Fault::input && e.fault != Fault::device) throw;
                console.warn("{}: {}: {}; nothing is found there", plan.image.image, words_for(plates[i]), e.what());
                ++out.failed;
                continue;
            }
            if (found.complete && progress) progress->add(int(i), found);
        }
        out.tiles += found.tiles, out.tiles_done += found.tiles_done;
        out.complete = out.complete && found.complete;
        out.seen.insert(out.seen.end(), found.seen.begin(), found.seen.end());
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
