// A queue of loops; idle threads join the oldest that still has items.
#include "kernels/thread_pool.h"

#include <sched.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "kernels/check.h"

namespace star {
namespace {

struct Loop {
    Loop(std::int64_t items, void* body, void (*call)(void*, std::int64_t, int))
        : items(items), body(body), call(call) {}

    std::int64_t items;
    void* body;
    void (*call)(void*, std::int64_t, int);
    std::atomic<std::int64_t> next{0};
    int joined = 1;  // workers that ever took part, the caller being worker 0
    int active = 0;  // helpers inside right now
    std::mutex error_lock;
    std::int64_t error_item = 0;
    std::exception_ptr error;

    void work(int worker) {
        for (std::int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < items;) try {
                call(body, i, worker);
            } catch (...) {
                const std::lock_guard hold(error_lock);
                if (!error || i < error_item) error = std::current_exception(), error_item = i;
            }
    }
};

int granted_processors() {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    const unsigned n = std::thread::hardware_concurrency();
    return n ? int(n) : 1;
}

}  // namespace

struct ThreadPool::State {
    std::mutex lock;
    std::condition_variable work, done;
    std::deque<Loop*> loops;
    bool stop = false;
    std::vector<std::thread> threads;

    ~State() {
        {
            const std::lock_guard hold(lock);
            stop = true;
        }
        work.notify_all();
        for (auto& t : threads) t.join();
    }

    void serve(int most) {
        std::unique_lock hold(lock);
        for (;;) {
            work.wait(hold, [&] { return stop || !loops.empty(); });
            if (stop) return;
            Loop& loop = *loops.front();
            const int worker = loop.joined++;
            ++loop.active;
            if (loop.joined == most) loops.pop_front();  // as many as its scratch memory is for
            hold.unlock();
            loop.work(worker);
            hold.lock();
            if (--loop.active == 0) done.notify_all();
        }
    }
};

ThreadPool::ThreadPool(int threads, Isa isa)
    : state_(std::make_unique<State>()), threads_(threads > 0 ? threads : granted_processors()), isa_(isa) {
    require(threads >= 0 && threads <= 4096, "ThreadPool: ", threads, " threads");
    require(isa <= best_isa(), "ThreadPool: this processor has no ", isa_name(isa));
    try {  // the threads see State alone: a pool that can't be completed takes it down with those that exist
        for (int i = 1; i < threads_; ++i)
            state_->threads.emplace_back([state = state_.get(), most = threads_] { state->serve(most); });
    } catch (const std::system_error&) {
        fail(Fault::device, "the system gives no more than ", state_->threads.size() + 1, " threads of ", threads_);
    }
}

ThreadPool::~ThreadPool() = default;

void ThreadPool::run(std::int64_t items, void* body, Call call) {
    Loop loop(items, body, call);
    const bool shared = threads_ > 1 && items > 1;
    if (shared) {
        {
            const std::lock_guard hold(state_->lock);
            state_->loops.push_back(&loop);
        }
        state_->work.notify_all();
    }
    loop.work(0);
    if (shared) {
        std::unique_lock hold(state_->lock);
        std::erase(state_->loops, &loop);  // nobody joins any more
        state_->done.wait(hold, [&] { return loop.active == 0; });
    }
    if (loop.error) std::rethrow_exception(loop.error);
}

}  // namespace star
