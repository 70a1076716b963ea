// What only the emulator can show of suppression: equal rows in every order of threads.
#include <doctest/doctest.h>

#include "tests/cuda_nms_cases.h"
#include "tests/in_all_orders.h"

using namespace star;
using namespace star::test;

int star::test::many_boxes() { return 20000; }

TEST_CASE("nms gives equal rows in every order of threads") {
    const BoxBatch batch({random_boxes(700, 60, 4, 8, 2, 1), random_boxes(100, 300, 0.1, 300, 2, 2)}),
        chained({chain(40)}), same({identical_boxes(600)});
    for (const Nms how : {Nms{Nms::By::iou, 0.2f}, Nms{Nms::By::centre, 4}})
        for (const BoxBatch* b : {&batch, &chained, &same}) {
            CHECK(same_in_all_orders([&](Stream s) { return kept_on_gpu(s, *b, how); }));
            CHECK(kept_on_gpu(Queue().stream, *b, how) == kept_on_cpu(*b, how));
        }
}
