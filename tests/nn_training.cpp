// A tiny network in training: gradients, determinism, rehearsal, resuming, overfitting.
#include <doctest/doctest.h>

#include "tests/nn_tiny.h"

using namespace star;
using namespace star::test;

namespace {

template <class T>
std::vector<float> weights(Trainer<T>& t) {
    const auto v = t.params().value();
    return {v.data, v.data + v.size()};
}

}  // namespace

TEST_CASE("the gradient is the slope of the loss") {
    // Central differences along the gradient itself: the loss falls at the rate |g|^2. In float, over a step chosen so
    // that both the rounding of the loss (2^-24 * loss / step) and the third derivative stay small against the
    // tolerance.
    for (const auto& [architecture, side] : {std::pair{tiny(), 32}, {tiny_paper(), 64}}) {
        Training how = settings(2, side);
        how.norm_steps = 0;
        Trainer<float> trainer(one_thread(), architecture, 1, how, 5);
        const auto batch = blobs(2, side, 9);
        trainer.step(batch);  // fills the gradient; the step itself is at a warm-up rate and harmless
        auto value = trainer.params().value();
        trainer.step(batch);
        const auto before = weights(trainer);
        // the gradient at `before` is what the next step computes: read it there, then restore
        trainer.step(batch);
        const auto g = trainer.params().grad();
        std::vector<double> direction(g.data, g.data + g.size());
        double norm2 = 0;
        for (double d : direction) norm2 += d * d;
        REQUIRE(norm2 > 0);
        const auto loss_at = [&](double step) {
            for (std::size_t i = 0; i < direction.size(); ++i)
                value.data[i] = float(before[i] + step * direction[i] / std::sqrt(norm2));
            trainer.validate(batch, false);
            return trainer.losses().total();
        };
        const double h = 2e-3, slope = (loss_at(h) - loss_at(-h)) / (2 * h);
        CHECK(slope == doctest::Approx(std::sqrt(norm2)).epsilon(0.01));
    }
}

TEST_CASE_TEMPLATE("two runs give equal bits, for any number of threads", T, float, bf16) {
    std::vector<std::vector<float>> results;
    for (int threads : {1, 2, 3}) {
        ThreadPool pool(threads);
        Trainer<T> trainer({{}, &pool}, tiny(), 1, settings(3, 32), 1);
        for (int s = 0; s < 4; ++s) trainer.step(blobs(3, 32, std::uint64_t(s)));
        CHECK(trainer.losses().finite());
        results.push_back(weights(trainer));
    }
    CHECK(same_bits(results[0], results[1]));
    CHECK(same_bits(results[0], results[2]));
}

TEST_CASE_TEMPLATE("saving, loading and going on gives the bits of never having stopped", T, float, bf16) {
    const auto run = [](Trainer<T>& t, int from, int to) {
        for (int s = from; s < to; ++s) t.step(blobs(2, 32, std::uint64_t(s)));
    };
    Trainer<T> whole(one_thread(), tiny(), 1, settings(2, 32), 1);
    run(whole, 0, 6);
    Trainer<T> first(one_thread(), tiny(), 1, settings(2, 32), 1);
    run(first, 0, 3);
    std::map<std::string, NamedTensor> saved;
    for (auto& t : first.state()) saved[t.name] = t;
    Trainer<T> second(one_thread(), tiny(), 1, settings(2, 32), 77);
    const auto find = [&](const std::string& name) -> const NamedTensor* {
        const auto at = saved.find(name);
        return at == saved.end() ? nullptr : &at->second;
    };
    second.restore(find, first.steps_done());
    run(second, 3, 6);
    CHECK(same_bits(weights(whole), weights(second)));
    CHECK(whole.losses().total() == second.losses().total());
    const auto a = whole.averaged_weights(), b = second.averaged_weights();
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(same_bits(a[i].data, b[i].data));

    saved.erase("m/backbone.body.conv1.weight");
    CHECK_THROWS_WITH_AS(second.restore(find, 3), doctest::Contains("m/backbone.body.conv1.weight"), Error);
}

TEST_CASE("memory is known before the first step and stays as it is") {
    std::int64_t told[3];
    for (int threads : {1, 3}) {
        ThreadPool pool(threads);
        Trainer<float> trainer({{}, &pool}, tiny(), 1, settings(2, 32), 1);
        told[0] = trainer.memory_bytes();
        CHECK(told[0] > 2 * 32 * 32 * 8 * 4);  // the first layer's output alone
        trainer.step(blobs(2, 32, 1));
        told[1] = trainer.memory_bytes();
        trainer.validate(blobs(2, 32, 2), true);
        told[2] = trainer.memory_bytes();
        CHECK(told[0] == told[1]);
        CHECK(told[0] == told[2]);
    }
}

TEST_CASE("running statistics stand still after norm_steps") {
    Training how = settings(2, 32);
    how.norm_steps = 2;
    Trainer<float> trainer(one_thread(), tiny(), 1, how, 1);
    const auto statistics = [&] {
        std::vector<float> all;
        for (const NamedTensor& t : trainer.averaged_weights())
            if (t.name.find("running_") != std::string::npos) all.insert(all.end(), t.data.begin(), t.data.end());
        REQUIRE_FALSE(all.empty());
        return all;
    };
    std::vector<std::vector<float>> seen;
    for (int s = 0; s < 4; ++s) {
        trainer.step(blobs(2, 32, std::uint64_t(s)));
        seen.push_back(statistics());
    }
    CHECK_FALSE(same_bits(seen[0], seen[1]));
    CHECK(same_bits(seen[1], seen[2]));
    CHECK(same_bits(seen[1], seen[3]));
}

TEST_CASE("four fields can be learnt by heart") {
    Training how = settings(4, 32);
    how.average = 0;
    Trainer<float> trainer(one_thread(), tiny(), 1, how, 3);
    const auto batch = blobs(4, 32, 4);
    trainer.step(batch);
    const double start = trainer.losses().total();
    for (int s = 1; s < 300; ++s) trainer.step(batch);
    const double end = trainer.losses().total();
    MESSAGE("loss " << start << " -> " << end);
    CHECK(end < 0.05 * start);
}

TEST_CASE("bf16 activations follow float ones") {
    Trainer<float> exact(one_thread(), tiny(), 1, settings(4, 32), 3);
    Trainer<bf16> rounded(one_thread(), tiny(), 1, settings(4, 32), 3);
    const auto batch = blobs(4, 32, 4);
    exact.step(batch), rounded.step(batch);
    // every value is rounded by at most 2^-9; some fifteen layers deep, errors add at worst linearly
    CHECK(rounded.losses().total() == doctest::Approx(exact.losses().total()).epsilon(15 * 0x1p-9));
}

TEST_CASE("impossible settings and batches are refused") {
    Training how = settings(2, 32);
    how.rate = -1;
    CHECK_THROWS_WITH_AS(check(how), doctest::Contains("rate"), Error);
    Trainer<float> trainer(one_thread(), tiny(), 1, settings(2, 32), 1);
    auto batch = blobs(2, 32, 1);
    batch.images.pop_back();
    CHECK_THROWS_AS(trainer.step(batch), Error);
    batch = blobs(2, 32, 1);
    batch.first[1] = 100;
    CHECK_THROWS_AS(trainer.step(batch), Error);
    Architecture a = tiny();
    a.widths = {8, 12};
    CHECK_THROWS_WITH_AS(check(a), doctest::Contains("widths"), Error);
    a = tiny();
    a.anchor_sizes = {{6}};
    CHECK_THROWS_WITH_AS(check(a), doctest::Contains("anchor_sizes"), Error);
}

TEST_CASE("a batch with a pixel that isn't finite changes no parameter") {
    Trainer<float> trainer(one_thread(), tiny(), 1, settings(2, 32), 1);
    trainer.step(blobs(2, 32, 1));
    const auto before = weights(trainer);
    auto bad = blobs(2, 32, 2);
    bad.images[100] = NAN;
    trainer.step(bad);
    CHECK_FALSE(trainer.losses().finite());
    CHECK(same_bits(before, weights(trainer)));
    for (const NamedTensor& t : trainer.averaged_weights())  // running statistics included
        for (float v : t.data) REQUIRE(std::isfinite(v));
}
