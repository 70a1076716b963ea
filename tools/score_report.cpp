// Tables and JSON.
#include "tools/score_report.h"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace star {
namespace {

using Json = nlohmann::ordered_json;

std::string shown(double v) { return std::isfinite(v) ? fmt::format("{:.4f}", v) : "n/a"; }
std::string shown(double low, double high) {
    return std::isfinite(low) && std::isfinite(high) ? fmt::format("{:.4f} ... {:.4f}", low, high) : "n/a";
}
Json number(double v) { return std::isfinite(v) ? Json(v) : Json(nullptr); }

std::string matrix_text(const Tally& t) {
    const Scores s = scores_of(t);
    std::string text = fmt::format("{:>12}", "truth\\found");
    for (std::size_t k = 0; k < classes_scored; ++k) text += fmt::format("{:>9}", class_name(int(k)));
    text += fmt::format("{:>9}{:>9}\n", "missed", "recall");
    for (std::size_t i = 0; i <= classes_scored; ++i) {
        text += fmt::format("{:>12}", i < classes_scored ? class_name(int(i)) : "noise");
        for (std::size_t j = 0; j <= classes_scored; ++j)
            text += i == classes_scored && j == classes_scored ? std::string() : fmt::format("{:>9}", t.matrix[i][j]);
        text += i < classes_scored ? fmt::format("{:>9}\n", shown(s.recall[i])) : "\n";
    }
    text += fmt::format("{:>12}", "precision");
    for (std::size_t k = 0; k < classes_scored; ++k) text += fmt::format("{:>9}", shown(s.precision[k]));
    return text + fmt::format("\n{} units and {} detections left out (ignored, or at the edge)\n", t.units_left_out,
                              t.found_left_out);
}

std::string figures_text(const std::vector<Figure>& figures) {
    std::string text =
        fmt::format("{:<25}{:>9}{:>20}{:>9}{:>11}{:>20}\n", "", "value", "68 %", "chance", "corrected", "68 %");
    for (const Figure& f : figures)
        text += fmt::format("{:<25}{:>9}{:>20}{:>9}{:>11}{:>20}\n", f.name, shown(f.value), shown(f.low, f.high),
                            shown(f.chance), shown(f.corrected), shown(f.corrected_low, f.corrected_high));
    return text;
}

double share(std::int64_t part, std::int64_t of) { return of > 0 ? double(part) / double(of) : not_known; }

std::string galaxies_text(const GalaxyTally& real, const GalaxyTally& chance) {
    return fmt::format(
        "Galaxies (half-light radius above 0.15\", signal-to-noise above 10): {}; {} ({}, by chance {}) reported as "
        "units, {} ({}, by chance {}) as blends",
        real.galaxies, real.reported, shown(share(real.reported, real.galaxies)),
        shown(share(chance.reported, chance.galaxies)), real.blends, shown(share(real.blends, real.galaxies)),
        shown(share(chance.blends, chance.galaxies)));
}

Json galaxies_json(const GalaxyTally& t) {
    return {{"galaxies", t.galaxies}, {"reported", t.reported}, {"as_blends", t.blends}};
}

Json tally_json(const Tally& t) {
    return {{"matrix", t.matrix},
            {"stars_expected", t.stars_expected},
            {"stars_true", t.stars_true},
            {"units_left_out", t.units_left_out},
            {"detections_left_out", t.found_left_out}};
}

Json curves_json(const std::vector<Curve>& curves) {
    Json all = Json::object();
    for (const Curve& c : curves) {
        Json& points = all[c.of] = Json::array();
        for (const auto& p : c.points)
            points.push_back({{"score", number(p.score)}, {"recall", p.recall}, {"precision", p.precision}});
    }
    return all;
}

Json profiles_json(const std::vector<Profile>& profiles) {
    Json all = Json::array();
    for (const Profile& p : profiles) {
        Json bins = Json::array();
        for (const auto& b : p.bins)
            bins.push_back({{"from", b.from},
                            {"to", number(b.to)},
                            {"n", b.n},
                            {"value", number(b.value)},
                            {"low", number(b.low)},
                            {"high", number(b.high)},
                            {"chance", number(b.chance)}});
        all.push_back({{"figure", p.figure}, {"by", p.by}, {"unit", p.unit}, {"bins", bins}});
    }
    return all;
}

Json reliability_json(const std::vector<Reliability>& curves) {
    Json all = Json::object();
    for (const Reliability& r : curves) {
        Json& bins = all[r.of] = Json::array();
        for (const auto& b : r.bins)
            bins.push_back({{"n", b.n},
                            {"predicted", number(b.predicted)},
                            {"observed", number(b.observed)},
                            {"low", number(b.low)},
                            {"high", number(b.high)}});
    }
    return all;
}

}  // namespace

std::string ScoreReport::text() const {
    std::string text;
    for (const auto& [name, value] : about) text += fmt::format("{:<12} {}\n", name + ":", value);
    for (const Part& p : parts)
        text += "\n" + p.title + "\n" + matrix_text(p.evaluation.tally) + "\n" + figures_text(p.evaluation.figures);
    if (galaxies.galaxies > 0) text += "\n" + galaxies_text(galaxies, galaxies_by_chance) + "\n";
    for (const auto& remark : remarks) text += "\n" + remark + "\n";
    return text;
}

std::string ScoreReport::json() const {
    Json root{{"schema", "starblend-scores-1"}};
    for (const auto& [name, value] : about) root["about"].push_back({{"name", name}, {"value", value}});
    for (const Part& p : parts) {
        Json& part = root[p.key];
        part["rule"] = p.title;
        part["counts"] =
            tally_json(p.evaluation.tally);  // rows: truth 1 ... 5+, noise; columns: found 1 ... 5+, missed
        part["chance_counts"] = tally_json(p.evaluation.chance);
        for (const Figure& f : p.evaluation.figures)
            part["figures"][f.name] = {{"value", number(f.value)},
                                       {"low", number(f.low)},
                                       {"high", number(f.high)},
                                       {"chance", number(f.chance)},
                                       {"corrected", number(f.corrected)},
                                       {"corrected_low", number(f.corrected_low)},
                                       {"corrected_high", number(f.corrected_high)}};
        part["precision_recall"] = curves_json(p.evaluation.curves);
        part["profiles"] = profiles_json(p.evaluation.profiles);
        part["reliability"] = reliability_json(p.evaluation.reliability);
    }
    if (galaxies.galaxies > 0)
        root["galaxies"] = galaxies_json(galaxies), root["galaxies_by_chance"] = galaxies_json(galaxies_by_chance);
    root["remarks"] = remarks;
    return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace star
