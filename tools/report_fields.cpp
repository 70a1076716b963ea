// Pixels to grey, grey to PNG, PNG to text; boxes to SVG.
#include "tools/report_fields.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "io/png.h"
#include "tools/base64.h"
#include "tools/picture_levels.h"
#include "tools/report_plot.h"

namespace star {
namespace {

// y grows downwards in SVG.
std::string rectangle(const Box& b, int height, const std::string& words) {
    return fmt::format("<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\"><title>{}</title></rect>",
                       b.x0, float(height) - b.y1, std::max(0.0f, b.width()), std::max(0.0f, b.height()), words);
}

bool shown(double x, double y, const ScorePicture& p) { return x >= 0 && y >= 0 && x < p.width && y < p.height; }

}  // namespace

ScorePicture picture_of(const std::vector<float>& image, const ScoredField& field, int side, std::string title) {
    ScorePicture p{std::move(title), std::min(side, field.width), std::min(side, field.height), {}, field};
    p.grey.assign(std::size_t(p.width) * std::size_t(p.height), 0);
    const auto [middle, unit, top] = picture_levels(image);
    const double full = std::asinh(std::max(top - middle, unit) / unit);
    for (int y = 0; y < p.height; ++y)
        for (int x = 0; x < p.width; ++x) {
            const double v = image[std::size_t(p.height - 1 - y) * std::size_t(field.width) + std::size_t(x)];
            // A fifth of the range lies below the median, where noise is still to be seen.
            const double level = 0.2 + 0.8 * std::asinh((v - middle) / unit) / full;
            p.grey[std::size_t(y) * std::size_t(p.width) + std::size_t(x)] =
                std::isfinite(v) ? std::uint8_t(std::lround(255 * std::clamp(level, 0.0, 1.0))) : std::uint8_t(0);
        }
    return p;
}

std::string field_html(const ScorePicture& p, const MatchRule& rule, int number) {
    const Matches m = Matcher(p.field, rule).match(p.field.found);
    std::string layers[4];  // true, found, missed, false
    for (std::size_t i = 0; i < p.field.wanted.size(); ++i) {
        const Wanted& w = p.field.wanted[i];
        if (!shown(w.x, w.y, p)) continue;
        const std::string words = w.label < 0 ? "truth: not asked for" : "truth: " + class_name(w.label);
        layers[0] += rectangle(w.box, p.height, words);
        if (m.found[i] == Matches::none) layers[2] += rectangle(w.box, p.height, "missed: " + class_name(w.label));
    }
    for (const int i : m.order) {
        const Found& f = p.field.found[std::size_t(i)];
        const int unit = m.unit[std::size_t(i)];
        if (!shown(f.x, f.y, p) || unit == Matches::left_out) continue;
        std::string words = fmt::format("found: {}, score {:.2f}", class_name(f.label), f.score);
        if (unit >= 0) words += "; truth: " + class_name(p.field.wanted[std::size_t(unit)].label);
        layers[unit >= 0 ? 1 : 3] += rectangle(f.box, p.height, words);
    }
    static const char* const names[] = {"true", "found", "missed", "false"};
    std::string html = "<figure class=\"field\"><figcaption>" + escape(p.title) + "</figcaption>";
    for (int k = 0; k < 4; ++k)
        html += fmt::format(
            "<input type=\"checkbox\" id=\"f{0}{1}\" class=\"show-{1}\" checked><label for=\"f{0}{1}\" "
            "class=\"key-{1}\">{1}</label>",
            number, names[k]);
    html += fmt::format(
        "<svg viewBox=\"0 0 {0} {1}\"><image width=\"{0}\" height=\"{1}\" href=\"data:image/png;base64,{2}\"/>",
        p.width, p.height, base64(encode_png(p.grey, p.width, p.height)));
    for (int k = 0; k < 4; ++k) html += fmt::format("<g class=\"boxes-{}\">{}</g>", names[k], layers[k]);
    return html + "</svg></figure>";
}

}  // namespace star
