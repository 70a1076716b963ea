// Plots as SVG text, to be put into a page: its style sheet gives them colours (classes c0...c5, grid, chance, text).
#pragma once
#include <string>
#include <vector>

namespace star {

/// One line or set of points. Points with a y that is NaN are left out, and break a line.
struct PlotSeries {
    struct Point {
        double x = 0, y = 0;
        double low = 0, high = 0;  ///< error bar; none where either is NaN or they are equal
    };
    std::string style;  ///< CSS class
    std::vector<Point> points;
    bool line = true, dots = false;
};

struct Plot {
    std::string x_label, y_label;
    double x_min = 0, x_max = 1;                        ///< y goes from 0 to 1
    std::vector<std::pair<double, std::string>> ticks;  ///< along x
    std::vector<PlotSeries> series;
    bool diagonal = false;
};

std::string svg(const Plot& plot);

/// Text made safe for HTML and SVG.
std::string escape(const std::string& text);

}  // namespace star
