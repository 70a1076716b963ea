// Columns to rows.
#include "tools/foreign_catalogue.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"

namespace star {
namespace {

// Scores by which rows are ranked, and where they come from.
std::pair<std::vector<double>, std::string> ranking(const AnyTable& from, std::size_t rows,
                                                    const CatalogueColumns& columns) {
    std::vector<double> score(rows, 1);
    std::string words = "all rows equal";
    if (auto c = choose_column(from, "score", columns)) {
        score = std::move(c->values), words = "score " + c->name;
    } else if (auto m = choose_column(from, "mag", columns)) {
        for (std::size_t i = 0; i < rows; ++i) score[i] = -m->values[i];
        words = "score -" + m->name;
    }
    for (double& s : score)
        if (!std::isfinite(s)) s = -1e30;  // nothing is known: last
    return {std::move(score), words};
}

}  // namespace

bool is_blends(const std::string& file) { return is_fits(file) && has_table(file, "BLENDS"); }

FoundList read_foreign(const std::string& file, const CatalogueColumns& columns) {
    const AnyTable from = read_any_table(file);
    const ChosenColumn x = place_column(from, "x", columns), y = place_column(from, "y", columns);
    const std::size_t rows = x.values.size();
    const auto [score, ranked_by] = ranking(from, rows, columns);
    const auto mag = choose_column(from, "mag", columns), stars = choose_column(from, "nstars", columns);
    FoundList list;
    list.boxes = columns.box_radius > 0;
    list.words = x.name + ", " + y.name + ", " + ranked_by;
    std::vector<ChosenColumn> edges;
    for (const char* part : {"xmin", "ymin", "xmax", "ymax"})
        if (auto c = choose_column(from, part, columns)) edges.push_back(std::move(*c));
    const bool own_boxes = edges.size() == 4;
    list.boxes = list.boxes || own_boxes;
    const double dx = 0.5 - first_pixel_of(x.name, from, columns), dy = 0.5 - first_pixel_of(y.name, from, columns);
    for (std::size_t i = 0; i < rows; ++i) {
        Found f;
        f.x = x.values[i] + dx, f.y = y.values[i] + dy, f.score = score[i];
        const double r = columns.box_radius;
        f.box = {float(f.x - r), float(f.y - r), float(f.x + r), float(f.y + r)};
        if (own_boxes) {
            // SExtractor names the pixels at the ends, which the box holds whole.
            const double whole = from.sextractor ? 0.5 : 0;
            for (const ChosenColumn& e : edges)
                if (!(std::abs(e.values[i]) < 1e6))
                    fail(Fault::input, file, ": row ", i + 1, ": ", e.name, " is ", e.values[i]);
            f.box = {float(edges[0].values[i] + dx - whole), float(edges[1].values[i] + dy - whole),
                     float(edges[2].values[i] + dx + whole), float(edges[3].values[i] + dy + whole)};
        }
        if (mag) f.magnitude = mag->values[i];
        if (stars) {
            const double n = stars->values[i];
            if (!(n >= 1 && n <= 1e6)) fail(Fault::input, file, ": row ", i + 1, ": ", stars->name, " is ", n);
            f.label = std::min(int(n), classes_scored) - 1, f.expected_stars = n;
        }
        list.rows.push_back(f);
    }
    return list;
}

}  // namespace star
