// Detection on tiles. The catalogue doesn't depend on how they flow: no operation knows what else is in its batch, and
// one suppression, in global order of score, decides.
#include "nn/detector.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/nms.h"
#include "kernels/orient.h"
#include "kernels/resize.h"

namespace star {
namespace {

/// The heads' outputs for `tiles`, each the mean over the orientations that `seen` holds.
template <class T>
HeadOutputs<T> mean_outputs(const Pass& pass, const HeadOutputs<T>& seen, int levels, int tiles) {
    HeadOutputs<T> out;
    const auto mean = [&](View<const T> x, Turning turning) {
        const auto y = pass.activations.take<T>(Shape{tiles, x.shape.h, x.shape.w, x.shape.c});
        average_orientations<T>(pass.stream, x, turning, y);
        return read_only(y);
    };
    for (int l = 0; l < levels; ++l)
        out.logits[l] = mean(seen.logits[l], Turning::never), out.deltas[l] = mean(seen.deltas[l], Turning::offsets);
    return out;
}

/// Chances sharpened (T < 1) or flattened (T > 1); over the largest first, so that none but hopeless ones underflow.
void heat(float* chances, int classes, float temperature) {
    const float most = *std::max_element(chances, chances + classes);
    for (int k = 0; k < classes && most > 0; ++k) chances[k] = std::pow(chances[k] / most, 1 / temperature);
}

struct TileList {
    int all = 0;                              // in the region
    std::vector<std::pair<int, int>> usable;  // origins (y, x) of those whose core has a usable pixel
};

TileList tiles_to_see(const Sky& sky, int core, const Region& region) {
    const int H = sky.image.shape.h, W = sky.image.shape.w;
    TileList tiles;
    for (int i = 0; i < std::min(H, region.y1); i += core)
        for (int j = 0; j < std::min(W, region.x1); j += core) {
            if (i + core <= region.y0 || j + core <= region.x0) continue;
            ++tiles.all;
            bool any = false;
            for (int y = i; y < std::min(H, i + core) && !any; ++y)
                for (int x = j; x < std::min(W, j + core) && !any; ++x) any = sky.usable(std::int64_t{y} * W + x);
            if (any) tiles.usable.emplace_back(i, j);
        }
    return tiles;
}

}  // namespace

Flow usual_flow(Stream stream) {
    return stream.device.kind == Device::Kind::cuda ? Flow{16, 2} : Flow{2 * stream.pool->threads(), 1};
}

/// Candidates of a batch of tiles, on the device.
template <class T>
struct Detector<T>::Tiles {
    Candidates candidates;
    int capacity = 0;  // rows per tile
};

/// Where a batch's candidates arrive on the host.
template <class T>
struct Detector<T>::Return {
    std::vector<std::pair<int, int>> origins;  // of its tiles; none: nothing is on its way
    int capacity = 0;
    HostBuffer<int> count, labels;
    HostBuffer<Box> boxes;
    HostBuffer<float> scores, chances;
    Event arrived;

    static std::int64_t bytes(std::int64_t tiles, std::int64_t rows, int classes) {
        return tiles * (std::int64_t{sizeof(int)} + rows * std::int64_t(sizeof(int) + sizeof(Box)) +
                        rows * (1 + classes) * std::int64_t{sizeof(float)});
    }
    Return(Device d, std::int64_t tiles, std::int64_t rows, int classes)
        : count(d, tiles),
          labels(d, tiles * rows),
          boxes(d, tiles * rows),
          scores(d, tiles * rows),
          chances(d, tiles * rows * classes),
          arrived(d) {}
};

/// A stream of detect()'s own and what it works in. One batch at a time.
template <class T>
struct Detector<T>::Lane {
    std::size_t tiles = 0;  // of a batch, at most
    std::unique_ptr<Arena> activations, scratch;
    std::unique_ptr<Return> result;
    std::unique_ptr<StreamOwner> stream;  // the last: it waits for the work that uses the others

    bool busy() const { return !result->origins.empty(); }
};

template <class T>
Detector<T>::Detector(Stream stream, const Architecture& a, const Procedure& p,
                      const std::function<const NamedTensor*(const std::string&)>& find)
    : procedure_(p), net_(std::make_unique<RetinaNet>(a)) {
    check(p, a);
    if (a.classes > most_classes)
        fail(Fault::usage, "classes = ", a.classes, ": detection knows at most ", most_classes);
    params_ = std::make_unique<Params>(stream, Params::Use::inference, [&](const VisitParam& v) { net_->params(v); });
    const auto missing = params_->load(stream, find);
    if (!missing.empty()) fail(Fault::input, "tensor ", missing.front(), " is missing");
    net_->fold<T>(stream);
    synchronize(stream);
}

template <class T>
typename Detector<T>::Tiles Detector<T>::queue_tiles(const Pass& pass, View<const float> normalised,
                                                     const std::vector<std::pair<int, int>>& origins) const {
    const int N = int(origins.size()), side = procedure_.core + 2 * procedure_.halo, scale = procedure_.input_scale;
    const int C = padded_channels(net_->architecture.in_channels);
    require(C == 1, "Detector: the sky has one channel");
    const bool all_ways = procedure_.orientations > 1;
    const auto batch = pass.activations.take<T>(Shape{N, side, side, 1});
    for (int n = 0; n < N; ++n)
        cut_window<T>(pass.stream, normalised, origins[std::size_t(n)].first - procedure_.halo,
                      origins[std::size_t(n)].second - procedure_.halo,
                      {batch.data ? batch.data + std::int64_t{n} * side * side : nullptr, {1, side, side, 1}});
    View<const T> x = batch;
    if (all_ways) {
        const auto all = pass.activations.take<T>(Shape{orientations * N, side, side, 1});
        orient<T>(pass.stream, x, all);
        x = all;
    }
    if (scale > 1) {
        const auto enlarged = pass.activations.take<T>(Shape{x.shape.n, side * scale, side * scale, 1});
        enlarge<T>(pass.stream, x, scale, enlarged);
        x = enlarged;
    }
    const AnchorGrid grid = anchor_grid(net_->architecture, side * scale, side * scale);
    HeadOutputs<T> out = net_->forward<T>(pass, x, nullptr);
    if (all_ways) out = mean_outputs(pass, out, grid.levels, N);
    Decode how;
    how.scoring = Scoring::any_class;
    how.classes = net_->architecture.classes;
    how.threshold = procedure_.threshold;
    how.top_k = procedure_.top_k;
    how.width = how.height = float(side * scale);
    Tiles tiles;
    tiles.capacity = grid.levels * how.top_k;
    const Shape rows{N, 1, 1, tiles.capacity};
    tiles.candidates = {pass.activations.take<Box>(rows),
                        pass.activations.take<float>(rows),
                        pass.activations.take<int>(rows),
                        pass.activations.take<int>(rows),
                        pass.activations.take<float>(Shape{N, 1, tiles.capacity, how.classes}),
                        pass.activations.take<int>(Shape{1, 1, 1, N})};
    decode_boxes<T>(pass.stream, out, grid, how, tiles.candidates, pass.scratch);
    return tiles;
}

template <class T>
std::int64_t Detector<T>::memory_bytes(Stream stream, int height, int width, Flow flow) const {
    Arena activations = Arena::measuring(), scratch = Arena::measuring();
    const std::vector<std::pair<int, int>> origins(std::size_t(flow.tiles), {0, 0});
    const int rows =
        queue_tiles({dry(stream), activations, scratch, Pass::Norm::folded}, {nullptr, {1, height, width, 1}}, origins)
            .capacity;
    return flow.streams *
               (activations.peak() + scratch.peak() + Return::bytes(flow.tiles, rows, net_->architecture.classes)) +
           std::int64_t{height} * width * 13;  // image, background, normalised, mask
}

/// As many lanes of as many tiles as asked for, or as memory allows: smaller batches first, then a single lane. Throws
/// Error (Fault::device) if there is no memory for one tile.
template <class T>
std::vector<typename Detector<T>::Lane> Detector<T>::open_lanes(Stream stream, View<const float> normalised,
                                                                std::size_t tiles, Flow flow) const {
    for (auto at_once = std::min(tiles, std::size_t(flow.tiles)), lanes = std::size_t(flow.streams);;) {
        Arena activations = Arena::measuring(), scratch = Arena::measuring();
        int capacity = 0;
        for (const std::size_t batch : {at_once, tiles % at_once}) {
            if (batch == 0) continue;  // the last batch may be smaller, and want more of an operation's workspace
            activations.release(0);
            const std::vector<std::pair<int, int>> anywhere(batch);
            capacity =
                queue_tiles({dry(stream), activations, scratch, Pass::Norm::folded}, normalised, anywhere).capacity;
        }
        try {
            std::vector<Lane> open(std::min(lanes, (tiles + at_once - 1) / at_once));
            for (Lane& lane : open) {
                lane.tiles = at_once;
                lane.activations = std::make_unique<Arena>(stream.device, activations.peak());
                lane.scratch = std::make_unique<Arena>(stream.device, scratch.peak());
                lane.result = std::make_unique<Return>(stream.device, std::int64_t(at_once), capacity,
                                                       net_->architecture.classes);
                lane.stream = std::make_unique<StreamOwner>(stream.device, stream.pool);
            }
            return open;
        } catch (const Error& e) {
            if (e.fault != Fault::device || (at_once == 1 && lanes == 1)) throw;
            if (at_once > 1)
                at_once /= 2;
            else
                lanes = 1;
        }
    }
}

template <class T>
void Detector<T>::send(const Lane& lane, View<const float> normalised, std::vector<std::pair<int, int>> origins) const {
    const Stream stream = *lane.stream;
    Return& to = *lane.result;
    lane.activations->release(0);
    const Tiles tiles =
        queue_tiles({stream, *lane.activations, *lane.scratch, Pass::Norm::folded}, normalised, origins);
    const auto copy = [&](const auto& host, const auto& view) {
        copy_to_host(stream, host.data(), view.data, std::size_t(view.size()) * sizeof(*host.data()));
    };
    copy(to.count, tiles.candidates.count);
    copy(to.boxes, tiles.candidates.boxes);
    copy(to.scores, tiles.candidates.scores);
    copy(to.labels, tiles.candidates.labels);
    copy(to.chances, tiles.candidates.chances);
    to.arrived.record(stream);
    to.capacity = tiles.capacity;
    to.origins = std::move(origins);
}

/// Waits for a batch and appends what it found; returns how many tiles it had.
template <class T>
int Detector<T>::collect(Return& from, Shape image, std::vector<Detection>& found) const {
    from.arrived.wait();
    // A unit at a seam is seen by both tiles: each keeps candidates up to a star's box outside its core.
    const float margin = 2 * procedure_.box_half_width, s = float(procedure_.input_scale);
    const int classes = net_->architecture.classes, core = procedure_.core;
    for (std::size_t n = 0; n < from.origins.size(); ++n) {
        const auto [y0, x0] = from.origins[n];
        const float dx = float(x0 - procedure_.halo), dy = float(y0 - procedure_.halo);
        for (int k = 0; k < from.count.data()[n]; ++k) {
            const std::size_t at = n * std::size_t(from.capacity) + std::size_t(k);
            Detection d;
            const Box b = from.boxes.data()[at];
            d.box = {b.x0 / s + dx, b.y0 / s + dy, b.x1 / s + dx, b.y1 / s + dy};
            const float x = d.box.x(), y = d.box.y();
            if (x < float(x0) - margin || x >= float(x0 + core) + margin || y < float(y0) - margin ||
                y >= float(y0 + core) + margin)
                continue;
            if (!(x >= 0 && x < float(image.w) && y >= 0 && y < float(image.h))) continue;  // a star lies in the image
            d.score = from.scores.data()[at];
            d.label = from.labels.data()[at];
            std::copy_n(from.chances.data() + at * std::size_t(classes), classes, d.chances);
            if (procedure_.temperature != 1) heat(d.chances, classes, procedure_.temperature);
            found.push_back(d);
        }
    }
    return int(std::exchange(from.origins, {}).size());
}

/// One suppression over the whole image, in global order of score.
template <class T>
void Detector<T>::suppress_seams(Stream stream, const std::vector<Detection>& found,
                                 std::vector<Detection>& units) const {
    if (found.empty()) return;
    const int M = int(found.size());
    const Shape rows{1, 1, 1, M}, one{1, 1, 1, 1};
    std::vector<Box> host_boxes(found.size());
    std::vector<float> host_scores(found.size());
    std::vector<int> host_kept(found.size());
    for (std::size_t i = 0; i < found.size(); ++i) host_boxes[i] = found[i].box, host_scores[i] = found[i].score;
    const Buffer<Box> boxes(stream.device, M);
    const Buffer<float> scores(stream.device, M);
    const Buffer<int> kept(stream.device, M), counts(stream.device, 2);
    int host_counts[2] = {M, 0};  // of boxes, of those kept
    const Nms how{procedure_.suppress_by_centre ? Nms::By::centre : Nms::By::iou,
                  procedure_.suppress_by_centre ? procedure_.suppress * procedure_.psf_fwhm : procedure_.suppress};
    const auto queue = [&](Stream s, Arena& arena) {
        nms(s, boxes.view(rows), scores.view(rows), {nullptr, nothing}, {counts.data(), one}, how, kept.view(rows),
            {counts.data() + 1, one}, arena);
    };
    Arena measure = Arena::measuring();
    queue(dry(stream), measure);
    Arena suppression(stream.device, measure.peak());
    copy_to_device(stream, boxes.data(), host_boxes.data(), host_boxes.size() * sizeof(Box));
    copy_to_device(stream, scores.data(), host_scores.data(), host_scores.size() * sizeof(float));
    copy_to_device(stream, counts.data(), host_counts, sizeof host_counts);
    queue(stream, suppression);
    copy_to_host(stream, host_kept.data(), kept.data(), host_kept.size() * sizeof(int));
    copy_to_host(stream, host_counts, counts.data(), sizeof host_counts);
    synchronize(stream);
    for (int i = 0; i < host_counts[1]; ++i) units.push_back(found[std::size_t(host_kept[std::size_t(i)])]);
}

template <class T>
Detections Detector<T>::detect(Stream stream, const Sky& sky, Flow flow, const Progress& progress,
                               const Region& region) const {
    const Shape shape = sky.image.shape;
    require(flow.tiles >= 1 && flow.streams >= 1, "Detector: ", flow.streams, " streams of ", flow.tiles, " tiles");
    Detections result;
    result.sky = prepare_sky(stream, sky, procedure_);
    const View<const float> normalised = result.sky.normalised.view(shape);
    const auto [tiles, origins] = tiles_to_see(sky, procedure_.core, region);
    result.tiles = tiles;
    result.tiles_done = result.tiles - int(origins.size());
    const auto report = [&] {
        const bool go_on = !progress || progress(result.tiles_done, result.tiles);
        result.cancelled = !go_on && result.tiles_done < result.tiles;
    };
    if (origins.empty()) {
        report();
        return result;
    }
    std::vector<Lane> lanes = open_lanes(stream, normalised, origins.size(), flow);
    report();

    // A lane's turn: the host reads what it found, then sends it the next tiles. Meanwhile the other lanes compute.
    std::vector<Detection> found;
    std::size_t sent = 0, idle = 0;
    for (std::size_t turn = 0; idle < lanes.size(); turn = (turn + 1) % lanes.size()) {
        const Lane& lane = lanes[turn];
        if (lane.busy()) {
            result.tiles_done += collect(*lane.result, shape, found);
            if (!result.cancelled) report();
        }
        if (sent == origins.size() || result.cancelled) {
            ++idle;
            continue;
        }
        const auto first = origins.begin() + std::ptrdiff_t(sent);
        const std::size_t count = std::min(lane.tiles, origins.size() - sent);
        send(lane, normalised, {first, first + std::ptrdiff_t(count)});
        sent += count;
    }
    result.cancelled = result.cancelled && result.tiles_done < result.tiles;
    lanes.clear();  // the suppression may need their memory
    suppress_seams(stream, found, result.units);
    return result;
}

template class Detector<float>;
template class Detector<bf16>;

}  // namespace star
