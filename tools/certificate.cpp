// Outcomes into bins, bins into curves.
#include "tools/certificate.h"

#include <algorithm>
#include <cmath>

namespace star {
namespace {

constexpr double bin_width = 0.5;  // mag
constexpr int enough = 10;         // stars in a bin of a class that can speak for itself

int bin_of(double magnitude) { return int(std::floor(magnitude / bin_width)); }

struct Members {
    int placed = 0, found = 0, chance = 0, rows = 0, real = 0;
    double weight = 0, weight2 = 0, weight_found = 0, real_by_chance = 0;
    std::vector<double> magnitude, x, y, pull;
};

CertifiedBin bin_from(int bin, Members in) {
    CertifiedBin b;
    b.from = bin * bin_width, b.to = b.from + bin_width;
    b.placed = in.placed, b.found = in.found, b.rows = in.rows;
    const double effective = in.weight2 > 0 ? in.weight * in.weight / in.weight2 : 0;
    b.completeness = share_of(effective > 0 ? in.weight_found / in.weight * effective : 0, effective);
    b.chance = in.placed > 0 ? double(in.chance) / in.placed : NAN;
    b.purity = share_of(in.real, in.rows);
    b.purity_chance = in.rows > 0 ? in.real_by_chance / in.rows : NAN;
    b.magnitude_off = median_spread(std::move(in.magnitude));
    b.x_off = median_spread(std::move(in.x)), b.y_off = median_spread(std::move(in.y));
    b.flux_pull = median_spread(std::move(in.pull));
    return b;
}

}  // namespace

Certificate::Certificate(const std::vector<ArtificialOutcome>& stars, const std::vector<TwinRow>& twin,
                         std::array<double, levels_certified - 1> edges)
    : edges_(edges) {
    if (stars.empty()) return;
    const auto [low, high] = std::minmax_element(
        stars.begin(), stars.end(), [](const auto& a, const auto& b) { return a.magnitude < b.magnitude; });
    const int first = bin_of(low->magnitude), count = bin_of(high->magnitude) - first + 1;
    std::array<std::vector<Members>, levels_certified + 1> members;
    for (auto& m : members) m.resize(std::size_t(count));
    // In its class and in the whole image.
    const auto both = [&](double magnitude, double level, auto&& add) {
        const int bin = std::isfinite(magnitude) ? bin_of(magnitude) - first : -1;
        if (bin < 0 || bin >= count) return;
        for (const int of : {0, level_of(level)}) add(members[std::size_t(of)][std::size_t(bin)], of);
    };
    for (const ArtificialOutcome& s : stars)
        both(s.magnitude, s.level, [&](Members& m, int of) {
            ++m.placed, m.found += s.found, m.chance += s.by_chance;
            const double weight = of == 0 ? s.weight : 1;
            m.weight += weight, m.weight2 += weight * weight, m.weight_found += s.found ? weight : 0;
            if (!s.found) return;
            m.magnitude.push_back(s.magnitude_off), m.x.push_back(s.x_off), m.y.push_back(s.y_off);
            if (std::isfinite(s.flux_pull)) m.pull.push_back(s.flux_pull);
        });
    for (const TwinRow& r : twin)
        both(r.magnitude, r.level, [&](Members& m, int) { ++m.rows, m.real += r.real, m.real_by_chance += r.chance; });
    for (std::size_t level = 0; level < members.size(); ++level)
        for (int i = 0; i < count; ++i)
            bins_[level].push_back(bin_from(first + i, std::move(members[level][std::size_t(i)])));
}

int Certificate::level_of(double surface_brightness) const {
    return 1 + int(std::upper_bound(edges_.begin(), edges_.end(), surface_brightness) - edges_.begin());
}

double Certificate::completeness(double magnitude, double surface_brightness) const {
    const auto& all = bins_[0];
    if (!std::isfinite(magnitude) || all.empty()) return NAN;
    const double at = (magnitude - all.front().from) / bin_width - 0.5;  // in middles of bins
    const int last = int(all.size()) - 1;
    const int left = int(std::clamp(std::floor(at), 0.0, double(last))), right = std::min(left + 1, last);
    const double part = std::clamp(at - left, 0.0, 1.0);
    const auto usable = [&](const std::vector<CertifiedBin>& bins, int least) {
        return bins[std::size_t(left)].placed >= least && bins[std::size_t(right)].placed >= least;
    };
    const auto& own = bins_[std::size_t(level_of(surface_brightness))];
    const auto& bins = usable(own, enough) ? own : all;
    if (!usable(bins, 1)) return NAN;
    return (1 - part) * bins[std::size_t(left)].completeness.value + part * bins[std::size_t(right)].completeness.value;
}

MagnitudeLimit Certificate::limit(double share, int level) const {
    const auto crossing = [&](double Share::*value) {
        const std::vector<CertifiedBin>& bins = bins_[std::size_t(level)];
        double fainter_mag = NAN, fainter = NAN;
        for (auto b = bins.rbegin(); b != bins.rend(); ++b) {
            if (b->placed == 0) continue;
            const double middle = (b->from + b->to) / 2, here = b->completeness.*value;
            if (here >= share)  // NaN without a fainter bin: the curve ends above
                return middle + (fainter_mag - middle) * (here - share) / (here - fainter);
            fainter_mag = middle, fainter = here;
        }
        return std::nan("");
    };
    return {crossing(&Share::value), crossing(&Share::low), crossing(&Share::high)};
}

Table Certificate::table() const {
    Table t;
    t.name = "COMPLETE";
    const auto column = [&]<class V>(const char* name, const char* unit, const char* comment, const char* ucd,
                                     const char* format, V&& value) {
        std::vector<decltype(value(CertifiedBin{}, 0))> values;
        for (std::size_t level = 0; level < bins_.size(); ++level)
            for (const CertifiedBin& b : bins_[level]) values.push_back(value(b, int(level)));
        t.columns.push_back({name, unit, comment, ucd, format, std::move(values)});
    };
    column("LEVEL", "", "third of the area by surface brightness, from 1; 0: all of it, as stars are spread",
           "meta.code", "I2", [](const CertifiedBin&, int level) { return std::int32_t(level); });
    const auto number = [&](const char* name, const char* unit, const char* comment, const char* ucd,
                            const char* format, auto&& value) {
        column(name, unit, comment, ucd, format, [&](const CertifiedBin& b, int) { return double(value(b)); });
    };
    const auto whole = [&](const char* name, const char* comment, int CertifiedBin::*value) {
        column(name, "", comment, "meta.number", "I8",
               [&](const CertifiedBin& b, int) { return std::int32_t(b.*value); });
    };
    number("MAG_MIN", "mag", "stars of this magnitude ...", "phot.mag;stat.min", "F8.3",
           [](auto& b) { return b.from; });
    number("MAG_MAX", "mag", "... to this", "phot.mag;stat.max", "F8.3", [](auto& b) { return b.to; });
    whole("NPLACED", "artificial stars placed", &CertifiedBin::placed);
    whole("NFOUND", "of them found", &CertifiedBin::found);
    number("COMPL", "", "completeness; of LEVEL 0 places weigh by their light", "stat.fit.goodness", "F7.4",
           [](auto& b) { return b.completeness.value; });
    number("COMPL_LO", "", "68 % interval", "stat.min", "F7.4", [](auto& b) { return b.completeness.low; });
    number("COMPL_HI", "", "68 % interval", "stat.max", "F7.4", [](auto& b) { return b.completeness.high; });
    number("CHANCE", "", "share that the image's own rows would have counted for", "stat.value", "F7.4",
           [](auto& b) { return b.chance; });
    whole("NROWS", "rows of the twin's catalogue", &CertifiedBin::rows);
    number("PURITY", "", "share of them that are stars of the twin", "stat.value", "F7.4",
           [](auto& b) { return b.purity.value; });
    number("PURITY_LO", "", "68 % interval", "stat.min", "F7.4", [](auto& b) { return b.purity.low; });
    number("PURITY_HI", "", "68 % interval", "stat.max", "F7.4", [](auto& b) { return b.purity.high; });
    number("PURITY_CH", "", "share that would be by chance alone", "stat.value", "F7.4",
           [](auto& b) { return b.purity_chance; });
    number("DMAG", "mag", "median of found minus placed", "phot.mag;arith.diff", "F8.4",
           [](auto& b) { return b.magnitude_off.median; });
    number("DMAG_SD", "mag", "scatter of found minus placed", "phot.mag;stat.stdev", "F8.4",
           [](auto& b) { return b.magnitude_off.spread; });
    number("DX", "pix", "median of found minus placed", "pos.cartesian.x;arith.diff", "F8.4",
           [](auto& b) { return b.x_off.median; });
    number("DX_SD", "pix", "scatter of found minus placed", "pos.cartesian.x;stat.stdev", "F8.4",
           [](auto& b) { return b.x_off.spread; });
    number("DY", "pix", "median of found minus placed", "pos.cartesian.y;arith.diff", "F8.4",
           [](auto& b) { return b.y_off.median; });
    number("DY_SD", "pix", "scatter of found minus placed", "pos.cartesian.y;stat.stdev", "F8.4",
           [](auto& b) { return b.y_off.spread; });
    number("PULL_SD", "", "scatter of found minus placed flux over FLUXERR_PSF", "stat.stdev", "F8.4",
           [](auto& b) { return b.flux_pull.spread; });
    for (int i = 0; i + 1 < levels_certified; ++i)
        t.cards.push_back({"SBEDGE" + std::to_string(i + 1), edges_[std::size_t(i)], "mean pixel between LEVELs"});
    for (int level = 0; level <= levels_certified; ++level)
        for (const auto& [percent, share] : {std::pair{"50", 0.5}, std::pair{"90", 0.9}}) {
            const MagnitudeLimit m = limit(share, level);
            const std::string key = "M" + std::string(percent) + (level ? "_" + std::to_string(level) : "");
            if (!std::isfinite(m.value)) continue;
            t.cards.push_back({key, m.value, "[mag] " + std::string(percent) + " % are found"});
        }
    const MagnitudeLimit half = limit(0.5, 0);
    if (std::isfinite(half.low)) t.cards.push_back({"M50_LO", half.low, "[mag] of M50, 68 % interval"});
    if (std::isfinite(half.high)) t.cards.push_back({"M50_HI", half.high, "[mag] of M50, 68 % interval"});
    return t;
}

}  // namespace star
