// The command on files: a perfect catalogue of simulated fields, and what is refused.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "io/fits_writer.h"
#include "kernels/match.h"
#include "tests/io_folder.h"
#include "tools/catalogue.h"
#include "tools/truth.h"

using namespace star;

namespace {

// Runs the program in a folder; stdout and stderr go to files there. Returns the exit code.
int run(const Folder& folder, const std::string& arguments) {
    const std::string command = "cd '" + folder.path.string() + "' && '" STARBLEND_BINARY "/starblend' " + arguments +
                                " > stdout.txt 2> stderr.txt";
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::vector<Blend> perfect_catalogue(const Truth& truth) {
    std::vector<Blend> blends;
    for (const TruthUnit& u : truth.units) {
        if (u.label == label_ignored) continue;
        Blend b;
        b.box = u.box, b.x = u.x, b.y = u.y;
        b.stars = u.label + 1, b.score = 0.9;
        b.p[u.label] = 1;
        blends.push_back(b);
    }
    return blends;
}

}  // namespace

TEST_CASE("evaluate: a perfect catalogue of two fields") {
    const Folder folder;
    for (const int i : {0, 1}) {
        const std::string n = std::to_string(i);
        REQUIRE(run(folder,
                    "simulate --preset csst-g --width 96 --height 64 --index " + n + " -o truth" + n + ".fits") == 0);
        const auto blends = perfect_catalogue(read_truth(folder / ("truth" + n + ".fits")));
        REQUIRE(blends.size() > 20);
        write_tables(folder / ("found" + n + ".fits"), {}, {blends_table(blends, {})}, false);
    }
    const std::string pair = "evaluate found0.fits --truth truth0.fits found1.fits --truth truth1.fits ";
    REQUIRE(run(folder, pair + "--json scores.json") == 0);
    CHECK(folder.get("stdout.txt").find("By centre") != std::string::npos);  // the width came from the truth's header
    const auto json = nlohmann::json::parse(folder.get("scores.json"));
    for (const char* part : {"by_box", "by_centre"}) {
        const auto& figures = json.at(part).at("figures");
        CHECK(figures.at("missed (MDR)").at("value") == 0);
        CHECK(figures.at("false alarms (FAR)").at("value") == 0);
        CHECK(figures.at("balanced accuracy").at("value") == 1);
        CHECK(figures.at("balanced accuracy").at("low") == 1);
        CHECK(figures.at("balanced accuracy").at("chance") < 0.9);
    }
    CHECK(json.at("about").size() == 3);

    // Swapped truths score like chance; the exit code is still 0: a bad catalogue is no error.
    REQUIRE(run(folder, "evaluate found0.fits --truth truth1.fits --fwhm 2") == 0);
    CHECK(run(folder, pair + "--json scores.json") == 4);  // exists
    CHECK(run(folder, pair + "--json scores.json --overwrite") == 0);
}

TEST_CASE("evaluate: mistakes have one line and their exit code") {
    const Folder folder;
    REQUIRE(run(folder, "simulate --preset csst-g --width 32 -o truth.fits") == 0);
    const auto refused = [&](const std::string& arguments, int code, const std::string& names) {
        CAPTURE(arguments);
        CHECK(run(folder, "evaluate " + arguments + " --json out.json") == code);
        const std::string said = folder.get("stderr.txt");
        CHECK(std::count(said.begin(), said.end(), '\n') == 1);
        CHECK(said.find(names) != std::string::npos);
        CHECK(folder.get("stdout.txt").empty());
        CHECK(!std::filesystem::exists(folder / "out.json"));
    };
    refused("", 2, "--model");
    refused("truth.fits", 2, "--truth");
    refused("--truth truth.fits", 2, "--model");
    refused("truth.fits --truth truth.fits", 3, "BLENDS");
    refused("absent.fits --truth truth.fits", 3, "absent.fits");
    refused("truth.fits --truth absent.fits", 3, "absent.fits");
    refused("truth.fits --truth truth.fits --model x", 2, "not both");
    refused("truth.fits --truth truth.fits --preset csst-g", 2, "configuration");
    refused("--model absent", 3, "absent");

    auto blends = perfect_catalogue(read_truth(folder / "truth.fits"));
    REQUIRE(!blends.empty());
    blends[0].score = std::nan("");
    write_tables(folder / "nan.fits", {}, {blends_table(blends, {})}, false);
    refused("nan.fits --truth truth.fits", 3, "nan.fits: BLENDS: row 1");
}
