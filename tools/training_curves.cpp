// From the log's columns to two lines.
#include "tools/training_curves.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <vector>

#include "tools/report_plot.h"

namespace star {
namespace {

enum Column { step, fields, rate, classes, boxes, norm, validation_classes, validation_boxes, columns_needed };

constexpr const char* style =
    "<style>svg{background:#fff}text{font:11px sans-serif;fill:#333}.grid{stroke:#e3e3e3}.axis{stroke:#555}"
    "path{fill:none;stroke-width:1.5}.c0 path{stroke:#7aa6d6}.c1 path{stroke:#b5382a}.c1 circle{fill:#b5382a}</style>";

struct Losses {
    std::vector<PlotSeries::Point> steps, validation;
};

Losses read(const std::string& log) {
    Losses l;
    std::istringstream rows(log);
    for (std::string row; std::getline(rows, row);) {
        std::vector<std::string> cells;
        std::istringstream in(row);
        for (std::string cell; std::getline(in, cell, ',');) cells.push_back(cell);
        if (cells.size() < columns_needed || cells[step].find_first_not_of("0123456789") != std::string::npos) continue;
        const auto number = [&](Column c) { return std::strtod(cells[c].c_str(), nullptr); };
        l.steps.push_back({number(step), number(classes) + number(boxes)});
        if (!cells[validation_classes].empty())
            l.validation.push_back({number(step), number(validation_classes) + number(validation_boxes)});
    }
    return l;
}

std::vector<PlotSeries::Point> smoothed(const std::vector<PlotSeries::Point>& points) {
    const std::size_t window = std::max<std::size_t>(1, points.size() / 50);
    std::vector<PlotSeries::Point> out;
    double sum = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
        sum += points[i].y;
        if (i >= window) sum -= points[i - window].y;
        out.push_back({points[i].x, sum / double(std::min(i + 1, window))});
    }
    return out;
}

}  // namespace

std::string training_curves(const std::string& log) {
    const Losses l = read(log);
    Plot plot;
    plot.x_label = "step", plot.y_label = "loss";
    plot.words = "Loss by step: training in blue, validation in red";
    plot.series = {{"c0", smoothed(l.steps)}, {"c1", l.validation, true, true}};
    double most = 1e-6;
    for (const PlotSeries& s : plot.series)
        for (const auto& p : s.points) most = std::max(most, p.y);
    plot.x_max = l.steps.empty() ? 1 : std::max(1.0, l.steps.back().x);
    plot.y_max = 1.05 * most;
    plot.ticks = round_ticks(0, plot.x_max), plot.y_ticks = round_ticks(0, plot.y_max);
    std::string picture = svg(plot);
    picture.insert(picture.find('>') + 1, style);
    picture.insert(4, " xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"520\"");  // behind "<svg"
    return picture + "\n";
}

}  // namespace star
