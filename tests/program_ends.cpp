// Runs that don't end as they should: killed at any moment, or without room on the disk.
#include <cstring>
#include <functional>

#include "io/fits_table.h"
#include "kernels/random.h"
#include "tests/program_run.h"

using namespace star;
using namespace star::test;

namespace {

double milliseconds_of(const Bench& b, const std::string& arguments) {
    const auto start = std::chrono::steady_clock::now();
    b.must(arguments);
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// Runs `command()` again and again, each time sent the signal at a random moment of an uninterrupted run's time, until
// it ends by itself; anew if that was before two ended runs had left something to go on from. `left`: looks at what a
// run that was ended left, and says whether there is.
void end_again_and_again(const Bench& b, int signal, double whole, const std::function<std::string()>& command,
                         const std::string& output, const std::function<bool()>& left) {
    Random random(std::uint64_t(signal), 0);
    int ended = 0, with_something = 0;
    for (int run = 0;; ++run) {
        REQUIRE(run < 300);
        Fate fate;
        fate.after = std::chrono::milliseconds(int(random.uniform(0, 0.9 * whole)));
        fate.signal = signal;
        const Outcome o = b.run(command(), fate);
        INFO(o.err);
        REQUIRE(!o.hung);
        if (o.code == 0 && with_something >= 2) break;
        if (o.code == 0) {
            std::filesystem::remove(b / output), std::filesystem::remove(b / (output + ".checkpoint"));
            ended = with_something = 0;
            continue;
        }
        REQUIRE(o.code == 128 + signal);
        ++ended, with_something += left();
    }
    MESSAGE("signal " << signal << " ended " << ended << " runs, " << with_something << " with something done");
}

}  // namespace

TEST_CASE("killed at random moments, a detection goes on to the bits of one that never was") {
    const Bench b;
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 5600 --height 24");  // three plates
    // a threshold that few of the barely trained network's units pass, most of whose scores are equal
    const std::string detect = "detect -q field.fits --cosmic-rays off --model m.safetensors --threshold 0.41 ";
    const double whole = milliseconds_of(b, detect + "-o whole.fits");
    CHECK(read_table(b / "whole.fits", "SOURCES").rows() > 100);
    for (const int signal : {SIGKILL, SIGTERM}) {
        const std::string out = "ended" + std::to_string(signal) + ".fits";
        const auto left = [&] {
            // What stands under the output's name is whole, or nothing does; after SIGTERM it says that it is partial.
            if (std::filesystem::exists(b / out)) {
                CHECK(verified(b, out).value_or(true));
                if (signal == SIGTERM) CHECK(b.get(out).find("COMPLETE=                    F") != std::string::npos);
            }
            const std::string progress = b.get(out + ".progress");
            return progress.size() > progress.find('\n') + 1;  // records behind the line that says whose they are
        };
        end_again_and_again(
            b, signal, whole, [&] { return detect + "--resume -o " + out; }, out, left);
        CHECK(tables(b, out) == tables(b, "whole.fits"));
        CHECK(!std::filesystem::exists(b / (out + ".progress")));
    }
}

TEST_CASE("killed at random moments, a training goes on to the bits of one that never was") {
    const Bench b;
    const std::string train =
                          "train -q --set training.steps=40 --set training.checkpoint_minutes=0.001 " + tiny_network,
                      out = "ended.safetensors";
    const double whole = milliseconds_of(b, train + "-o whole.safetensors");
    const auto begun = [&] { return std::filesystem::exists(b / (out + ".checkpoint")); };
    const auto command = [&] {  // --overwrite: it may be killed when the model is there, but the program not yet gone
        return train + "--overwrite -o " + out + (begun() ? " --resume" : "");
    };
    const auto left = [&] {
        if (std::filesystem::exists(b / out)) b.must("info " + out);  // whole, or not there
        return begun();
    };
    end_again_and_again(b, SIGKILL, whole, command, out, left);
    const auto weights = [&](const std::string& file) {  // after the header, whose metadata holds the command line
        const std::string bytes = b.get(file);
        std::uint64_t header = 0;
        std::memcpy(&header, bytes.data(), sizeof header);
        return bytes.substr(8 + header);
    };
    CHECK(weights(out) == weights("whole.safetensors"));
}

TEST_CASE("without room on the disk: exit 4, one line that names the output, nothing left behind") {
    const Bench b;
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 150 --height 100");
    b.must("simulate -q -o wide.fits --width 2400 --height 48");  // two plates
    b.must("detect -q field.fits -o found.fits" + tiny);
    b.must("psf -q -o psf.fits");
    Fate full;
    full.most_bytes = 1000;
    const auto fails = [&](const std::string& arguments, const std::string& output) {
        CAPTURE(arguments);
        const auto before = b.listing();
        const Outcome o = b.run(arguments, full);  // may warn first, or print what it found
        INFO(o.err);
        CHECK(o.code == 4);
        const std::size_t error = o.err.find("starblend: ");
        REQUIRE(error != std::string::npos);
        CHECK(std::count(o.err.begin() + std::ptrdiff_t(error), o.err.end(), '\n') == 1);
        CHECK(o.err.find(output, error) != std::string::npos);
        CHECK(o.err.find("can't be written: File too large", error) != std::string::npos);
        CHECK(b.listing() == before);
    };
    fails("simulate -q -o new.fits --width 100", "new.fits");
    fails("simulate -q -o new.fits --width 100 --png new.png", "new.fits");  // written first
    fails("psf -q -o new.fits", "new.fits");
    fails("psf -q --png new.png", "new.png");
    for (const char* suffix : {"fits", "ldac", "ecsv", "csv", "vot", "reg"}) {
        const std::string out = std::string("new.") + suffix;
        fails("detect -q field.fits -o " + out + tiny, out);
        fails("convert -q found.fits -o " + out, out);
        if (suffix != std::string("reg")) fails("match -q found.fits found.fits --radius 1px -o " + out, out);
    }
    fails("detect -q wide.fits -o new.fits" + tiny, "new.fits");
    fails("detect -q field.fits -o new.fits --regions new.reg" + tiny, "new.reg");  // which is written first
    fails("measure -q field.fits --positions found.fits --model m.safetensors -o new.fits", "new.fits");
    fails("certify -q field.fits --stars 20 -o new.fits" + tiny, "new.fits");
    fails("report -q found.fits field.fits --model m.safetensors -o new.html", "new.html");
    fails("compare -q found.fits found.fits --radius 1px --html new.html", "new.html");
    fails("compare -q found.fits found.fits --radius 1px --json new.json", "new.json");
    for (const char* kind : {"json", "csv", "html"}) {
        const std::string out = std::string("new.") + kind;
        fails("evaluate -q found.fits --truth field.fits --" + std::string(kind) + " " + out, out);
    }
    fails("train -q -o new.safetensors --set training.steps=2 " + tiny_network, "new.safetensors");
    fails("adapt m.safetensors -q -o new.safetensors --steps 1", "new.safetensors");

    // A picture that comes after a catalogue which found room: that stays, whole.
    const std::string pictures =
        "detect -q field.fits --model m.safetensors --threshold 0.9 --second-snr 100000 --overwrite -o ";
    b.must(pictures + "whole.fits --residual rest.fits");
    full.most_bytes = std::filesystem::file_size(b / "whole.fits");
    REQUIRE(full.most_bytes < std::filesystem::file_size(b / "rest.fits"));
    for (const char* picture : {"--residual", "--model-image"}) {
        std::filesystem::remove(b / "whole.fits"), std::filesystem::remove(b / "rest.fits");
        auto names = b.listing();
        names.insert("whole.fits");
        const Outcome o = b.run(pictures + "whole.fits " + picture + " rest.fits", full);
        INFO(o.err);
        CHECK(o.code == 4);
        CHECK(o.err.find("starblend: rest.fits: can't be written: File too large") != std::string::npos);
        CHECK(b.listing() == names);
        CHECK(verified(b, "whole.fits").value_or(true));
    }
}
