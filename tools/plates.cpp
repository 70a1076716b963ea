// Geometry, and what two plates both saw at their seam.
#include "tools/plates.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

namespace star {
namespace {

constexpr int least_side = 1792, least_margin = 384;  // px, both rounded up to whole tiles
constexpr int fit_margin =
    64;  // px around a core that its stars' neighbours lie in: a fit looks 2.5 FWHM around a star
constexpr int endless = 1 << 29;
constexpr double seam = 2;  // px: rows so near to a core's edge may have a twin

struct Span {
    int first, last;
};

// Along one axis. The last core takes what is left, so that no plate is a sliver.
std::vector<Span> cores_along(int extent, int side, int margin) {
    const int count = std::max(1, (extent - margin + side - 1) / side);
    std::vector<Span> out;
    for (int i = 0; i < count; ++i) out.push_back({i * side, i + 1 == count ? extent : (i + 1) * side});
    return out;
}

bool at_seam(const Region& r, double x, double y) { return !inside(r, x, y, -seam); }

// A row that might have a twin: where, of which plate, and how it ranks.
struct Row {
    double x, y, rank;
    std::size_t plate, index;
    bool own;  // in its plate's core
};

// Which of the rows have a better twin of another plate: index of row -> index of twin.
std::map<std::size_t, std::size_t> twins(const std::vector<Row>& rows, double radius) {
    std::vector<std::size_t> order(rows.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::pair(rows[a].own, rows[a].rank) > std::pair(rows[b].own, rows[b].rank);
    });
    const double cell = std::max(radius, 1.0);
    std::map<std::pair<std::int64_t, std::int64_t>, std::vector<std::size_t>> kept;
    std::map<std::size_t, std::size_t> out;
    for (const std::size_t i : order) {
        const auto cx = std::int64_t(std::floor(rows[i].x / cell)), cy = std::int64_t(std::floor(rows[i].y / cell));
        const auto better = [&]() -> const std::size_t* {
            for (std::int64_t v = cy - 1; v <= cy + 1; ++v)
                for (std::int64_t u = cx - 1; u <= cx + 1; ++u)
                    if (const auto at = kept.find({u, v}); at != kept.end())
                        for (const std::size_t& j : at->second)
                            if (rows[j].plate != rows[i].plate &&
                                std::hypot(rows[j].x - rows[i].x, rows[j].y - rows[i].y) < radius)
                                return &j;
            return nullptr;
        }();
        if (better)
            out[i] = *better;
        else
            kept[{cx, cy}].push_back(i);
    }
    return out;
}

}  // namespace

std::vector<Plate> plates_of(int width, int height, int tile_core) {
    const auto whole_tiles = [&](int least) { return (least + tile_core - 1) / tile_core * tile_core; };
    const int side = whole_tiles(least_side), margin = whole_tiles(least_margin);
    std::vector<Plate> out;
    for (const Span& y : cores_along(height, side, margin))
        for (const Span& x : cores_along(width, side, margin)) {
            const int x0 = std::max(0, x.first - margin), y0 = std::max(0, y.first - margin);
            const int x1 = std::min(width, x.last + margin), y1 = std::min(height, y.last + margin);
            // The image's own edges are no seams: a core has no end there.
            out.push_back({{x0, y0, x1 - x0, y1 - y0},
                           {x.first == 0 ? -endless : x.first, y.first == 0 ? -endless : y.first,
                            x.last == width ? endless : x.last, y.last == height ? endless : y.last}});
        }
    return out;
}

bool inside(const Region& r, double x, double y, double margin) {
    return x >= r.x0 - margin && x < r.x1 + margin && y >= r.y0 - margin && y < r.y1 + margin;
}

Region core_in_plate(const Plate& p) {
    return {p.core.x0 - p.seen.x0, p.core.y0 - p.seen.y0, p.core.x1 - p.seen.x0, p.core.y1 - p.seen.y0};
}

Region fitted_in_plate(const Plate& plate) {
    const Region core = core_in_plate(plate);
    return {core.x0 - fit_margin, core.y0 - fit_margin, core.x1 + fit_margin, core.y1 + fit_margin};
}

std::string words_for(const Plate& p) {
    return fmt::format("columns {} to {}, rows {} to {}", std::max(p.core.x0, 0) + 1,
                       std::min(p.core.x1, p.seen.x0 + p.seen.width), std::max(p.core.y0, 0) + 1,
                       std::min(p.core.y1, p.seen.y0 + p.seen.height));
}

PlateRows rows_of_plate(std::vector<Blend> blends, std::vector<Source> sources, const Plate& plate) {
    PlateRows out;
    const int dx = plate.seen.x0, dy = plate.seen.y0;
    std::vector<int> number(blends.size() + 1, 0);
    for (std::size_t i = 0; i < blends.size(); ++i) {
        Blend& b = blends[i];
        b.x += dx, b.y += dy;
        b.box = {b.box.x0 + float(dx), b.box.y0 + float(dy), b.box.x1 + float(dx), b.box.y1 + float(dy)};
        if (!inside(plate.core, b.x, b.y, 1)) continue;
        out.blends.push_back(b);
        number[i + 1] = int(out.blends.size());
    }
    for (Source& s : sources) {
        s.at.x += dx, s.at.y += dy;
        if (!inside(plate.core, s.at.x, s.at.y, 1)) continue;
        s.blend = number[std::size_t(s.blend)];
        out.sources.push_back(s);
    }
    return out;
}

PlateRows merged(std::vector<PlateRows> plates, const std::vector<Plate>& where, double blend_radius) {
    if (plates.size() == 1) return std::move(plates[0]);
    std::vector<Row> units, stars;
    for (std::size_t p = 0; p < plates.size(); ++p) {
        const Region& core = where[p].core;
        const auto add = [&](std::vector<Row>& to, double x, double y, double rank, std::size_t i) {
            if (at_seam(core, x, y)) to.push_back({x, y, rank, p, i, inside(core, x, y, 0)});
        };
        for (std::size_t i = 0; i < plates[p].blends.size(); ++i)
            add(units, plates[p].blends[i].x, plates[p].blends[i].y, plates[p].blends[i].score, i);
        for (std::size_t i = 0; i < plates[p].sources.size(); ++i)
            add(stars, plates[p].sources[i].at.x, plates[p].sources[i].at.y, plates[p].sources[i].at.flux, i);
    }
    // What is dropped, and in whose favour: (plate, index) -> (plate, index).
    using Place = std::pair<std::size_t, std::size_t>;
    const auto dropped = [](const std::vector<Row>& rows, double radius) {
        std::map<Place, Place> out;
        for (const auto& [i, j] : twins(rows, radius))
            out[{rows[i].plate, rows[i].index}] = {rows[j].plate, rows[j].index};
        return out;
    };
    const auto no_units = dropped(units, blend_radius), no_stars = dropped(stars, 0.5);

    std::vector<Place> order;
    for (std::size_t p = 0; p < plates.size(); ++p)
        for (std::size_t i = 0; i < plates[p].blends.size(); ++i)
            if (!no_units.contains({p, i})) order.emplace_back(p, i);
    const auto unit = [&](const Place& at) -> const Blend& { return plates[at.first].blends[at.second]; };
    std::stable_sort(order.begin(), order.end(),
                     [&](const Place& a, const Place& b) { return unit(a).score > unit(b).score; });
    PlateRows out;
    std::map<Place, int> number;
    for (const Place& at : order) {
        out.blends.push_back(unit(at));
        number[at] = int(out.blends.size());
    }
    for (std::size_t p = 0; p < plates.size(); ++p)
        for (std::size_t i = 0; i < plates[p].sources.size(); ++i) {
            if (no_stars.contains({p, i})) continue;
            Source s = plates[p].sources[i];
            if (s.blend > 0) {
                Place its{p, std::size_t(s.blend - 1)};
                if (const auto twin = no_units.find(its); twin != no_units.end()) its = twin->second;
                s.blend = number.at(its);
            }
            s.id = int(out.sources.size()) + 1;
            out.sources.push_back(s);
        }
    return out;
}

}  // namespace star
