// From stars to units to labels.
#include "sim/truth.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "kernels/check.h"
#include "kernels/unit_labels.h"
#include "sim/truth_geometry.h"

namespace star {
namespace {

// A unit before it is labelled: indices of work stars, brightest first.
struct Group {
    std::vector<int> members;
    bool percolated = false;
};

struct Work {
    const TruthOptions& options;
    std::optional<Detectability> detection;  // none for Labels::paper
    std::vector<TruthStar> stars;
    std::vector<std::vector<int>> parts;  // of each star: indices into the list, the brightest first
    std::vector<Group> groups;

    void add(const PointSource& s, std::vector<int> from) {
        TruthStar t{s.x, s.y, s.flux, std::numeric_limits<double>::quiet_NaN(), 1, true, -1, from.front()};
        if (detection) {
            t.counts = detection->counts(from.front());
            const std::span<const int> merged(from.begin() + 1, from.end());
            t.snr = t.counts && !merged.empty() ? detection->snr_without(from.front(), merged)
                                                : detection->snr(from.front());
            t.chance = chance_of(t.snr, options.limits.hopeless_snr, options.certain_snr);
        }
        stars.push_back(t);
        parts.push_back(std::move(from));
    }

    // Whether the brightest star of those that count would be uncertain even if all others of the unit were known.
    bool last_is_lost(const std::vector<int>& counted) const {
        if (!detection) return false;
        double best = 0;
        for (int i : counted) best = std::max(best, stars[std::size_t(i)].snr);
        if (best >= options.certain_snr) return false;
        if (counted.size() == 1) return true;
        std::vector<int> known;
        for (std::size_t k = 1; k < counted.size(); ++k)
            for (int p : parts[std::size_t(counted[k])])
                if (detection->counts(p)) known.push_back(p);
        const auto& first = parts[std::size_t(counted.front())];
        known.insert(known.end(), first.begin() + 1, first.end());
        return detection->snr_without(first.front(), known) < options.certain_snr;
    }
};

void give_units(Work& work, std::span<const Star> stars) {
    std::vector<int> group(stars.size(), -1);
    for (std::size_t i = 0; i < stars.size(); ++i) {
        work.add({stars[i].x, stars[i].y, stars[i].flux}, {int(i)});
        const int unit = stars[i].unit;
        if (unit < 0) continue;
        if (unit >= int(stars.size())) fail(Fault::input, "truth: star ", i + 1, " is of unit ", unit);
        if (group[std::size_t(unit)] < 0) {
            group[std::size_t(unit)] = int(work.groups.size());
            work.groups.emplace_back();
        }
        work.groups[std::size_t(group[std::size_t(unit)])].members.push_back(int(i));
    }
}

void link_units(Work& work, std::span<const PointSource> list, const Psf& psf) {
    std::vector<PointSource> countable;
    std::vector<int> index;
    for (std::size_t i = 0; i < list.size(); ++i)
        if (work.detection ? work.detection->counts(int(i)) : list[i].flux > 0)
            countable.push_back(list[i]), index.push_back(int(i));
    std::vector<PointSource> merged;
    for (MergedStar& m : merge_stars(countable, work.options.rules.merge_px)) {
        merged.push_back({m.x, m.y, m.flux});
        for (int& p : m.parts) p = index[std::size_t(p)];
        work.add(merged.back(), std::move(m.parts));
    }
    Grouping grouping = group_stars(merged, psf, work.options.rules);
    std::vector<int> group(merged.size());
    for (std::size_t u = 0; u < grouping.units.size(); ++u) {
        for (int i : grouping.units[u]) group[std::size_t(i)] = int(u);
        work.groups.push_back({std::move(grouping.units[u]), bool(grouping.percolated[u])});
    }
    const LinkFinder finder(merged, psf, work.options.rules.contrast);
    for (std::size_t i = 0; work.detection && i < list.size(); ++i) {
        if (work.detection->counts(int(i))) continue;
        const int star = int(work.stars.size());
        work.add(list[i], {int(i)});
        if (!(work.stars.back().chance > 0)) continue;
        const int partner = finder.strongest(list[i]).star;
        if (partner >= 0)
            work.groups[std::size_t(group[std::size_t(partner)])].members.push_back(star);
        else
            work.groups.push_back({{star}, false});
    }
}

TruthUnit summarise(const Work& work, const std::vector<int>& stars, double half_width) {
    UnitShape shape;
    for (int i : stars) {
        const TruthStar& s = work.stars[std::size_t(i)];
        shape.add(s.x, s.y, s.flux);
    }
    shape.done();
    TruthUnit u;
    u.x = shape.x, u.y = shape.y, u.flux = shape.flux, u.box = shape.box(half_width);
    return u;
}

}  // namespace

void check_truth(const TruthOptions& o) {
    in_range("hopeless_snr", o.limits.hopeless_snr, 0.1, 100);
    in_range("min_snr", o.limits.min_snr, o.limits.hopeless_snr, 100);
    in_range("certain_snr", o.certain_snr, o.limits.min_snr, 100);
    if (!(o.certain_snr > o.limits.hopeless_snr)) fail(Fault::usage, "certain_snr: must be above hopeless_snr");
    in_range("reach_fwhm", o.limits.reach_fwhm, 0.1, 10);
    in_range("psf_error", o.limits.psf_error, 0, 1);
    in_range("merge_px", o.rules.merge_px, 0.01, 100);
    in_range("contrast", o.rules.contrast, 0, 10);
    in_range("most_stars", o.rules.most_stars, 1, 1000);
    in_range("most_fwhm", o.rules.most_fwhm, 0.1, 100);
    in_range("box_fwhm", o.box_fwhm, 0, 100);
    in_range("box_min", o.box_min, 0.1, 1000);
}

std::array<float, 5> count_chances(std::span<const double> chances) {
    CountChances counts;
    for (double c : chances) counts.add(c);
    std::array<float, 5> out{};
    counts.write(out.data());
    return out;
}

Truth label_truth(ThreadPool& pool, std::span<const Star> stars, const Psf& psf, const Exposure& exposure,
                  const TruthOptions& options, int width, int height) {
    check_truth(options);
    check_exposure(exposure);
    const Psf seen = image_psf(psf, exposure);
    std::vector<PointSource> list;
    for (std::size_t i = 0; i < stars.size(); ++i) {
        const Star& s = stars[i];
        if (!(std::isfinite(s.x) && std::isfinite(s.y) && std::isfinite(s.flux) && s.flux >= 0))
            fail(Fault::input, "truth: star ", i + 1, " at ", s.x, ", ", s.y, " has a flux of ", s.flux);
        list.push_back({s.x, s.y, s.flux});
    }
    Work work{options, {}, {}, {}, {}};
    if (options.labels == Labels::detectable)
        work.detection.emplace(pool, list, psf, exposure, options.limits, width, height);
    if (options.units == Units::given)
        give_units(work, stars);
    else
        link_units(work, list, seen);

    const double half_width = box_half_width(seen, options.box_fwhm, options.box_min);
    Truth truth;
    for (Group& g : work.groups) {
        std::stable_sort(g.members.begin(), g.members.end(), [&](int a, int b) {
            return work.stars[std::size_t(a)].flux > work.stars[std::size_t(b)].flux;
        });
        std::vector<int> counted;
        std::vector<double> chances;
        bool soft = false;
        for (int i : g.members) {
            const TruthStar& s = work.stars[std::size_t(i)];
            if (s.counts) counted.push_back(i);
            chances.push_back(s.chance);
            soft = soft || (s.chance > 0 && s.chance < 1);
        }
        TruthUnit u = summarise(work, counted.empty() ? g.members : counted, half_width);
        if (!(u.x >= 0 && u.x < width && u.y >= 0 && u.y < height)) continue;
        u.first = int(truth.stars.size()), u.count = int(counted.size()), u.percolated = g.percolated;
        if (counted.empty() || work.last_is_lost(counted)) {
            u.label = label_ignored;
        } else {
            u.label = std::int8_t(std::min(u.count, 5) - 1), u.soft = soft;
            u.chance = count_chances(chances);
        }
        for (int i : g.members) work.stars[std::size_t(i)].unit = int(truth.units.size());
        for (int i : counted) truth.stars.push_back(work.stars[std::size_t(i)]);
        truth.units.push_back(u);
    }
    for (const TruthStar& s : work.stars)
        if (s.unit < 0 || !s.counts) truth.stars.push_back(s);
    return truth;
}

}  // namespace star
