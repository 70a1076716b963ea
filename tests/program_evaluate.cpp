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
        b.magnitude = 26 - 2.5 * std::log10(u.flux);  // any zero point will do
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
    const std::string pair = "evaluate found0.fits found1.fits --truth truth0.fits truth1.fits ";
    REQUIRE(run(folder, pair + "--json scores.json --csv scores.csv --html scores.html") == 0);
    REQUIRE(run(folder, "simulate --preset csst-g --width 96 --height 64 --count 2 --cube -o cube.fits") == 0);
    REQUIRE(run(folder, "evaluate found0.fits found1.fits --truth cube.fits --csv cube.csv") == 0);
    CHECK(folder.get("cube.csv") == folder.get("scores.csv"));
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
    for (const auto& profile : json.at("by_box").at("profiles"))
        for (const auto& bin : profile.at("bins")) CHECK(bin.at("value") == 1);

    const std::string csv = folder.get("scores.csv");
    CHECK(csv.rfind("part,figure,bin,value,low,high,chance,n\n", 0) == 0);
    CHECK(csv.find("\nby_centre,missed (MDR),,0,0,0,") != std::string::npos);
    CHECK(csv.find("\nby_box,\"right class, of matched\",,1,1,1,") != std::string::npos);
    CHECK(csv.find("\nby_box,completeness by magnitude,") != std::string::npos);
    for (std::size_t at = 0, end; (end = csv.find('\n', at)) != std::string::npos; at = end + 1) {
        const std::string row = csv.substr(at, end - at);  // seven commas, but for those in quotes
        CHECK(std::count(row.begin(), row.end(), ',') == (row.find('"') == std::string::npos ? 7 : 8));
    }

    // The page needs nothing from elsewhere and runs nothing.
    const std::string html = folder.get("scores.html");
    for (const char* outside : {"http:", "https:", "<script", "<link rel=\"stylesheet", "url("})
        CHECK(html.find(outside) == std::string::npos);
    const auto count = [&](const std::string& part) {
        int n = 0;
        for (std::size_t at = html.find(part); at != std::string::npos; at = html.find(part, at + 1)) ++n;
        return n;
    };
    CHECK(count("data:image/png;base64,") == 2);
    CHECK(count("type=\"checkbox\"") == 8);
    CHECK(count("<svg") == count("</svg>"));
    CHECK(count("class=\"plot\"") > 20);
    CHECK(html.size() < 1000000);

    // Points without boxes are scored by centre alone, unless they are given some.
    std::string points = "x,y\n";
    for (const TruthUnit& u : read_truth(folder / "truth0.fits").units)
        if (u.label >= 0) points += std::to_string(u.x - 0.5) + "," + std::to_string(u.y - 0.5) + "\n";
    folder.put("points.csv", points);
    REQUIRE(run(folder, "evaluate points.csv --truth truth0.fits --json points.json") == 0);
    auto scored = nlohmann::json::parse(folder.get("points.json"));
    CHECK(!scored.contains("by_box"));
    CHECK(scored.at("by_centre").at("figures").at("missed (MDR)").at("value") == 0);
    CHECK(scored.at("by_centre").at("figures").at("recall of 1").at("value") == 1);  // points are single stars
    REQUIRE(run(folder, "evaluate points.csv --truth truth0.fits --box-radius 3 --json - --overwrite") == 0);
    scored = nlohmann::json::parse(folder.get("stdout.txt"));
    CHECK(scored.at("by_box").at("figures").at("missed (MDR)").at("value") < 0.5);

    // Classes by the fit's count stand beside the network's, where it is known; a fit that found no star has none.
    CHECK(!json.contains("by_box_fitted"));
    auto blends = perfect_catalogue(read_truth(folder / "truth0.fits"));
    for (Blend& b : blends) b.fitted = b.stars == 5 ? 7 : b.stars == 1 ? 0 : b.stars, b.stars = 1;
    CatalogueInfo info;
    info.fitted = true;
    write_tables(folder / "fitted.fits", {}, {blends_table(blends, info)}, false);
    REQUIRE(run(folder, "evaluate fitted.fits --truth truth0.fits --json fitted.json") == 0);
    scored = nlohmann::json::parse(folder.get("fitted.json"));
    CHECK(scored.at("by_box_fitted").at("figures").at("balanced accuracy").at("value") == 1);
    CHECK(scored.at("by_box_fitted").at("figures").at("missed (MDR)").at("value") == 0);
    CHECK(scored.at("by_box").at("figures").at("balanced accuracy").at("value") < 0.5);

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
    folder.put("places.csv", "a,b\n1,2\n");
    refused("places.csv --truth truth.fits", 3, "no column for x");
    folder.put("nan.csv", "x,y\n1,nan\n");
    refused("nan.csv --truth truth.fits", 3, "row 1: y");
    refused("nan.csv --truth truth.fits --columns x=a,z=b", 2, "columns z=b");
    refused("nan.csv --truth truth.fits --csv - --html -", 2, "standard output");
    refused("nan.csv --truth truth.fits --oracle", 2, "--model");
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
