// The page of scores: numbers beside plots.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "tools/report_fields.h"
#include "tools/report_html.h"
#include "tools/report_plot.h"
#include "tools/score_report.h"

namespace star {
namespace {

std::string shown(double v) { return std::isfinite(v) ? fmt::format("{:.3f}", v) : "n/a"; }
std::string shown(double low, double high) {
    return std::isfinite(low) && std::isfinite(high) ? fmt::format("{:.3f} … {:.3f}", low, high) : "n/a";
}
std::string edge(double v) { return std::isfinite(v) ? fmt::format("{:g}", v) : "∞"; }

// Shaded by the share of its row: what becomes of the units of a class.
std::string matrix_html(const Tally& t) {
    std::string html = "<table class=\"matrix\"><tr><th>truth \\ found</th>";
    for (int k = 0; k < classes_scored; ++k) html += head_cell(class_name(k));
    html += "<th>missed</th></tr>";
    for (int i = 0; i <= classes_scored; ++i) {
        const auto& row = t.matrix[std::size_t(i)];
        std::int64_t sum = 0;
        for (const std::int64_t n : row) sum += n;
        html += "<tr>" + head_cell(i < classes_scored ? class_name(i) : "noise");
        for (int j = 0; j <= classes_scored; ++j) {
            if (i == nothing_there && j == nothing_there) continue;
            const std::int64_t n = row[std::size_t(j)];
            html += fmt::format("<td{} style=\"background: rgba(var(--heat), {:.2f})\">{}</td>",
                                i == j ? " class=\"right\"" : "", sum > 0 ? 0.55 * double(n) / double(sum) : 0.0, n);
        }
        html += "</tr>";
    }
    return html + fmt::format("</table><p>{} units and {} detections left out (ignored, or at the edge)</p>",
                              t.units_left_out, t.found_left_out);
}

std::string figures_html(const std::vector<Figure>& figures) {
    std::string html =
        "<table><tr><th></th><th>value</th><th>68 %</th><th>chance</th><th>corrected</th><th>68 %</th></tr>";
    for (const Figure& f : figures)
        html += "<tr>" + cell(f.name) + cell(shown(f.value)) + cell(shown(f.low, f.high)) + cell(shown(f.chance)) +
                cell(shown(f.corrected)) + cell(shown(f.corrected_low, f.corrected_high)) + "</tr>";
    return html + "</table>";
}

std::vector<std::pair<double, std::string>> fifths() {
    std::vector<std::pair<double, std::string>> ticks;
    for (int i = 0; i <= 5; ++i) ticks.emplace_back(0.2 * i, fmt::format("{:.1f}", 0.2 * i));
    return ticks;
}

// "any" is drawn in the colour of ink, the classes in theirs.
std::string style_of(const std::string& curve) { return curve == "any" ? "c5" : "c" + std::to_string(curve[0] - '1'); }

std::string curves_html(const Evaluation& e) {
    Plot plot{"recall", "precision", 0, 1, fifths(), {}, false};
    std::string table = "<table><tr><th>class</th><th>AP</th><th>68 %</th><th>chance</th></tr>";
    for (const Curve& c : e.curves) {
        PlotSeries s{style_of(c.of), {}, true, false};
        for (const auto& p : c.points) s.points.push_back({p.recall, p.precision, not_known, not_known});
        plot.series.push_back(std::move(s));
        for (const Figure& f : e.figures)
            if (f.name == "AP of " + c.of)
                table += "<tr><td><span class=\"key " + style_of(c.of) + "\"></span>" + escape(c.of) + "</td>" +
                         cell(shown(f.value)) + cell(shown(f.low, f.high)) + cell(shown(f.chance)) + "</tr>";
    }
    return "<h3>Precision and recall</h3>" + beside(svg(plot), table + "</table>");
}

std::string reliability_html(const Reliability& r) {
    Plot plot{"predicted", "came true", 0, 1, fifths(), {}, true};
    PlotSeries s{"c0", {}, true, true};
    std::string table = "<table><tr><th>predicted</th><th>came true</th><th>68 %</th><th>n</th></tr>";
    for (const auto& b : r.bins) {
        if (!(b.n > 0)) continue;
        s.points.push_back({b.predicted, b.observed, b.low, b.high});
        table += "<tr>" + cell(shown(b.predicted)) + cell(shown(b.observed)) + cell(shown(b.low, b.high)) +
                 cell(fmt::format("{:g}", b.n)) + "</tr>";
    }
    plot.series.push_back(std::move(s));
    return "<h3>Reliability of the " + escape(r.of == "score" ? "score" : "class probabilities P1-P5") + "</h3>" +
           beside(svg(plot), table + "</table>");
}

// Bins side by side, whatever their widths; the ticks are their edges.
std::string profile_html(const Profile& p) {
    const double n = double(p.bins.size());
    Plot plot{p.by + (p.unit.empty() ? "" : ", " + p.unit), p.figure, 0, n, {}, {}, false};
    PlotSeries value{"c0", {}, true, true}, chance{"chance", {}, true, false};
    std::string table =
        "<table><tr>" + head_cell(plot.x_label) + head_cell(p.figure) + "<th>68 %</th><th>chance</th><th>n</th></tr>";
    for (std::size_t i = 0; i < p.bins.size(); ++i) {
        const auto& b = p.bins[i];
        const double x = double(i);
        plot.ticks.emplace_back(x, edge(b.from));
        if (i + 1 == p.bins.size()) plot.ticks.emplace_back(x + 1, edge(b.to));
        value.points.push_back({x + 0.5, b.value, b.low, b.high});
        chance.points.push_back({x + 0.5, b.chance, not_known, not_known});
        table += "<tr>" + cell(edge(b.from) + " … " + edge(b.to)) + cell(shown(b.value)) + cell(shown(b.low, b.high)) +
                 cell(shown(b.chance)) + cell(std::to_string(b.n)) + "</tr>";
    }
    // Labels need some 30 units of the plot's 320.
    const std::size_t every = (plot.ticks.size() + 9) / 10;
    for (std::size_t i = 0; i < plot.ticks.size(); ++i)
        if (i % every) plot.ticks[i].second.clear();
    plot.series = {std::move(chance), std::move(value)};
    std::string title = p.figure + " by " + p.by;
    title[0] = char(std::toupper(static_cast<unsigned char>(title[0])));
    return "<h3>" + escape(title) + "</h3>" + beside(svg(plot), table + "</table>");
}

std::string part_html(const ScoreReport::Part& p) {
    const Evaluation& e = p.evaluation;
    std::string html = "<h2 id=\"" + p.key + "\">" + escape(p.title) + "</h2>";
    html += "<div class=\"row\"><div class=\"scroll\"><h3>Confusion matrix</h3>" + matrix_html(e.tally) +
            "</div><div class=\"scroll\"><h3>Figures</h3>" + figures_html(e.figures) + "</div></div>";
    if (!e.curves.empty()) html += curves_html(e);
    for (const Reliability& r : e.reliability) html += reliability_html(r);
    for (const Profile& profile : e.profiles) html += profile_html(profile);
    return html;
}

}  // namespace

std::string ScoreReport::html() const {
    std::string page = "<h1>Scores</h1><table class=\"about\">";
    for (const auto& [name, value] : about) page += "<tr>" + cell(name) + cell(value) + "</tr>";
    page += "</table><nav><p>";
    for (const Part& p : parts) page += "<a href=\"#" + p.key + "\">" + escape(p.title) + "</a> ";
    page += "</p></nav>";
    for (const auto& remark : remarks) page += "<p class=\"remark\">" + escape(remark) + "</p>";
    if (!pictures.empty() && !parts.empty()) {
        page +=
            "<h2 id=\"fields\">Fields</h2><p>Boxes as the first table matches them. Hold the pointer over a box to "
            "read it.</p><div class=\"row\">";
        for (std::size_t i = 0; i < pictures.size(); ++i) page += field_html(pictures[i], parts.front().rule, int(i));
        page += "</div>";
    }
    for (const Part& p : parts) page += part_html(p);
    return html_page("scores", page);
}

}  // namespace star
