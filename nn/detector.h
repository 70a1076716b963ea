// From pixels to blending units: sky, noise, normalisation, fixed tiles, network, one suppression over all seams.
// Knows nothing of files or WCS.
#pragma once
#include <functional>
#include <memory>

#include "nn/retinanet.h"
#include "nn/sky.h"

namespace star {

inline constexpr int most_classes = 8;

/// One blending unit. Coordinates in pixel edges of the image (types.h, Box).
struct Detection {
    Box box;
    float score = 0;  ///< 1 - prod (1 - sigmoid): that there is a unit at all
    int label = 0;    ///< the likeliest class, from 0
    /// Over their sum: the classes' probabilities, given a unit. The sigmoid of each class's logit; with a temperature
    /// T other than 1, (sigmoid / the largest one)^(1/T).
    float chances[most_classes] = {};
};

struct Detections {
    std::vector<Detection> units;   ///< in descending order of score
    PreparedSky sky;                ///< background and noise as they were used
    int tiles = 0, tiles_done = 0;  ///< tiles without a usable pixel count as done
    bool cancelled = false;
};

/// Part of an image, [x0, x1) x [y0, y1) px.
struct Region {
    int x0 = 0, y0 = 0, x1 = 1 << 30, y1 = 1 << 30;
};

/// How an image's tiles go through a device. Changes memory and speed, never the result.
struct Flow {
    /// That a stream computes at once; fewer if the device has no memory for them.
    int tiles = 1;
    /// That take batches in turn: while one's results travel, and the host reads them, others compute.
    int streams = 1;
};

/// What keeps the stream's device busy: a GPU wants many tiles at once and another stream while the host reads; a CPU
/// has done its work before the call returns.
Flow usual_flow(Stream stream);

/// Called between batches of tiles; false stops, and what was found so far is returned, that of the batches on their
/// way included.
using Progress = std::function<bool(int tiles_done, int tiles)>;

/// A trained network, ready to detect. Immutable: any number of threads may call detect() at once, each with a stream
/// of its own on the device it was made for. T: float or bf16, the activations.
template <class T>
class Detector {
public:
    /// Loads the weights that `find(name)` gives, folds the batch norms. Throws Error (Fault::input) naming a tensor
    /// that is missing or has another shape.
    Detector(Stream stream, const Architecture&, const Procedure&,
             const std::function<const NamedTensor*(const std::string&)>& find);

    /// The sky is prepared on `stream`; tiles go through `flow`'s own streams of its device. An image without a usable
    /// pixel gives no units. Throws Error (Fault::device) if there is no memory for a single tile. Tiles whose core
    /// doesn't reach into `region` aren't looked at: of an image that is itself a part of a larger one, with a margin
    /// for sky and seams.
    Detections detect(Stream stream, const Sky& sky, Flow flow, const Progress& progress = {},
                      const Region& region = {}) const;

    /// Bytes that detect() takes for an image of this size: on the device, and for the way back to the host.
    std::int64_t memory_bytes(Stream stream, int height, int width, Flow flow) const;

    const Architecture& architecture() const { return net_->architecture; }
    const Procedure& procedure() const { return procedure_; }
    std::int64_t parameters() const { return params_->count(); }

private:
    struct Tiles;
    struct Return;
    struct Lane;
    Tiles queue_tiles(const Pass&, View<const float> normalised, const std::vector<std::pair<int, int>>& origins) const;
    std::vector<Lane> open_lanes(Stream, View<const float> normalised, std::size_t tiles, Flow) const;
    void send(const Lane&, View<const float> normalised, std::vector<std::pair<int, int>> origins) const;
    int collect(Return& from, Shape image, std::vector<Detection>& found) const;
    void suppress_seams(Stream, const std::vector<Detection>& found, std::vector<Detection>& units) const;

    Procedure procedure_;
    std::unique_ptr<RetinaNet> net_;
    std::unique_ptr<Params> params_;
};

}  // namespace star
