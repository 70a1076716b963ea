// Lessons that a training's fields are mixed from, and networks adapted to another instrument.
#include <algorithm>
#include <cmath>
#include <map>

#include "io/safetensors.h"
#include "tests/program_run.h"
#include "tools/field_order.h"
#include "tools/setup.h"

using namespace star;
using namespace star::test;

namespace {

Setup setup_with(const std::string& lessons) {
    Config c;
    c.load_text(preset_text("csst-g"), "preset");
    c.load_text(architecture_text("native"), "architecture");
    c.load_text(lessons, "lessons");
    return read_setup(c);
}

}  // namespace

TEST_CASE("fields are drawn from lessons by their shares") {
    const Setup setup = setup_with(
        "[curriculum.a]\nshare = 3\n[curriculum.b]\nset = [\"mock.mag_max=23.5\"]\n"
        "draw = [\"exposure.sky=0.2..0.4\", \"exposure.read_noise=4..6\"]\nvariants = 4\n");
    const Curriculum mix = curriculum_of(setup);
    REQUIRE(mix.size() == 5);
    CHECK(mix[0].exposure().sky == setup.instrument.exposure.sky);
    for (int i = 1; i < 5; ++i) {
        const Exposure& e = mix[i].exposure();
        CHECK(e.sky >= 0.2);
        CHECK(e.sky < 0.4);
        CHECK(e.read_noise >= 4);
        CHECK(e.read_noise < 6);
        for (int j = 1; j < i; ++j) CHECK(e.sky != mix[j].exposure().sky);
    }
    constexpr int n = 4000;
    int counts[5] = {};
    for (int i = 0; i < n; ++i) ++counts[mix.choice(7, std::uint64_t(i))];
    const double shares[5] = {0.75, 0.0625, 0.0625, 0.0625, 0.0625};
    for (int i = 0; i < 5; ++i)  // five binomial deviations: a chance of 3e-6
        CHECK(std::fabs(counts[i] - n * shares[i]) < 5 * std::sqrt(n * shares[i] * (1 - shares[i])));
    CHECK(curriculum_of(setup_with("")).size() == 1);
    // The configuration that a model keeps makes the same lessons.
    Config again;
    again.load_text(setup.config, "dump");
    const Curriculum same = curriculum_of(read_setup(again));
    REQUIRE(same.size() == mix.size());
    for (int i = 0; i < 5; ++i) CHECK(same[i].exposure().sky == mix[i].exposure().sky);
}

TEST_CASE("a lesson may draw every number of a list") {
    const Curriculum mix =
        curriculum_of(setup_with("[curriculum.a]\ndraw = [\"mock.weights=[1..2, 3..4,0..0,5..6,0..0]\"]\nset = "
                                 "[\"mock.mix=weights\", \"mock.density_min=0.002\", "
                                 "\"mock.density_max=0.002\"]\nvariants = 2\n"));
    REQUIRE(mix.size() == 2);
    ThreadPool pool(2);
    // What no list but this makes: no unit has three or five members, and the two variants' fields differ.
    std::vector<double> shares[2];
    for (int i = 0; i < 2; ++i) {
        const Field field = mix[i].plan(pool, {600, 600, 8, 1, 0});
        std::map<int, int> members, sizes;
        for (const Star& s : field.scene.stars) ++members[s.unit];
        for (const auto& [unit, n] : members) ++sizes[n];
        REQUIRE(members.size() > 300);
        CHECK(sizes[3] == 0);
        CHECK(sizes[5] == 0);
        CHECK(sizes[1] > 0);
        CHECK(sizes[4] > sizes[1]);
        shares[i] = {double(sizes[1]), double(sizes[2]), double(sizes[4])};
    }
    CHECK(shares[0] != shares[1]);
}

TEST_CASE("a lesson of other stars starts from their defaults") {
    const Curriculum mix = curriculum_of(setup_with(
        "[mock]\nmag_max = 21\n[curriculum.crowd]\nset = [\"scene.stars=ngc2298\"]\n[curriculum.units]\nshare = 1\n"));
    REQUIRE(mix.size() == 2);
    ThreadPool pool(2);
    const Field crowd = mix[0].plan(pool, {64, 64, 8, 1, 0}), units = mix[1].plan(pool, {64, 64, 8, 1, 0});
    for (const Star& s : crowd.scene.stars) CHECK(s.unit == -1);
    REQUIRE(units.scene.stars.size() > 1);
    for (const Star& s : units.scene.stars) CHECK(s.unit >= 0);
}

TEST_CASE("a set of fields is gone through whole before any comes again") {
    FieldOrder endless(1, 3, 0), set(1, 3, 10), again(1, 3, 10);
    CHECK(endless.of(4) == std::vector<std::uint64_t>{12, 13, 14});
    std::vector<std::uint64_t> seen;
    for (int step = 0; step < 10; ++step)
        for (const auto n : set.of(step)) seen.push_back(n);
    for (int epoch = 0; epoch < 3; ++epoch) {
        std::vector<std::uint64_t> one(seen.begin() + 10 * epoch, seen.begin() + 10 * epoch + 10);
        if (epoch > 0) CHECK(!std::equal(one.begin(), one.end(), seen.begin()));
        std::sort(one.begin(), one.end());
        for (std::uint64_t i = 0; i < 10; ++i) CHECK(one[std::size_t(i)] == i);
    }
    CHECK(again.of(7) == std::vector<std::uint64_t>(seen.begin() + 21, seen.begin() + 24));  // whatever came before
}

TEST_CASE("lessons that make no sense are refused before anything is trained") {
    const Bench b;
    const auto refused = [&](const std::string& lessons, const std::vector<std::string>& parts) {
        b.put("c.toml", lessons);
        b.refused("train -o m.safetensors --config c.toml " + tiny_network, 2, parts);
    };
    refused("[curriculum.a]\nshare = 0\n", {"c.toml:2", "curriculum.a.share"});
    refused("[curriculum.a]\nshares = 2\n", {"c.toml:2", "curriculum.a.shares", "did you mean curriculum.a.share"});
    refused("[curriculum.a]\nset = [\"mock.mag_mix=2\"]\n", {"curriculum.a", "mock.mag_mix"});
    refused("[curriculum.a]\ndraw = [\"exposure.sky=0.4..0.2\"]\n", {"curriculum.a", "exposure.sky=0.4..0.2"});
    refused("[curriculum.a]\ndraw = [\"exposure.sky=0.4\"]\n", {"curriculum.a", "exposure.sky=0.4"});
    refused("[curriculum.a]\ndraw = [\"psf.aberrations=[1..2,3]\"]\n", {"curriculum.a", "psf.aberrations=[1..2,3]"});
    refused("[curriculum.a]\ndraw = [\"psf.aberrations=[]\"]\n", {"curriculum.a", "psf.aberrations=[]"});
    refused("[curriculum.a]\ndraw = [\"\"]\n", {"curriculum.a", "must look like"});
    refused("[curriculum.a]\nvariants = 3\n", {"curriculum.a.variants", "curriculum.a.draw"});
    refused("[curriculum.a]\nset = [\"exposure.gain=-1\"]\n", {"curriculum.a", "exposure.gain"});
}

TEST_CASE("adapt: another instrument, the same network") {
    const Bench b;
    put_tiny_model(b);
    b.must("adapt m.safetensors -q -o wide.safetensors --steps 3 --set psf.jitter=0.08");
    const TensorFile before = read_safetensors(b / "m.safetensors"), after = read_safetensors(b / "wide.safetensors");
    CHECK(after.metadata.at("adapted_from").starts_with("m sha256 "));
    CHECK(after.metadata.at("step") == "3");
    REQUIRE(after.tensors.size() == before.tensors.size());
    int changed = 0;
    for (std::size_t i = 0; i < after.tensors.size(); ++i) {
        CHECK(after.tensors[i].name == before.tensors[i].name);
        CHECK(after.tensors[i].shape == before.tensors[i].shape);
        changed += after.tensors[i].bytes != before.tensors[i].bytes;
        // The running statistics of batch norm stay: a few fields would be worse ones.
        if (after.tensors[i].name.find("running_") != std::string::npos)
            CHECK(after.tensors[i].bytes == before.tensors[i].bytes);
    }
    CHECK(changed > 0);
    const auto fwhm = [&](const std::string& model) {
        Config c;
        c.load_text(read_safetensors(b / model).metadata.at("config"), model);
        return c.number("procedure.psf_fwhm", 0);
    };
    CHECK(fwhm("wide.safetensors") > 1.1 * fwhm("m.safetensors"));
    b.must("simulate -q --width 64 --set psf.jitter=0.08 -o f.fits");
    b.must("detect -q --model wide.safetensors f.fits -o c.fits");
    b.refused("adapt m.safetensors -o n.safetensors --set network.classes=3", 2, {"network.classes"});
    b.refused("adapt m.safetensors -o n.safetensors --preset hubble", 2, {"hubble", "csst-g"});
    b.refused("adapt none.safetensors -o n.safetensors", 3, {"none.safetensors"});
    b.refused("adapt m.safetensors -o m.safetensors", 4, {"m.safetensors"});
}
