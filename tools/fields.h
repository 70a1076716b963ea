// The road from the simulator to the trainer: fields simulated, prepared like any image, cut into a batch.
#pragma once
#include <memory>

#include "nn/trainer.h"
#include "sim/device_sky.h"
#include "tools/setup.h"

namespace star {

/// Fields for training: a pure function of the seed and their numbers. The simulator's fields are larger than the
/// network's; they are prepared whole, by the function that detection uses, and then cut.
class FieldSource {
public:
    /// Windows and preparation as the setup says, fields from `curriculum`. `stream`: the trainer's. Places, magnitudes
    /// and truth are the host's work. A GPU draws, exposes and prepares the images where the trainer takes them from,
    /// so that no pixel passes through the host: but for scenes of more than stars, which are drawn on the host and
    /// uploaded.
    FieldSource(Stream stream, const Setup& setup, Curriculum curriculum);

    /// These fields of `seed`, one window after the other: training.fields of them. A unit whose box is centred in a
    /// window belongs to it; one that only reaches into the window becomes an ignored region. Images on a device are
    /// queued on the stream, not waited for; they lie in memory of the batch's own if `keep`, else in memory that the
    /// call after the next takes again.
    TrainingBatch batch(std::uint64_t seed, const std::vector<std::uint64_t>& numbers, bool keep = false);

private:
    bool on_gpu() const { return stream_.device.kind == Device::Kind::cuda; }
    /// One of the curriculum's simulators, and what draws its fields on a GPU.
    struct Observatory {
        const FieldSimulator* simulator;
        std::unique_ptr<DeviceSky> sky;  ///< on a GPU, for stars alone
    };
    void check_full(const Field& field, const Exposure& e) const;
    void add_truth(const Field& field, const std::vector<std::int8_t>& labels, int row, int column,
                   TrainingBatch& out) const;
    void add_windows(Observatory& from, const Field& field, const FieldSpec& spec, int first, float* images);

    Stream stream_;
    Curriculum curriculum_;
    std::vector<Observatory> observatories_;
    Procedure procedure_;
    TrainingRun run_;
    double margin_;
    int rows_ = 1, columns_ = 1;  // windows in a field
    Buffer<float> field_;         // on the device: a whole one
    Arena memory_ = Arena::measuring();
    std::shared_ptr<Buffer<float>> turns_[2];
    int turn_ = 0;
};

}  // namespace star
