// Models in and out.
#include "tools/model_file.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "io/hash.h"
#include "tools/catalogue.h"
#include "tools/embedded.h"
#include "tools/setup.h"

namespace star {
namespace {

constexpr std::uintmax_t largest_model = std::uintmax_t{256}
                                         << 20;  // bytes; ours are a few million, the paper's 65 million

// The file's bytes and the name to use in errors.
std::pair<std::string, std::string> fetch(const std::string& name) {
    const auto embedded = embedded_models();
    if (name.empty() && embedded.size() == 1) return {std::string(embedded[0].bytes), std::string(embedded[0].name)};
    std::string names;
    for (const EmbeddedFile& f : embedded) {
        if (f.name == name) return {std::string(f.bytes), name};
        names += (names.empty() ? "" : ", ") + std::string(f.name);
    }
    if (names.empty()) names = "none";
    if (name.empty()) fail(Fault::usage, "which model? --model takes a file or one of those built in: ", names);
    std::error_code error;
    if (!std::filesystem::is_regular_file(name, error))
        fail(Fault::input, name, ": neither a file nor a model built in (", names, ")");
    if (std::filesystem::file_size(name, error) > largest_model) fail(Fault::input, name, ": larger than any model");
    std::ifstream in(name, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    if (!in && !in.eof()) fail(Fault::input, name, ": can't be read");
    return {std::move(bytes), name};
}

}  // namespace

const NamedTensor* Model::find(const std::string& tensor) const {
    const auto at = tensors.find(tensor);
    return at == tensors.end() ? nullptr : &at->second;
}

Model read_model(const std::string& name) {
    const auto [bytes, where] = fetch(name);
    std::istringstream in(bytes);
    const TensorFile file = read_safetensors(in, bytes.size(), where);
    Model m;
    m.name = std::filesystem::path(where).stem().string();
    m.sha256 = sha256(bytes.data(), bytes.size());
    m.metadata = file.metadata;
    const auto value = [&](const char* key) {
        const auto at = file.metadata.find(key);
        if (at == file.metadata.end())
            fail(Fault::input, where, ": metadata: ", key, " is missing: not a model of starblend");
        return at->second;
    };
    if (const auto schema = value("schema"); schema != model_schema)
        fail(Fault::input, where, ": metadata: schema is ", schema.substr(0, 60), ", this program reads ",
             model_schema);
    m.config = value("config");
    try {
        Config c;
        c.load_text(m.config, where);
        m.architecture = read_architecture(c);
        if (m.architecture.in_channels != 1)
            fail(Fault::input, "network.in_channels is ", m.architecture.in_channels, ": the sky has one");
        if (m.architecture.classes > classes_in_catalogue)
            fail(Fault::input, "network.classes is ", m.architecture.classes, ": a catalogue has ",
                 classes_in_catalogue);
        m.procedure = read_procedure(c, m.architecture);
        m.exposure = read_exposure(c);  // not the PSF: it may be a file that isn't here, and use doesn't need it
        m.detectable = c.text("truth.labels", "detectable") == "detectable";
        m.pixel_scale = c.number("exposure.pixel_scale", 0, 0, 1e4);
    } catch (const Error& e) {
        fail(Fault::input, where, ": metadata: config: ", e.what());
    }
    for (const Tensor& t : file.tensors) {
        NamedTensor& floats = m.tensors[t.name] = {t.name, t.shape, to_floats(t)};
        for (float v : floats.data)
            if (!std::isfinite(v)) fail(Fault::input, where, ": tensor ", t.name, " holds values that aren't finite");
    }
    // Before anyone allocates what the configuration asks for: the file must hold as much.
    RetinaNet(m.architecture).params([&](const std::string& tensor, const Param& p) {
        if (p.run == Run::derived) return;
        const NamedTensor* t = m.find(tensor);
        if (!t) fail(Fault::input, where, ": tensor ", tensor, " is missing");
        if (std::int64_t(t->data.size()) != p.logical.size())
            fail(Fault::input, where, ": tensor ", tensor, " has another shape: ", t->data.size(),
                 " values instead of ", p.logical.size());
    });
    return m;
}

void write_model(const std::string& path, const std::vector<NamedTensor>& tensors,
                 const std::map<std::string, std::string>& metadata, bool half, bool overwrite) {
    TensorFile file;
    file.metadata = metadata;
    file.metadata["schema"] = model_schema;
    for (const NamedTensor& t : tensors)
        file.tensors.push_back(make_tensor(t.name, t.shape, t.data, half ? Dtype::f16 : Dtype::f32));
    write_safetensors(path, file, overwrite);
}

std::string built_in_model(double pixel_scale) {
    std::string best;
    double least = INFINITY;
    if (embedded_models().size() > 1 && pixel_scale > 0)
        for (const EmbeddedFile& f : embedded_models()) {
            const Model m = read_model(std::string(f.name));
            const double apart = std::fabs(std::log(m.pixel_scale / pixel_scale));
            if (apart < least || (apart == least && m.detectable)) least = apart, best = f.name;
        }
    return best.empty() ? read_model("").name : best;
}

std::size_t load_pretrained(const std::string& path, bool whole, Stream stream, Params& params) {
    const TensorFile file = read_safetensors(path);
    const std::string body = "backbone.body.";
    std::map<std::string, NamedTensor> fetched;
    const auto find = [&](const std::string& name) -> const NamedTensor* {
        const bool in_body = name.rfind(body, 0) == 0;
        if (!whole && !in_body) return nullptr;
        const Tensor* t = file.find(name);
        if (!t) t = file.find("value/" + name);                      // our own checkpoint
        if (!t && in_body) t = file.find(name.substr(body.size()));  // a backbone on its own
        if (!t && whole &&
            name.find(".0.weight") + name.find(".0.bias") != 2 * std::string::npos) {  // torchvision before 0.13
            const std::size_t last = name.rfind('.'), before = last == 0 ? 0 : name.rfind('.', last - 1);
            t = file.find(name.substr(0, before) + name.substr(last));
        }
        if (!t) return nullptr;
        return &(fetched[name] = {name, t->shape, to_floats(*t)});
    };
    try {
        params.load(stream, find);
    } catch (const Error& e) {
        fail(e.fault, path, ": ", e.what());
    }
    if (fetched.empty()) fail(Fault::input, path, ": holds no tensor of this network");
    return fetched.size();
}

}  // namespace star
