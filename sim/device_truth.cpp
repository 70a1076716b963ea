// Stars and units into lists, then kernels: light, weights, who counts, what units are called, what windows hold.
#include "sim/device_truth.h"

#include <algorithm>
#include <cmath>

#include "kernels/arena.h"
#include "kernels/config.h"
#include "sim/truth_geometry.h"

namespace star {
namespace {

constexpr std::int64_t most_pairs = std::int64_t{1} << 25;

// How many neighbours a list's stars can have at most, by the numbers of stars in square cells as wide as the reach.
struct Crowding {
    std::int64_t near = 0, pairs = 0;  // within the reach, of all stars; within twice the reach, each pair once
    int most_near = 0;                 // of one star

    Crowding(std::span<const FisherStar> stars, double reach) {
        if (stars.empty()) return;
        double x0 = stars[0].x, x1 = x0, y0 = stars[0].y, y1 = y0;
        for (const FisherStar& s : stars) {
            x0 = std::min(x0, s.x), x1 = std::max(x1, s.x), y0 = std::min(y0, s.y), y1 = std::max(y1, s.y);
        }
        const int across = int((x1 - x0) / reach) + 1, down = int((y1 - y0) / reach) + 1;
        std::vector<int> cells(std::size_t(across) * std::size_t(down));
        for (const FisherStar& s : stars)
            ++cells[std::size_t(int((s.y - y0) / reach)) * std::size_t(across) + std::size_t(int((s.x - x0) / reach))];
        const auto around = [&](int column, int row, int distance) {
            std::int64_t sum = 0;
            for (int r = std::max(0, row - distance); r <= std::min(down - 1, row + distance); ++r)
                for (int c = std::max(0, column - distance); c <= std::min(across - 1, column + distance); ++c)
                    sum += cells[std::size_t(r) * std::size_t(across) + std::size_t(c)];
            return sum;
        };
        std::int64_t twice = 0;
        for (int r = 0; r < down; ++r)
            for (int c = 0; c < across; ++c) {
                const std::int64_t here = cells[std::size_t(r) * std::size_t(across) + std::size_t(c)];
                if (here == 0) continue;
                const std::int64_t others = around(c, r, 1) - 1;
                near += here * others, twice += here * (around(c, r, 2) - 1);
                most_near = std::max(most_near, int(std::min<std::int64_t>(others, most_free_neighbours)));
            }
        pairs = twice / 2;
    }
};

}  // namespace

DeviceLabeller::DeviceLabeller(Stream stream, const Psf& psf, const Exposure& exposure, const TruthOptions& options)
    : options_((check_truth(options), options)),
      stamp_(psf),
      light_(stream, psf),
      sigma_((check_exposure(exposure), native_sigma(exposure))) {
    require(with_cuda && stream.device.kind == Device::Kind::cuda, "DeviceLabeller: needs a GPU");
    require(options.units == Units::given, "DeviceLabeller: units that are to be linked");
    const Psf seen = image_psf(psf, exposure);
    reach_ = options.limits.reach_fwhm * seen.fwhm();
    half_width_ = box_half_width(seen, options.box_fwhm, options.box_min);
}

// What a batch's kernels begin with, gathered field by field.
struct DeviceTruth::Lists {
    std::vector<FisherField> fields;
    std::vector<FisherStar> stars;
    std::vector<UnitField> unit_fields;
    std::vector<UnitMembers> units;
    std::vector<UnitMember> members;
    std::vector<UnitTruth> truth;  // of units that are ready
    std::vector<Box> reach;        // of all units: what their boxes are within
    std::int64_t pixels = 0, near = 0, pairs = 0;
    int most_near = 0;

    void add(const FieldTruth& f, int width, int height) {
        FisherField field{};
        field.first = int(stars.size()), field.width = width, field.height = height, field.pixels = pixels;
        UnitField labels{};
        labels.width = width, labels.height = height, labels.first_unit = int(units.size()), labels.seed = f.seed;
        if (f.labeller)
            add_stars(f, field, labels);
        else
            for (const TruthUnit& u : f.ready->units) {
                UnitTruth t{u.box, {}, u.label, u.soft, true};
                std::copy(u.chance.begin(), u.chance.end(), t.chance);
                units.push_back({0, 0, 0}), truth.push_back(t), reach.push_back(u.box);
            }
        field.last = int(stars.size()), labels.last_unit = int(units.size());
        fields.push_back(field), unit_fields.push_back(labels);
    }

private:
    // The stars that can count, in the order in which Fisher takes them; `at`: where each of the list stands.
    void add_candidates(const FieldTruth& f, FisherField& field, std::vector<int>& at) {
        const DeviceLabeller& by = *f.labeller;
        const DetectLimits& limits = by.options_.limits;
        const int radius = by.stamp_.radius();
        field.table = by.light_.table(), field.stride = by.light_.psf().stride(), field.radius = radius;
        field.variance = by.sigma_ * by.sigma_, field.psf_error = limits.psf_error, field.reach_px = by.reach_;
        field.hopeless_snr = limits.hopeless_snr, field.min_snr = limits.min_snr;
        pixels += std::int64_t{field.width} * field.height;
        const double sharpness = std::sqrt(by.stamp_.sharpest() / field.variance);
        std::vector<int> order;
        for (std::size_t i = 0; i < f.stars.size(); ++i) {
            const Star& s = f.stars[i];
            const bool reaches =
                s.x >= -radius && s.y >= -radius && s.x < field.width + radius && s.y < field.height + radius;
            if (reaches && s.flux > 0 && s.flux * sharpness >= limits.hopeless_snr) order.push_back(int(i));
        }
        std::sort(order.begin(), order.end(), [&](int i, int j) {
            const Star &a = f.stars[std::size_t(i)], &b = f.stars[std::size_t(j)];
            const double p = std::floor(a.y), q = std::floor(b.y);
            return p != q ? p < q : a.x != b.x ? a.x < b.x : i < j;
        });
        for (int i : order) {
            const Star& s = f.stars[std::size_t(i)];
            at[std::size_t(i)] = int(stars.size());
            stars.push_back({by.stamp_.taps(s.x, s.y), s.x, s.y, s.flux, int(std::floor(s.x)), int(std::floor(s.y)),
                             int(fields.size())});
        }
        const Crowding crowd(std::span<const FisherStar>(stars).subspan(std::size_t(field.first)), by.reach_);
        near += crowd.near, pairs += crowd.pairs, most_near = std::max(most_near, crowd.most_near);
        if (crowd.pairs > most_pairs)
            fail(Fault::input, "truth: ", order.size(), " stars lie in up to ", crowd.pairs, " pairs, more than ",
                 most_pairs, ": too dense to tell any from the next");
    }

    void add_stars(const FieldTruth& f, FisherField& field, UnitField& labels) {
        const TruthOptions& o = f.labeller->options_;
        for (std::size_t i = 0; i < f.stars.size(); ++i) {
            const Star& s = f.stars[i];
            if (!(std::isfinite(s.x) && std::isfinite(s.y) && std::isfinite(s.flux) && s.flux >= 0))
                fail(Fault::input, "truth: star ", i + 1, " at ", s.x, ", ", s.y, " has a flux of ", s.flux);
            if (s.unit >= int(f.stars.size())) fail(Fault::input, "truth: star ", i + 1, " is of unit ", s.unit);
        }
        std::vector<int> at(f.stars.size(), -1);
        if (o.labels == Labels::detectable) add_candidates(f, field, at);
        labels.all_count = o.labels == Labels::paper, labels.half_width = f.labeller->half_width_;
        labels.hopeless_snr = o.limits.hopeless_snr, labels.certain_snr = o.certain_snr;

        // Units in the order of their first stars, a unit's stars together, the brightest first.
        std::vector<int> rank(f.stars.size(), -1), grown;
        int count = 0;
        for (std::size_t i = 0; i < f.stars.size(); ++i) {
            const int unit = f.stars[i].unit;
            if (unit < 0) continue;
            if (rank[std::size_t(unit)] < 0) rank[std::size_t(unit)] = count++;
            grown.push_back(int(i));
        }
        std::stable_sort(grown.begin(), grown.end(), [&](int i, int j) {
            const Star &a = f.stars[std::size_t(i)], &b = f.stars[std::size_t(j)];
            const int p = rank[std::size_t(a.unit)], q = rank[std::size_t(b.unit)];
            return p != q ? p < q : a.flux > b.flux;
        });
        for (std::size_t k = 0; k < grown.size();) {
            const int unit = f.stars[std::size_t(grown[k])].unit;
            UnitMembers u{int(members.size()), 0, int(fields.size())};
            UnitShape shape;
            for (; k < grown.size() && f.stars[std::size_t(grown[k])].unit == unit; ++k, ++u.count) {
                const Star& s = f.stars[std::size_t(grown[k])];
                members.push_back({s.x, s.y, s.flux, at[std::size_t(grown[k])]});
                shape.add(s.x, s.y, s.flux);
            }
            units.push_back(u), truth.emplace_back(), reach.push_back(shape.box(labels.half_width));
        }
    }
};

void DeviceTruth::write(std::span<const FieldTruth> fields, const TruthWindows& windows, int room, Box* boxes,
                        std::int8_t* labels, int* first) {
    const int width = windows.columns * windows.width, height = windows.rows * windows.height;
    Lists lists;
    for (const FieldTruth& f : fields) lists.add(f, width, height);
    std::int64_t most = 0;
    for (const Box& b : lists.reach) {
        const auto reached = [](double low, double high, int size, int count) {  // windows, some more for rounding
            return std::max(0.0, std::min(std::floor(high / size + 1e-3), count - 1.0) -
                                     std::max(std::floor(low / size - 1e-3), 0.0) + 1);
        };
        most += std::int64_t(reached(b.x0, b.x1, windows.width, windows.columns) *
                             reached(b.y0, b.y1, windows.height, windows.rows));
    }
    if (most > room) fail(Fault::usage, "a batch of up to ", most, " units: there is room for ", room);

    const auto [f, s, uf, u, m, t] =
        lists_.send(std::span<const FisherField>(lists.fields), std::span<const FisherStar>(lists.stars),
                    std::span<const UnitField>(lists.unit_fields), std::span<const UnitMembers>(lists.units),
                    std::span<const UnitMember>(lists.members), std::span<const UnitTruth>(lists.truth));
    FisherWork work{};
    work.fields = f, work.stars = s, work.count = int(lists.fields.size()), work.total = int(lists.stars.size());
    work.near_room = lists.near, work.pair_room = lists.pairs, work.matrix_side = 3 * (1 + lists.most_near);
    UnitWork unit_work{uf, u, m, t, nullptr, work.count, int(lists.units.size())};
    View<float> light{};
    const auto lay_out = [&](Arena& memory) {
        const std::int64_t total = work.total, warps = fisher_warps(work.count), side = work.matrix_side;
        light = memory.take<float>(Shape{1, height, width, 1});
        work.weights = memory.take<double>(lists.pixels).data;
        work.own = memory.take<double>(9 * total).data, work.snr = memory.take<double>(total).data;
        work.alive = memory.take<int>(total).data, work.marks = memory.take<int>(3 * total).data;
        work.near_first = memory.take<int>(total + 1).data, work.pair_first = memory.take<int>(total + 1).data;
        work.near = memory.take<int>(work.near_room).data, work.pair_other = memory.take<int>(work.pair_room).data;
        work.pair = memory.take<double>(9 * work.pair_room).data;
        work.matrices = memory.take<double>(warps * side * side).data;
        work.diagonals = memory.take<double>(warps * side).data;
        unit_work.drawn = memory.take<std::int8_t>(unit_work.unit_count).data;
    };
    Arena measure = Arena::measuring();
    lay_out(measure);
    if (memory_.capacity() == INT64_MAX || measure.peak() > memory_.capacity()) {
        synchronize(stream_);  // kernels may still use the old workspace
        memory_ = Arena(stream_.device, 0);
        memory_ = Arena(stream_.device, measure.peak() + measure.peak() / 2);
    }
    memory_.release(0);
    lay_out(memory_);

    if constexpr (with_cuda) {
        for (std::size_t i = 0; i < fields.size(); ++i) {
            DeviceLabeller* const by = fields[i].labeller;
            if (!by || by->options_.labels != Labels::detectable) continue;
            std::vector<PointSource> sources;
            sources.reserve(fields[i].stars.size());
            for (const Star& star : fields[i].stars) sources.push_back({star.x, star.y, star.flux});
            // As pixel_weights() cuts it.
            const double density = std::max(1.0, double(sources.size())) / double(light.size());
            by->light_.draw(sources, Stamps{0.01 * by->sigma_, density}, light);
            cuda::weigh_pixels(stream_, lists.fields[i], light.data, work.weights + lists.fields[i].pixels);
        }
        cuda::find_detectable(stream_, work);
        cuda::label_units(stream_, unit_work, work);
        cuda::cut_truths(stream_, unit_work, windows, room, boxes, labels, first);
    }
}

}  // namespace star
