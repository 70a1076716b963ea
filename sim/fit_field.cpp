// Stages of a field's fit: what is done in which order, and how its pieces come together.
#include "sim/fit_field.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/check.h"
#include "sim/fit_peaks.h"

namespace star {
namespace {

constexpr int most_own = 12, most_free = most_fit_stars;  // stars of a piece
constexpr std::size_t at_once = 16384;                    // pieces
constexpr double sees = 2.5, halo = 2;                    // FWHM: pixels around a star, neighbours fitted along
constexpr double smallest_cell = 8;                       // px
constexpr double stamp_loss = 1e-4;                       // of e^2, beyond the stamps that derivatives are taken on
constexpr double farthest = 1e8;                          // px: boxes' edges, in integers later on
constexpr int pruning_rounds = 3, last_rounds = 10;       // each is a sweep; a blend sheds few of its stars one by one

std::vector<PointSource> sources(const std::vector<FieldStar>& stars) {
    std::vector<PointSource> list;
    list.reserve(stars.size());
    for (const FieldStar& s : stars) list.push_back({s.at.x, s.at.y, s.at.flux});
    return list;
}

}  // namespace

// A piece's stars, of which its own lead, and where it looks.
struct FieldFit::Plan {
    std::array<int, most_free> stars;
    FitPiece piece;
    bool crowded;
};

FieldFit::FieldFit(Stream stream, const FitImage& image, const PsfMap& psf, const FieldFitLimits& limits)
    : limits_(limits), scene_(*stream.pool, image, psf), fit_(stream, FisherStamp(psf.middle(), stamp_loss)) {
    require(limits.min_snr >= 0 && limits.second_snr > 0 && limits.sweeps >= 1 && limits.second_passes >= 0,
            "fit: limits out of range");
}

void FieldFit::show() {
    std::vector<FitStar> list;
    list.reserve(stars_.size());
    for (const FieldStar& s : stars_) list.push_back(s.at);
    scene_.show(list);
}

std::vector<FieldFit::Own> FieldFit::pieces(double side) {
    struct Key {
        double row, column, y, x;
        int star;
        bool operator<(const Key& o) const {
            if (row != o.row) return row < o.row;
            if (column != o.column) return column < o.column;
            if (y != o.y) return y < o.y;
            return x != o.x ? x < o.x : star < o.star;
        }
    };
    const double shift = sweep_ % 2 ? side / 2 : 0;
    std::vector<Key> keys;
    keys.reserve(stars_.size());
    for (std::size_t i = 0; i < stars_.size(); ++i) {
        const FitStar& s = stars_[i].at;
        keys.push_back({std::floor((s.y + shift) / side), std::floor((s.x + shift) / side), s.y, s.x, int(i)});
    }
    std::sort(keys.begin(), keys.end());
    order_.clear();
    std::vector<Own> list;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const bool same = i && keys[i].row == keys[i - 1].row && keys[i].column == keys[i - 1].column;
        if (!same || list.back().count == most_own) list.push_back({int(i), 0});
        ++list.back().count;
        order_.push_back(keys[i].star);
    }
    return list;
}

FitPiece FieldFit::piece_at(const FitRectangle& rectangle, double x, double y) const {
    FitPiece p{rectangle};
    const LocalPsf psf = scene_.psf().at(x, y);
    for (const LocalPsf::Part& part : psf.parts()) {
        p.table[p.parts] = int(part.psf - scene_.psf().nodes().data());
        p.weight[p.parts++] = part.weight;
    }
    return p;
}

FieldFit::Plan FieldFit::plan(const Own& of, const NearStars& near) const {
    const std::span<const int> own{order_.data() + of.first, std::size_t(of.count)};
    std::vector<std::pair<double, int>> around;
    for (int i : own)
        near.for_each(stars_[std::size_t(i)].at.x, stars_[std::size_t(i)].at.y, [&](int j) {
            if (std::find(own.begin(), own.end(), j) != own.end()) return;
            const FitStar &a = stars_[std::size_t(i)].at, &b = stars_[std::size_t(j)].at;
            const double distance = std::hypot(a.x - b.x, a.y - b.y);
            const auto same = std::find_if(around.begin(), around.end(), [&](auto& e) { return e.second == j; });
            if (same == around.end())
                around.push_back({distance, j});
            else
                same->first = std::min(same->first, distance);
        });
    std::sort(around.begin(), around.end());
    const std::size_t room = std::size_t(most_free) - own.size();
    Plan plan{{}, {}, around.size() > room};
    around.resize(std::min(around.size(), room));
    int* to = std::copy(own.begin(), own.end(), plan.stars.data());
    for (const auto& [distance, j] : around) *to++ = j;

    const double reach = sees * scene_.fwhm();
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (int i : own) {
        const FitStar& s = stars_[std::size_t(i)].at;
        x0 = std::min(x0, s.x - reach), x1 = std::max(x1, s.x + reach);
        y0 = std::min(y0, s.y - reach), y1 = std::max(y1, s.y + reach);
    }
    plan.piece =
        piece_at(scene_.rectangle(int(std::floor(x0)), int(std::floor(y0)), int(std::ceil(x1)), int(std::ceil(y1))),
                 0.5 * (x0 + x1), 0.5 * (y0 + y1));
    plan.piece.own = of.count, plan.piece.stars = int(own.size() + around.size());
    return plan;
}

void FieldFit::fit_plans(std::span<const Own> list, const NearStars& near, const GroupLimits& how, bool with_errors,
                         std::vector<FieldStar>& next) {
    std::vector<Plan> plans(list.size());
    scene_.pool().for_each(std::int64_t(list.size()),
                           [&](std::int64_t i, int) { plans[std::size_t(i)] = plan(list[std::size_t(i)], near); });
    std::vector<FitPiece> pieces;
    std::vector<FitStar> stars;
    for (Plan& p : plans) {
        p.piece.first = int(stars.size());
        pieces.push_back(p.piece);
        for (int k = 0; k < p.piece.stars; ++k) stars.push_back(stars_[std::size_t(p.stars[std::size_t(k)])].at);
    }
    std::vector<FitErrors> errors(with_errors ? stars.size() : 0);
    std::vector<GroupResult> results(pieces.size());
    fit_.fit(scene_, {pieces, how, sees * scene_.fwhm(), true, stars, errors, results});
    for (std::size_t i = 0; i < plans.size(); ++i)
        for (int k = 0; k < pieces[i].own; ++k) {
            const std::size_t from = std::size_t(pieces[i].first + k);
            FieldStar& s = next[std::size_t(plans[i].stars[std::size_t(k)])];
            s.at = stars[from];
            s.sky = results[i].sky, s.converged = results[i].converged, s.crowded = plans[i].crowded;
            if (with_errors) s.error = errors[from];
        }
}

void FieldFit::sweep(const GroupLimits& how, bool with_errors) {
    const std::vector<Own> list = pieces(std::max(smallest_cell, cell_fwhm * scene_.fwhm()));
    ++sweep_;
    const NearStars near(sources(stars_), halo * scene_.fwhm());
    std::vector<FieldStar> next = stars_;
    for (std::size_t from = 0; from < list.size(); from += at_once)
        fit_plans(std::span(list).subspan(from, std::min(at_once, list.size() - from)), near, how, with_errors, next);
    stars_ = std::move(next);
    show();
}

void FieldFit::sweeps(int count) {
    GroupLimits how;
    how.leash = scene_.fwhm();
    how.step = 0.25 * scene_.fwhm();
    for (int i = 0; i < count; ++i) sweep(how, i + 1 == count);
}

bool FieldFit::search(std::span<const FitUnit> units) {
    const auto peaks = residual_peaks(scene_, limits_.second_snr, std::max(scene_.image().psf_error, 0.01));
    if (peaks.empty()) return false;
    double reach = 1;
    std::vector<PointSource> centres;
    for (const FitUnit& u : units) {
        centres.push_back({u.box.x(), u.box.y(), 0});
        reach = std::max({reach, double(u.box.width()), double(u.box.height())});
    }
    const NearStars near(centres, reach);
    for (const FitStar& peak : peaks) {
        int unit = -1;
        double closest = INFINITY;
        near.for_each(peak.x, peak.y, [&](int j) {
            const Box& b = units[std::size_t(j)].box;
            const double distance = std::hypot(peak.x - b.x(), peak.y - b.y());
            if (peak.x >= b.x0 && peak.x <= b.x1 && peak.y >= b.y0 && peak.y <= b.y1 && distance < closest)
                closest = distance, unit = j;
        });
        stars_.push_back({peak, {}, 0, unit, false, false});
    }
    show();
    return true;
}

double FieldFit::significance(const FieldStar& s) const {
    const int x = int(std::floor(s.at.x)), y = int(std::floor(s.at.y));
    double foreign = 0;  // a neighbour's PSF is wrong all over: what it leaves looks like a star of so much flux
    if (x >= 0 && y >= 0 && x < scene_.image().width && y < scene_.image().height) {
        const LocalPsf psf = scene_.psf().at(s.at.x, s.at.y);
        const double own = s.at.flux * psf.at(x + 0.5 - s.at.x, y + 0.5 - s.at.y);
        const double light = scene_.model(std::size_t(y) * std::size_t(scene_.image().width) + std::size_t(x)) - own;
        foreign = scene_.image().psf_error * std::max(0.0, light) / psf.peak();
    }
    const double v = s.at.flux / std::hypot(s.error.flux, foreign);
    return std::isfinite(v) ? v : -INFINITY;
}

bool FieldFit::prune() {
    const NearStars near(sources(stars_), halo * scene_.fwhm());
    std::vector<double> significances(stars_.size());
    scene_.pool().for_range(std::int64_t(stars_.size()), 256, [&](std::int64_t first, std::int64_t last, int) {
        for (auto i = std::size_t(first); i < std::size_t(last); ++i) significances[i] = significance(stars_[i]);
    });
    const auto snr = [&](int i) { return significances[std::size_t(i)]; };
    std::vector<char> goes(stars_.size(), 0);
    scene_.pool().for_range(std::int64_t(stars_.size()), 256, [&](std::int64_t first, std::int64_t last, int) {
        for (std::int64_t i = first; i < last; ++i) {
            const double own = snr(int(i));
            if (own >= limits_.min_snr) continue;
            bool weakest = true;
            near.for_each(stars_[std::size_t(i)].at.x, stars_[std::size_t(i)].at.y, [&](int j) {
                const double other = snr(j);
                if (j != int(i) && (other < own || (other == own && j > int(i)))) weakest = false;
            });
            goes[std::size_t(i)] = weakest;
        }
    });
    std::vector<FieldStar> left;
    for (std::size_t i = 0; i < stars_.size(); ++i)
        if (!goes[i]) left.push_back(stars_[i]);
    const bool changed = left.size() < stars_.size();
    stars_ = std::move(left);
    if (changed) show();
    return changed;
}

void FieldFit::find(std::span<const FitUnit> units, const KeepGoing& going) {
    for (const FitUnit& u : units)
        for (float edge : {u.box.x0, u.box.y0, u.box.x1, u.box.y1})
            require(std::fabs(edge) < farthest, "fit: a unit's box with an edge at ", edge);
    stars_.clear();
    show();
    const int stages = 2 + limits_.second_passes;
    int stage = 0;
    const auto on = [&] { return !going || going(stage++, stages); };
    const auto settle = [&] {
        sweeps(limits_.sweeps);
        for (int round = 0; round < pruning_rounds && prune(); ++round) sweeps(1);
    };
    if (!on()) return;
    choose(units);
    if (!on()) return;
    settle();
    for (int pass = 0; pass < limits_.second_passes && on(); ++pass) {
        if (!search(units)) break;
        settle();
    }
    sweeps(1);
    for (int round = 0; round < last_rounds && prune(); ++round) sweeps(1);
    const auto faint = [&](const FieldStar& s) { return !(significance(s) >= limits_.min_snr); };
    if (std::erase_if(stars_, faint)) show();
}

void FieldFit::measure(std::span<const FitStar> places, double moves) {
    stars_.clear();
    for (const FitStar& s : places)
        require(std::fabs(s.x) < farthest && std::fabs(s.y) < farthest, "fit: a place at ", s.x, ", ", s.y);
    for (const FitStar& s : places) stars_.push_back({s, {}, 0, -1, false, false});
    show();
    GroupLimits how;
    how.moves = false;
    for (int i = 0; i < limits_.sweeps; ++i) sweep(how, i + 1 == limits_.sweeps && !(moves > 0));
    if (!(moves > 0)) return;
    how.moves = true;
    how.leash = moves / limits_.sweeps;  // of one sweep: together they may go no further
    how.step = how.leash;
    for (int i = 0; i < limits_.sweeps; ++i) sweep(how, i + 1 == limits_.sweeps);
}

}  // namespace star
