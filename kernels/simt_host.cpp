// The emulator's scheduler: blocks, warps, barriers, collectives. See simt_host.h for what it promises.
#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/simt_core.h"

namespace star::simt {

Core& core() {
    thread_local Core mine;
    return mine;
}

std::string place(const Where& w) {
    std::ostringstream text;
    text << w.file_name() << ':' << w.line() << ": " << w.function_name();
    return text.str();
}

Core& running(const Where& where) {
    Core& c = core();
    if (!c.running) fail(Fault::internal, place(where), ": not in a kernel");
    return c;
}

namespace {

struct Totals {
    std::mutex lock;
    Counters sum;
};
Totals& totals() {
    static Totals t;
    return t;
}
std::atomic<std::uint64_t>& order_setting() {  // order in the upper half, seed in the lower
    static std::atomic<std::uint64_t> setting{0};
    return setting;
}
Counters& last() {
    thread_local Counters c;
    return c;
}

void thread_main(void* at) {
    Core& c = *static_cast<Core*>(at);
    try {
        c.kernel(c.argument);
        const auto flying = c.self().copies.size();
        require(flying == 0, "thread ", threadIdx.x, " returned with ", flying, " asynchronous copies in flight");
    } catch (...) {
        if (!c.error) c.error = std::current_exception();
    }
    core().self().state = State::done;
}

void resume(Core& c, int thread) {
    c.current = thread;
    threadIdx = {unsigned(thread), 0, 0};
    c.self().fibre.resume();
}

/// One turn of a warp: its ready lanes run to their next barrier or collective. Returns whether any was ready.
bool take_turn(Core& c, int warp, const std::vector<int>& lanes) {
    bool progress = false;
    for (int l : lanes) {
        const int t = warp * 32 + l;
        if (c.threads[std::size_t(t)]->state != State::ready) continue;
        resume(c, t);
        if (c.error) return false;
        progress = true;
    }
    return progress;
}

/// Runs every thread until it waits for others or has returned.
void run_until_stuck(Core& c, Order order, std::vector<int>& warps, std::vector<int>& lanes, std::mt19937& random) {
    if (order != Order::shuffled) {
        for (int w : warps)
            while (take_turn(c, w, lanes)) {
            }
        return;
    }
    std::vector<int> busy = warps;
    while (!busy.empty() && !c.error) {
        const std::size_t i = random() % busy.size();
        std::shuffle(lanes.begin(), lanes.end(), random);
        if (!take_turn(c, busy[i], lanes)) busy.erase(busy.begin() + std::ptrdiff_t(i));
    }
}

/// All threads are stuck: passes the barrier if all wait at one, returns false if all have returned, else throws.
bool pass_barrier(Core& c) {
    int done = 0;
    const Thread* first = nullptr;
    for (int t = 0; t < c.count; ++t) {
        const Thread& me = *c.threads[std::size_t(t)];
        if (me.state == State::done) {
            ++done;
            continue;
        }
        c.current = t;
        if (me.state == State::at_collective) stop(me.where, "waits for lanes of its warp that never come");
        if (first && !same(me.where, first->where)) stop(me.where, "others wait at line ", first->where.line());
        first = &me;
    }
    if (!first) return false;
    if (done) stop(first->where, c.count - done, " of ", c.count, " threads wait for ", done, " that have returned");
    for (int t = 0; t < c.count; ++t) c.threads[std::size_t(t)]->state = State::ready;
    return true;
}

void prepare(Core& c, Grid g) {
    c.count = int(g.threads);
    while (c.threads.size() < g.threads) c.threads.push_back(std::make_unique<Thread>());
    c.warps.assign(g.threads / 32, {});
    if (c.shared_bytes != g.shared || !c.shared) {  // exact, so that AddressSanitizer sees its end
        c.shared.reset(static_cast<std::byte*>(::operator new (g.shared, std::align_val_t{128})));
        c.shared_bytes = g.shared;
    }
    std::memset(c.shared.get(), 0xff, g.shared);
    for (int t = 0; t < c.count; ++t) {
        Thread& me = *c.threads[std::size_t(t)];
        me.state = State::ready;
        me.copies.clear();
        me.group = 0;
        me.fibre.start(thread_main, &c);
    }
    c.error = nullptr;
    c.counters = {};
}

void run_block(Core& c, Grid g, Order order, unsigned seed) {
    prepare(c, g);
    std::vector<int> warps(g.threads / 32), lanes(32);
    std::iota(warps.begin(), warps.end(), 0);
    std::iota(lanes.begin(), lanes.end(), 0);
    if (order == Order::reverse) std::reverse(warps.begin(), warps.end()), std::reverse(lanes.begin(), lanes.end());
    std::mt19937 random(seed);
    do {
        run_until_stuck(c, order, warps, lanes, random);
        if (c.error) std::rethrow_exception(c.error);
    } while (pass_barrier(c));
    for (Warp& w : c.warps) w.traffic.finish(c.counters);
    c.counters.blocks = 1;
}

}  // namespace

void set_order(Order order, unsigned seed) { order_setting() = std::uint64_t(order) << 32 | seed; }

Counters counters() {
    const std::lock_guard hold(totals().lock);
    return totals().sum;
}

Counters last_launch() { return last(); }

void check_launch(const Site& site, Grid g) {
    const auto refuse = [&](const auto&... why) {
        fail(Fault::internal, site.where.file_name(), ":", site.where.line(), ": in ", in_words(g), ": ", why...);
    };
    if (g.threads == 0 || g.threads % 32 != 0 || g.threads > 1024) refuse("a block has ", g.threads, " threads");
    if (g.shared > most_shared) refuse("a block has at most ", most_shared, " bytes of shared memory");
    const Blocks b = g.blocks;
    if (b.x == 0 || b.y == 0 || b.z == 0 || b.x > INT32_MAX || b.y > 65535 || b.z > 65535)
        refuse("no device takes such a grid");
}

void run(const Site& site, Grid g, void (*thread)(void*), void* kernel) try {
    if (core().running) fail(Fault::internal, "a kernel launches a kernel");
    const std::uint64_t setting = order_setting();
    const auto order = Order(setting >> 32);
    const std::int64_t count = std::int64_t{g.blocks.x} * g.blocks.y * g.blocks.z;
    std::vector<int> turns;
    if (order == Order::shuffled) {
        turns.resize(std::size_t(count));
        std::iota(turns.begin(), turns.end(), 0);
        std::shuffle(turns.begin(), turns.end(), std::mt19937(unsigned(setting)));
    }
    std::mutex lock;
    Counters sum{.launches = 1};
    auto block = [&](std::int64_t turn, int) {
        const std::int64_t b = order == Order::shuffled  ? turns[std::size_t(turn)]
                               : order == Order::reverse ? count - 1 - turn
                                                         : turn;
        Core& c = core();
        gridDim = {g.blocks.x, g.blocks.y, g.blocks.z};
        blockDim = {g.threads, 1, 1};
        blockIdx = {unsigned(b % g.blocks.x), unsigned(b / g.blocks.x % g.blocks.y),
                    unsigned(b / g.blocks.x / g.blocks.y)};
        c.kernel = thread;
        c.argument = kernel;
        c.running = true;
        struct Idle {
            Core& c;
            ~Idle() { c.running = false; }
        } idle{c};
        run_block(c, g, order, unsigned(setting) + unsigned(b));
        const std::lock_guard hold(lock);
        sum += c.counters;
    };
    if (site.stream.pool)
        site.stream.pool->for_each(count, block);
    else
        for (std::int64_t b = 0; b < count; ++b) block(b, 0);
    last() = sum;
    const std::lock_guard hold(totals().lock);
    totals().sum += sum;
} catch (const Error& e) {
    fail(e.fault, site.where.file_name(), ":", site.where.line(), ": in ", in_words(g), ": ", e.what());
}

void* shared(std::size_t bytes, Where where) {
    Core& c = running(where);
    if (bytes > c.shared_bytes) stop(where, "wants ", bytes, " bytes of shared memory, launched with ", c.shared_bytes);
    return c.shared.get();
}

void barrier(Where where) {
    Thread& me = running(where).self();
    me.where = where;
    me.state = State::at_barrier;
    me.fibre.park();
}

void collective(void* mine, Resolve resolve, Where where) {
    Core& c = running(where);
    Thread& me = c.self();
    me.operand = mine;
    me.where = where;
    me.resolve = resolve;
    const int warp = c.current / 32;
    if (++c.warps[std::size_t(warp)].arrived < 32) {
        me.state = State::at_collective;
        return me.fibre.park();
    }
    c.warps[std::size_t(warp)].arrived = 0;
    void* lanes[32];  // the last to arrive resolves for the whole warp
    for (int i = 0; i < 32; ++i) {
        Thread& t = *c.threads[std::size_t(warp * 32 + i)];
        if (!same(t.where, where) || t.resolve != resolve)
            stop(where, "lane ", i, " of its warp is at line ", t.where.line());
        lanes[i] = t.operand;
    }
    resolve(lanes);
    for (int i = 0; i < 32; ++i) c.threads[std::size_t(warp * 32 + i)]->state = State::ready;
}

}  // namespace star::simt
