// Sorting lists on a GPU against a stable sort: lists of several lengths and images, with many equal keys.
#include <doctest/doctest.h>

#include <algorithm>

#include "kernels/lists.h"
#include "tests/cuda_support.h"

using namespace star;
using namespace star::test;

namespace {

struct ListCase {
    std::vector<std::int64_t> rooms;  // of an image's lists
    int images, bits;
    std::uint64_t values;  // how many different ones
};

void check(Stream stream, const ListCase& c) {
    Lists lists{c.images, int(c.rooms.size()), {}};
    for (std::size_t l = 0; l < c.rooms.size(); ++l) lists.first[l + 1] = lists.first[l] + c.rooms[l];
    Random r(11, std::uint64_t(c.bits));
    std::vector<std::uint64_t> keys(std::size_t(lists.size()));
    for (std::size_t i = 0; i < keys.size(); ++i)  // values spread over all 32 upper bits, then the place
        keys[i] = std::uint64_t(std::uint32_t(r.below(int(c.values)) * 0x9E3779B9u)) << 32 | i;
    std::vector<int> counts;
    for (int i = 0; i < c.images; ++i)
        for (std::int64_t room : c.rooms) counts.push_back(int(i == 1 ? room / 2 : room));
    const Output<std::uint64_t> a(stream, lists.size()), b(stream, lists.size());
    copy_to_device(stream, a.data(), keys.data(), keys.size() * sizeof(keys[0]));
    const Buffer<int> on_device = upload(stream, counts);
    const Output<int> digits(stream, cuda::sort_digits(lists));
    const std::uint64_t* sorted =
        cuda::sort_lists(stream, lists, on_device.data(), c.bits, a.data(), b.data(), digits.data());
    synchronize(stream);
    CHECK((a.intact() && b.intact() && digits.intact()));
    const auto got = download(stream, sorted, lists.size());
    int wrong = 0;
    for (std::size_t list = 0; list < counts.size(); ++list) {
        const auto level = list % c.rooms.size(), image = list / c.rooms.size();
        const auto start = std::ptrdiff_t(image) * lists.first[lists.per_image] + lists.first[level];
        const auto part = [&](std::uint64_t k) { return k >> 32 & ((std::uint64_t{1} << c.bits) - 1); };
        std::stable_sort(keys.begin() + start, keys.begin() + start + counts[list],
                         [&](std::uint64_t x, std::uint64_t y) { return part(x) < part(y); });
        for (std::ptrdiff_t i = start; i < start + counts[list]; ++i)
            wrong += got[std::size_t(i)] != keys[std::size_t(i)];
    }
    CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("sort_lists is a stable sort of every list") {
    if (gpu_missing()) return;
    Queue q;
    check(q.stream, {{1}, 1, 32, 1000});
    check(q.stream, {{0, 31, 257, 0, 5}, 3, 32, 1000});
    for (const std::int64_t room : {cuda::sort_tile - 1, cuda::sort_tile, cuda::sort_tile + 1})
        check(q.stream, {{room}, 2, 16, 5});
    check(q.stream, {{5 * cuda::sort_tile + 3, 100}, 2, 32, 1u << 30});
    check(q.stream, {{2 * cuda::sort_tile + 77}, 1, 8, 1});  // all equal
}

TEST_CASE("sum_tiles gives running sums and totals") {
    if (gpu_missing()) return;
    Queue q;
    Lists lists{3, 3, {0, 700, 700, 1000}};
    for (const Sum over : {Sum::lists, Sum::images}) {
        const std::int64_t tiles = lists.tiles(1);  // more than one round of a block
        std::vector<int> numbers, want, sums;
        for (std::int64_t i = 0; i < tiles; ++i) numbers.push_back(int(i * 7 % 11));
        for (int image = 0; image < 3; ++image)
            for (int l = 0; l < 3; ++l) {
                if (over == Sum::lists || l == 0) sums.push_back(0);
                for (std::int64_t i = lists.first[l]; i < lists.first[l + 1]; ++i) {
                    want.push_back(sums.back());
                    sums.back() += numbers[std::size_t(image * 1000 + i)];
                }
            }
        const Output<int> per_tile(q.stream, tiles), totals(q.stream, std::int64_t(sums.size()));
        copy_to_device(q.stream, per_tile.data(), numbers.data(), numbers.size() * sizeof(int));
        cuda::sum_tiles(q.stream, lists, 1, over, per_tile.data(), totals.data());
        synchronize(q.stream);
        CHECK((per_tile.intact() && totals.intact()));
        CHECK(per_tile.values() == want);
        CHECK(totals.values() == sums);
    }
}
