// Detection on tiles. The catalogue doesn't depend on how many tiles are in flight, since no operation does.
#include "nn/detector.h"

#include <algorithm>
#include <cmath>

#include "kernels/nms.h"
#include "kernels/resize.h"

namespace star {
namespace {

int tiles_along(int extent, int core) { return ceil_div(extent, core); }

}  // namespace

/// Candidates of a batch of tiles, on the device.
template <class T>
struct Detector<T>::Tiles {
    Candidates candidates;
    int capacity = 0;
};

template <class T>
Detector<T>::Detector(Stream stream, const Architecture& a, const Procedure& p,
                      const std::function<const NamedTensor*(const std::string&)>& find)
    : procedure_(p), net_(std::make_unique<RetinaNet>(a)) {
    check(p, a.largest_stride());
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
    const auto batch = pass.activations.take<T>(Shape{N, side, side, 1});
    for (int n = 0; n < N; ++n)
        cut_window<T>(pass.stream, normalised, origins[std::size_t(n)].first - procedure_.halo,
                      origins[std::size_t(n)].second - procedure_.halo,
                      {batch.data ? batch.data + std::int64_t{n} * side * side : nullptr, {1, side, side, 1}});
    View<const T> x = batch;
    if (scale > 1) {
        const auto enlarged = pass.activations.take<T>(Shape{N, side * scale, side * scale, 1});
        enlarge<T>(pass.stream, x, scale, enlarged);
        x = enlarged;
    }
    const HeadOutputs<T> out = net_->forward<T>(pass, x, nullptr);
    const AnchorGrid grid = anchor_grid(net_->architecture, side * scale, side * scale);
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
std::int64_t Detector<T>::memory_bytes(Stream stream, int height, int width, int tiles_in_flight) const {
    Arena activations = Arena::measuring(), scratch = Arena::measuring();
    const std::vector<std::pair<int, int>> origins(std::size_t(tiles_in_flight), {0, 0});
    queue_tiles({dry(stream), activations, scratch, Pass::Norm::folded}, {nullptr, {1, height, width, 1}}, origins);
    return activations.peak() + scratch.peak() +
           std::int64_t{height} * width * 13;  // image, background, normalised, mask
}

template <class T>
Detections Detector<T>::detect(Stream stream, const Sky& sky, int tiles_in_flight, const Progress& progress) const {
    const Shape shape = sky.image.shape;
    const int H = shape.h, W = shape.w, core = procedure_.core, scale = procedure_.input_scale;
    const int classes = net_->architecture.classes;
    require(tiles_in_flight >= 1, "Detector: ", tiles_in_flight, " tiles in flight");

    Detections result;
    result.sky = prepare_sky(stream, sky, procedure_);
    const View<const float> normalised = result.sky.normalised.view(shape);
    const int down = tiles_along(H, core), across = tiles_along(W, core);
    result.tiles = down * across;

    // Tiles with something to see, a few at a time.
    std::vector<std::pair<int, int>> origins;
    for (int i = 0; i < down; ++i)
        for (int j = 0; j < across; ++j) {
            bool any = false;
            for (int y = i * core; y < std::min(H, (i + 1) * core) && !any; ++y)
                for (int x = j * core; x < std::min(W, (j + 1) * core) && !any; ++x)
                    any = sky.usable(std::int64_t{y} * W + x);
            if (any)
                origins.emplace_back(i * core, j * core);
            else
                ++result.tiles_done;
        }
    if (origins.empty()) {
        if (progress) progress(result.tiles_done, result.tiles);
        return result;
    }
    tiles_in_flight = std::min(tiles_in_flight, int(origins.size()));
    Arena activations = Arena::measuring(), scratch = Arena::measuring();
    for (const std::size_t batch : {std::size_t(tiles_in_flight), origins.size() % std::size_t(tiles_in_flight)}) {
        if (batch == 0) continue;  // the last batch may be smaller, and want more of an operation's workspace
        activations.release(0);
        queue_tiles({dry(stream), activations, scratch, Pass::Norm::folded}, normalised,
                    std::vector<std::pair<int, int>>(batch));
    }
    activations = Arena(stream.device, activations.peak());
    scratch = Arena(stream.device, scratch.peak());

    // A unit at a seam is seen by both tiles: each keeps candidates up to a star's box outside its core.
    const float margin = 2 * procedure_.box_half_width;
    std::vector<Detection> found;
    std::vector<Box> boxes;
    std::vector<float> scores, chances;
    std::vector<int> labels, count;
    for (std::size_t first = 0; first < origins.size(); first += std::size_t(tiles_in_flight)) {
        if (progress && !progress(result.tiles_done, result.tiles)) {
            result.cancelled = true;
            break;
        }
        const std::size_t last = std::min(origins.size(), first + std::size_t(tiles_in_flight));
        const std::vector<std::pair<int, int>> some(origins.begin() + std::ptrdiff_t(first),
                                                    origins.begin() + std::ptrdiff_t(last));
        activations.release(0);
        const Tiles tiles = queue_tiles({stream, activations, scratch, Pass::Norm::folded}, normalised, some);
        const auto fetch = [&](auto& host, const auto& view) {
            host.resize(std::size_t(view.size()));
            copy_to_host(stream, host.data(), view.data, host.size() * sizeof(host[0]));
        };
        fetch(count, tiles.candidates.count);
        fetch(boxes, tiles.candidates.boxes);
        fetch(scores, tiles.candidates.scores);
        fetch(labels, tiles.candidates.labels);
        fetch(chances, tiles.candidates.chances);
        synchronize(stream);
        for (std::size_t n = 0; n < some.size(); ++n) {
            const auto [y0, x0] = some[n];
            for (int k = 0; k < count[n]; ++k) {
                const std::size_t at = n * std::size_t(tiles.capacity) + std::size_t(k);
                Detection d;
                const Box b = boxes[at];
                const float s = float(scale), dx = float(x0 - procedure_.halo), dy = float(y0 - procedure_.halo);
                d.box = {b.x0 / s + dx, b.y0 / s + dy, b.x1 / s + dx, b.y1 / s + dy};
                const float x = d.box.x(), y = d.box.y();
                if (x < float(x0) - margin || x >= float(x0 + core) + margin || y < float(y0) - margin ||
                    y >= float(y0 + core) + margin)
                    continue;
                if (!(x >= 0 && x < float(W) && y >= 0 && y < float(H))) continue;  // a star must lie in the image
                d.score = scores[at];
                d.label = labels[at];
                for (int c = 0; c < classes; ++c) d.chances[c] = chances[at * std::size_t(classes) + std::size_t(c)];
                found.push_back(d);
            }
        }
        result.tiles_done += int(some.size());
    }
    if (progress && !result.cancelled) progress(result.tiles_done, result.tiles);

    // One suppression over the whole image, in global order of score. On the host: few boxes by now.
    if (found.empty()) return result;
    const Stream host{{}, stream.pool, nullptr, false};
    const int M = int(found.size());
    std::vector<Box> all(found.size());
    std::vector<float> score(found.size());
    std::vector<int> kept(found.size()), kept_count(1), total{M};
    for (std::size_t i = 0; i < found.size(); ++i) all[i] = found[i].box, score[i] = found[i].score;
    const Shape rows{1, 1, 1, M}, one{1, 1, 1, 1};
    const Nms how{procedure_.suppress_by_centre ? Nms::By::centre : Nms::By::iou,
                  procedure_.suppress_by_centre ? procedure_.suppress * procedure_.psf_fwhm : procedure_.suppress};
    const auto queue = [&](Stream s, Arena& arena) {
        nms(s, {all.data(), rows}, {score.data(), rows}, {nullptr, nothing}, {total.data(), one}, how,
            {kept.data(), rows}, {kept_count.data(), one}, arena);
    };
    Arena measure = Arena::measuring();
    queue(dry(host), measure);
    Arena suppression({}, measure.peak());
    queue(host, suppression);
    for (int i = 0; i < kept_count[0]; ++i) result.units.push_back(found[std::size_t(kept[std::size_t(i)])]);
    return result;
}

template class Detector<float>;
template class Detector<bf16>;

}  // namespace star
