// The emulated device's streams. What is queued on one runs when something waits for it, and no sooner: a host that
// reads results too early, or lets go of memory that a copy still wants, fails here as it may on a GPU. Streams are
// independent: one runs as far as it is waited for, the others not at all. The default stream (no handle) works at
// once.
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/graph.h"
#include "kernels/simt.h"

namespace star::simt {
namespace {

class Queue {
public:
    void add(std::function<void()> work) {
        const std::lock_guard hold(lock_);
        work_.push_back(std::move(work));
    }
    std::int64_t end() {
        const std::lock_guard hold(lock_);
        return done_ + std::int64_t(work_.size());
    }
    void run_until(std::int64_t end) {
        const std::lock_guard hold(lock_);
        while (done_ < end) {
            const auto next = std::move(work_.front());
            work_.pop_front();
            ++done_;  // a kernel's mistake is said once
            next();
        }
    }

private:
    std::mutex lock_;
    std::deque<std::function<void()>> work_;
    std::int64_t done_ = 0;
};
using Handle = std::shared_ptr<Queue>;

struct Point {
    Handle on;
    std::int64_t end = 0;
};

struct Recording {
    void* stream;
    std::vector<std::function<void()>> work;
};
thread_local std::unique_ptr<Recording> recording;

Handle& queue_of(Stream stream) { return *static_cast<Handle*>(stream.handle); }

}  // namespace

bool recording_now() { return bool(recording); }

void queue(Stream stream, std::function<void()> work) {
    if (recording && recording->stream == stream.handle)
        recording->work.push_back(std::move(work));
    else if (stream.handle)
        queue_of(stream)->add(std::move(work));
    else
        work();
}

}  // namespace star::simt

namespace star::cuda {

void* make_stream(int) { return new simt::Handle(std::make_shared<simt::Queue>()); }
void free_stream(int, void* stream) noexcept {
    const std::unique_ptr<simt::Handle> queue(static_cast<simt::Handle*>(stream));
    for (const std::int64_t end = (*queue)->end();;) try {
            return (*queue)->run_until(end);
        } catch (...) {  // nobody waited to hear it; go on behind it
        }
}
void synchronize(Stream stream) {
    require(!simt::recording, "emulator: a recording can't wait for the device");
    if (!stream.handle) return;
    const auto& queue = simt::queue_of(stream);
    queue->run_until(queue->end());
}

void* make_event(int) { return new simt::Point; }
void free_event(int, void* event) noexcept { delete static_cast<simt::Point*>(event); }
void record_event(Stream stream, void* event) {
    require(!simt::recording, "emulator: a recording holds no event");
    auto& point = *static_cast<simt::Point*>(event);
    point = {};
    if (stream.handle) point = {simt::queue_of(stream), simt::queue_of(stream)->end()};
}
void wait_event(int, void* event) {
    require(!simt::recording, "emulator: a recording can't wait for an event");
    const auto& point = *static_cast<simt::Point*>(event);
    if (point.on) point.on->run_until(point.end);
}

void record_begin(Stream stream) {
    require(!simt::recording, "emulator: this thread records already");
    simt::recording = std::make_unique<simt::Recording>(simt::Recording{stream.handle, {}});
}

std::function<void()> record_end(Stream stream, bool) {
    const std::shared_ptr<simt::Recording> done = std::move(simt::recording);
    return [stream, done] {
        for (const auto& work : done->work) simt::queue(stream, work);
    };
}

}  // namespace star::cuda
