// PSFs in figures.
#include "tools/psf_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace star {
namespace {

constexpr double radii_px[] = {0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 40, 50};

std::string row(const std::string& what, std::initializer_list<std::string> values) {
    std::string line = fmt::format("{:24}", what);
    for (const auto& v : values) line += fmt::format("{:>14}", v);
    return line + "\n";
}

std::string number(double v, int digits = 4) { return fmt::format("{:.{}f}", v, digits); }

// The radius that the circles of both tables reach.
double reach(const Psf& psf) { return double(psf.half()) / psf.oversampling(); }

// In units of the first one's peak; e of each over its own total.
struct Difference {
    double value = 0, x = 0, y = 0;
};

Difference largest_difference(const Psf& a, const Psf& b) {
    Difference most;
    const int steps = int(4 * std::min(reach(a), reach(b)));
    for (int i = -steps; i <= steps; ++i)
        for (int j = -steps; j <= steps; ++j) {
            const double x = 0.25 * j, y = 0.25 * i;
            const double d = (b.at(x, y) / b.energy() - a.at(x, y) / a.energy()) / (a.peak() / a.energy());
            if (std::fabs(d) > std::fabs(most.value)) most = {d, x, y};
        }
    return most;
}

}  // namespace

std::string describe_psf(const NamedPsf& n, double scale) {
    const Psf& p = n.psf;
    std::string out = fmt::format("PSF of {}, pixel response included; pixels of {:g}\"\n", n.name, scale);
    out += row("FWHM (px)", {number(p.fwhm()), fmt::format("{:.4f}\"", p.fwhm() * scale)});
    out += row("share of the peak pixel", {number(p.peak())});
    out += row("noise area (px)", {number(p.noise_area())});
    out += row("light in the table", {number(p.energy(), 5)});
    out += row("table", {fmt::format("{0}x{0}", 2 * p.half() + 1), fmt::format("{} per px", p.oversampling())});
    out += row("80 % of all light within", {[&] {
                   double r = 0;
                   while (r < reach(p) && p.enclosed(r) < 0.8) r += 1e-3;
                   return r < reach(p) ? fmt::format("{:.3f} px", r) : std::string("-");
               }()});
    out += row("enclosed within (px)", {"share"});
    for (double r : radii_px)
        if (r <= reach(p))
            out += row(fmt::format("  {:g}", r), {number(p.enclosed(r)), fmt::format("{:.4f}\"", r * scale)});
    return out;
}

std::string compare_psfs(const NamedPsf& a, const NamedPsf& b, double scale) {
    const Psf &p = a.psf, &q = b.psf;
    std::string out = fmt::format("first:  {} (pixels of {:g}\")\nsecond: {}\n", a.name, scale, b.name);
    out += row("", {"first", "second", "difference"});
    const auto line = [&](const std::string& what, double u, double v) {
        out += row(what, {number(u), number(v), fmt::format("{:+.4f}", v - u)});
    };
    line("FWHM (px)", p.fwhm(), q.fwhm());
    line("share of the peak pixel", p.peak(), q.peak());
    line("noise area (px)", p.noise_area(), q.noise_area());
    line("light in the table", p.energy(), q.energy());
    // Both over what the smaller circle holds, so that wings cut off at different radii don't show as differences.
    const double common = std::min(reach(p), reach(q));
    out += fmt::format("enclosed within (px), over that within {:g} px\n", common);
    double most = 0, where = 0;
    for (double r : radii_px) {
        if (r > common) break;
        const double u = p.enclosed(r) / p.enclosed(common), v = q.enclosed(r) / q.enclosed(common);
        line(fmt::format("  {:g}", r), u, v);
        if (std::fabs(v - u) > std::fabs(most)) most = v - u, where = r;
    }
    const Difference d = largest_difference(p, q);
    out += fmt::format("largest difference of enclosed energy {:+.4f}, at {:g} px\n", most, where);
    out += fmt::format("largest difference of the PSFs {:+.4f} of the peak, at ({:g}, {:g}) px\n", d.value, d.x, d.y);
    return out;
}

std::vector<std::uint8_t> psf_grey(const Psf& psf) {
    const int side = 2 * psf.half() + 1;
    const auto samples = psf.samples();
    const double peak = *std::max_element(samples.begin(), samples.end());
    std::vector<std::uint8_t> grey;
    grey.reserve(samples.size());
    for (int y = side - 1; y >= 0; --y)  // FITS counts rows from below
        for (int x = 0; x < side; ++x) {
            const double share = samples[std::size_t(y) * side + x] / peak;
            const double decades = share > 1e-5 ? 5 + std::log10(share) : 0;
            grey.push_back(std::uint8_t(std::lround(51 * std::min(decades, 5.0))));
        }
    return grey;
}

}  // namespace star
