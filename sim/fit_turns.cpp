// How many stars each unit has: units that see each other one after the other, the others at once.
#include <algorithm>
#include <cmath>
#include <optional>

#include "sim/fit_choice.h"
#include "sim/fit_field.h"

namespace star {
namespace {

constexpr int most_ranks = 16;          // of units of a cell that wait for each other
constexpr double unit_margin = 1;       // FWHM around a unit's box that a choice looks at
constexpr double pixels_at_once = 2e6;  // of all units whose turn it is: they are held, some 50 bytes each

// A unit's turn; units of one turn don't see each other. -1: none, its cell has had enough.
std::vector<int> turns(std::span<const FitUnit> units, double side, int& count) {
    struct Place {
        double row, column;
        int unit;
        bool operator<(const Place& o) const {
            return row != o.row ? row < o.row : column != o.column ? column < o.column : unit < o.unit;
        }
    };
    std::vector<Place> places;
    for (std::size_t i = 0; i < units.size(); ++i)
        places.push_back({std::floor(units[i].box.y() / side), std::floor(units[i].box.x() / side), int(i)});
    std::sort(places.begin(), places.end());
    std::vector<int> turn(units.size());
    int rank = 0;
    count = 0;
    for (std::size_t i = 0; i < places.size(); ++i) {
        const Place& p = places[i];
        rank = i && places[i - 1].row == p.row && places[i - 1].column == p.column ? rank + 1 : 0;
        const int colour = (std::fmod(p.row, 2) != 0) * 2 + (std::fmod(p.column, 2) != 0);
        turn[std::size_t(p.unit)] = rank < most_ranks ? rank * 4 + colour : -1;
        count = std::max(count, turn[std::size_t(p.unit)] + 1);
    }
    return turn;
}

}  // namespace

// Round after round, the fits that all of them wait for.
void FieldFit::choose_among(std::span<const FitUnit> units, std::span<const int> which) {
    const double margin = unit_margin * scene_.fwhm();
    GroupLimits how;
    how.leash = 3 * scene_.fwhm();
    how.step = 0.25 * scene_.fwhm();
    const auto count = std::int64_t(which.size());
    std::vector<std::optional<StarChoice>> choices(which.size());
    std::vector<FitPiece> of_unit(which.size());
    const auto unit_of = [&](std::int64_t i) -> const FitUnit& { return units[std::size_t(which[std::size_t(i)])]; };
    scene_.pool().for_each(count, [&](std::int64_t i, int) {
        const FitUnit& unit = unit_of(i);
        const Box& b = unit.box;
        const FitPiece& piece = of_unit[std::size_t(i)] =
            piece_at(scene_.rectangle(int(std::floor(b.x0 - margin)), int(std::floor(b.y0 - margin)),
                                      int(std::ceil(b.x1 + margin)), int(std::ceil(b.y1 + margin))),
                     b.x(), b.y());
        FitPixels p;
        scene_.cut_out(piece, p);
        for (int y = 0; y < p.h; ++y)
            for (int x = 0; x < p.w; ++x) {
                const std::size_t to = std::size_t(y) * std::size_t(p.w) + std::size_t(x);
                if (scene_.usable(std::size_t(p.row + y) * std::size_t(scene_.image().width) +
                                  std::size_t(p.column + x)))
                    p.weight[to] = 1 / p.variance[to];
            }
        choices[std::size_t(i)].emplace(
            UnitLight{std::move(p), b, unit.chance, scene_.psf().at(b.x(), b.y()), scene_.fwhm()});
    });
    std::vector<std::optional<FisherStamp>> stamps(std::size_t(scene_.pool().threads()));
    for (;;) {
        std::vector<FitPiece> pieces;
        std::vector<FitStar> stars;
        for (std::size_t i = 0; i < choices.size(); ++i)
            for (const Attempt& a : choices[i]->wanted()) {
                pieces.push_back(of_unit[i]);
                pieces.back().first = int(stars.size());
                pieces.back().own = pieces.back().stars = int(a.stars.size());
                stars.insert(stars.end(), a.stars.begin(), a.stars.end());
            }
        if (pieces.empty()) break;
        std::vector<GroupResult> results(pieces.size());
        fit_.fit(scene_, {pieces, how, INFINITY, false, stars, {}, results});
        std::size_t done = 0;
        for (std::optional<StarChoice>& c : choices)
            for (Attempt& a : c->wanted()) {
                const FitPiece& piece = pieces[done];
                a.stars.assign(stars.begin() + piece.first, stars.begin() + piece.first + piece.stars);
                a.result = results[done++];
            }
        scene_.pool().for_each(count, [&](std::int64_t i, int worker) {
            StarChoice& c = *choices[std::size_t(i)];
            if (c.wanted().empty()) return;
            const Box& b = unit_of(i).box;
            GroupFit fit(fit_.stamp_at(scene_.psf(), scene_.psf().at(b.x(), b.y()), stamps[std::size_t(worker)]), how,
                         scene_.pool().isa());
            c.go_on(fit);
        });
    }
    for (std::size_t i = 0; i < choices.size(); ++i)
        for (const FitStar& s : choices[i]->stars())
            stars_.push_back({s, {}, 0, which[i], choices[i]->converged(), false});
}

void FieldFit::choose(std::span<const FitUnit> units) {
    int count = 0;
    const std::vector<int> turn = turns(units, cell_fwhm * scene_.fwhm(), count);
    for (int t = 0; t < count; ++t) {
        std::vector<int> now;
        for (std::size_t i = 0; i < units.size(); ++i)
            if (turn[i] == t) now.push_back(int(i));
        const double margin = 2 * unit_margin * scene_.fwhm();
        const FitImage& image = scene_.image();
        double pixels = 0;
        for (std::size_t from = 0, i = 0; i < now.size(); ++i) {
            const Box& b = units[std::size_t(now[i])].box;
            pixels +=
                std::min(b.width() + margin, double(image.width)) * std::min(b.height() + margin, double(image.height));
            if (pixels < pixels_at_once && i + 1 < now.size()) continue;
            choose_among(units, std::span(now).subspan(from, i + 1 - from));
            from = i + 1, pixels = 0;
        }
        show();
    }
}

}  // namespace star
