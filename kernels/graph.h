// Work that is recorded once and queued as a whole, many times: on a GPU a CUDA graph, with one launch for hundreds of
// kernels.
#pragma once
#include <functional>

#include "kernels/device.h"

namespace star {

class Graph {
public:
    Graph() = default;
    /// Records what `work` queues on the stream it is given, which is `stream`; nothing runs yet. The same work is
    /// queued at every run(): launch shapes, addresses and arguments are those of the recording, so whatever changes
    /// from run to run lies in device memory, and all memory must outlive the graph. On CUDA `stream` has a handle of
    /// its own (StreamOwner), and `work` neither waits nor allocates on the device; on a CPU `work` itself is kept and
    /// called at each run. Throws what `work` throws, and Error (Fault::device) for work that can't be recorded.
    Graph(Stream stream, std::function<void(Stream)> work);

    bool recorded() const { return bool(run_); }
    /// Queues the work on the stream of the recording.
    void run() const;

private:
    std::function<void()> run_;
};

namespace cuda {
/// What is queued on the stream between the two is recorded instead. record_end returns what queues it once more, or,
/// if `keep` is false (the recording failed), nothing.
void record_begin(Stream);
std::function<void()> record_end(Stream, bool keep);
}  // namespace cuda

}  // namespace star
