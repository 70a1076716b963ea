// The road from the simulator to the trainer: fields simulated, prepared like any image, cut into a batch.
#pragma once
#include "nn/trainer.h"
#include "tools/setup.h"

namespace star {

/// Fields for training: a pure function of the seed and the step. The simulator's fields are larger than the network's;
/// they are prepared whole, by the function that detection uses, and then cut.
class FieldSource {
public:
    /// `stream`: the CPU that simulates.
    FieldSource(Stream stream, const Setup& setup);

    /// Batch `index` of `seed`. A unit whose box is centred in a window belongs to it; one that only reaches
    /// into the window becomes an ignored region.
    TrainingBatch batch(std::uint64_t seed, std::uint64_t index) const;

private:
    Stream stream_;
    FieldSimulator simulator_;
    Procedure procedure_;
    TrainingRun run_;
    double margin_;
    int rows_ = 1, columns_ = 1;  // windows in a field
};

}  // namespace star
