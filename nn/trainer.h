// Training: one step is forward, loss, backward, Adam. The caller brings the fields and decides when to stop.
#pragma once
#include <limits>
#include <memory>

#include "kernels/adam.h"
#include "kernels/box_loss.h"
#include "kernels/focal.h"
#include "kernels/match.h"
#include "nn/retinanet.h"

namespace star {

struct Training {
    int batch = 8;                  ///< fields per step
    int height = 128, width = 128;  ///< of a field, sky pixels
    std::int64_t steps = 1000;      ///< of the whole schedule
    float rate = 1e-3f;             ///< Adam's, at the top of the schedule
    std::int64_t warm_up = 100;     ///< steps of linear rise from 0
    float last_rate = 0.01f;        ///< the cosine ends at this fraction of rate
    float weight_decay = 1e-4f;
    float clip = 10;         ///< of the gradient's norm
    float average = 0.999f;  ///< of the averaged weights; the first steps average over 1/t
    Focal focal{};           ///< classes and per_cell are set from the architecture
    BoxLoss boxes{};
    Matching matching{};
    std::int64_t norm_steps =
        std::numeric_limits<std::int64_t>::max();  ///< steps with batch statistics; later ones train with the running
                                                   ///< ones, which detection uses. 0: adapting a trained network
};

/// Throws Error (Fault::usage) naming the field that makes no sense.
void check(const Training&);

/// The rate of step t (counted from 1): linear warm-up, then half a cosine.
float scheduled_rate(const Training&, std::int64_t step);

/// A batch has room for so many units: jammed at 3.2 px there are a third as many, ignored ones included.
inline constexpr int pixels_per_unit = 4;

/// TrainingBatch's truth where the trainer's stream has made it, but for boxes: those are in pixels of the network's
/// input.
struct DeviceTruths {
    Buffer<Box> boxes;
    Buffer<std::int8_t> labels;
    Buffer<int> first;
};

/// Fields with their truth.
struct TrainingBatch {
    std::vector<float> images;                       ///< (batch, height, width): normalised sky pixels, on the host ...
    std::shared_ptr<const Buffer<float>> on_device;  ///< ... or, if not null, where the trainer's stream has made them
    std::shared_ptr<const DeviceTruths> truths;      ///< if not null, the truth; else on the host:
    std::vector<Box> boxes;                          ///< of all fields, one after the other; sky pixels, edges
    std::vector<std::int8_t> labels;                 ///< as kernels/match.h: 0...classes-1, or label_ignored
    std::vector<int> first;                          ///< batch + 1: field n has the units first[n]...first[n+1]-1
};

struct Losses {
    double classes = 0, boxes = 0;
    double norm = 0;  ///< of the gradient, before clipping
    double total() const { return classes + boxes; }
    bool finite() const { return std::isfinite(classes) && std::isfinite(boxes) && std::isfinite(norm); }
};

/// Owns the network in training. T: float or bf16, the activations.
template <class T>
class Trainer {
public:
    /// Starting values are a function of `seed`; then load() may replace them.
    /// On CUDA `stream` has a handle of its own (StreamOwner): the step is recorded once and replayed.
    Trainer(Stream stream, const Architecture&, int input_scale, const Training&, std::uint64_t seed);
    Trainer(const Trainer&) = delete;  // the recorded step points into it
    Trainer& operator=(const Trainer&) = delete;

    /// Queues one optimiser step; the batch may be reused on return. Waits for nothing but the copying of the batch
    /// before the last. Equal state and batch give equal bits. If a loss or the gradient isn't finite, parameters stay
    /// as they were (adam_step skips) and the caller sees it in losses().
    void step(const TrainingBatch&);
    /// The losses of a batch with the running statistics; nothing changes. averaged: with the averaged weights.
    void validate(const TrainingBatch&, bool averaged);
    /// Of the last step() or validate(). Waits for the device.
    Losses losses() const;

    std::int64_t steps_done() const { return steps_done_; }
    std::int64_t memory_bytes() const;  ///< of activations and scratch, on the device
    const RetinaNet& net() const { return *net_; }
    Params& params() { return *params_; }

    /// Everything a later run needs to go on with the same bits: "value/NAME", "averaged/NAME", "m/NAME", "v/NAME".
    std::vector<NamedTensor> state() const;
    /// Throws Error (Fault::input) naming a tensor that is missing or has another shape.
    void restore(const std::function<const NamedTensor*(const std::string&)>& find, std::int64_t steps_done);
    /// The averaged weights, with the running statistics: what ships.
    std::vector<NamedTensor> averaged_weights() const;

private:
    void upload(const TrainingBatch&, const AdamStep&);
    HeadOutputs<T> forward_and_loss(const Pass&, RetinaNet::Saved<T>*);
    void queue_step(const Pass&);
    void queue_validation(const Pass&);

    Stream stream_;
    int input_scale_;
    Training how_;
    std::unique_ptr<RetinaNet> net_;
    std::unique_ptr<Params> params_;
    AnchorGrid grid_;
    std::int64_t steps_done_ = 0;
    struct Memory;
    std::shared_ptr<Memory> memory_;
};

}  // namespace star
