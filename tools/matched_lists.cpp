// From columns to points, from pairs to statistics.
#include "tools/matched_lists.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <numeric>

#include "kernels/check.h"
#include "tools/score_match.h"

namespace star {
namespace {

constexpr double undefined_magnitude = 90;  // 99 and the like: how SExtractor and DOLPHOT say that there is none
constexpr double arcsec = std::numbers::pi / 180 / 3600;

double chord(double angle_arcsec) { return 2 * std::sin(std::min(angle_arcsec * arcsec, std::numbers::pi) / 2); }
double angle(double chord) { return 2 * std::asin(std::min(chord / 2, 1.0)) / arcsec; }

void check_unit(const std::string& file, const ChosenColumn& c, const std::vector<std::string>& good) {
    if (!c.unit.empty() && std::find(good.begin(), good.end(), c.unit) == good.end())
        fail(Fault::input, file, ": ", c.name, " is in ", c.unit.substr(0, 40), "; ", good.front(), " is needed");
}

std::vector<Point> points_of(const std::vector<double>& x, const std::vector<double>& y, bool sky) {
    std::vector<Point> points;
    for (std::size_t i = 0; i < x.size(); ++i) points.push_back(sky ? on_sphere(x[i], y[i]) : Point{x[i], y[i], 0});
    return points;
}

// Difference of two right ascensions, -180 ... 180 deg.
double wrapped(double d) { return d - 360 * std::round(d / 360); }

// The bounding box of a list, right ascensions counted from its first row.
class Bounds {
public:
    Bounds(const PlacedList& list, MatchRadius radius) : sky_(radius.sky) {
        for (std::size_t i = 0; i < list.rows(); ++i) {
            if (!std::isfinite(list.x[i]) || !std::isfinite(list.y[i])) continue;
            if (std::isnan(start_)) start_ = list.x[i];
            const double x = from_start(list.x[i]);
            x0_ = std::min(x0_, x), x1_ = std::max(x1_, x);
            y0_ = std::min(y0_, list.y[i]), y1_ = std::max(y1_, list.y[i]);
        }
        my_ = sky_ ? radius.value / 3600 : radius.value;
        mx_ = sky_ ? my_ / std::max(std::cos((y0_ + y1_) / 2 * std::numbers::pi / 180), 1e-6) : my_;
    }
    bool holds(double x, double y) const {
        const double u = from_start(x);
        return u >= x0_ - mx_ && u <= x1_ + mx_ && y >= y0_ - my_ && y <= y1_ + my_;
    }

private:
    double from_start(double x) const { return sky_ ? wrapped(x - start_) : x; }
    bool sky_;
    double start_ = NAN, x0_ = INFINITY, x1_ = -INFINITY, y0_ = INFINITY, y1_ = -INFINITY, mx_ = 0, my_ = 0;
};

std::vector<char> inside(const PlacedList& list, const PlacedList& other, MatchRadius radius) {
    const Bounds box(other, radius);
    std::vector<char> in;
    for (std::size_t i = 0; i < list.rows(); ++i) in.push_back(box.holds(list.x[i], list.y[i]));
    return in;
}

// a moved by the n-th shift.
std::vector<Point> shifted(const PlacedList& a, MatchRadius radius, int n) {
    const Offset by = chance_offset(n);
    const double unit = radius.sky ? radius.value / 3600 : std::max(radius.value, 1.0);
    std::vector<double> x = a.x, y = a.y;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double cos = radius.sky ? std::max(std::cos(y[i] * std::numbers::pi / 180), 1e-6) : 1;
        x[i] += by.x * unit / cos, y[i] += by.y * unit;
    }
    return points_of(x, y, radius.sky);
}

std::size_t count(const std::vector<char>& in) { return std::size_t(std::count(in.begin(), in.end(), char(true))); }
double ratio(double a, double b) { return b > 0 ? a / b : std::numeric_limits<double>::quiet_NaN(); }

}  // namespace

MatchRadius parse_radius(const std::string& text) {
    double v = 0;
    const char* last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, v);
    const std::string unit(end, last);
    MatchRadius r{unit == "mas" ? v / 1000 : v, unit != "px"};
    if (error != std::errc() || !(r.value > 0 && r.value <= 36000) ||
        (unit != "px" && unit != "arcsec" && unit != "mas"))
        fail(Fault::usage, "--radius ", text.substr(0, 40), ": want a number and its unit: 1.5px, 0.3arcsec or 120mas");
    return r;
}

PlacedList read_placed_list(const std::string& file, const CatalogueColumns& columns, bool sky) {
    PlacedList list{read_any_table(file), {}, {}, {}, {}, ""};
    ChosenColumn x = required_column(list.from, sky ? "ra" : "x", columns),
                 y = required_column(list.from, sky ? "dec" : "y", columns);
    const std::vector<std::string> units =
        sky ? std::vector<std::string>{"deg", "degree", "degrees"} : std::vector<std::string>{"pix", "pixel", "pixels"};
    check_unit(file, x, units), check_unit(file, y, units);
    if (sky)
        for (std::size_t i = 0; i < y.values.size(); ++i)
            if (std::abs(y.values[i]) > 90 || std::abs(x.values[i]) > 360)
                fail(Fault::input, file, ": row ", i + 1, ": ", x.name, ", ", y.name, " are ", x.values[i], ", ",
                     y.values[i], ": not degrees on the sky");
    const double dx = sky ? 0 : 1 - first_pixel_of(x.name, list.from, columns),
                 dy = sky ? 0 : 1 - first_pixel_of(y.name, list.from, columns);
    for (double& v : x.values) v += dx;
    for (double& v : y.values) v += dy;
    list.words = x.name + ", " + y.name;
    list.mag = choose_column(list.from, "mag", columns), list.error = choose_column(list.from, "magerr", columns);
    if (list.mag) {
        list.words += ", " + list.mag->name;
        for (double& v : list.mag->values)
            if (std::abs(v) >= undefined_magnitude) v = NAN;
    }
    list.x = std::move(x.values), list.y = std::move(y.values);
    return list;
}

MedianSpread median_spread(std::vector<double> v) {
    std::erase_if(v, [](double d) { return !std::isfinite(d); });
    if (v.empty()) return {NAN, NAN};
    const auto median = [](std::vector<double>& values) {
        const std::size_t half = values.size() / 2;
        std::nth_element(values.begin(), values.begin() + std::ptrdiff_t(half), values.end());
        if (values.size() % 2) return values[half];
        return (values[half] + *std::max_element(values.begin(), values.begin() + std::ptrdiff_t(half))) / 2;
    };
    const double middle = median(v);
    for (double& d : v) d = std::abs(d - middle);
    return {middle, 1.4826 * median(v)};
}

std::size_t MatchedLists::inside_a() const { return count(a_in_b); }
std::size_t MatchedLists::inside_b() const { return count(b_in_a); }

double MatchedLists::share_a() const {
    std::vector<char> found(a_in_b.size(), false);
    for (const MatchedPair& p : pairs) found[std::size_t(p.a)] = a_in_b[std::size_t(p.a)];
    return ratio(double(count(found)), double(inside_a()));
}
double MatchedLists::share_b() const {
    std::vector<char> found(b_in_a.size(), false);
    for (const MatchedPair& p : pairs) found[std::size_t(p.b)] = b_in_a[std::size_t(p.b)];
    return ratio(double(count(found)), double(inside_b()));
}
double MatchedLists::chance_of_a() const {
    double sum = 0;
    for (std::size_t i = 0; i < chance_a.size(); ++i) sum += a_in_b[i] ? chance_a[i] : 0;
    return ratio(sum / chance_shifts, double(inside_a()));
}
double MatchedLists::chance_of_b() const {
    double sum = 0;
    for (std::size_t i = 0; i < chance_b.size(); ++i) sum += b_in_a[i] ? chance_b[i] : 0;
    return ratio(sum / chance_shifts, double(inside_b()));
}

MatchedLists match_lists(const PlacedList& a, const PlacedList& b, MatchRadius radius, bool all) {
    MatchedLists m;
    m.radius = radius;
    const std::vector<Point> pa = points_of(a.x, a.y, radius.sky), pb = points_of(b.x, b.y, radius.sky);
    const double reach = radius.sky ? chord(radius.value) : radius.value;
    m.pairs = pairs_within(pa, pb, reach);
    if (!all) m.pairs = one_to_one(m.pairs, a.rows(), b.rows());
    for (MatchedPair& p : m.pairs) {
        const auto i = std::size_t(p.a), j = std::size_t(p.b);
        const double dx = b.x[j] - a.x[i], dy = b.y[j] - a.y[i];
        const double cos = std::cos((a.y[i] + b.y[j]) / 2 * std::numbers::pi / 180);
        m.dx.push_back(radius.sky ? wrapped(dx) * cos * 3600 : dx);
        m.dy.push_back(radius.sky ? dy * 3600 : dy);
        if (radius.sky) p.distance = angle(p.distance);
    }
    m.a_in_b = inside(a, b, radius), m.b_in_a = inside(b, a, radius);
    m.chance_a.assign(a.rows(), 0), m.chance_b.assign(b.rows(), 0);
    for (int n = 0; n < chance_shifts; ++n)
        for (const MatchedPair& p : one_to_one(pairs_within(shifted(a, radius, n), pb, reach), a.rows(), b.rows()))
            ++m.chance_a[std::size_t(p.a)], ++m.chance_b[std::size_t(p.b)];
    return m;
}

std::string match_text(const PlacedList& a, const PlacedList& b, const MatchedLists& m) {
    const auto percent = [](double v) { return std::isfinite(v) ? fmt::format("{:.2f} %", 100 * v) : "n/a"; };
    const auto line = [&](const PlacedList& l, std::size_t in, double share, double chance) {
        return fmt::format("{}: {} rows ({}), {} where the other has any: {} matched, {} by chance, {} corrected\n",
                           l.from.file, l.rows(), l.words, in, percent(share), percent(chance),
                           percent((share - chance) / (1 - chance)));
    };
    std::string text = fmt::format("{} pairs within {:g} {}\n", m.pairs.size(), m.radius.value, m.radius.unit());
    text += line(a, m.inside_a(), m.share_a(), m.chance_of_a()) + line(b, m.inside_b(), m.share_b(), m.chance_of_b());
    if (m.pairs.empty()) return text;
    const MedianSpread x = median_spread(m.dx), y = median_spread(m.dy);
    text += fmt::format("second minus first: {} {:+.4f} (scatter {:.4f}), {} {:+.4f} (scatter {:.4f}) {}\n",
                        m.radius.sky ? "RA cos(DEC)" : "x", x.median, x.spread, m.radius.sky ? "DEC" : "y", y.median,
                        y.spread, m.radius.unit());
    if (!a.mag || !b.mag) return text;
    std::vector<double> d;
    for (const MatchedPair& p : m.pairs) d.push_back(b.mag->values[std::size_t(p.b)] - a.mag->values[std::size_t(p.a)]);
    const MedianSpread s = median_spread(d);
    if (std::isfinite(s.median))
        text += fmt::format("{} - {}: {:+.4f} (scatter {:.4f}) mag\n", b.mag->name, a.mag->name, s.median, s.spread);
    return text;
}

}  // namespace star
