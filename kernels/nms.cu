// Non-maximum suppression on a GPU, exact, without a host in the loop: boxes in order of score ("ranks") look for the
// earlier ones they overlap, in a hashed grid whose cells are in order of rank.
//
// A box falls if an earlier box that it overlaps is kept, and is kept if all of those have fallen: so each walks its
// neighbours once, past the fallen, falls at a kept one, and waits where it meets one that isn't decided. A wait ends
// with that one, and goes on from there, so the work is the number of neighbours, whatever the number of rounds. A few
// rounds over all boxes, each a launch, decide nearly all (most chains of overlaps in order of score are short). The
// rest is finished by one block per image in rounds of its own between barriers: those that a decision lets go on,
// walk. It ends: the earliest undecided box waits for nobody, so each round decides one at least. Worst case: a chain
// in order of score, a round per box.
#include "kernels/lists.h"
#include "kernels/nms_walk.cuh"
#include "kernels/scan.cuh"

namespace star::cuda {
namespace {

using namespace nms_walk;

constexpr int threads = 256, finish_threads = 512;
constexpr int whole_rounds = 8;        // rounds over all boxes; random order in crowded fields needs fewer than that
static_assert(whole_rounds % 2 == 0);  // states go back and forth

struct Tally {  // of a possible layer
    int count;
    std::uint32_t width, height;  // bits of the largest; those of positive floats are in order
};

// Memory of all images. An image has `rows` of each but where a number is given.
struct Memory {
    std::uint64_t *keys, *other;               // scores and indices; then slots and ranks
    int *digits, *tiles, *used, *layer_count;  // used and layer_count: one per image
    int* index;                                // of each rank
    Box* boxes;                                // in order of rank, as all below
    int* groups;
    Tally* tally;       // (all_layers)
    int* layer_of;      // (all_layers) index into layers
    GridLayer* layers;  // (all_layers)
    int* starts;        // (2 rows) of each slot: its first entry + 1, or 0
    Place* place;
    int *state, *next_state;
    int* waiters;      // of each rank: the last who waits for it + 1, or 0
    int* next_waiter;  // the one who waits for the same + 1, or 0
    int *active, *next_active;
};

struct Problem {
    Suppression s;
    int images, rows, tiles;  // tiles of an image's rows
    Memory m;
};

struct Shared {
    int per_warp[32];
};

struct Finishing {
    int count[2];  // of active boxes: this round's and the next one's
};

std::int64_t lay_out(Memory& m, std::byte* start, int images, int rows) {
    const std::int64_t all = std::int64_t{images} * rows, layers = std::int64_t{images} * all_layers;
    std::int64_t used = 0;
    const auto take = [&]<class T>(T*& p, std::int64_t count) {
        p = start ? reinterpret_cast<T*>(start + used) : nullptr;
        used += (count * std::int64_t{sizeof(T)} + 255) / 256 * 256;
    };
    const Lists lists{images, 1, {0, rows}};
    take(m.keys, all), take(m.other, all), take(m.digits, sort_digits(lists)), take(m.tiles, lists.tiles(threads));
    take(m.used, images), take(m.layer_count, images);
    take(m.index, all), take(m.boxes, all), take(m.groups, all);
    take(m.tally, layers), take(m.layer_of, layers), take(m.layers, layers);
    take(m.starts, 2 * all), take(m.place, all), take(m.state, all), take(m.next_state, all);
    take(m.waiters, all), take(m.next_waiter, all), take(m.active, all), take(m.next_active, all);
    return used;
}

struct Row {  // a thread's: of image n, rank or index i
    int n, i;
    std::int64_t at;  // among all images' rows
    bool used;
};

__device__ Row row_of(const Problem& p) {
    const int n = int(blockIdx.x / unsigned(p.tiles));
    const std::int64_t i = std::int64_t(blockIdx.x % unsigned(p.tiles)) * threads + threadIdx.x;
    return {n, int(i), std::int64_t{n} * p.rows + i, i < std::clamp(p.s.count.data[n], 0, p.rows)};
}

__global__ void __launch_bounds__(threads) write_keys(Problem p) {
    const Row r = row_of(p);
    if (r.used) p.m.keys[r.at] = order_key(p.s.scores.data[r.at], std::uint32_t(r.i));
    if (r.i == 0) p.m.used[r.n] = std::clamp(p.s.count.data[r.n], 0, p.rows);
}

__device__ int layer_id(Nms how, Box b) {
    return (layer_class(how, b.height()) - smallest) * sizes + layer_class(how, b.width()) - smallest;
}

__device__ std::uint32_t warp_max(std::uint32_t v) {
    for (int step = 16; step > 0; step /= 2) v = std::max(v, shuffle_xor(v, step));
    return v;
}

// Adds the warp's boxes to their layers' tallies: one atomic per layer and warp, since most share a few layers.
__device__ void tally_warp(Tally* tally, int id, Box b) {  // id < 0: none
    const auto bits = [](float v) { return std::bit_cast<std::uint32_t>(v); };
    for (unsigned left = ballot(id >= 0); left != 0;) {
        const int of = shuffle_idx(id, std::countr_zero(left));
        const bool mine = id == of;
        const unsigned like = ballot(mine);
        const std::uint32_t width = warp_max(mine ? bits(b.width()) : 0),
                            height = warp_max(mine ? bits(b.height()) : 0);
        if (lane() == 0) {
            atomic_add(&tally[of].count, std::popcount(like));
            atomic_max(&tally[of].width, width);
            atomic_max(&tally[of].height, height);
        }
        left &= ~like;
    }
}

// Boxes and groups in order of rank.
__global__ void __launch_bounds__(threads) gather(Problem p, const std::uint64_t* sorted) {
    const Row r = row_of(p);
    int id = -1;
    Box b;
    if (r.used) {
        const int index = int(std::uint32_t(sorted[r.at]));
        const std::int64_t from = std::int64_t{r.n} * p.rows + index;
        b = p.s.boxes.data[from];
        p.m.index[r.at] = index;
        p.m.boxes[r.at] = b;
        p.m.groups[r.at] = p.s.groups.data ? p.s.groups.data[from] : 0;
        if (matters(b, p.s.how)) id = layer_id(p.s.how, b);
    }
    tally_warp(p.m.tally + std::int64_t{r.n} * all_layers, id, b);
}

// A block per image: the layers that have boxes, each with its run of entries and its slots, as many as boxes or up to
// twice that.
__global__ void __launch_bounds__(threads) list_layers(Problem p) {
    auto& s = shared_memory<Shared>();
    const std::int64_t at = std::int64_t{blockIdx.x} * all_layers;
    int layers = 0, entries = 0, slots = 0;
    for (int base = 0; base < all_layers; base += threads) {
        const int id = base + int(threadIdx.x);
        const Tally t = id < all_layers ? p.m.tally[at + id] : Tally{};
        const int mine = t.count > 0 ? int(std::bit_ceil(unsigned(t.count))) : 0;
        const Scanned layer = block_scan(t.count > 0, s.per_warp), entry = block_scan(t.count, s.per_warp),
                      slot = block_scan(mine, s.per_warp);
        if (t.count > 0) {
            p.m.layer_of[at + id] = layers + layer.before;
            p.m.layers[at + layers + layer.before] = {{id % sizes + smallest, id / sizes + smallest, t.count,
                                                       std::bit_cast<float>(t.width), std::bit_cast<float>(t.height)},
                                                      entries + entry.before,
                                                      std::uint32_t(slots) + std::uint32_t(slot.before),
                                                      std::uint32_t(mine - 1)};
        }
        layers += layer.total, entries += entry.total, slots += slot.total;
    }
    if (threadIdx.x == 0) p.m.layer_count[blockIdx.x] = layers;
}

// Entries, to be sorted by slot: boxes that don't matter have none, and go behind all others.
__global__ void __launch_bounds__(threads) write_entries(Problem p) {
    const Row r = row_of(p);
    if (!r.used) return;
    const Box b = p.m.boxes[r.at];
    const bool in_grid = matters(b, p.s.how);
    std::uint32_t slot = 2 * std::uint32_t(p.rows);
    if (in_grid) {
        const std::int64_t image = std::int64_t{r.n} * all_layers;
        const GridLayer l = p.m.layers[image + p.m.layer_of[image + layer_id(p.s.how, b)]];
        slot = slot_at(l, p.m.groups[r.at], cell_x(p.s.how, l, b), cell_y(p.s.how, l, b));
    }
    p.m.keys[r.at] = std::uint64_t{slot} << 32 | std::uint32_t(r.i);
    p.m.state[r.at] = in_grid ? waiting : kept;
    p.m.place[r.at] = {0, 0, -1};
}

__global__ void __launch_bounds__(threads) mark_starts(Problem p, const std::uint64_t* entries) {
    const Row r = row_of(p);
    if (!r.used) return;
    const auto slot = std::uint32_t(entries[r.at] >> 32);
    if (slot < 2 * std::uint32_t(p.rows) && (r.i == 0 || std::uint32_t(entries[r.at - 1] >> 32) != slot))
        p.m.starts[2 * std::int64_t{r.n} * p.rows + slot] = r.i + 1;
}

__device__ Image image_of(const Problem& p, int n, const std::uint64_t* entries, const int* state) {
    const std::int64_t at = std::int64_t{n} * p.rows;
    return {p.s.how,
            p.m.layers + std::int64_t{n} * all_layers,
            p.m.layer_count[n],
            entries + at,
            p.m.starts + 2 * at,
            p.m.groups + at,
            state + at,
            p.m.boxes + at};
}

// A round over all boxes. Two blocks at once: asked for nothing, sm_80's compiler aims at four and spills.
__global__ void __launch_bounds__(threads, 2)
    walk_all(Problem p, const std::uint64_t* entries, const int* state, int* next_state) {
    const Row r = row_of(p);
    if (!r.used) return;
    int mine = state[r.at];
    if (mine == waiting) mine = walk(image_of(p, r.n, entries, state), r.i, p.m.place[r.at]).state;
    next_state[r.at] = mine;
}

__device__ void push_waiter(int* waiters, int* next_waiter, int whom, int who) {
    for (int last = waiters[whom];;) {  // again only if another thread of the block has just been served
        next_waiter[who] = last;
        const int seen = atomic_cas(waiters + whom, last, who + 1);
        if (seen == last) return;
        last = seen;
    }
}

// One block per image decides the rest.
__global__ void __launch_bounds__(finish_threads) finish(Problem p, const std::uint64_t* entries) {
    auto& s = shared_memory<Finishing>();
    const int n = int(blockIdx.x), used = p.m.used[n];
    const std::int64_t at = std::int64_t{n} * p.rows;
    const Image m = image_of(p, n, entries, p.m.state);
    int *const state = p.m.state + at, *const next_state = p.m.next_state + at;
    int *const waiters = p.m.waiters + at, *const next_waiter = p.m.next_waiter + at;
    int *active = p.m.active + at, *next_active = p.m.next_active + at;
    if (threadIdx.x < 2) s.count[threadIdx.x] = 0;
    sync_block();  // nobody is active
    for (int i = int(threadIdx.x); i < used; i += finish_threads)
        if (state[i] == waiting) active[atomic_add(&s.count[0], 1)] = i;
    sync_block();  // all undecided are
    for (int round = 0;; ++round) {
        const int count = s.count[round % 2];
        if (count == 0) return;  // for all threads: nobody changes it in this round's first half
        for (int i = int(threadIdx.x); i < count; i += finish_threads) {
            const Step step = walk(m, active[i], p.m.place[at + active[i]]);
            next_state[active[i]] = step.state;
            if (step.state == waiting) push_waiter(waiters, next_waiter, step.waits_for, active[i]);
        }
        sync_block();  // all have walked, with the same states
        if (threadIdx.x == 0) s.count[round % 2] = 0;
        for (int i = int(threadIdx.x); i < count; i += finish_threads) {
            const int who = active[i];
            if (next_state[who] == waiting) continue;
            state[who] = next_state[who];
            for (int w = waiters[who]; w != 0; w = next_waiter[w - 1])
                next_active[atomic_add(&s.count[(round + 1) % 2], 1)] = w - 1;
        }
        sync_block();  // decisions are visible, and who waited for them is active
        int* const swapped = active;
        active = next_active, next_active = swapped;
    }
}

__global__ void __launch_bounds__(threads) count_kept(Problem p) {
    auto& s = shared_memory<Shared>();
    const Row r = row_of(p);
    const int total = block_scan(r.used && p.m.state[r.at] == kept, s.per_warp).total;
    if (threadIdx.x == 0) p.m.tiles[blockIdx.x] = total;
}

__global__ void __launch_bounds__(threads) write_kept(Problem p) {
    auto& s = shared_memory<Shared>();
    const Row r = row_of(p);
    const bool mine = r.used && p.m.state[r.at] == kept;
    const int before = block_scan(mine, s.per_warp).before;
    if (mine) p.s.kept.data[std::int64_t{r.n} * p.rows + p.m.tiles[blockIdx.x] + before] = p.m.index[r.at];
}

template <class T>
void clear(Stream stream, T* data, std::int64_t count) {
    cuda::fill_zero(stream, data, std::size_t(count) * sizeof(T));
}

}  // namespace

std::int64_t nms_workspace(Stream, int images, int rows) {
    Memory m;
    return lay_out(m, nullptr, images, rows);
}

void nms(Stream stream, Suppression s, std::byte* workspace) {
    const int images = s.boxes.shape.n, rows = s.boxes.shape.c;
    const std::int64_t all = std::int64_t{images} * rows, layers = std::int64_t{images} * all_layers;
    if (all == 0) return clear(stream, s.kept_count.data, images);
    const Lists lists{images, 1, {0, rows}};
    require(lists.tiles(threads) <= INT32_MAX && rows <= INT32_MAX / 2 - threads, "nms: ", images, " images of ", rows,
            " boxes");
    Problem p{s, images, rows, ceil_div(rows, threads), {}};
    Memory& m = p.m;
    lay_out(m, workspace, images, rows);
    clear(stream, m.tally, layers), clear(stream, m.starts, 2 * all), clear(stream, m.waiters, all);
    const Grid by_row{{unsigned(lists.tiles(threads))}, threads};
    const Grid by_row_scanned{by_row.blocks, threads, sizeof(Shared)};

    launch(stream, by_row, write_keys, p);
    launch(stream, by_row, gather, p, sort_lists(stream, lists, m.used, 32, m.keys, m.other, m.digits));
    launch(stream, {{unsigned(images)}, threads, sizeof(Shared)}, list_layers, p);
    launch(stream, by_row, write_entries, p);
    const int bits = std::bit_width(2 * unsigned(rows));
    const std::uint64_t* const entries = sort_lists(stream, lists, m.used, bits, m.keys, m.other, m.digits);
    launch(stream, by_row, mark_starts, p, entries);

    for (int round = 0; round < whole_rounds; ++round)
        launch(stream, by_row, walk_all, p, entries, round % 2 ? m.next_state : m.state,
               round % 2 ? m.state : m.next_state);
    launch(stream, {{unsigned(images)}, finish_threads, sizeof(Finishing)}, finish, p, entries);

    launch(stream, by_row_scanned, count_kept, p);
    sum_tiles(stream, lists, threads, Sum::images, m.tiles, s.kept_count.data);
    launch(stream, by_row_scanned, write_kept, p);
}

}  // namespace star::cuda
