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

FieldSource::FieldSource(Stream stream, const Setup& setup, Curriculum curriculum)
    : stream_(stream),
      curriculum_(std::move(curriculum)),
      procedure_(setup.procedure),
      run_(setup.training),
      margin_(setup.margin) {
    const int windows = run_.how.batch / run_.fields;  // of each field, as square as it can be
    for (int r = 1; r * r <= windows; ++r)
        if (windows % r == 0) rows_ = r;
    columns_ = windows / rows_;
    const Shape whole{1, rows_ * run_.how.height, columns_ * run_.how.width, 1};
    field_ = Buffer<float>(stream.device, whole.size());
    queue_sky(dry(stream), field_.view(whole), {nullptr, nothing}, noise_of(curriculum_[0].exposure()), procedure_,
              memory_);
    memory_ = Arena(stream.device, memory_.peak());
    for (int i = 0; i < curriculum_.size(); ++i) {
        const FieldSimulator& s = curriculum_[i];
        const bool drawn_there = on_gpu() && s.stars_alone();
        observatories_.push_back(
            {&s, drawn_there ? std::make_unique<DeviceSky>(stream, s.psf(), s.exposure()) : nullptr});
    }
}

// The units that reach into a window.
void FieldSource::add_truth(const Field& field, const std::vector<std::int8_t>& labels, int row, int column,
                            TrainingBatch& out) const {
    const int h = run_.how.height, w = run_.how.width;
    const auto x0 = float(column * w), y0 = float(row * h);
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

// Eq. 4 divides by what lies between the background and `full`: the host can't see the one a GPU measures, but it isn't
// above the mean of all light.
void FieldSource::check_full(const Field& field, const Exposure& e) const {
    double electrons = 0;
    for (const Star& s : field.scene.stars) electrons += s.flux;
    const double mean = background_level(e) + electrons * image_unit(e) / (double(field.width) * field.height);
    if (procedure_.normalise.by == Normalise::By::paper && !(procedure_.normalise.full > mean))
        fail(Fault::usage, "procedure.full = ", procedure_.normalise.full, ": must lie above the fields' mean, ", mean);
}

// Draws the field where the stream computes, prepares it whole and cuts it into windows `first` and on of the batch.
void FieldSource::add_windows(Observatory& from, const Field& field, const FieldSpec& spec, int first, float* images) {
    const int h = run_.how.height, w = run_.how.width;
    const Shape whole{1, field.height, field.width, 1};
    const View<float> image = field_.view(whole);
    if (from.sky) {
        from.sky->observe(field.scene.stars, {spec.seed, spec.index}, image);
    } else {
        copy_to_device(stream_, image.data, field.image.data(), field.image.size() * sizeof(float));
        synchronize(stream_);  // the host's image is about to go
    }
    const std::int64_t mark = memory_.mark();
    queue_sky(stream_, image, {nullptr, nothing}, noise_of(from.simulator->exposure()), procedure_, memory_);
    memory_.release(mark);
    for (int i = 0; i < rows_ * columns_; ++i) {
        float* const window = images + std::int64_t{first + i} * h * w;
        cut_window(stream_, View<const float>{image.data, whole}, i / columns_ * h, i % columns_ * w,
                   View<float>{window, {1, h, w, 1}});
    }
}

TrainingBatch FieldSource::batch(std::uint64_t seed, const std::vector<std::uint64_t>& numbers, bool keep) {
    require(std::int64_t(numbers.size()) == run_.fields, "fields: ", numbers.size(), " instead of ", run_.fields);
    const int h = run_.how.height, w = run_.how.width;
    const std::int64_t pixels = std::int64_t{run_.how.batch} * h * w;
    TrainingBatch out;
    float* images = nullptr;
    if (on_gpu()) {
        std::shared_ptr<Buffer<float>>& turn = turns_[turn_];
        turn_ = 1 - turn_;
        if (keep || !turn) turn = std::make_shared<Buffer<float>>(stream_.device, pixels);
        images = turn->data(), out.on_device = turn;
        if (keep) turn.reset();
    } else {
        out.images.resize(std::size_t(pixels));
        images = out.images.data();
    }
    const auto spec_of = [&](std::int64_t f) -> FieldSpec {
        return {columns_ * w, rows_ * h, margin_, seed, numbers[std::size_t(f)]};
    };
    const auto from = [&](std::int64_t f) -> Observatory& {
        return observatories_[std::size_t(curriculum_.choice(seed, spec_of(f).index))];
    };
    std::vector<Field> fields(std::size_t(run_.fields));  // all at once: a small field keeps no two threads busy
    stream_.pool->for_each(run_.fields, [&](std::int64_t f, int) {
        const Observatory& o = from(f);
        fields[std::size_t(f)] =
            o.sky ? o.simulator->plan(*stream_.pool, spec_of(f)) : o.simulator->make(*stream_.pool, spec_of(f));
    });
    out.first.push_back(0);
    for (int f = 0; f < run_.fields; ++f) {
        const Field& field = fields[std::size_t(f)];
        Random draw(seed_of(seed, Draw::labels, spec_of(f).index), 0);
        check_full(field, from(f).simulator->exposure());
        std::vector<std::int8_t> labels;
        for (const TruthUnit& u : field.truth.units) labels.push_back(drawn_label(u, draw));
        add_windows(from(f), field, spec_of(f), f * rows_ * columns_, images);
        for (int i = 0; i < rows_; ++i)
            for (int j = 0; j < columns_; ++j) add_truth(field, labels, i, j, out);
    }
    return out;
}

}  // namespace star
