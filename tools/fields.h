// The road from the simulator to the trainer: fields simulated, prepared like any image, cut into a batch.
#pragma once
#include <memory>

#include "nn/trainer.h"
#include "sim/device_sky.h"
#include "sim/device_truth.h"
#include "tools/setup.h"

namespace star {

/// Fields for training: a pure function of the seed and their numbers. The simulator's fields are larger than the
/// network's; they are prepared whole, by the function that detection uses, and then cut.
class FieldSource {
public:
    /// Windows and preparation as the setup says, fields from `curriculum`. `stream`: the trainer's. Places and
    /// magnitudes are the host's work. A GPU draws, exposes and prepares the images where the trainer takes them from,
    /// so that no pixel passes through the host: but for scenes of more than stars, which are drawn on the host and
    /// uploaded. It makes the truth there too, but for scenes whose units have to be linked: their truth is uploaded.
    FieldSource(Stream stream, const Setup& setup, Curriculum curriculum);

    /// These fields of `seed`, one window after the other: training.fields of them. A unit whose box is centred in a
    /// window belongs to it; one that only reaches into the window becomes an ignored region. What is made on a device
    /// is queued on the stream, not waited for; it lies in memory of the batch's own if `keep`, else in memory that the
    /// call after the next takes again.
    TrainingBatch batch(std::uint64_t seed, const std::vector<std::uint64_t>& numbers, bool keep = false);

private:
    bool on_gpu() const { return stream_.device.kind == Device::Kind::cuda; }
    /// One of the curriculum's simulators, and what draws and labels its fields on a GPU.
    struct Observatory {
        const FieldSimulator* simulator;
        std::unique_ptr<DeviceSky> sky;            ///< on a GPU, for stars alone
        std::unique_ptr<DeviceLabeller> labeller;  ///< on a GPU, for units that are given
    };
    /// Memory of one batch on a device.
    struct Turn {
        std::shared_ptr<Buffer<float>> images;
        std::shared_ptr<DeviceTruths> truths;
    };
    void check_full(const Field& field, const Exposure& e) const;
    void add_truth(const Field& field, std::uint64_t seed, TrainingBatch& out) const;
    void add_windows(Observatory& from, const Field& field, const FieldSpec& spec, int first, float* images);
    Turn next_turn(bool keep);

    Stream stream_;
    Curriculum curriculum_;
    std::vector<Observatory> observatories_;
    Procedure procedure_;
    TrainingRun run_;
    double margin_;
    int rows_ = 1, columns_ = 1;  // windows in a field
    Buffer<float> field_;         // on the device: a whole one
    Arena memory_ = Arena::measuring();
    Turn turns_[2];
    int turn_ = 0;
    std::unique_ptr<DeviceTruth> device_truth_;  // on a GPU
};

}  // namespace star
