// What only the emulator can show of matching: equal bits in every order of threads, and equal to the CPU's.
#include "kernels/simt.h"
#include "tests/cuda_match_cases.h"
#include "tests/in_all_orders.h"
#include "tests/reference/array.h"

using namespace star;
using namespace star::test;

TEST_CASE("match_anchors gives the CPU's rows in every order of threads") {
    const MatchScene s = match_scene(3, 60, 5);
    const Matching how{0.4f, 0.2f, true};
    reference::Desk desk;
    const int units = int(s.boxes.size()), images = s.images();
    const Shape shape{images, 1, 1, s.grid.total};
    Matched cpu{std::vector<int>(std::size_t(shape.size())), std::vector<int>(std::size_t(images)),
                std::vector<std::int8_t>(std::size_t(shape.size()))};
    match_anchors(desk.stream, s.grid,
                  {{s.boxes.data(), {1, 1, 1, units}},
                   {s.labels.data(), {1, 1, 1, units}},
                   {s.first.data(), {1, 1, 1, images + 1}}},
                  how, {cpu.match.data(), shape}, {cpu.labels.data(), shape}, {cpu.positives.data(), {1, 1, 1, images}},
                  desk.arena);
    CHECK(match_on_gpu(Queue().stream, s, how) == cpu);
    CHECK(same_in_all_orders([&](Stream stream) { return match_on_gpu(stream, s, how); }));
}
