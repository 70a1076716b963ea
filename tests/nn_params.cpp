// Parameters: their layout, padding, starting values, and the way to and from files.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "nn/detector.h"
#include "tests/nn_tiny.h"

using namespace star;
using namespace star::test;

namespace {

struct Network {
    RetinaNet net;
    Params params;
    Network(const Architecture& a, Params::Use use)
        : net(a), params(one_thread(), use, [this](const VisitParam& v) { net.params(v); }) {}
};

// Nine anchors a cell and five classes: 45 logits in 48 channels and 36 deltas in 40.
Architecture padded() {
    Architecture a = tiny_paper();
    a.anchor_sizes = {{16, 20, 25}, {32, 40, 50}, {48, 60, 75}, {64, 80, 100}};
    return a;
}

std::int64_t zeros(const float* data, std::int64_t n) {  // of bits: -0 would be a value
    return std::count_if(data, data + n, [](float x) { return std::bit_cast<std::uint32_t>(x) == 0; });
}

// The flat block's elements that no tensor in a file accounts for are its padding: as many must be zero.
void check_padding(View<float> block, const std::vector<NamedTensor>& tensors, std::int64_t optimised) {
    std::int64_t inside = 0, elements = 0;
    for (const NamedTensor& t : tensors) {
        if (t.name.find("running_") != std::string::npos) continue;
        inside += zeros(t.data.data(), std::int64_t(t.data.size()));
        elements += std::int64_t(t.data.size());
    }
    CHECK(elements < optimised);
    CHECK(zeros(block.data, optimised) == inside + optimised - elements);
}

std::vector<float> data_of(const std::vector<NamedTensor>& tensors, const std::string& name) {
    for (const NamedTensor& t : tensors)
        if (t.name == name) return t.data;
    FAIL("no tensor " << name);
    return {};
}

bool same(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const NamedTensor& x, const NamedTensor& y) {
        return x.name == y.name && x.shape == y.shape && same_bits(x.data, y.data);
    });
}

}  // namespace

TEST_CASE("parameters lie in runs: decayed, plain, running, derived; aligned and apart") {
    for (const Architecture& a : {tiny(), tiny_paper(), padded()}) {
        Network n(a, Params::Use::training);
        const float* base = n.params.value().data;
        CHECK(0 < n.params.decayed());
        CHECK(n.params.decayed() < n.params.optimised());
        std::set<std::string> names;
        std::vector<std::pair<std::int64_t, std::int64_t>> spans;
        std::int64_t learnt = 0;
        n.net.params([&](const std::string& name, Param& p) {
            CAPTURE(name);
            CHECK(names.insert(name).second);
            const std::int64_t at = p.value.data - base, end = at + p.shape.size();
            spans.emplace_back(at, end);
            CHECK(p.value.shape == p.shape);
            CHECK(reinterpret_cast<std::uintptr_t>(p.value.data) % 16 == 0);
            CHECK(reinterpret_cast<std::uintptr_t>(p.rounded.data) % 16 == 0);
            CHECK(p.rounded.data - n.params.rounded().data == at);
            const bool learns = p.run == Run::decayed || p.run == Run::plain;
            if (learns) learnt += p.logical.size();
            if (learns)
                CHECK(p.grad.data - n.params.grad().data == at);
            else
                CHECK(p.grad.data == nullptr);
            if (p.run == Run::decayed) CHECK((at >= 0 && end <= n.params.decayed()));
            if (p.run == Run::plain) CHECK((at >= n.params.decayed() && end <= n.params.optimised()));
            if (p.run == Run::running || p.run == Run::derived) CHECK(at >= n.params.optimised());
            CHECK((p.run == Run::decayed) ==
                  (name.ends_with(".weight") && p.logical.n * p.logical.h * p.logical.w > 1));
            CHECK((p.run == Run::running) == (name.find(".running_") != std::string::npos));
        });
        CHECK(n.params.count() == learnt);
        std::sort(spans.begin(), spans.end());
        for (std::size_t i = 1; i < spans.size(); ++i) CHECK(spans[i - 1].second <= spans[i].first);
    }
}

TEST_CASE_TEMPLATE("padding is zero before and after training", T, float, bf16) {
    Trainer<T> trainer(one_thread(), padded(), 1, settings(2, 64), 2);
    const auto check_all = [&] {
        using Block = Params::Block;
        Params& p = trainer.params();
        for (const auto& [block, which] : {std::pair{p.value(), Block::value},
                                           {p.averaged(), Block::averaged},
                                           {p.m(), Block::m},
                                           {p.v(), Block::v}})
            check_padding(block, p.save(one_thread(), which), p.optimised());
    };
    check_all();
    for (int s = 0; s < 3; ++s) trainer.step(blobs(2, 64, std::uint64_t(s)));
    CHECK(trainer.losses().finite());
    check_all();
    std::int64_t other = 0;  // the gradient too, and the rounded copy follows the values
    for (std::int64_t i = 0; i < trainer.params().optimised(); ++i)
        if constexpr (std::is_same_v<T, bf16>)
            other += !(trainer.params().rounded().data[i] == to_bf16(trainer.params().value().data[i]));
    CHECK(other == 0);
}

TEST_CASE("the padding of a three-channel stem and of padded heads gets no gradient") {
    Architecture a = padded();
    a.in_channels = 3;
    Network n(a, Params::Use::training);
    n.params.initialise(one_thread(), 4);
    const int side = 48, C = padded_channels(3);
    CHECK(C == 8);
    std::vector<float> image(std::size_t(side * side * C), 0.0f);
    Random r(1, 1);
    for (int i = 0; i < side * side; ++i)
        for (int c = 0; c < 3; ++c) image[std::size_t(i * C + c)] = float(r.normal());
    const auto sweep = [&](Stream stream, Arena& activations, Arena& scratch) {
        const Pass pass{stream, activations, scratch, Pass::Norm::batch};
        RetinaNet::Saved<float> saved;
        const auto out = n.net.forward<float>(pass, View<const float>{image.data(), {1, side, side, C}}, &saved);
        HeadOutputs<float> gradients;
        for (int l = 0; l < a.head_levels(); ++l) {
            CHECK(out.logits[l].shape.c == 48);
            CHECK(out.deltas[l].shape.c == 40);
            const auto fill = [&](View<const float> like, int channels) {  // what a loss gives: zero in the padding
                const auto g = pass.activations.take<float>(like.shape);
                for (std::int64_t i = 0; g.data && i < g.size(); ++i)
                    g.data[i] = i % like.shape.c < channels ? float(r.normal()) : 0;
                for (std::int64_t i = 0; g.data && i < g.size(); ++i)
                    if (i % like.shape.c >= channels) CHECK(like.data[i] == 0);
                return g;
            };
            gradients.logits[l] = fill(out.logits[l], 45);
            gradients.deltas[l] = fill(out.deltas[l], 36);
        }
        n.net.backward<float>(pass, gradients, saved);
    };
    Arena activations = Arena::measuring(), scratch = Arena::measuring();
    sweep(dry(one_thread()), activations, scratch);
    const std::int64_t told[] = {activations.peak(), scratch.peak()};
    activations = Arena({}, told[0]), scratch = Arena({}, told[1]);
    sweep(one_thread(), activations, scratch);
    CHECK(activations.peak() == told[0]);  // rehearsal = use
    CHECK(scratch.peak() == told[1]);

    const float* grad = n.params.grad().data;
    n.net.params([&](const std::string& name, Param& p) {
        if (!p.grad.data) return;
        CAPTURE(name);
        std::int64_t wrong = 0, alive = 0;
        for (std::int64_t i = 0; i < p.shape.size(); ++i) {
            const bool inside = i % p.shape.c < p.logical.c && i / p.shape.c / p.shape.w / p.shape.h < p.logical.n;
            (inside ? alive : wrong) += p.grad.data[i] != 0;
        }
        CHECK(wrong == 0);
        if (name == "backbone.body.conv1.weight" || name.starts_with("head.")) CHECK(alive > 0);
    });
    CHECK(grad != nullptr);
}

TEST_CASE("saved and loaded, every bit comes back") {
    for (const Architecture& a : {tiny(), padded()}) {
        const Weights loud = loud_weights(a, 3);
        Network first(a, Params::Use::training), second(a, Params::Use::inference);
        CHECK(first.params.load(one_thread(), loud.finder()).empty());
        second.params.initialise(one_thread(), 99);
        const auto saved = first.params.save(one_thread());
        CHECK(saved.size() == loud.by_name.size());
        for (const NamedTensor& t : saved) CHECK(same_bits(t.data, loud.find(t.name)->data));
        const Weights file(saved);
        CHECK(second.params.load(one_thread(), file.finder()).empty());
        CHECK(same(second.params.save(one_thread()), saved));
        check_padding(second.params.value(), saved, second.params.optimised());
        std::int64_t other = 0;
        second.net.params([&](const std::string&, Param& p) {
            if (p.run == Run::derived) return;
            for (std::int64_t i = 0; i < p.value.size(); ++i) other += !(p.rounded.data[i] == to_bf16(p.value.data[i]));
        });
        CHECK(other == 0);
    }
}

TEST_CASE("a one-channel stem takes the sum of a three-channel one") {
    Architecture three = tiny_paper(), one = tiny_paper();
    three.in_channels = 3;
    const Weights colour = loud_weights(three, 8);
    Network n(one, Params::Use::inference);
    CHECK(n.params.load(one_thread(), colour.finder()).empty());
    const auto grey = data_of(n.params.save(one_thread()), "backbone.body.conv1.weight");
    const NamedTensor& from = *colour.find("backbone.body.conv1.weight");
    REQUIRE(from.shape == std::vector<std::int64_t>{8, 3, 7, 7});
    REQUIRE(grey.size() == 8 * 49);
    for (std::size_t k = 0; k < 8; ++k)
        for (std::size_t i = 0; i < 49; ++i) {
            const float *plane = from.data.data() + k * 3 * 49 + i, want = plane[0] + plane[49] + plane[98];
            CHECK(grey[k * 49 + i] == want);
        }
    Network back(three, Params::Use::inference);  // the other way there is nothing to say
    const Weights narrow(n.params.save(one_thread()));
    CHECK_THROWS_WITH_AS(back.params.load(one_thread(), narrow.finder()),
                         doctest::Contains("backbone.body.conv1.weight"), Error);
}

TEST_CASE("tensors that are missing are told, misshapen ones refused, by name") {
    const Weights loud = loud_weights(tiny(), 3);
    const std::string names[] = {"backbone.body.layer2.1.bn3.bias", "head.regression_head.bbox_reg.weight"};
    for (const std::string& name : names) {
        CAPTURE(name);
        Network n(tiny(), Params::Use::inference);
        Weights w = loud;
        w.by_name.erase(name);
        CHECK(n.params.load(one_thread(), w.finder()) == std::vector<std::string>{name});
        const auto before = n.params.save(one_thread());
        const auto refuses = [&](auto&& spoil) {
            Weights bad = loud_weights(tiny(), 4);
            spoil(bad.by_name[name]);
            CHECK_THROWS_WITH_AS(n.params.load(one_thread(), bad.finder()), doctest::Contains(name.c_str()), Error);
            CHECK(same(n.params.save(one_thread()), before));  // all or nothing
        };
        refuses([](NamedTensor& t) { t.shape[0] += 8; });
        refuses([](NamedTensor& t) { t.shape.push_back(1); });
        refuses([](NamedTensor& t) { t.shape.clear(); });
        refuses([](NamedTensor& t) { t.shape[0] = -t.shape[0]; });
        refuses([](NamedTensor& t) { t.data.pop_back(); });
    }
}

TEST_CASE("starting values are a function of the seed and the name alone") {
    const auto start = [](const Architecture& a, std::uint64_t seed) {
        Network n(a, Params::Use::training);
        n.params.initialise(one_thread(), seed);
        CHECK(same_bits(std::vector<float>(n.params.averaged().data, n.params.averaged().data + n.params.optimised()),
                        std::vector<float>(n.params.value().data, n.params.value().data + n.params.optimised())));
        return n.params.save(one_thread());
    };
    Architecture other = tiny();  // more layers before, between and after
    other.stem.push_back({3, 1, 16});
    other.blocks = {2, 3};
    other.head_depth = 2;
    const auto a = start(tiny(), 1), again = start(tiny(), 1), b = start(tiny(), 2), c = start(other, 1);
    CHECK(same(a, again));
    const Weights longer(c);
    int shared = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        CAPTURE(a[i].name);
        const bool drawn = a[i].shape.size() == 4;
        CHECK(same_bits(a[i].data, b[i].data) == !drawn);
        const NamedTensor* t = longer.find(a[i].name);
        REQUIRE(t);
        if (t->shape != a[i].shape) continue;
        CHECK(same_bits(t->data, a[i].data));
        ++shared;
    }
    CHECK(shared > 40);
    // two tensors of one shape and distribution, but not one name
    CHECK_FALSE(same_bits(data_of(a, "head.classification_head.conv.0.0.weight"),
                          data_of(a, "head.regression_head.conv.0.0.weight")));

    // What was drawn is what was asked for: of n normal draws the mean lies within 5 sd / sqrt(n) of 0 and the variance
    // within 5 sqrt(2 / n) of sd^2 (five standard errors); none is an outlier beyond 7 sd.
    const auto w = data_of(start(padded(), 5), "head.classification_head.cls_logits.weight");
    double sum = 0, squares = 0;
    for (float x : w) {
        sum += x, squares += double(x) * x;
        CHECK(std::fabs(x) < 7 * 0.01);
    }
    const double n = double(w.size());
    CHECK(std::fabs(sum / n) < 5 * 0.01 / std::sqrt(n));
    CHECK(std::fabs(squares / n / 1e-4 - 1) < 5 * std::sqrt(2 / n));
    const auto bias = data_of(start(padded(), 5), "head.classification_head.cls_logits.bias");
    for (float x : bias) CHECK(1 / (1 + std::exp(-x)) == doctest::Approx(0.01).epsilon(1e-5));
}

TEST_CASE("a backbone alone can be loaded, the rest keeps its start") {
    const Weights full = loud_weights(tiny(), 3);
    Network n(tiny(), Params::Use::training);
    n.params.initialise(one_thread(), 1);
    const auto before = n.params.save(one_thread());
    const auto body = [&](const std::string& name) {
        return name.starts_with("backbone.body.") ? full.find(name) : nullptr;
    };
    const auto missing = n.params.load(one_thread(), body);
    const auto after = n.params.save(one_thread());
    std::vector<std::string> want;
    for (std::size_t i = 0; i < after.size(); ++i) {
        const bool loaded = after[i].name.starts_with("backbone.body.");
        if (!loaded) want.push_back(after[i].name);
        CHECK(same_bits(after[i].data, loaded ? full.find(after[i].name)->data : before[i].data));
    }
    CHECK(!want.empty());
    CHECK(missing == want);
}
