// The training step. All memory is rehearsed at construction; a step allocates nothing on the device.
#include "nn/trainer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/graph.h"
#include "kernels/resize.h"

namespace star {
namespace {

void within(const char* field, double value, double low, double high) {
    if (!(value >= low && value <= high))
        fail(Fault::usage, field, " = ", value, ": must lie between ", low, " and ", high);
}

}  // namespace

void check(const Training& t) {
    within("batch", t.batch, 1, 4096);
    within("height", t.height, 8, 4096);
    within("width", t.width, 8, 4096);
    within("steps", double(t.steps), 1, 1e9);
    within("rate", t.rate, 1e-9, 1);
    within("warm_up", double(t.warm_up), 0, double(t.steps));
    within("norm_steps", double(t.norm_steps), 0, double(std::numeric_limits<std::int64_t>::max()));
    within("last_rate", t.last_rate, 0, 1);
    within("weight_decay", t.weight_decay, 0, 1);
    within("clip", t.clip, 0, 1e6);
    within("average", t.average, 0, 0.999999);
    within("gamma", t.focal.gamma, 0, 10);
    within("alpha", t.focal.alpha, -1, 1);
    within("beta", t.boxes.beta, 0, 100);
    within("box_weight", t.boxes.weight, 0, 1000);
    within("foreground", t.matching.foreground, 0, 1);
    within("background", t.matching.background, 1e-6, t.matching.foreground);
}

float scheduled_rate(const Training& t, std::int64_t step) {
    if (step <= t.warm_up) return t.rate * float(step) / float(t.warm_up);
    const double through = double(step - t.warm_up) / double(std::max<std::int64_t>(1, t.steps - t.warm_up));
    const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, through)));
    return float(t.rate * (t.last_rate + (1 - t.last_rate) * cosine));
}

/// What a step takes from the host, where the device can copy it from while the host prepares the next one.
struct Staging {
    HostBuffer<float> images;
    HostBuffer<Box> boxes;
    HostBuffer<std::int8_t> labels;
    HostBuffer<int> first;
    HostBuffer<AdamStep> adam;
    Event copied;

    Staging(Device d, std::int64_t pixels, std::int64_t units, int batch)
        : images(d, pixels), boxes(d, units), labels(d, units), first(d, batch + 1), adam(d, 1), copied(d) {}
};

/// Everything besides the parameters.
template <class T>
struct Trainer<T>::Memory {
    Memory(Device d, std::int64_t pixels, std::int64_t units, int batch)
        : images(d, pixels),
          boxes(d, units),
          labels(d, units),
          first(d, batch + 1),
          adam(d, 1),
          losses(d, 2 * max_levels + 1),
          staging{{d, pixels, units, batch}, {d, pixels, units, batch}} {}

    // on the device
    Buffer<float> images;
    Buffer<Box> boxes;
    Buffer<std::int8_t> labels;
    Buffer<int> first;
    Buffer<AdamStep> adam;
    Buffer<float> losses;  // classes per level, boxes per level, norm
    Staging staging[2];    // taken in turn
    int turn = 0;
    Graph step[2];  // with batch statistics, with running ones
    Arena activations = Arena::measuring(), scratch = Arena::measuring();
    std::vector<float> kept_values;  // the host's copy while averaged weights are validated
};

template <class T>
Trainer<T>::Trainer(Stream stream, const Architecture& a, int input_scale, const Training& how, std::uint64_t seed)
    : stream_(stream), input_scale_(input_scale), how_(how), net_(std::make_unique<RetinaNet>(a)) {
    check(how);
    if (a.in_channels != 1) fail(Fault::usage, "in_channels = ", a.in_channels, ": fields have one channel");
    how_.focal.classes = a.classes;
    how_.focal.per_cell = a.per_cell();
    params_ = std::make_unique<Params>(stream, Params::Use::training, [&](const VisitParam& v) { net_->params(v); });
    params_->initialise(stream, seed);
    grid_ = anchor_grid(a, how.height * input_scale, how.width * input_scale);

    const std::int64_t pixels = std::int64_t{how.batch} * how.height * how.width;
    memory_ = std::make_shared<Memory>(stream.device, pixels, pixels / pixels_per_unit, how.batch);
    Memory& m = *memory_;
    fill_zero(stream, m.losses.data(), std::size_t(m.losses.size()) * sizeof(float));
    queue_step({dry(stream), m.activations, m.scratch, Pass::Norm::batch});  // rehearsal
    m.activations.release(0);
    queue_validation({dry(stream), m.activations, m.scratch, Pass::Norm::frozen});
    m.activations = Arena(stream.device, m.activations.peak());
    m.scratch = Arena(stream.device, m.scratch.peak());
}

template <class T>
std::int64_t Trainer<T>::memory_bytes() const {
    return memory_->activations.capacity() + memory_->scratch.capacity();
}

template <class T>
void Trainer<T>::upload(const TrainingBatch& batch, const AdamStep& adam) {
    Memory& m = *memory_;
    const bool there = batch.truths != nullptr;
    const std::int64_t units = there ? batch.truths->boxes.size() : std::int64_t(batch.boxes.size());
    const std::int64_t pixels = batch.on_device ? batch.on_device->size() : std::int64_t(batch.images.size());
    require(pixels == m.images.size(), "Trainer: a batch of ", pixels, " pixels, ", m.images.size(), " wanted");
    require(there ? batch.truths->labels.size() == units && batch.truths->first.size() == m.first.size()
                  : std::int64_t(batch.labels.size()) == units && std::int64_t(batch.first.size()) == m.first.size() &&
                        batch.first.front() == 0 && batch.first.back() == units &&
                        std::is_sorted(batch.first.begin(), batch.first.end()),
            "Trainer: truth that doesn't fit together");
    if (units > m.boxes.size())
        fail(Fault::usage, "a batch of ", units, " units: there is room for ", m.boxes.size(), ", one in ",
             pixels_per_unit, " pixels");
    Staging& s = m.staging[m.turn];
    m.turn = 1 - m.turn;
    s.copied.wait();  // for the copies of two batches ago
    if (!batch.on_device) std::copy(batch.images.begin(), batch.images.end(), s.images.data());
    const auto f = float(input_scale_);
    std::transform(batch.boxes.begin(), batch.boxes.end(), s.boxes.data(), [f](Box b) {
        return Box{b.x0 * f, b.y0 * f, b.x1 * f, b.y1 * f};
    });
    std::copy(batch.labels.begin(), batch.labels.end(), s.labels.data());
    std::copy(batch.first.begin(), batch.first.end(), s.first.data());
    *s.adam.data() = adam;
    const auto copy = [&](const auto& to, const auto& from, std::size_t count) {
        copy_to_device(stream_, to.data(), from.data(), count * sizeof(*from.data()));
    };
    const auto take = [&](const auto& to, const auto& from) {
        copy_on_device(stream_, to.data(), from.data(), std::size_t(from.size()) * sizeof(*from.data()));
    };
    if (batch.on_device)
        take(m.images, *batch.on_device);
    else
        copy(m.images, s.images, batch.images.size());
    if (there) {
        take(m.boxes, batch.truths->boxes), take(m.labels, batch.truths->labels), take(m.first, batch.truths->first);
    } else {
        copy(m.boxes, s.boxes, batch.boxes.size());
        copy(m.labels, s.labels, batch.labels.size());
        copy(m.first, s.first, batch.first.size());
    }
    copy(m.adam, s.adam, 1);
    s.copied.record(stream_);
}

template <class T>
HeadOutputs<T> Trainer<T>::forward_and_loss(const Pass& pass, RetinaNet::Saved<T>* saved) {
    Memory& m = *memory_;
    const int N = how_.batch;
    const Shape sky{N, how_.height, how_.width, 1}, input{N, how_.height * input_scale_, how_.width * input_scale_, 1};
    View<const T> x;
    {
        const auto typed = pass.activations.take<T>(sky);
        convert<float, T>(pass.stream, m.images.view(sky), typed);
        x = typed;
        if (input_scale_ > 1) {
            const auto enlarged = pass.activations.take<T>(input);
            enlarge<T>(pass.stream, x, input_scale_, enlarged);
            x = enlarged;
        }
    }
    const HeadOutputs<T> out = net_->forward<T>(pass, x, saved);

    const int capacity = int(m.boxes.size());
    const Truths truths{m.boxes.view({1, 1, 1, capacity}), m.labels.view({1, 1, 1, capacity}),
                        m.first.view({1, 1, 1, N + 1})};
    const auto match = pass.activations.take<int>(Shape{N, 1, 1, grid_.total});
    const auto labels = pass.activations.take<std::int8_t>(Shape{N, 1, 1, grid_.total});
    const auto positives = pass.activations.take<int>(Shape{1, 1, 1, N});
    match_anchors(pass.stream, grid_, truths, how_.matching, match, labels, positives, pass.scratch);

    HeadOutputs<T> gradients;
    for (int l = 0; l < grid_.levels; ++l) {
        const auto dlogits = pass.activations.take<T>(out.logits[l].shape);
        const auto ddeltas = pass.activations.take<T>(out.deltas[l].shape);
        focal_loss<T>(pass.stream, out.logits[l], labels.data + grid_.level[l].first, grid_.total, positives,
                      how_.focal, dlogits, m.losses.data() + l, pass.scratch);
        box_loss<T>(pass.stream, out.deltas[l], grid_, l, match, truths.boxes, positives, how_.boxes, ddeltas,
                    m.losses.data() + max_levels + l, pass.scratch);
        gradients.logits[l] = dlogits, gradients.deltas[l] = ddeltas;
    }
    return gradients;
}

template <class T>
void Trainer<T>::queue_step(const Pass& pass) {
    Memory& m = *memory_;
    typename RetinaNet::Saved<T> saved;
    const HeadOutputs<T> gradients = forward_and_loss(pass, &saved);
    fill_zero(pass.stream, params_->grad().data, std::size_t(params_->optimised()) * sizeof(float));
    net_->backward<T>(pass, gradients, saved);
    float* norm = m.losses.data() + 2 * max_levels;
    gradient_norm(pass.stream, params_->grad(), norm, pass.scratch);
    const View<bf16> rounded = std::is_same_v<T, bf16> ? params_->rounded() : View<bf16>{nullptr, nothing};
    adam_step(pass.stream, params_->grad(), norm, m.adam.data(), params_->decayed(), params_->value(), params_->m(),
              params_->v(), params_->averaged(), rounded);
}

template <class T>
void Trainer<T>::queue_validation(const Pass& pass) {
    forward_and_loss(pass, nullptr);
}

template <class T>
void Trainer<T>::step(const TrainingBatch& batch) {
    Memory& m = *memory_;
    const std::int64_t t = steps_done_ + 1;
    AdamStep adam;
    adam.rate = scheduled_rate(how_, t);
    adam.weight_decay = how_.weight_decay;
    adam.clip = how_.clip;
    adam.average = std::min(how_.average, float(t - 1) / float(t));  // a plain mean until the window is full
    adam.step = t;
    upload(batch, adam);
    const bool frozen = t > how_.norm_steps;
    Graph& queued = m.step[frozen];
    if (!queued.recorded())
        queued = Graph(stream_, [this, &m, frozen](Stream s) {
            m.activations.release(0);
            queue_step({s, m.activations, m.scratch, frozen ? Pass::Norm::frozen : Pass::Norm::batch});
        });
    queued.run();
    steps_done_ = t;
}

template <class T>
void Trainer<T>::validate(const TrainingBatch& batch, bool averaged) {
    Memory& m = *memory_;
    upload(batch, {});
    const std::size_t bytes = std::size_t(params_->optimised()) * sizeof(float);
    if (averaged) {  // swap in, then back: validation is rare
        m.kept_values.resize(std::size_t(params_->optimised()));
        std::vector<float> average(m.kept_values.size());
        copy_to_host(stream_, m.kept_values.data(), params_->value().data, bytes);
        copy_to_host(stream_, average.data(), params_->averaged().data, bytes);
        synchronize(stream_);
        copy_to_device(stream_, params_->value().data, average.data(), bytes);
        params_->round(stream_);
        synchronize(stream_);
    }
    m.activations.release(0);
    queue_validation({stream_, m.activations, m.scratch, Pass::Norm::frozen});
    if (averaged) {
        copy_to_device(stream_, params_->value().data, m.kept_values.data(), bytes);
        params_->round(stream_);
        synchronize(stream_);
    }
}

template <class T>
Losses Trainer<T>::losses() const {
    float host[2 * max_levels + 1];
    copy_to_host(stream_, host, memory_->losses.data(), sizeof host);
    synchronize(stream_);
    Losses sum;
    for (int l = 0; l < grid_.levels; ++l) sum.classes += host[l], sum.boxes += host[max_levels + l];
    sum.norm = host[2 * max_levels];
    return sum;
}

template <class T>
std::vector<NamedTensor> Trainer<T>::state() const {
    using Block = Params::Block;
    std::vector<NamedTensor> all;
    for (const auto& [prefix, block] :
         {std::pair{"value/", Block::value}, {"averaged/", Block::averaged}, {"m/", Block::m}, {"v/", Block::v}})
        for (NamedTensor& t : params_->save(stream_, block)) {
            t.name = prefix + t.name;
            all.push_back(std::move(t));
        }
    return all;
}

template <class T>
void Trainer<T>::restore(const std::function<const NamedTensor*(const std::string&)>& find, std::int64_t steps_done) {
    using Block = Params::Block;
    for (const auto& [prefix, block] :
         {std::pair{"value/", Block::value}, {"averaged/", Block::averaged}, {"m/", Block::m}, {"v/", Block::v}}) {
        const auto missing = params_->load(
            stream_, [&, p = prefix](const std::string& name) { return find(p + name); }, block);
        if (!missing.empty()) fail(Fault::input, "tensor ", prefix, missing.front(), " is missing");
    }
    steps_done_ = steps_done;
}

template <class T>
std::vector<NamedTensor> Trainer<T>::averaged_weights() const {
    auto tensors = params_->save(stream_, Params::Block::value);
    const auto averaged = params_->save(stream_, Params::Block::averaged);  // the optimised ones: a prefix of all
    for (std::size_t i = 0; i < averaged.size(); ++i) tensors[i].data = averaged[i].data;
    return tensors;
}

template class Trainer<float>;
template class Trainer<bf16>;

}  // namespace star
