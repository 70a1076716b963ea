// Pairs to bins, bins to text and JSON.
#include "tools/comparison.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "kernels/check.h"
#include "tools/score_match.h"
#include "tools/share.h"

namespace star {
namespace {

using Json = nlohmann::json;

constexpr double bin_width = 0.5;  // mag

int bin_of(double mag) {
    return std::isfinite(mag) && std::abs(mag) < 1e6 ? int(std::floor(mag / bin_width)) : INT_MIN;
}

struct Members {
    std::vector<double> magnitude, x, y, expected;
};

std::vector<ComparedBin> bins_of(const PlacedList& a, const PlacedList& b, const MatchedLists& m) {
    std::map<int, Members> members;
    for (std::size_t k = 0; k < m.pairs.size(); ++k) {
        const auto i = std::size_t(m.pairs[k].a), j = std::size_t(m.pairs[k].b);
        const int bin = bin_of(a.mag->values[i]);
        if (bin == INT_MIN || !std::isfinite(b.mag->values[j])) continue;
        Members& in = members[bin];
        in.magnitude.push_back(b.mag->values[j] - a.mag->values[i]);
        in.x.push_back(m.dx[k]), in.y.push_back(m.dy[k]);
        if (a.error && b.error) in.expected.push_back(std::hypot(a.error->values[i], b.error->values[j]));
    }
    std::vector<ComparedBin> bins;
    for (auto& [bin, in] : members)
        bins.push_back({bin * bin_width, (bin + 1) * bin_width, int(in.magnitude.size()), median_spread(in.magnitude),
                        median_spread(in.expected).median, median_spread(in.x), median_spread(in.y)});
    return bins;
}

// One row of a list: its magnitude, whether it could have been and was found, how often chance found it.
struct Row {
    double mag;
    bool inside, found;
    int chance;
};

CompletenessBin completeness(int bin, int n, int found, int chance) {
    const Share p = share_of(found, n);
    return {bin * bin_width,
            (bin + 1) * bin_width,
            n,
            p.value,
            p.low,
            p.high,
            double(chance) / (double(n) * chance_shifts)};
}

std::vector<CompletenessBin> completeness_of(const std::vector<Row>& rows) {
    struct Count {
        int n = 0, found = 0, chance = 0;
    };
    std::map<int, Count> counts;
    for (const Row& r : rows)
        if (const int bin = bin_of(r.mag); r.inside && bin != INT_MIN) {
            Count& c = counts[bin];
            ++c.n, c.found += r.found, c.chance += r.chance;
        }
    std::vector<CompletenessBin> bins;
    for (const auto& [bin, c] : counts) bins.push_back(completeness(bin, c.n, c.found, c.chance));
    return bins;
}

std::vector<Row> rows_of(const PlacedList& list, const std::vector<char>& inside, const std::vector<int>& chance) {
    std::vector<Row> rows;
    for (std::size_t i = 0; i < list.rows(); ++i)
        rows.push_back({list.mag->values[i], inside[i] != 0, false, chance[i]});
    return rows;
}

std::string shown(double v, const char* format = "{:+.4f}") {
    return std::isfinite(v) ? fmt::format(fmt::runtime(format), v) : "n/a";
}

std::string completeness_text(const std::string& whose, const std::string& where,
                              const std::vector<CompletenessBin>& bins) {
    std::string text = "\nof " + whose + ", found in " + where + "\n" +
                       fmt::format("{:>14}{:>8}{:>9}{:>18}{:>9}\n", "mag", "rows", "share", "68 %", "chance");
    for (const CompletenessBin& b : bins)
        text += fmt::format("{:>14}{:>8}{:>9.4f}{:>18}{:>9.4f}\n", fmt::format("{:.1f}...{:.1f}", b.from, b.to), b.rows,
                            b.share, fmt::format("{:.3f} ... {:.3f}", b.low, b.high), b.chance);
    return text;
}

Json number(double v) { return std::isfinite(v) ? Json(v) : Json(); }
Json spread_json(const MedianSpread& s) { return {{"median", number(s.median)}, {"scatter", number(s.spread)}}; }

Json completeness_json(const std::vector<CompletenessBin>& bins) {
    Json all = Json::array();
    for (const CompletenessBin& b : bins)
        all.push_back({{"from", b.from},
                       {"to", b.to},
                       {"rows", b.rows},
                       {"share", b.share},
                       {"low", b.low},
                       {"high", b.high},
                       {"chance", b.chance}});
    return all;
}

}  // namespace

Comparison compare_lists(const PlacedList& a, const PlacedList& b, const MatchedLists& m) {
    for (const PlacedList* list : {&a, &b})
        if (!list->mag)
            fail(Fault::input, list->from.file,
                 ": no column of magnitudes (such as MAG, MAG_PSF, MAG_AUTO); name it with --columns-a or --columns-b "
                 "mag=NAME");
    Comparison c;
    c.first = a.from.file, c.second = b.from.file;
    c.mag_first = a.mag->name, c.mag_second = b.mag->name;
    c.radius = m.radius, c.summary = match_text(a, b, m);
    std::vector<Row> rows_a = rows_of(a, m.a_in_b, m.chance_a), rows_b = rows_of(b, m.b_in_a, m.chance_b);
    std::vector<double> differences;
    for (std::size_t k = 0; k < m.pairs.size(); ++k) {
        const auto i = std::size_t(m.pairs[k].a), j = std::size_t(m.pairs[k].b);
        rows_a[i].found = rows_b[j].found = true;
        c.pairs.emplace_back(a.mag->values[i], b.mag->values[j]);
        c.offsets.emplace_back(m.dx[k], m.dy[k]);
        differences.push_back(b.mag->values[j] - a.mag->values[i]);
    }
    c.magnitude = median_spread(differences), c.x = median_spread(m.dx), c.y = median_spread(m.dy);
    c.bins = bins_of(a, b, m);
    c.first_found = completeness_of(rows_a), c.second_found = completeness_of(rows_b);
    return c;
}

std::string Comparison::text() const {
    std::string text = summary + "\nsecond minus first, by " + mag_first + " of the first: median and scatter\n" +
                       fmt::format("{:>14}{:>7}{:>20}{:>10}{:>20}{:>20}\n", "mag", "pairs", "magnitude", "expected",
                                   radius.sky ? "RA cos(DEC)" : "x", radius.sky ? "DEC" : "y");
    const auto both = [](const MedianSpread& s) { return shown(s.median) + " " + shown(s.spread, "{:.4f}"); };
    for (const ComparedBin& b : bins)
        text += fmt::format("{:>14}{:>7}{:>20}{:>10}{:>20}{:>20}\n", fmt::format("{:.1f}...{:.1f}", b.from, b.to),
                            b.pairs, both(b.magnitude), shown(b.expected, "{:.4f}"), both(b.x), both(b.y));
    return text + completeness_text(first, second, first_found) + completeness_text(second, first, second_found);
}

std::string Comparison::json() const {
    Json all = Json::array();
    for (const ComparedBin& b : bins)
        all.push_back({{"from", b.from},
                       {"to", b.to},
                       {"pairs", b.pairs},
                       {"magnitude", spread_json(b.magnitude)},
                       {"expected_scatter", number(b.expected)},
                       {"x", spread_json(b.x)},
                       {"y", spread_json(b.y)}});
    const Json root{{"schema", "starblend-comparison-1"},
                    {"first", first},
                    {"second", second},
                    {"magnitudes", {mag_first, mag_second}},
                    {"radius", radius.value},
                    {"unit", radius.unit()},
                    {"pairs", pairs.size()},
                    {"magnitude", spread_json(magnitude)},
                    {"x", spread_json(x)},
                    {"y", spread_json(y)},
                    {"by_magnitude", all},
                    {"first_found_in_second", completeness_json(first_found)},
                    {"second_found_in_first", completeness_json(second_found)}};
    return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace star
