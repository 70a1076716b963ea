// What only the emulator can show of decoding: with the same exponentials, the CPU's rows bit for bit, in every order.
#include "tests/cuda_decode_cases.h"
#include "tests/in_all_orders.h"
#include "tests/reference/array.h"

using namespace star;
using namespace star::test;

namespace {

template <class T>
DecodedRows decode_on_cpu(const DecodeCase<T>& c) {
    reference::Desk desk(2, 64 << 20);
    const Shape rows{c.images, 1, 1, c.capacity()}, chance{c.images, 1, c.capacity(), c.how.classes};
    DecodedRows r{std::vector<Box>(std::size_t(rows.size())),     std::vector<float>(std::size_t(rows.size())),
                  std::vector<float>(std::size_t(chance.size())), std::vector<int>(std::size_t(rows.size())),
                  std::vector<int>(std::size_t(rows.size())),     std::vector<int>(std::size_t(c.images))};
    const auto unwritten = [](auto& v) { std::memset(static_cast<void*>(v.data()), 0xff, v.size() * sizeof(v[0])); };
    unwritten(r.boxes), unwritten(r.scores), unwritten(r.chances), unwritten(r.labels), unwritten(r.anchors);
    HeadOutputs<T> heads;
    for (int l = 0; l < c.grid.levels; ++l) {
        heads.logits[l] = {c.logits[std::size_t(l)].data(), c.logits_shape(l)};
        heads.deltas[l] = {c.deltas[std::size_t(l)].data(), c.deltas_shape(l)};
    }
    decode_boxes<T>(desk.stream, heads, c.grid, c.how,
                    {{r.boxes.data(), rows},
                     {r.scores.data(), rows},
                     {r.labels.data(), rows},
                     {r.anchors.data(), rows},
                     {r.chances.data(), chance},
                     {r.count.data(), {1, 1, 1, c.images}}},
                    desk.arena);
    return r;
}

template <class T>
void odd_values(DecodeCase<T>& c) {
    const float odd[] = {NAN, INFINITY, -INFINITY, 1e30f, 88, -88};
    for (auto* levels : {&c.logits, &c.deltas})
        for (auto& level : *levels)
            for (std::size_t i = 0; i < level.size(); i += 13) level[i] = narrow<T>(odd[i % 6]);
}

}  // namespace

TEST_CASE_TEMPLATE("decode_boxes gives the CPU's rows in every order of threads", T, float, bf16) {
    for (const Scoring scoring : {Scoring::each_class, Scoring::any_class}) {
        DecodeCase<T> c(tall_grid(), 2, {scoring, 3, 0.2f, 300, 148, 116}, 2, 0);
        for (auto& level : c.logits)
            for (auto& v : level) v = narrow<T>(std::round(2 * widen(v)) / 2);  // many equal scores
        for (int round = 0; round < 2; ++round) {
            const DecodedRows want = decode_on_cpu(c);
            CHECK(decode_on_gpu(Queue().stream, c) == want);
            if (round == 0) CHECK(same_in_all_orders([&](Stream s) { return decode_on_gpu(s, c); }));
            odd_values(c);
        }
    }
}
