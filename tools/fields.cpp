// Simulating, preparing and cutting.
#include "tools/fields.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/unit_labels.h"
#include "sim/streams.h"

namespace star {
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
        Observatory o{&s, nullptr, nullptr};
        if (on_gpu() && s.stars_alone()) o.sky = std::make_unique<DeviceSky>(stream, s.psf(), s.exposure());
        if (on_gpu() && s.truth_options().units == Units::given)
            o.labeller = std::make_unique<DeviceLabeller>(stream, s.native_psf(), s.exposure(), s.truth_options());
        observatories_.push_back(std::move(o));
    }
    if (on_gpu()) device_truth_ = std::make_unique<DeviceTruth>(stream);
}

// The units that reach into each window; kernels/unit_labels.h: cut_truths() is the same on a GPU.
void FieldSource::add_truth(const Field& field, std::uint64_t seed, TrainingBatch& out) const {
    const int h = run_.how.height, w = run_.how.width;
    Random draw(seed, 0);
    std::vector<std::int8_t> labels;
    for (const TruthUnit& u : field.truth.units)
        labels.push_back(is_drawn(u.soft, u.label) ? drawn_label(u.chance.data(), u.label, draw.uniform()) : u.label);
    for (int i = 0; i < rows_ * columns_; ++i) {
        const auto x0 = float(i % columns_ * w), y0 = float(i / columns_ * h);
        for (std::size_t k = 0; k < labels.size(); ++k) {
            const WindowBox seen = window_box(field.truth.units[k].box, x0, y0, float(w), float(h));
            if (!seen.reaches) continue;
            out.boxes.push_back(seen.box);
            out.labels.push_back(seen.centred ? labels[k] : label_ignored);
        }
        out.first.push_back(int(out.boxes.size()));
    }
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

FieldSource::Turn FieldSource::next_turn(bool keep) {
    Turn& turn = turns_[turn_];
    turn_ = 1 - turn_;
    if (keep || !turn.images) {
        const std::int64_t pixels = std::int64_t{run_.how.batch} * run_.how.height * run_.how.width;
        const std::int64_t units = pixels / pixels_per_unit;
        const Device d = stream_.device;
        turn.images = std::make_shared<Buffer<float>>(d, pixels);
        turn.truths = std::make_shared<DeviceTruths>(
            DeviceTruths{Buffer<Box>(d, units), Buffer<std::int8_t>(d, units), Buffer<int>(d, run_.how.batch + 1)});
    }
    return keep ? std::exchange(turn, {}) : turn;
}

TrainingBatch FieldSource::batch(std::uint64_t seed, const std::vector<std::uint64_t>& numbers, bool keep) {
    require(std::int64_t(numbers.size()) == run_.fields, "fields: ", numbers.size(), " instead of ", run_.fields);
    const int h = run_.how.height, w = run_.how.width;
    TrainingBatch out;
    Turn turn;
    float* images = nullptr;
    if (on_gpu()) {
        turn = next_turn(keep);
        images = turn.images->data();
        out.on_device = turn.images, out.truths = turn.truths;
    } else {
        out.images.resize(std::size_t(std::int64_t{run_.how.batch} * h * w));
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
        const FieldSpec spec = spec_of(f);
        Field& field = fields[std::size_t(f)];
        field.width = spec.width, field.height = spec.height, field.scene = o.simulator->scene(spec);
        if (!o.labeller) field.truth = o.simulator->truth(*stream_.pool, field.scene);
        if (!o.sky) field.image = o.simulator->image(*stream_.pool, field.scene, {spec.seed, spec.index}).image;
    });
    if (!on_gpu()) out.first.push_back(0);
    std::vector<FieldTruth> truths;
    for (int f = 0; f < run_.fields; ++f) {
        const Field& field = fields[std::size_t(f)];
        Observatory& o = from(f);
        const std::uint64_t draw = seed_of(seed, Draw::labels, spec_of(f).index);
        check_full(field, o.simulator->exposure());
        add_windows(o, field, spec_of(f), f * rows_ * columns_, images);
        if (on_gpu())
            truths.push_back({o.labeller.get(), field.scene.stars, o.labeller ? nullptr : &field.truth, draw});
        else
            add_truth(field, draw, out);
    }
    if (on_gpu())
        device_truth_->write(truths, {rows_, columns_, h, w, float(procedure_.input_scale)},
                             int(turn.truths->boxes.size()), turn.truths->boxes.data(), turn.truths->labels.data(),
                             turn.truths->first.data());
    return out;
}

}  // namespace star
