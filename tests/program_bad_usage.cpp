// Mistakes of the command line, of configurations and of outputs: one line, exit 2, 4 or 5, nothing written.
#include "io/fits_writer.h"
#include "tests/program_run.h"

using namespace star;
using namespace star::test;

TEST_CASE("command line: what doesn't exist is named") {
    const Bench b;
    b.refused("", 2, {"simulate", "train", "detect", "evaluate", "info"});
    b.refused("detekt", 2, {"detekt", "detect"});
    b.refused("detect image.fits -o out.fits --thresh 1", 2, {"--thresh"});
    b.refused("detect image.fits", 2, {"--output"});
    b.refused("detect -o out.fits", 2, {"image"});
    b.refused("detect image.fits -o out.fits --threshold 2", 2, {"--threshold"});
    b.refused("detect image.fits -o out.fits --threshold much", 2, {"--threshold"});
    b.refused("simulate -o out.fits --width 0", 2, {"--width"});
    b.refused("simulate -o out.fits --threads -1", 2, {"--threads"});
    b.refused("simulate -o out.fits --threads 100000", 2, {"--threads"});
    b.refused("simulate -o out.fits --seed -1", 2, {"--seed"});
    b.refused("simulate -o out.fits --preset csst-x", 2, {"csst-x", "csst-g"});
    b.refused("train -o m --preset csst-g --architecture huge", 2, {"huge", "native"});
    b.refused("train -o m --preset csst-g --device abacus", 2, {"--device", "abacus"});
    b.refused("train -q -o m --preset csst-g --device cuda:99", 5, {"--device", "cuda:99"});
    b.refused("detect -q image.fits -o out.fits --device cuda:99", 5, {"--device", "cuda:99"});
}

TEST_CASE("configuration: file, line and key are named") {
    const Bench b;
    const auto bad = [&](const std::string& toml, std::vector<std::string> parts) {
        b.put("bad.toml", toml);
        parts.push_back("bad.toml");
        b.refused("simulate -q -o out.fits --config bad.toml", 2, parts);
    };
    bad("[exposure]\nexptime = 'long'\n", {"bad.toml:2", "exposure.exptime"});
    bad("[exposure]\nexptime = -1\n", {"bad.toml:2", "exposure.exptime"});
    bad("[exposure]\nexptime = nan\n", {"bad.toml:2", "exposure.exptime"});
    bad("[exposure]\nexptme = 100\n", {"bad.toml:2", "exposure.exptme", "exposure.exptime"});
    bad("[exposure\nexptime = 100\n", {"bad.toml:1"});
    for (const char* header : {"[", "[[", "[,]", "[[ [a]]", "[\x01]"})
        bad("\n\n" + std::string(header) + "\n", {"bad.toml:3"});
    bad(std::string(100000, '['), {"bad.toml:1"});
    bad("a = \"" + std::string(2 << 20, 'x') + "\"", {});
    b.refused("simulate -q -o out.fits --config none.toml", 2, {"none.toml"});
    b.refused("simulate -q -o out.fits --set exposure.exptme=100", 2, {"exposure.exptme", "exposure.exptime"});
    b.refused("simulate -q -o out.fits --set exposure.exptime=long", 2, {"exposure.exptime"});
    b.refused("simulate -q -o out.fits --set exposure.exptime", 2, {"exposure.exptime"});
}

TEST_CASE("outputs: refused before the work") {
    const Bench b;
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 64");
    b.put("there.fits", "precious");
    std::filesystem::create_directory(b.path / "folder");
    const auto each = [&](const std::string& command) {
        b.refused(command + " -o there.fits", 4, {"there.fits", "--overwrite"});
        b.refused(command + " -o absent/out.fits", 4, {"absent/out.fits"});
    };
    each("simulate -q");
    each("detect -q field.fits --model m.safetensors");
    each("train -q --set training.steps=1 " + tiny_network);
    for (const std::string overwrite : {"", " --overwrite"}) {
        b.refused("simulate -q -o folder" + overwrite, 4, {"folder"});
        b.refused("train -q -o folder --set training.steps=1 " + tiny_network + overwrite, 4, {"folder"});
    }
    b.must("detect -q field.fits --model m.safetensors -o folder");  // takes folders: a catalogue per image
    CHECK(std::filesystem::exists(b.path / "folder/field_cat.fits"));
    const std::string both = "detect -q field.fits --model m.safetensors -o out.fits ";
    b.refused(both + "--regions there.fits", 4, {"there.fits", "--overwrite"});
    b.refused(both + "--regions absent/out.reg", 4, {"absent/out.reg"});
    CHECK(b.get("there.fits") == "precious");
    const std::string field = b.get("field.fits");
    b.refused("detect -q field.fits --model m.safetensors -o field.fits --overwrite", 2, {"field.fits", "input"});
    b.refused("detect -q field.fits --model m.safetensors -o ./field.fits --overwrite", 2, {"field.fits", "input"});
    CHECK(b.get("field.fits") == field);
    b.must("simulate -q -o there.fits --overwrite --width 64");
    CHECK(b.get("there.fits").size() > 2880);
}
