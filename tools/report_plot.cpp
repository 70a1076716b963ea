// Axes, lines, dots, error bars.
#include "tools/report_plot.h"

#include <fmt/core.h>

#include <cmath>

namespace star {
namespace {

constexpr double width = 380, height = 260, left = 46, right = 12, top = 10, bottom = 40;  // SVG units

struct Frame {
    const Plot& plot;
    double x(double v) const { return left + (v - plot.x_min) / (plot.x_max - plot.x_min) * (width - left - right); }
    double y(double v) const { return height - bottom - v * (height - top - bottom); }
};

std::string line(double x0, double y0, double x1, double y1, const char* style) {
    return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", style, x0, y0,
                       x1, y1);
}

std::string label(double x, double y, const char* anchor, const std::string& text, const char* more = "") {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>", x, y, anchor, more,
                       escape(text));
}

std::string axes(const Frame& f) {
    std::string s;
    for (int i = 0; i <= 5; ++i) {
        s += line(left, f.y(0.2 * i), width - right, f.y(0.2 * i), "grid");
        s += label(left - 6, f.y(0.2 * i) + 4, "end", fmt::format("{:.1f}", 0.2 * i));
    }
    for (const auto& [at, text] : f.plot.ticks) {
        s += line(f.x(at), f.y(0), f.x(at), f.y(0) + 4, "axis");
        s += label(f.x(at), f.y(0) + 16, "middle", text);
    }
    s += line(left, f.y(0), width - right, f.y(0), "axis");
    s += label((left + width - right) / 2, height - 6, "middle", f.plot.x_label);
    s += label(12, (top + height - bottom) / 2, "middle", f.plot.y_label,
               fmt::format(" transform=\"rotate(-90 12 {:.1f})\"", (top + height - bottom) / 2).c_str());
    if (f.plot.diagonal) s += line(f.x(f.plot.x_min), f.y(0), f.x(f.plot.x_max), f.y(1), "chance");
    return s;
}

std::string drawn(const Frame& f, const PlotSeries& series) {
    std::string path, marks;
    bool pen_down = false;
    for (const auto& p : series.points) {
        if (!std::isfinite(p.x) || !std::isfinite(p.y)) {
            pen_down = false;
            continue;
        }
        path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", f.x(p.x), f.y(p.y));
        pen_down = true;
        if (!series.dots) continue;
        if (p.high > p.low) marks += line(f.x(p.x), f.y(p.low), f.x(p.x), f.y(p.high), "bar");
        marks += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", f.x(p.x), f.y(p.y));
    }
    return fmt::format("<g class=\"{}\">{}{}</g>", series.style,
                       series.line ? fmt::format("<path d=\"{}\"/>", path) : std::string(), marks);
}

}  // namespace

std::string escape(const std::string& text) {
    std::string safe;
    for (const char c : text) switch (c) {
            case '&':
                safe += "&amp;";
                break;
            case '<':
                safe += "&lt;";
                break;
            case '>':
                safe += "&gt;";
                break;
            case '"':
                safe += "&quot;";
                break;
            default:
                safe += static_cast<unsigned char>(c) < 32 ? ' ' : c;
        }
    return safe;
}

std::string svg(const Plot& plot) {
    const Frame f{plot};
    std::string s = fmt::format("<svg class=\"plot\" viewBox=\"0 0 {} {}\" role=\"img\">", width, height) + axes(f);
    for (const PlotSeries& series : plot.series) s += drawn(f, series);
    return s + "</svg>";
}

}  // namespace star
