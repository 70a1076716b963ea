// What a worker of the emulator runs a block on. A part of the emulator: only for simt_*.cpp.
#pragma once
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <vector>

#include "kernels/simt.h"
#include "kernels/simt_fibre.h"
#include "kernels/simt_traffic.h"

namespace star::simt {

using Resolve = void (*)(void* const lanes[32]);

enum class State { ready, at_barrier, at_collective, done };

struct Copy {
    void* to;
    const void* from;
    bool valid;
    int group;
};

struct Thread {
    Fibre fibre;
    State state = State::done;
    Where where{};  // of the barrier or collective it waits at
    void* operand = nullptr;
    Resolve resolve = nullptr;
    std::vector<Copy> copies;  // in flight
    int group = 0;
};

struct Warp {
    int arrived = 0;  // lanes at the current collective
    Traffic traffic;
};

struct Release {
    void operator()(std::byte* p) const { ::operator delete (p, std::align_val_t{128}); }
};

/// What a worker runs blocks on, one after the other; stacks are kept for the next launch.
struct Core {
    std::vector<std::unique_ptr<Thread>> threads;
    std::vector<Warp> warps;
    std::unique_ptr<std::byte, Release> shared;
    std::size_t shared_bytes = 0;
    int count = 0;  // threads in this block
    int current = 0;
    bool running = false, counting = false;
    void (*kernel)(void*) = nullptr;
    void* argument = nullptr;
    std::exception_ptr error;
    Counters counters;

    Thread& self() { return *threads[std::size_t(current)]; }
};

Core& core();                       ///< of the calling thread of the host
Core& running(const Where& where);  ///< the same; Error unless it runs a kernel
std::string place(const Where& w);  ///< "file:line: function"
inline bool same(const Where& a, const Where& b) {
    return a.line() == b.line() && a.column() == b.column() && !std::strcmp(a.file_name(), b.file_name());
}

template <class... A>
[[noreturn]] void stop(const Where& where, const A&... message) {
    const Core& c = core();
    fail(Fault::internal, place(where), ": block ", blockIdx.x, ",", blockIdx.y, ",", blockIdx.z, ", thread ",
         c.current, ": ", message...);
}

}  // namespace star::simt
