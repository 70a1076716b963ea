// The same question to GroupFit on threads, and to the kernel on a GPU.
#include "sim/fit_pieces.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/dispatch.h"
#include "sim/grow.h"

namespace star {
namespace {

// Looks at the pixels around the piece's own stars.
void weigh(const FitScene& scene, const FitPiece& piece, std::span<const FitStar> own, double reach, FitPixels& p) {
    scene.cut_out(piece, p);
    const double reach2 = reach * reach;
    const auto first = [](double v, int size) { return int(std::clamp(v, 0.0, double(size))); };
    for (const FitStar& s : own)
        for (int y = 0; y < p.h; ++y) {
            const double dy = p.row + y + 0.5 - s.y;
            if (!(dy * dy <= reach2)) continue;
            const double half = std::isinf(reach2) ? INFINITY : std::sqrt(reach2 - dy * dy) + 1,
                         middle = s.x - p.column - 0.5;
            const int x1 = first(middle + half + 1, p.w);
            for (int x = first(middle - half, p.w); x < x1; ++x) {
                const double dx = p.column + x + 0.5 - s.x;
                if (dx * dx + dy * dy <= reach2) p.weight[std::size_t(y) * std::size_t(p.w) + std::size_t(x)] = 1;
            }
        }
    for (int y = 0; y < p.h; ++y)
        for (int x = 0; x < p.w; ++x) {
            double& w = p.weight[std::size_t(y) * std::size_t(p.w) + std::size_t(x)];
            if (w == 0) continue;
            const bool usable =
                scene.usable(std::size_t(p.row + y) * std::size_t(scene.image().width) + std::size_t(p.column + x));
            w = usable ? 1 / p.variance[std::size_t(y) * std::size_t(p.w) + std::size_t(x)] : 0;
        }
}

LocalPsf psf_of(const FitPiece& piece, const PsfMap& map) {
    LocalPsf psf;
    for (int i = 0; i < piece.parts; ++i) psf.add(map.nodes()[std::size_t(piece.table[i])], piece.weight[i]);
    return psf;
}

// One rectangle and one PSF.
bool same_place(const FitPiece& a, const FitPiece& b) {
    return a.column == b.column && a.row == b.row && a.w == b.w && a.h == b.h && a.parts == b.parts &&
           std::equal(a.table, a.table + a.parts, b.table) && std::equal(a.weight, a.weight + a.parts, b.weight);
}

template <class T>
void upload(Stream stream, Buffer<T>& buffer, std::span<const T> values) {
    grow(buffer, stream.device, std::int64_t(values.size()));
    if (!values.empty()) copy_to_device(stream, buffer.data(), values.data(), values.size_bytes());
}

template <class T>
void download(Stream stream, std::span<T> values, const Buffer<T>& buffer) {
    if (!values.empty()) copy_to_host(stream, values.data(), buffer.data(), values.size_bytes());
}

FitExtent extent_of(std::span<const FitPiece> pieces) {
    FitExtent most;
    for (const FitPiece& p : pieces) {
        most.pixels = std::max(most.pixels, p.w * p.h), most.stars = std::max(most.stars, p.stars);
        most.mixed |= p.parts > 1;
    }
    return most;
}

}  // namespace

const FisherStamp& PieceFit::stamp_at(const PsfMap& map, const LocalPsf& psf, std::optional<FisherStamp>& own) const {
    if (!map.varies()) return stamp_;
    if (!own) own = stamp_;
    own->move_to(psf);
    return *own;
}

void PieceFit::fit(const FitScene& scene, const PieceQuestion& q) {
    require(q.results.size() == q.pieces.size() && (q.errors.empty() || q.errors.size() == q.stars.size()),
            "fit: ", q.results.size(), " results of ", q.pieces.size(), " pieces, ", q.errors.size(), " errors of ",
            q.stars.size(), " stars");
    for (const FitPiece& p : q.pieces)
        require(p.column >= 0 && p.row >= 0 && p.w >= 0 && p.h >= 0 &&
                    p.column + std::int64_t{p.w} <= scene.image().width &&
                    p.row + std::int64_t{p.h} <= scene.image().height && std::int64_t{p.w} * p.h <= INT32_MAX &&
                    p.own >= 0 && p.own <= p.stars && p.parts >= 1 && p.parts <= int(std::size(p.table)),
                "fit: a piece of ", p.w, "x", p.h, " px at ", p.column, ", ", p.row, ", ", p.own, " of ", p.stars,
                " stars its own, its PSF of ", p.parts, " parts");
    for (const FitStar& s : q.stars)
        require(std::isfinite(s.x) && std::isfinite(s.y) && std::isfinite(s.flux), "fit: a star at ", s.x, ", ", s.y,
                " of flux ", s.flux);
    on<on_host, on_device>(stream_, this, &scene, &q);
}

void PieceFit::on_host(Stream stream, PieceFit* self, const FitScene* scene, const PieceQuestion* q) {
    self->workers_.resize(std::size_t(stream.pool->threads()));
    std::fill(q->errors.begin(), q->errors.end(), FitErrors{NAN, NAN, NAN});
    std::vector<std::size_t> runs;  // of pieces that look at the same pixels, one after the other on one thread
    for (std::size_t i = 0; i < q->pieces.size(); ++i)
        if (i == 0 || !same_place(q->pieces[i - 1], q->pieces[i])) runs.push_back(i);
    runs.push_back(q->pieces.size());
    stream.pool->for_each(std::int64_t(runs.size()) - 1, [&](std::int64_t run, int worker) {
        Worker& w = self->workers_[std::size_t(worker)];
        const std::size_t from = runs[std::size_t(run)], to = runs[std::size_t(run) + 1];
        const LocalPsf psf = psf_of(q->pieces[from], scene->psf());
        if (!w.fit) w.fit.emplace(stream.pool->isa());
        w.fit->use(self->stamp_at(scene->psf(), psf, w.stamp), q->limits);
        for (std::size_t i = from; i < to; ++i) {
            const FitPiece& piece = q->pieces[i];
            const std::size_t first = std::size_t(piece.first), own = std::size_t(piece.own);
            const std::span<FitStar> stars = q->stars.subspan(first, std::size_t(piece.stars));
            weigh(*scene, piece, stars.first(own), q->reach, w.pixels);
            q->results[i] = w.fit->fit(w.pixels, stars, q->drawn);
            if (!q->errors.empty()) w.fit->errors(w.pixels, stars, scene->kernel(), q->errors.subspan(first, own));
        }
    });
}

void PieceFit::upload_psfs(const PsfMap& map) {
    const Psf& one = map.middle();
    const std::span<const Psf> nodes = map.varies() ? map.nodes() : std::span(&one, 1);
    tables_ = Buffer<float>(stream_.device, std::int64_t(nodes.size() * one.table_size()));
    psfs_ = {tables_.data(), one.oversampling(), one.stride(), one.middle(), stamp_.radius()};
    require(psfs_.size() == std::int64_t(one.table_size()), "fit: a PSF's table of ", one.table_size(), " numbers");
    for (std::size_t i = 0; i < nodes.size(); ++i)
        copy_to_device(stream_, tables_.data() + i * one.table_size(), nodes[i].coefficients(),
                       one.table_size() * sizeof(float));
}

void PieceFit::upload_scene(const FitScene& scene) {
    const FitImage& image = scene.image();
    if (drawn_ < 0) {
        upload_psfs(scene.psf());
        upload(stream_, kernel_, scene.kernel());
        upload(stream_, pixels_, image.pixels);
        upload(stream_, sky_, image.sky);
        upload(stream_, variance_, image.variance);
        upload(stream_, usable_, scene.usable_pixels());
    }
    if (drawn_ != scene.times_drawn()) upload(stream_, model_, scene.drawn());
    drawn_ = scene.times_drawn();
    planes_ = scene.planes();
    planes_.pixels = pixels_.data(), planes_.sky = sky_.data(), planes_.variance = variance_.data();
    planes_.model = model_.data(), planes_.usable = usable_.data();
}

void PieceFit::on_device(Stream stream, PieceFit* self, const FitScene* scene, const PieceQuestion* q) {
    self->upload_scene(*scene);
    // The largest first, so that none is begun when all others are done.
    std::vector<std::size_t> order(q->pieces.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return q->pieces[a].stars > q->pieces[b].stars; });
    std::vector<FitPiece> pieces;
    pieces.reserve(order.size());
    for (std::size_t i : order) pieces.push_back(q->pieces[i]);
    std::vector<GroupResult> results(pieces.size());

    upload(stream, self->pieces_, std::span<const FitPiece>(pieces));
    upload(stream, self->stars_, std::span<const FitStar>(q->stars));
    grow(self->errors_, stream.device, std::int64_t(q->errors.size()));
    grow(self->results_, stream.device, std::int64_t(results.size()));
    struct Launch {
        FitBatch batch;
        FitExtent most;
    };
    const auto crowded = std::size_t(
        std::find_if(pieces.begin(), pieces.end(), [](const FitPiece& p) { return p.stars <= few_fit_stars; }) -
        pieces.begin());
    const auto part = [&](std::size_t first, std::size_t count) {
        const FitBatch batch{self->planes_,
                             self->psfs_,
                             self->kernel_.data(),
                             int(scene->kernel().size()),
                             q->reach,
                             q->drawn,
                             self->pieces_.data() + first,
                             int(count),
                             self->stars_.data(),
                             q->errors.empty() ? nullptr : self->errors_.data(),
                             self->results_.data() + first,
                             q->limits};
        return Launch{batch, extent_of(std::span<const FitPiece>(pieces).subspan(first, count))};
    };
    const Launch launches[] = {part(0, crowded), part(crowded, pieces.size() - crowded)};
    if constexpr (with_cuda) {
        for (const Launch& l : launches)
            grow(self->workspace_, stream.device, cuda::fit_stars_workspace(l.batch, l.most));
        for (const Launch& l : launches) cuda::fit_stars(stream, l.batch, l.most, self->workspace_.data());
    }
    download(stream, q->stars, self->stars_);
    download(stream, q->errors, self->errors_);
    download(stream, std::span(results), self->results_);
    synchronize(stream);
    for (std::size_t i = 0; i < order.size(); ++i) q->results[order[i]] = results[i];
}

}  // namespace star
