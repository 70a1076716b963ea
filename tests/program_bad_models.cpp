// Model files as an enemy would make them: one line, exit 3, bounded memory, no output.
#include <cmath>
#include <map>

#include "io/fits_writer.h"
#include "io/safetensors.h"
#include "tests/program_run.h"

using namespace star;
using namespace star::test;

namespace {

/// A folder with an image, a good model and room for a bad one.
struct Models : Bench {
    Models() {
        put_tiny_model(*this);
        write_image(*this / "image.fits", std::vector<float>(400, 1), 20, 20, {}, false);
        good = read_safetensors(*this / "m.safetensors");
    }
    void refused_by_detect(const std::vector<std::string>& parts, int code = 3) const {
        std::vector<std::string> all{"bad.safetensors"};
        all.insert(all.end(), parts.begin(), parts.end());
        refused("detect -q image.fits -o out.fits --model bad.safetensors", code, all);
    }
    void bytes(const std::string& bytes, const std::vector<std::string>& parts) const {
        put("bad.safetensors", bytes);
        refused_by_detect(parts);
    }
    void file(const TensorFile& f, const std::vector<std::string>& parts, int code = 3) const {
        write_safetensors(*this / "bad.safetensors", f, true);
        refused_by_detect(parts, code);
    }
    /// The good model with other settings behind its own.
    TensorFile with_settings(const std::map<std::string, std::string>& settings) const {
        TensorFile f = good;
        std::string config, line;
        std::istringstream in(f.metadata.at("config"));
        while (std::getline(in, line))
            if (!settings.count(line.substr(0, line.find(' ')))) config += line + "\n";
        for (const auto& [key, value] : settings) config += key + " = " + value + "\n";
        f.metadata["config"] = config;
        return f;
    }
    TensorFile good;
};

}  // namespace

TEST_CASE("models: damaged files") {
    const Models m;
    const std::string whole = m.get("m.safetensors");
    m.bytes("", {});
    m.bytes("seven b", {});
    m.bytes(whole.substr(0, whole.size() / 2), {});
    m.bytes(whole.substr(0, whole.size() - 1), {});
    m.bytes(whole + "x", {});
    std::string noise(5000, '\0');
    for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = char(i * i * 31 + i * 7 + 13);
    m.bytes(noise, {});
    m.bytes(std::string("\xff\xff\xff\xff\xff\xff\xff\x7f", 8) + "{}", {});
    std::filesystem::remove(m.path / "bad.safetensors");
    m.refused_by_detect({"neither a file nor a model built in"});
    std::filesystem::create_directory(m.path / "bad.safetensors");
    m.refused_by_detect({});
}

TEST_CASE("models: whole files that don't fit") {
    const Models m;
    TensorFile f = m.good;
    f.metadata.clear();
    m.file(f, {"schema"});
    f = m.good, f.metadata["schema"] = "starblend.model.999";
    m.file(f, {"schema", "999"});
    f = m.good, f.metadata.erase("config");
    m.file(f, {"config"});
    f = m.good, f.metadata["config"] = "network.blocks = [1, 1";
    m.file(f, {"config"});

    f = m.good;
    const std::string name = f.tensors[f.tensors.size() / 2].name;
    f.tensors.erase(f.tensors.begin() + std::ptrdiff_t(f.tensors.size() / 2));
    m.file(f, {name, "missing"});
    f = m.good;
    const auto weight =
        std::find_if(f.tensors.begin(), f.tensors.end(), [](const Tensor& t) { return t.shape.size() == 4; });
    REQUIRE(weight != f.tensors.end());
    std::swap(weight->shape[0], weight->shape[3]);
    m.file(f, {weight->name, "shape"});
    f = m.good;
    f.tensors[0] = make_tensor(f.tensors[0].name, {3}, std::vector<float>(3));
    m.file(f, {f.tensors[0].name, "shape"});
}

TEST_CASE("models: weights that aren't finite") {
    const Models m;
    for (const float bad : {NAN, INFINITY}) {
        TensorFile f = m.good;
        Tensor& t = f.tensors[f.tensors.size() / 2];
        std::vector<float> values = to_floats(t);
        values[values.size() / 2] = bad;
        t = make_tensor(t.name, t.shape, values);
        m.file(f, {t.name, "finite"});
    }
}

TEST_CASE("models: settings that ask for too much") {
    const Models m;
    m.file(m.with_settings({{"network.width", "[1000000000, 8, 8, 8]"}}), {"network.width"});
    m.file(m.with_settings({{"network.anchor_size", "[]"}}), {"network.anchor_size"});
    m.file(m.with_settings({{"procedure.core", "-8"}}), {"procedure.core"});
    // each value within its bounds, together 23 GB of parameters: none of them is in the file
    m.file(m.with_settings({{"network.blocks", "[64, 64, 64, 64, 64]"},
                            {"network.width", "[1024, 1024, 1024, 1024, 1024]"},
                            {"network.stride", "[1, 2, 2, 2, 2]"}}),
           {});
    // tiles of 1.9e5 x 1.9e5 network pixels
    m.file(m.with_settings({{"procedure.core", "4096"}, {"procedure.halo", "1024"}, {"procedure.input_scale", "32"}}),
           {"core", "input_scale"});
    // tiles of 4128 x 4128: a network that could be run, with more memory than --mem-limit allows
    write_safetensors(m / "bad.safetensors", m.with_settings({{"procedure.core", "4096"}}), true);
    m.refused("detect -q image.fits -o out.fits --model bad.safetensors", 5, {"image.fits", "--mem-limit", "1500"});
}

TEST_CASE("models: trained with keys that this version doesn't know, they are scored all the same") {
    const Models m;
    write_safetensors(m / "old.safetensors", m.with_settings({{"training.abolished", "true"}}), true);
    m.must("evaluate -q --model old.safetensors --fields 1 --side 64");
    write_safetensors(m / "odd.safetensors", m.with_settings({{"mock.abolished", "true"}}), true);
    m.refused("evaluate -q --model odd.safetensors --fields 1 --side 64", 2, {"mock.abolished"});
}
