// Truth labels made on a device against label_truth(): who counts, chances, boxes, windows.
#include <cmath>
#include <limits>

#include "kernels/random.h"
#include "sim/device_truth.h"
#include "sim/fisher.h"
#include "sim/mock.h"
#include "tests/batch_truth.h"
#include "tests/csst_like.h"
#include "tests/cuda_arrays.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

// The truth of all windows, as it comes from the device.
BatchTruth on_device(Stream stream, std::span<const FieldTruth> fields, const TruthWindows& windows, int room = 3000) {
    const int count = int(fields.size()) * windows.rows * windows.columns;
    const Output<Box> boxes(stream, room);
    const Output<std::int8_t> labels(stream, room);
    const Output<int> first(stream, count + 1);
    DeviceTruth(stream).write(fields, windows, room, boxes.data(), labels.data(), first.data());
    BatchTruth out{boxes.values(), labels.values(), first.values()};
    CHECK((boxes.intact() && labels.intact() && first.intact()));
    REQUIRE((out.first.back() >= 0 && out.first.back() <= room));
    out.boxes.resize(std::size_t(out.first.back())), out.labels.resize(std::size_t(out.first.back()));
    return out;
}

// The same from label_truth(), window by window; `seed` of the soft units' labels.
void add_truth(const Truth& truth, std::uint64_t seed, const TruthWindows& w, BatchTruth& to) {
    Random draw(seed, 0);
    std::vector<std::int8_t> labels;
    for (const TruthUnit& u : truth.units)
        labels.push_back(is_drawn(u.soft, u.label) ? drawn_label(u.chance.data(), u.label, draw.uniform()) : u.label);
    if (to.first.empty()) to.first.push_back(0);
    for (int r = 0; r < w.rows; ++r)
        for (int c = 0; c < w.columns; ++c) {
            const auto x0 = float(c * w.width), y0 = float(r * w.height);
            for (std::size_t i = 0; i < labels.size(); ++i) {
                const Box& at = truth.units[i].box;
                const Box b{at.x0 - x0, at.y0 - y0, at.x1 - x0, at.y1 - y0};
                if (!(b.x1 > 0 && b.y1 > 0 && b.x0 < float(w.width) && b.y0 < float(w.height))) continue;
                const bool centred = b.x() >= 0 && b.x() < float(w.width) && b.y() >= 0 && b.y() < float(w.height);
                to.boxes.push_back({b.x0 * w.scale, b.y0 * w.scale, b.x1 * w.scale, b.y1 * w.scale});
                to.labels.push_back(centred ? labels[i] : label_ignored);
            }
            to.first.push_back(int(to.boxes.size()));
        }
}

Mock crowded() {
    Mock m;
    m.mag_max = 27.5, m.mag_limit = 28, m.faint_density = 0.02;
    return m;
}

}  // namespace

TEST_CASE("batches labelled on a device are label_truth()'s, window by window") {
    if (gpu_missing()) return;
    const Queue q;
    const TruthWindows windows{2, 3, 24, 32, 2};
    const int width = 96, height = 48;
    int soft = 0, ignored = 0, fewer = 0;
    for (const double drizzle : {0.0, 0.4}) {
        Exposure e;
        e.drizzle_sigma = drizzle;
        TruthOptions paper, linked;
        paper.labels = Labels::paper, linked.units = Units::linked;
        DeviceLabeller detectable(q.stream, csst_like(), e, {}), all(q.stream, csst_like(), e, paper);
        std::vector<std::vector<Star>> lists;
        for (std::uint64_t k = 0; k < 4; ++k)
            lists.push_back(make_mock(crowded(), image_psf(csst_like(), e), e, {width, height, 12, 5, k}));
        const Truth by_host = label_truth(*q.stream.pool, lists[3], csst_like(), e, linked, width, height);
        const std::vector<Star> none;
        const std::vector<FieldTruth> fields{{&detectable, lists[0], nullptr, 11},
                                             {&all, lists[1], nullptr, 12},
                                             {&detectable, none, nullptr, 13},
                                             {nullptr, {}, &by_host, 14},
                                             {&detectable, lists[2], nullptr, 15}};
        BatchTruth want;
        for (const FieldTruth& f : fields) {
            const Truth t = f.ready ? *f.ready
                                    : label_truth(*q.stream.pool, f.stars, csst_like(), e,
                                                  f.labeller == &all ? paper : TruthOptions{}, width, height);
            add_truth(t, f.seed, windows, want);
            for (const TruthUnit& u : t.units) soft += u.soft, ignored += u.label == label_ignored;
            for (const TruthStar& s : t.stars) fewer += s.unit >= 0 && !s.counts;
        }
        // Half of the light's rounding, 1e-5 at most, moves no signal-to-noise over a limit here, and by that much a
        // chance: a label drawn from it would differ once in 1e5 units.
        CHECK(on_device(q.stream, fields, windows) == want);
        CHECK(want.boxes.size() > 200);
    }
    CHECK_MESSAGE((soft > 20 && ignored > 20 && fewer > 100), soft, " soft, ", ignored, " ignored, ", fewer,
                  " too faint");
}

TEST_CASE("signal-to-noise on a device is the CPU's, to rounding") {
    if (gpu_missing()) return;
    const Queue q;
    const Exposure e;
    const FisherStamp stamp(csst_like());
    const DetectLimits limits;
    DeviceLight light(q.stream, csst_like());
    int counting = 0, dropped = 0;
    double worst = 0;
    for (std::uint64_t k = 0; k < 3; ++k) {
        // A field by itself, its weights given: what is left is the order of sums.
        const int width = 70, height = 40;
        std::vector<PointSource> list;
        for (const Star& s : make_mock(crowded(), csst_like(), e, {width, height, 6, 2, k}))
            list.push_back({s.x, s.y, s.flux});
        std::erase_if(list, [&](const PointSource& s) {
            return !(s.x >= -stamp.radius() && s.y >= -stamp.radius() && s.x < width + stamp.radius() &&
                     s.y < height + stamp.radius());
        });
        std::sort(list.begin(), list.end(), [](const PointSource& a, const PointSource& b) {
            const double p = std::floor(a.y), r = std::floor(b.y);
            return p != r ? p < r : a.x < b.x;
        });
        const Detectability want(*q.stream.pool, list, csst_like(), e, limits, width, height);
        const Weights weights = pixel_weights(*q.stream.pool, list, csst_like(), e, limits.psf_error, width, height);
        const auto alone = snr_alone(*q.stream.pool, list, stamp, weights, 1, 0);

        const int total = int(list.size()), side = 3 * (1 + most_free_neighbours);
        FisherField field{};
        field.last = total, field.width = width, field.height = height, field.table = light.table();
        field.stride = csst_like().stride(), field.radius = stamp.radius();
        field.variance = native_sigma(e) * native_sigma(e), field.psf_error = limits.psf_error;
        field.hopeless_snr = limits.hopeless_snr, field.min_snr = limits.min_snr;
        field.reach_px = limits.reach_fwhm * csst_like().fwhm();
        std::vector<FisherStar> stars;
        for (const PointSource& s : list)
            stars.push_back({stamp.taps(s.x, s.y), s.x, s.y, s.flux, int(std::floor(s.x)), int(std::floor(s.y)), 0});
        const Buffer<FisherField> fields_there = upload(q.stream, std::vector<FisherField>{field});
        const Buffer<FisherStar> stars_there = upload(q.stream, stars);
        const Buffer<double> weights_there = upload(q.stream, weights.pixels);
        FisherWork w{};
        w.fields = fields_there.data(), w.stars = stars_there.data(), w.count = 1, w.total = total;
        w.weights = weights_there.data();
        w.near_room = w.pair_room = std::int64_t{total} * total, w.matrix_side = side;
        const Output<double> own(q.stream, 9 * total), snr(q.stream, total), pair(q.stream, 9 * w.pair_room),
            matrices(q.stream, std::int64_t{fisher_warps(1)} * side * side),
            diagonals(q.stream, fisher_warps(1) * side);
        const Output<int> alive(q.stream, total), marks(q.stream, 3 * total), near_first(q.stream, total + 1),
            pair_first(q.stream, total + 1), near(q.stream, w.near_room), other(q.stream, w.pair_room);
        w.own = own.data(), w.snr = snr.data(), w.pair = pair.data(), w.matrices = matrices.data();
        w.diagonals = diagonals.data(), w.alive = alive.data(), w.marks = marks.data();
        w.near_first = near_first.data(), w.pair_first = pair_first.data(), w.near = near.data();
        w.pair_other = other.data();
        cuda::find_detectable(q.stream, w);
        CHECK((own.intact() && snr.intact() && pair.intact() && matrices.intact() && diagonals.intact()));
        CHECK((alive.intact() && marks.intact() && near_first.intact() && pair_first.intact()));
        CHECK((near.intact() && other.intact()));
        const auto counts = alive.values();
        const auto got = snr.values();
        for (int i = 0; i < total; ++i) {
            CHECK(bool(counts[std::size_t(i)]) == want.counts(i));
            // Both sum each entry of the information over at most side^2 pixels, in different orders: apart by twice as
            // many roundings of its diagonal, which is what the star has alone; elimination adds some 3
            // most_free_neighbours. The pivot is (snr / flux)^2; 4: the blocks of neighbours err as the star's own
            // does, each seen through the factor by which it is subtracted.
            const double a = alone[std::size_t(i)], s = want.snr(i), pixels = stamp.side() * stamp.side();
            const double bound = s > 0 ? 4 * (2 * pixels + 3 * most_free_neighbours) * 0x1p-53 * a * a / s : 0;
            CHECK(std::fabs(got[std::size_t(i)] - s) <= bound);
            worst = std::max(worst, s > 0 ? std::fabs(got[std::size_t(i)] - s) / s : 0);
            counting += want.counts(i), dropped += s > 0 && !want.counts(i);
        }
    }
    MESSAGE(counting, " stars count, ", dropped, " were dropped in rounds; the farthest off by ", worst);
    CHECK((counting > 60 && dropped > 40));
}

TEST_CASE("lists that can't be labelled on a device, and odd ones that can") {
    if (gpu_missing()) return;
    const Queue q;
    const Exposure e;
    TruthOptions linked;
    linked.units = Units::linked;
    CHECK_THROWS_AS(DeviceLabeller(q.stream, csst_like(), e, linked), Error);
    DeviceLabeller labeller(q.stream, csst_like(), e, {});
    const TruthWindows window{1, 1, 50, 50, 1};
    const auto label = [&](const std::vector<Star>& stars, int room = 300) {
        const std::vector<FieldTruth> fields{{&labeller, stars, nullptr, 1}};
        return on_device(q.stream, fields, window, room);
    };
    const auto expect = [&](const std::vector<Star>& stars) {
        BatchTruth want;
        add_truth(label_truth(*q.stream.pool, stars, csst_like(), e, {}, 50, 50), 1, window, want);
        CHECK(label(stars) == want);
        return want;
    };
    const double nan = std::numeric_limits<double>::quiet_NaN(), flux = electrons(20, e);
    for (const Star& s : {Star{nan, 1, 20, 1, 0}, Star{1, nan, 20, 1, 0}, Star{1, 1, 20, nan, 0}, Star{1, 1, 20, -1, 0},
                          Star{25, 25, 20, 1, 7}})
        CHECK_THROWS_AS(label({s}), Error);
    CHECK_THROWS_AS(label({{25, 25, 20, flux, 0}}, 0), Error);
    CHECK(expect({}).boxes.empty());
    CHECK(expect({{1e300, -1e300, 20, 1e5, 0}}).boxes.empty());
    CHECK(expect({{25, 25, 20, 0, 0}}).labels == std::vector<std::int8_t>{label_ignored});
    CHECK(expect({{25, 25, 20, flux, 0}}).labels == std::vector<std::int8_t>{0});
    CHECK(expect({{-3, 25, 20, flux, 0}}).boxes.empty());  // centred outside
    // Two in one place: neither can be told from the other, one is left. Of many, more than are free at once.
    CHECK(expect({{25.3, 25.1, 20, flux, 0}, {25.3, 25.1, 20, flux, 0}}).labels.size() == 1);
    expect(std::vector<Star>(62, Star{25.3, 25.1, 20, flux, 0}));
    // A unit of more stars than a label has classes, far apart; one whose stars don't come together.
    std::vector<Star> wide;
    for (int i = 0; i < 7; ++i) wide.push_back({5.2 + 6.1 * i, 20 + 1.3 * i, 20, flux * (1 + i % 3), i % 2});
    for (int i = 0; i < 6; ++i) wide.push_back({5.9 + 7.3 * i, 40 - 0.7 * i, 20, flux, 2});
    const BatchTruth seen = expect(wide);
    CHECK(seen.labels == std::vector<std::int8_t>{3, 2, 4});
}
