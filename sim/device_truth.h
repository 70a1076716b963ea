// The truth of a batch of simulated fields, made on a device from lists of stars and units.
#pragma once
#include <span>
#include <vector>

#include "kernels/unit_labels.h"
#include "sim/device_light.h"
#include "sim/fisher_stamp.h"
#include "sim/truth.h"

namespace star {

/// How the fields of one instrument are labelled on a GPU: as label_truth() does with the same arguments, units being
/// given. The light that pixels are weighed by differs by rounding, and with it signal-to-noise, by half of what the
/// light does at most, relatively; for equal ones, labels, chances, boxes and places have the CPU's bits.
class DeviceLabeller {
public:
    /// psf: on native pixels, before any drizzle. Throws Error for Units::linked: linking, merging and splitting are
    /// the host's work, as is all of a scene whose stars know no units.
    DeviceLabeller(Stream stream, const Psf& psf, const Exposure& exposure, const TruthOptions& options);

private:
    friend class DeviceTruth;

    TruthOptions options_;
    FisherStamp stamp_;
    DeviceLight light_;
    double sigma_, reach_, half_width_;
};

/// A field of a batch: its stars and who labels them, or a truth that the host has made.
struct FieldTruth {
    DeviceLabeller* labeller = nullptr;  ///< null: `ready` is the truth
    std::span<const Star> stars;
    const Truth* ready = nullptr;
    std::uint64_t seed = 0;  ///< of the labels that soft units draw (kernels/unit_labels.h)
};

/// Labels batches, and keeps workspace for the largest. One stream at a time.
class DeviceTruth {
public:
    explicit DeviceTruth(Stream stream) : stream_(stream), lists_(stream) {}

    /// Queues the truth of all windows of all fields: boxes and labels of `room` units at most, first of every window
    /// and one more, on the device (kernels/unit_labels.h: cut_truths). Waits for the copies of the call before
    /// and, where fields share a labeller, of the field before, and so for what stands before them on the stream, which
    /// is every labeller's too. Throws Error (Fault::usage) if there might be more units than there is room for,
    /// (Fault::input) for lists that label_truth() refuses, and for a field of more than 2^25 pairs of stars in
    /// neighbouring cells, of which that counts only those that overlap.
    void write(std::span<const FieldTruth> fields, const TruthWindows& windows, int room, Box* boxes,
               std::int8_t* labels, int* first);

private:
    struct Lists;
    Stream stream_;
    DeviceUpload lists_;
    Arena memory_ = Arena::measuring();
};

}  // namespace star
