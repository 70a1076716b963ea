// Training that was stopped and goes on is training that never stopped.
#include "io/safetensors.h"
#include "tests/program_run.h"

using namespace star;
using namespace star::test;

namespace {

const std::string train = "train -o m.safetensors --set training.steps=60 " + tiny_network;

/// Tensors bit by bit, and all metadata but the command line (that of the last run).
void check_same(const Bench& a, const Bench& b, const std::string& file) {
    CAPTURE(file);
    TensorFile x = read_safetensors(a / file), y = read_safetensors(b / file);
    x.metadata.erase("command"), y.metadata.erase("command");
    CHECK(x.metadata == y.metadata);
    REQUIRE(x.tensors.size() == y.tensors.size());
    for (std::size_t i = 0; i < x.tensors.size(); ++i) {
        CAPTURE(x.tensors[i].name);
        CHECK(x.tensors[i].name == y.tensors[i].name);
        CHECK(x.tensors[i].shape == y.tensors[i].shape);
        CHECK(x.tensors[i].bytes == y.tensors[i].bytes);
    }
}

/// The log without its last column, the seconds.
std::string log_of(const Bench& b) {
    std::string rows, line;
    std::istringstream in(b.get("m.safetensors.csv"));
    while (std::getline(in, line)) rows += line.substr(0, line.rfind(',')) + "\n";
    return rows;
}

}  // namespace

TEST_CASE("train: stopped by SIGTERM and resumed is never stopped") {
    const Bench whole, parts;
    whole.must(train + "-q --threads 2");
    const Outcome stopped = parts.run(train, {"training: 1/60"});
    INFO(stopped.err);
    REQUIRE(stopped.code == 143);
    const std::string step = read_safetensors(parts / "m.safetensors.checkpoint").metadata.at("step");
    REQUIRE(std::stoi(step) >= 1);
    REQUIRE(std::stoi(step) < 60);
    CHECK(stopped.err.find("stopped at step " + step) != std::string::npos);
    CHECK(parts.listing() ==
          std::set<std::string>{"m.safetensors.checkpoint", "m.safetensors.csv", "m.safetensors.svg"});

    parts.refused(train + "-q", 4, {"m.safetensors.checkpoint", "--resume"});
    parts.refused(train + "-q --resume --seed 2", 2, {"m.safetensors.checkpoint", "--seed 1"});
    parts.refused(train + "-q --resume --set training.rate=0.5", 2, {"m.safetensors.checkpoint", "configuration"});
    const std::string good = parts.get("m.safetensors.checkpoint");
    parts.put("m.safetensors.checkpoint", good.substr(0, good.size() - 100));
    parts.refused(train + "-q --resume", 3, {"m.safetensors.checkpoint"});
    TensorFile less = read_safetensors(whole / "m.safetensors.checkpoint");
    less.metadata.erase("step");
    write_safetensors(parts / "m.safetensors.checkpoint", less, true);
    parts.refused(train + "-q --resume", 3, {"m.safetensors.checkpoint", "step"});
    less = read_safetensors(whole / "m.safetensors.checkpoint");
    const std::string name = less.tensors.back().name;
    less.tensors.pop_back();
    write_safetensors(parts / "m.safetensors.checkpoint", less, true);
    parts.refused(train + "-q --resume", 3, {"m.safetensors.checkpoint", name});
    parts.put("m.safetensors.checkpoint", good);

    parts.must(train + "-q --resume --threads 1");
    check_same(whole, parts, "m.safetensors");
    check_same(whole, parts, "m.safetensors.checkpoint");
    CHECK(log_of(whole) == log_of(parts));
    parts.refused(train + "-q", 4, {"m.safetensors"});
    parts.must("info m.safetensors.checkpoint");
}

TEST_CASE("train: nothing to resume") {
    const Bench b;
    b.refused(train + "-q --resume", 3, {"m.safetensors.checkpoint"});
}
