// Columns to plots.
#include "tools/catalogue_plots.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "tools/catalogue.h"
#include "tools/certificate.h"
#include "tools/report_plot.h"

namespace star {
namespace {

const Table* named(const Catalogue& c, const char* name) {
    for (const Table& t : c.tables)
        if (t.name == name && t.rows() > 0) return &t;
    return nullptr;
}

std::vector<double> finite(std::vector<double> values) {
    std::erase_if(values, [](double v) { return !std::isfinite(v); });
    std::sort(values.begin(), values.end());
    return values;
}

std::string panel(const std::string& title, const Plot& plot) {
    return "<div class=\"panel\"><h3>" + escape(title) + "</h3>" + svg(plot) + "</div>";
}

// Bins of `width` from `low`: their middles and counts.
PlotSeries bars(const std::vector<double>& values, double low, double high, double width, const char* style) {
    PlotSeries s{style, {}, false, false};
    s.bars = width;
    std::vector<int> count(std::size_t(std::max(1.0, std::ceil((high - low) / width - 1e-9))));
    for (const double v : values)
        if (v >= low && v <= high) ++count[std::min(std::size_t((v - low) / width), count.size() - 1)];
    for (std::size_t i = 0; i < count.size(); ++i)
        s.points.push_back({low + (double(i) + 0.5) * width, double(count[i])});
    return s;
}

double highest(const PlotSeries& s) {
    double most = 1;
    for (const auto& p : s.points) most = std::max(most, p.y);
    return 1.05 * most;
}

struct Histogram {
    std::string title, label;
    double low, high, width;
    const char* style = "c0";
};

std::string histogram(const Histogram& h, const std::vector<double>& values) {
    Plot plot{h.label, "rows", h.low, h.high, round_ticks(h.low, h.high, 8), {}, false};
    plot.series.push_back(bars(values, h.low, h.high, h.width, h.style));
    plot.y_max = highest(plot.series[0]);
    plot.y_ticks = round_ticks(0, plot.y_max, 5);
    return panel(h.title, plot);
}

// In bins of a round width, without the outermost 0.1 % on either side.
std::string histogram(const std::string& title, const std::string& label, const Table& t, const char* column) {
    if (!t.find(column)) return "";
    const std::vector<double> v = finite(t.numbers(column));
    if (v.size() < 2) return "";
    const auto at = [&](double q) { return v[std::size_t(q * double(v.size() - 1))]; };
    const double spread = std::max(at(0.999) - at(0.001), 1e-9 * std::max(1.0, std::abs(at(0.5))));
    const double width = std::pow(10, std::round(2 * std::log10(spread / 30)) / 2);  // 1, 3.2, 10 ...
    const double step = width / std::pow(10, std::floor(std::log10(width)));
    const double round = step > 2 ? width / step * 2.5 : width / step;
    const double low = std::floor(at(0.001) / round) * round, high = std::ceil(at(0.999) / round) * round;
    return histogram({title, label, low, std::max(high, low + round), round}, v);
}

std::string error_plot(const Table& sources) {
    if (!sources.find("MAG_PSF") || !sources.find("MAGERR_PSF")) return "";
    const auto mag = sources.numbers("MAG_PSF"), error = sources.numbers("MAGERR_PSF");
    const std::vector<double> all = finite(mag);
    if (all.size() < 2) return "";
    PlotSeries s{"c0", {}, false, false};
    s.specks = true;
    const std::size_t stride = mag.size() / 20000 + 1;
    for (std::size_t i = 0; i < mag.size(); i += stride)
        if (std::isfinite(mag[i]) && error[i] > 0) s.points.push_back({mag[i], error[i]});
    Plot plot{"MAG_PSF",      "MAGERR_PSF", std::floor(all.front()), std::ceil(all.back() + 1e-9), {},
              {std::move(s)}, false};
    plot.ticks = round_ticks(plot.x_min, plot.x_max, 8), plot.y_max = 0.5, plot.y_ticks = round_ticks(0, 0.5, 5);
    return panel("Errors of magnitudes" + (stride > 1 ? fmt::format(", every {}th star", stride) : std::string()),
                 plot);
}

Table with_snr(const Table& sources) {
    Table t;
    if (!sources.find("FLUX_PSF") || !sources.find("FLUXERR_PSF")) return t;
    std::vector<double> snr = sources.numbers("FLUX_PSF");
    const auto error = sources.numbers("FLUXERR_PSF");
    for (std::size_t i = 0; i < snr.size(); ++i) snr[i] = std::log10(snr[i] / error[i]);
    t.columns.push_back({"LOGSNR", "", "", "", "", std::move(snr)});
    return t;
}

}  // namespace

std::string histograms_html(const Catalogue& c) {
    std::string html;
    if (const Table* b = named(c, "BLENDS"); b && b->find("NSTARS")) {
        html += histogram({"Stars in a unit", "NSTARS (5: five or more)", 0.5, 5.5, 1}, b->numbers("NSTARS"));
        if (b->find("SCORE")) html += histogram({"Scores of units", "SCORE", 0, 1, 0.05}, b->numbers("SCORE"));
        html += histogram("Magnitudes of units", "MAG", *b, "MAG");
    }
    if (const Table* s = named(c, "SOURCES")) {
        html += histogram("Magnitudes of stars", "MAG_PSF", *s, "MAG_PSF");
        html += histogram("Signal-to-noise of stars", "log10 (FLUX_PSF / FLUXERR_PSF)", with_snr(*s), "LOGSNR");
        html += error_plot(*s);
    }
    return html.empty() ? "" : "<h2 id=\"plots\">In numbers</h2><div class=\"plots\">" + html + "</div>";
}

std::string completeness_html(const Catalogue& c) {
    const Table* t = named(c, "COMPLETE");
    if (!t) return "";
    const auto level = t->numbers("LEVEL"), from = t->numbers("MAG_MIN"), to = t->numbers("MAG_MAX");
    const auto panel_of = [&](const char* title, const char* of, bool with_levels) {
        const std::string name = of;
        const auto value = t->numbers(name), low = t->numbers(name + "_LO"), high = t->numbers(name + "_HI");
        Plot plot{"magnitude", of, std::floor(from.front()), std::ceil(to.back()), {}, {}, false};
        for (int k = with_levels ? levels_certified : 0; k >= 0; --k) {
            PlotSeries s{"c" + std::to_string(k), {}, true, k == 0};
            for (std::size_t i = 0; i < t->rows(); ++i)
                if (int(level[i]) == k)
                    s.points.push_back({(from[i] + to[i]) / 2, value[i], k ? NAN : low[i], k ? NAN : high[i]});
            plot.series.push_back(std::move(s));
        }
        plot.ticks = round_ticks(plot.x_min, plot.x_max, 8);
        return panel(title, plot);
    };
    const auto key = [](int k, const char* words) {
        return fmt::format("<span class=\"key c{}\"></span>{}", k, words);
    };
    return "<h2 id=\"completeness\">Completeness</h2><p>Of artificial stars put into the image: " +
           key(0, "all of it, with error bars; ") + key(1, "its dark, ") + key(2, "its middle, ") +
           key(3, "its bright third.") + "</p><div class=\"plots\">" +
           panel_of("Artificial stars found", "COMPL", true) +
           panel_of("Rows of a twin that are its stars", "PURITY", false) + "</div>";
}

std::string flags_html(const Catalogue& c) {
    std::string head = "<tr><th>flag</th><th>bit</th>", rows;
    std::vector<std::vector<double>> columns;
    for (const char* name : {"BLENDS", "SOURCES"})
        if (const Table* t = named(c, name); t && t->find("FLAGS")) {
            head += "<th>" + std::string(name) + "</th>";
            columns.push_back(t->numbers("FLAGS"));
        }
    if (columns.empty()) return "";
    for (const FlagMeaning& m : flag_meanings()) {
        std::string cells;
        std::int64_t all = 0;
        for (const auto& flags : columns) {
            const auto n = std::count_if(flags.begin(), flags.end(), [&](double f) { return std::int64_t(f) & m.bit; });
            all += n, cells += fmt::format("<td>{}</td>", n);
        }
        if (all > 0) rows += fmt::format("<tr><td>{}</td><td>{}</td>{}</tr>", escape(m.words), m.bit, cells);
    }
    if (rows.empty()) return "<h2 id=\"flags\">Flags</h2><p>No row has one.</p>";
    return "<h2 id=\"flags\">Flags</h2><table>" + head + "</tr>" + rows + "</table>";
}

}  // namespace star
