// Recording, on whichever device.
#include "kernels/graph.h"

#include "kernels/config.h"

namespace star {

Graph::Graph(Stream stream, std::function<void(Stream)> work) {
    require(!stream.dry, "Graph: a dry stream records nothing");
    if constexpr (with_cuda)
        if (stream.device.kind == Device::Kind::cuda) {
            require(stream.handle != nullptr, "Graph: the default stream can't be recorded");
            cuda::record_begin(stream);
            try {
                work(stream);
            } catch (...) {
                cuda::record_end(stream, false);
                throw;
            }
            run_ = cuda::record_end(stream, true);
            return;
        }
    run_ = [stream, work = std::move(work)] { work(stream); };
}

void Graph::run() const {
    require(recorded(), "Graph: nothing was recorded");
    run_();
}

}  // namespace star
