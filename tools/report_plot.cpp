// Axes, lines, dots, error bars.
#include "tools/report_plot.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace star {
namespace {

constexpr double width = 380, height = 260, left = 54, right = 12, top = 10, bottom = 40;  // SVG units

struct Frame {
    const Plot& plot;
    double x(double v) const { return left + (v - plot.x_min) / (plot.x_max - plot.x_min) * (width - left - right); }
    double y(double v) const {
        return height - bottom - (v - plot.y_min) / (plot.y_max - plot.y_min) * (height - top - bottom);
    }
    double floor() const { return height - bottom; }
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
    for (const auto& [at, text] : f.plot.y_ticks.empty() ? round_ticks(0, 1) : f.plot.y_ticks) {
        s += line(left, f.y(at), width - right, f.y(at), "grid");
        s += label(left - 6, f.y(at) + 4, "end", text);
    }
    for (const auto& [at, text] : f.plot.ticks) {
        s += line(f.x(at), f.floor(), f.x(at), f.floor() + 4, "axis");
        s += label(f.x(at), f.floor() + 16, "middle", text);
    }
    s += line(left, f.floor(), width - right, f.floor(), "axis");
    s += label((left + width - right) / 2, height - 6, "middle", f.plot.x_label);
    s += label(12, (top + height - bottom) / 2, "middle", f.plot.y_label,
               fmt::format(" transform=\"rotate(-90 12 {:.1f})\"", (top + height - bottom) / 2).c_str());
    if (f.plot.diagonal)
        s += line(f.x(f.plot.x_min), f.y(f.plot.y_min), f.x(f.plot.x_max), f.y(f.plot.y_max), "chance");
    return s;
}

bool inside(const Plot& p, double x, double y) {
    return x >= p.x_min && x <= p.x_max && y >= std::min(p.y_min, p.y_max) && y <= std::max(p.y_min, p.y_max);
}

std::string drawn(const Frame& f, const PlotSeries& series) {
    std::string path, marks;
    bool pen_down = false;
    for (const auto& p : series.points) {
        if (!std::isfinite(p.x) || !std::isfinite(p.y)) {
            pen_down = false;
            continue;
        }
        if (series.bars > 0) {
            const double x0 = f.x(p.x - series.bars / 2), x1 = f.x(p.x + series.bars / 2), y = f.y(p.y);
            marks += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>", x0 + 0.5, y,
                                 std::max(0.5, x1 - x0 - 1), std::max(0.0, f.floor() - y));
            continue;
        }
        if (series.specks) {
            if (inside(f.plot, p.x, p.y)) path += fmt::format("M{:.1f} {:.1f}h0", f.x(p.x), f.y(p.y));
            continue;
        }
        path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", f.x(p.x), f.y(p.y));
        pen_down = true;
        if (!series.dots) continue;
        if (p.high > p.low) marks += line(f.x(p.x), f.y(p.low), f.x(p.x), f.y(p.high), "bar");
        marks += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", f.x(p.x), f.y(p.y));
    }
    return fmt::format("<g class=\"{}{}\">{}{}</g>", series.style, series.specks ? " specks" : "",
                       series.line || series.specks ? fmt::format("<path d=\"{}\"/>", path) : std::string(), marks);
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

std::vector<std::pair<double, std::string>> round_ticks(double low, double high, int count) {
    if (low > high) std::swap(low, high);
    const double rough = std::max((high - low) / count, 1e-300), decade = std::pow(10, std::floor(std::log10(rough)));
    double step = 10 * decade;
    for (const double s : {5.0, 2.0, 1.0})
        if (s * decade >= rough * 0.999) step = s * decade;
    const int decimals = std::max(0, -int(std::floor(std::log10(step) + 1e-9)));
    std::vector<std::pair<double, std::string>> ticks;
    for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i) {
        const double at = i == 0 ? 0 : i * step;  // no -0
        ticks.emplace_back(at, std::abs(at) < 1e6 ? fmt::format("{:.{}f}", at, decimals) : fmt::format("{:g}", at));
    }
    return ticks;
}

std::string svg(const Plot& plot) {
    const Frame f{plot};
    const std::string words = plot.words.empty() ? plot.y_label + " by " + plot.x_label : plot.words;
    std::string s = fmt::format("<svg class=\"plot\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">", width,
                                height, escape(words)) +
                    axes(f);
    for (const PlotSeries& series : plot.series) s += drawn(f, series);
    return s + "</svg>";
}

}  // namespace star
