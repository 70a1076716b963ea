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
    bool specks = false;  ///< small round dots without error bars: any number of them stays small
    double bars = 0;      ///< width along x of columns that stand on the axis; 0: none
};

struct Plot {
    std::string x_label, y_label;
    double x_min = 0, x_max = 1;
    std::vector<std::pair<double, std::string>> ticks;  ///< along x
    std::vector<PlotSeries> series;
    bool diagonal = false;
    double y_min = 0, y_max = 1;                            ///< of the bottom and the top: magnitudes grow downwards
    std::vector<std::pair<double, std::string>> y_ticks{};  ///< empty: fifths of 0 ... 1
    std::string words{};                                    ///< what it shows, for a reader who can't see it
};

/// Round numbers within low ... high (or high ... low), about `count` of them.
std::vector<std::pair<double, std::string>> round_ticks(double low, double high, int count = 6);

std::string svg(const Plot& plot);

/// Text made safe for HTML and SVG.
std::string escape(const std::string& text);

}  // namespace star
