// The page of a comparison: plots beside numbers.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "tools/comparison.h"
#include "tools/report_html.h"
#include "tools/report_plot.h"

namespace star {
namespace {

constexpr std::size_t most_specks = 20000;

struct Range {
    double low = INFINITY, high = -INFINITY;
    void take(double v) {
        if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
    }
    Range rounded(double step) const {
        if (low > high) return {0, 1};
        return {std::floor(low / step) * step, std::max(std::ceil(high / step), std::floor(low / step) + 1) * step};
    }
};

// Every n-th point where there are too many to be told apart.
template <class Point>
PlotSeries specks(const std::vector<std::pair<double, double>>& pairs, Point&& point) {
    PlotSeries s{"c0", {}, false, false};
    s.specks = true;
    const std::size_t stride = pairs.size() / most_specks + 1;
    for (std::size_t i = 0; i < pairs.size(); i += stride) s.points.push_back(point(pairs[i]));
    return s;
}

std::string thinned(std::size_t n) {
    const std::size_t stride = n / most_specks + 1;
    return stride > 1 ? fmt::format("<p>Every {}th pair is drawn.</p>", stride) : "";
}

std::string shown(double v) { return std::isfinite(v) ? fmt::format("{:.4f}", v) : "n/a"; }

Range magnitudes(const std::vector<std::pair<double, double>>& pairs) {
    Range r;
    for (const auto& p : pairs) r.take(p.first);
    return r.rounded(1);
}

std::string differences_html(const Comparison& c) {
    const Range x = magnitudes(c.pairs);
    double reach = 0.1;  // both ways: most of the faintest bins' scatter
    PlotSeries middle{"c3", {}, true, true}, zero{"chance", {{x.low, 0}, {x.high, 0}}, true, false};
    std::string table = "<table><tr><th>mag</th><th>pairs</th><th>median</th><th>scatter</th><th>expected</th></tr>";
    for (const ComparedBin& b : c.bins) {
        const MedianSpread& m = b.magnitude;
        if (b.pairs >= 5) reach = std::max(reach, std::abs(m.median) + 2 * m.spread);
        middle.points.push_back({(b.from + b.to) / 2, m.median, m.median - m.spread, m.median + m.spread});
        table += "<tr>" + cell(fmt::format("{:.1f} … {:.1f}", b.from, b.to)) + cell(std::to_string(b.pairs)) +
                 cell(shown(m.median)) + cell(shown(m.spread)) + cell(shown(b.expected)) + "</tr>";
    }
    reach = std::min(reach, 3.0);
    Plot plot{
        c.mag_first + " of the first", "second − first, mag", x.low, x.high, round_ticks(x.low, x.high, 8), {}, false};
    plot.y_min = -reach, plot.y_max = reach, plot.y_ticks = round_ticks(-reach, reach);
    plot.series = {specks(c.pairs,
                          [](auto& p) {
                              return PlotSeries::Point{p.first, p.second - p.first};
                          }),
                   zero, middle};
    return "<h2>Magnitudes</h2>" + beside(svg(plot), table + "</table>") + thinned(c.pairs.size());
}

std::string offsets_html(const Comparison& c) {
    const double r = c.radius.value;
    Plot plot{c.radius.sky ? "RA cos(DEC), arcsec" : "x, px",
              c.radius.sky ? "DEC, arcsec" : "y, px",
              -r,
              r,
              round_ticks(-r, r),
              {},
              false};
    plot.y_min = -r, plot.y_max = r, plot.y_ticks = round_ticks(-r, r);
    plot.series = {specks(c.offsets, [](auto& p) { return PlotSeries::Point{p.first, p.second}; })};
    std::string table =
        "<table><tr><th>mag</th><th>pairs</th><th>median x</th><th>scatter</th><th>median y</th><th>scatter</th></tr>";
    for (const ComparedBin& b : c.bins)
        table += "<tr>" + cell(fmt::format("{:.1f} … {:.1f}", b.from, b.to)) + cell(std::to_string(b.pairs)) +
                 cell(shown(b.x.median)) + cell(shown(b.x.spread)) + cell(shown(b.y.median)) + cell(shown(b.y.spread)) +
                 "</tr>";
    return "<h2>Places, second − first</h2>" + beside(svg(plot), table + "</table>");
}

std::string completeness_html(const std::string& title, const std::vector<CompletenessBin>& bins) {
    PlotSeries share{"c0", {}, true, true}, chance{"chance", {}, true, false};
    Range x;
    std::string table = "<table><tr><th>mag</th><th>rows</th><th>share</th><th>68 %</th><th>chance</th></tr>";
    for (const CompletenessBin& b : bins) {
        const double at = (b.from + b.to) / 2;
        x.take(b.from), x.take(b.to);
        share.points.push_back({at, b.share, b.low, b.high}), chance.points.push_back({at, b.chance});
        table += "<tr>" + cell(fmt::format("{:.1f} … {:.1f}", b.from, b.to)) + cell(std::to_string(b.rows)) +
                 cell(fmt::format("{:.3f}", b.share)) + cell(fmt::format("{:.3f} … {:.3f}", b.low, b.high)) +
                 cell(fmt::format("{:.3f}", b.chance)) + "</tr>";
    }
    const Range r = x.rounded(1);
    Plot plot{"magnitude", "share found", r.low, r.high, round_ticks(r.low, r.high, 8), {chance, share}, false};
    return "<h3>" + escape(title) + "</h3>" + beside(svg(plot), table + "</table>");
}

// The first list's band above the colour of the two; for one band in both it is the difference again, and left out.
std::string colours_html(const Comparison& c) {
    Range colour;
    for (const auto& p : c.pairs) colour.take(p.first - p.second);
    if (!(colour.low <= colour.high)) return "";
    std::vector<double> all;
    for (const auto& p : c.pairs)
        if (std::isfinite(p.first - p.second)) all.push_back(p.first - p.second);
    std::sort(all.begin(), all.end());
    const Range x = Range{all[all.size() / 200], all[all.size() - 1 - all.size() / 200]}.rounded(0.5),
                y = magnitudes(c.pairs);
    Plot plot{
        "first − second, mag", c.mag_first + " of the first", x.low, x.high, round_ticks(x.low, x.high), {}, false};
    plot.y_min = y.high, plot.y_max = y.low, plot.y_ticks = round_ticks(y.low, y.high);
    plot.series = {specks(c.pairs, [](auto& p) { return PlotSeries::Point{p.first - p.second, p.first}; })};
    return "<h2>Colour and magnitude</h2>" +
           beside(svg(plot),
                  "<p>For catalogues of two bands this is their colour-magnitude diagram; of one band, the "
                  "differences once more.</p>");
}

}  // namespace

std::string Comparison::html() const {
    std::string body = "<h1>" + escape(first) + " and " + escape(second) + "</h1>";
    for (std::size_t at = 0; at < summary.size();) {
        const std::size_t end = std::min(summary.find('\n', at), summary.size());
        body += "<p>" + escape(summary.substr(at, end - at)) + "</p>";
        at = end + 1;
    }
    body += differences_html(*this) + offsets_html(*this) + "<h2>Completeness</h2>" +
            completeness_html("of the first list, found in the second", first_found) +
            completeness_html("of the second list, found in the first", second_found) + colours_html(*this);
    return html_page("comparison", body);
}

}  // namespace star
