// Simulating, preparing and cutting.
#include "tools/fields.h"

#include <algorithm>
#include <cmath>

#include "kernels/match.h"

namespace star {

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
    for (int f = 0; f < run_.fields; ++f) {
        const Field field =
            simulator_.make(*stream_.pool, W, H, margin_, seed, index * std::uint64_t(run_.fields) + std::uint64_t(f));
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
                for (const Unit& u : field.truth.units) {
                    const Box b{u.box.x0 - x0, u.box.y0 - y0, u.box.x1 - x0, u.box.y1 - y0};
                    if (b.x1 <= 0 || b.y1 <= 0 || b.x0 >= float(w) || b.y0 >= float(h)) continue;
                    const bool inside = b.x() >= 0 && b.y() >= 0 && b.x() < float(w) && b.y() < float(h);
                    out.boxes.push_back(b);
                    out.labels.push_back(inside ? u.label : label_ignored);
                }
                out.first.push_back(int(out.boxes.size()));
            }
    }
    return out;
}

}  // namespace star
