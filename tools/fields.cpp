// Simulating, preparing and cutting.
#include "tools/fields.h"

#include <algorithm>
#include <cmath>

#include "kernels/match.h"
#include "sim/streams.h"

namespace star {
namespace {

// The class to train on, drawn from a soft unit's chances: over an endless stream the mean gradient is that of the
// chances themselves, the loss of an anchor being linear in its target.
std::int8_t drawn_label(const TruthUnit& u, Random& random) {
    if (!u.soft || u.label == label_ignored) return u.label;
    double left = random.uniform();
    std::int8_t last = u.label;
    for (std::size_t k = 0; k < u.chance.size(); ++k) {
        if (!(u.chance[k] > 0)) continue;
        last = std::int8_t(k);
        if ((left -= double(u.chance[k])) < 0) break;
    }
    return last;
}

}  // namespace

FieldSource::FieldSource(Stream stream, const Setup& setup)
    : stream_(stream),
      simulator_(setup.simulator()),
      procedure_(setup.procedure),
      run_(setup.training),
      margin_(setup.margin) {
    const int windows = run_.how.batch / run_.fields;  // of each field, as square as it can be
    for (int r = 1; r * r <= windows; ++r)
        if (windows % r == 0) rows_ = r;
    columns_ = windows / rows_;
}

TrainingBatch FieldSource::batch(std::uint64_t seed, std::uint64_t index) const {
    const int h = run_.how.height, w = run_.how.width, H = rows_ * h, W = columns_ * w;
    const Noise noise = noise_of(simulator_.exposure());
    TrainingBatch out;
    out.images.resize(std::size_t(run_.how.batch) * std::size_t(h) * std::size_t(w));
    out.first.push_back(0);
    std::vector<float> normalised(std::size_t(H) * std::size_t(W));
    const auto number_of = [&](std::int64_t f) { return index * std::uint64_t(run_.fields) + std::uint64_t(f); };
    std::vector<Field> fields(std::size_t(run_.fields));  // all at once: a small field keeps no two threads busy
    stream_.pool->for_each(run_.fields, [&](std::int64_t f, int) {
        fields[std::size_t(f)] = simulator_.make(*stream_.pool, {W, H, margin_, seed, number_of(f)});
    });
    for (int f = 0; f < run_.fields; ++f) {
        const std::uint64_t number = number_of(f);
        const Field& field = fields[std::size_t(f)];
        Random draw(seed_of(seed, Draw::labels, number), 0);
        std::vector<std::int8_t> labels;
        for (const TruthUnit& u : field.truth.units) labels.push_back(drawn_label(u, draw));
        const PreparedSky sky =
            prepare_sky(stream_, {{field.image.data(), {1, H, W, 1}}, {nullptr, nothing}, noise}, procedure_);
        copy_to_host(stream_, normalised.data(), sky.normalised.data(), normalised.size() * sizeof(float));
        synchronize(stream_);
        for (int i = 0; i < rows_; ++i)
            for (int j = 0; j < columns_; ++j) {
                const int window = f * rows_ * columns_ + i * columns_ + j;
                for (int y = 0; y < h; ++y)
                    std::copy_n(&normalised[std::size_t(i * h + y) * std::size_t(W) + std::size_t(j * w)], w,
                                &out.images[(std::size_t(window) * std::size_t(h) + std::size_t(y)) * std::size_t(w)]);
                const auto x0 = float(j * w), y0 = float(i * h);
                for (std::size_t k = 0; k < labels.size(); ++k) {
                    const Box& box = field.truth.units[k].box;
                    const Box b{box.x0 - x0, box.y0 - y0, box.x1 - x0, box.y1 - y0};
                    if (b.x1 <= 0 || b.y1 <= 0 || b.x0 >= float(w) || b.y0 >= float(h)) continue;
                    const bool inside = b.x() >= 0 && b.y() >= 0 && b.x() < float(w) && b.y() < float(h);
                    out.boxes.push_back(b);
                    out.labels.push_back(inside ? labels[k] : label_ignored);
                }
                out.first.push_back(int(out.boxes.size()));
            }
    }
    return out;
}

}  // namespace star
