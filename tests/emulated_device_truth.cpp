// Truth made on the emulated device: the same bits in every order of threads.
#include <doctest/doctest.h>

#include "sim/device_truth.h"
#include "sim/mock.h"
#include "tests/in_all_orders.h"

using namespace star;
using namespace star::test;

TEST_CASE("labels made on a device have the same bits in every order of threads") {
    const Psf psf = Psf::gaussian(2, {4, 8});
    const Exposure e;
    Mock m;
    m.mag_max = 27.5, m.mag_limit = 28, m.faint_density = 0.01;
    const std::vector<Star> one = make_mock(m, psf, e, {40, 20, 8, 3, 1}),
                            two = make_mock(m, psf, e, {40, 20, 8, 3, 2});
    CHECK(same_in_all_orders([&](Stream stream) {
        constexpr int room = 400, windows = 4;
        const Output<Box> boxes(stream, room);
        const Output<std::int8_t> labels(stream, room);
        const Output<int> first(stream, windows + 1);
        DeviceLabeller labeller(stream, psf, e, {});
        DeviceTruth truth(stream);
        const auto write = [&](const std::vector<Star>& a, const std::vector<Star>& b) {
            const std::vector<FieldTruth> fields{{&labeller, a, nullptr, 7}, {&labeller, b, nullptr, 8}};
            truth.write(fields, {1, 2, 20, 20, 1}, room, boxes.data(), labels.data(), first.data());
        };
        write(two, one);
        write(one, two);  // with the workspace of the call before
        CHECK((boxes.intact() && labels.intact() && first.intact()));
        std::vector<float> all;
        for (int f : first.values()) all.push_back(float(f));
        CHECK(all.back() >= 10);
        const auto b = boxes.values();
        const auto l = labels.values();
        for (std::size_t i = 0; i < std::size_t(all[windows]); ++i)
            all.insert(all.end(), {b[i].x0, b[i].y0, b[i].x1, b[i].y1, float(l[i])});
        return all;
    }));
}
