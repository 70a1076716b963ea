// starblend info: what a file is, in plain words; what FLAGS mean.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

#include "io/fits_image.h"
#include "io/wcs.h"
#include "kernels/check.h"
#include "tools/catalogue.h"
#include "tools/command.h"
#include "tools/embedded.h"
#include "tools/model_file.h"
#include "tools/setup.h"

namespace star {
namespace {

struct Options {
    std::string file;
    std::int64_t flags = -1;
};

void explain_flags(std::int64_t flags) {
    fmt::print("FLAGS = {}:{}\n", flags, flags ? "" : " nothing to remark");
    for (const FlagMeaning& m : flag_meanings())
        if (flags & m.bit) fmt::print("  {:6}  {}\n", m.bit, m.words), flags &= ~std::int64_t{m.bit};
    if (flags) fmt::print("  {:6}  unknown to this version\n", flags);
}

void describe_model(const std::string& name) {
    const Model m = read_model(name);
    RetinaNet net(m.architecture);
    std::int64_t parameters = 0;
    net.params([&](const std::string&, Param& p) {
        if (p.run == Run::decayed || p.run == Run::plain) parameters += p.logical.size();
    });
    fmt::print("model {}, SHA-256 {}\n{} parameters; largest stride {} px; tiles of {} + 2 x {} px\n", m.name, m.sha256,
               parameters, m.architecture.largest_stride(), m.procedure.core, m.procedure.halo);
    fmt::print("trained for pixels of {:g}\", PSF FWHM {:.2f} px; reports units of score >= {:g}\n", m.pixel_scale,
               m.procedure.psf_fwhm, m.procedure.threshold);
    for (const auto& [key, value] : m.metadata)
        if (key != "config") fmt::print("{}: {}\n", key, value);
    fmt::print("\n{}", m.config);
}

void describe_safetensors(const std::string& file) {
    const TensorFile tensors = read_safetensors(file);
    if (const auto at = tensors.metadata.find("schema"); at != tensors.metadata.end() && at->second == model_schema)
        return describe_model(file);
    fmt::print("{}: safetensors, {} tensors\n", file, tensors.tensors.size());
    for (const auto& [key, value] : tensors.metadata) fmt::print("{}: {}\n", key, value);
    for (const Tensor& t : tensors.tensors) {
        std::string shape;
        for (auto s : t.shape) shape += (shape.empty() ? "" : "x") + std::to_string(s);
        fmt::print("  {} {} {}\n", t.name, to_string(t.dtype), shape);
    }
}

void describe_fits(const std::string& name) {
    const ImageName parsed = parse_image_name(name);
    for (const Hdu& hdu : list_hdus(parsed.file)) {
        if (!parsed.extension.empty() && !hdu.matches(parsed.extension)) continue;
        std::string axes;
        for (auto a : hdu.axes) axes += (axes.empty() ? "" : "x") + std::to_string(a);
        const bool table = hdu.kind() == "BINTABLE" && !hdu.compressed();
        fmt::print("{:3}  {:8} {:16} {}\n", hdu.number, hdu.compressed() ? "IMAGE.Z" : hdu.kind(), hdu.name(),
                   axes.empty() ? "no data"
                   : table      ? fmt::format("{} rows of {} bytes", hdu.axes[1], hdu.axes[0])
                                : fmt::format("{} px, BITPIX {}", axes, hdu.bitpix));
        if (!table && hdu.axes.size() >= 2)
            if (const auto wcs = Wcs::from_header(hdu.header))
                fmt::print("     WCS: {}, {:.4f}\"/px\n", wcs->frame(), wcs->pixel_scale());
        if (hdu.name() == "BLENDS") {
            int counts[classes_in_catalogue] = {};
            for (const Blend& b : read_blends(parsed.file)) ++counts[b.stars - 1];
            fmt::print("     units: {} of 1 star, {} of 2, {} of 3, {} of 4, {} of 5 or more\n", counts[0], counts[1],
                       counts[2], counts[3], counts[4]);
        }
    }
}

int info(const Options& o, const Common& common) {
    common.refuse_configuration("info");
    if (o.flags >= 0) return explain_flags(o.flags), 0;
    if (o.file.empty()) {
        fmt::print("presets:");
        for (const auto& n : preset_names()) fmt::print(" {}", n);
        fmt::print("\nmodels built in:");
        for (const EmbeddedFile& f : embedded_models()) fmt::print(" {}", f.name);
        fmt::print("\n");
        return 0;
    }
    for (const EmbeddedFile& f : embedded_models())
        if (f.name == o.file) return describe_model(o.file), 0;
    std::ifstream in(o.file, std::ios::binary);
    char start[10] = {};
    in.read(start, 9);
    if (start[8] == '{')  // safetensors: eight bytes of length, then JSON
        describe_safetensors(o.file);
    else
        describe_fits(o.file);
    return 0;
}

}  // namespace

Command add_info(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand("info", "What a FITS file, a model or a checkpoint holds; what FLAGS mean");
    auto o = std::make_shared<Options>();
    app->add_option("file", o->file, "A file or a built-in model; without one: what is built in");
    app->add_option("--flags", o->flags, "A value of FLAGS to be explained")->check(CLI::NonNegativeNumber);
    return {app, [o, &common] { return info(*o, common); }};
}

}  // namespace star
