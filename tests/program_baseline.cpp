// What the program asks of a machine: glibc, and any x86-64-v2 processor.
#include "tests/program_run.h"
#include "tests/skip.h"
#include "tools/catalogue.h"

using namespace star;
using namespace star::test;

TEST_CASE("program: detects on a Nehalem of 2008") {
    const Bench b;
    if (b.command({"qemu-x86_64", "--version"}).code == 127) return skip("qemu-x86_64 is absent");
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 64");
    b.must("detect -q field.fits --model m.safetensors --threshold 0.05 -o here.fits");
    const Outcome o = b.command({"qemu-x86_64", "-cpu", "Nehalem", binary, "detect", "-q", "field.fits", "--model",
                                 "m.safetensors", "--threshold", "0.05", "-o", "there.fits"});
    INFO(o.err);
    if (o.err.find("Sanitizer") != std::string::npos) return skip("a sanitizer doesn't run under qemu-x86_64");
    REQUIRE(o.code == 0);
    CHECK(!read_blends(b / "here.fits").empty());
    CHECK(!read_blends(b / "there.fits").empty());
    CHECK(b.get("there.fits").find("cpu sse4.2") != std::string::npos);  // card DEVICE
}

TEST_CASE("program: links nothing but glibc") {
    const Bench b;
    const Outcome o = b.command({"ldd", binary});
    if (o.code == 127) return skip("ldd is absent");
    if (o.err.find("not a dynamic executable") != std::string::npos) return;  // STARBLEND_STATIC
    INFO(o.out);
    if (o.out.find("libasan") != o.out.npos || o.out.find("libtsan") != o.out.npos)
        return skip("built with a sanitizer");
    REQUIRE(o.code == 0);
    const std::set<std::string> parts_of_glibc{
        "linux-vdso.so.1", "libm.so.6",  "libc.so.6", "/lib64/ld-linux-x86-64.so.2",
        "libpthread.so.0", "libdl.so.2", "librt.so.1"};
    std::istringstream lines(o.out);
    for (std::string line; std::getline(lines, line);) {
        CAPTURE(line);
        const auto name = words(line);
        REQUIRE(!name.empty());
        CHECK(parts_of_glibc.count(name[0]) == 1);
    }
}
