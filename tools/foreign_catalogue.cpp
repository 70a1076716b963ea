// Names to columns, columns to rows.
#include "tools/foreign_catalogue.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>

#include "io/fits_hdu.h"
#include "kernels/check.h"
#include "tools/catalogue.h"
#include "tools/text_table.h"

namespace star {
namespace {

using Names = std::vector<const char*>;

const std::map<std::string, Names>& usual_names() {
    static const std::map<std::string, Names> names{
        {"x", {"X_IMAGE", "XWIN_IMAGE", "XPSF_IMAGE", "x_fit", "xcentroid", "x_centroid", "xcenter", "x_0", "x"}},
        {"y", {"Y_IMAGE", "YWIN_IMAGE", "YPSF_IMAGE", "y_fit", "ycentroid", "y_centroid", "ycenter", "y_0", "y"}},
        {"score", {"score", "snr", "SNR_WIN", "FLUX_PSF", "FLUX_AUTO", "FLUX_ISO", "FLUX_APER", "flux_fit", "flux"}},
        {"mag", {"mag", "MAG_PSF", "MAG_AUTO", "MAG_BEST", "MAG_ISO", "MAG_APER", "mag_fit"}},
        {"nstars", {"nstars", "n_stars"}},
        {"xmin", {"XMIN_IMAGE", "xmin"}},
        {"ymin", {"YMIN_IMAGE", "ymin"}},
        {"xmax", {"XMAX_IMAGE", "xmax"}},
        {"ymax", {"YMAX_IMAGE", "ymax"}}};
    return names;
}

struct Source {
    Table table;
    bool from_zero = false;  // by the format
    bool sextractor = false;
};

bool is_fits(const std::string& file) {
    char start[6] = {};
    std::ifstream in(file, std::ios::binary);
    in.read(start, sizeof start);
    const bool gzip = in.gcount() > 1 && start[0] == '\x1f' && start[1] == '\x8b';
    return gzip || (in.gcount() == sizeof start && std::string(start, 6) == "SIMPLE");
}

bool has_table(const std::string& file, const std::string& name) {
    for (const Hdu& h : list_hdus(file))
        if (h.matches(name)) return true;
    return false;
}

Source read_source(const std::string& file) {
    if (is_fits(file)) {
        const bool ldac = has_table(file, "LDAC_OBJECTS");
        return {read_table(file, ldac ? "LDAC_OBJECTS" : ""), false, ldac};
    }
    TextTable text = read_text_table(file);
    const bool head = text.format == TextFormat::ascii_head;
    return {std::move(text.table), !head, head};
}

struct Chosen {
    std::string name;  // as the file has it
    std::vector<double> values;
};

// The column that plays a part, if there is one.
std::optional<Chosen> choose(const std::string& file, const Table& table, const std::string& part,
                             const CatalogueColumns& columns) {
    if (const auto named = columns.named.find(part); named != columns.named.end()) {
        const Column* c = table.find(named->second);
        if (!c) fail(Fault::input, file, ": no column ", named->second, " (for ", part, ")");
        return Chosen{c->name, table.numbers(c->name)};
    }
    for (const char* name : usual_names().at(part))
        if (const Column* c = table.find(name); c && !std::holds_alternative<std::vector<std::string>>(c->data))
            return Chosen{c->name, table.numbers(c->name)};
    return {};
}

std::string listed(const Table& table) {
    std::string names;
    for (std::size_t i = 0; i < table.columns.size() && i < 12; ++i)
        names += (i ? ", " : "") + table.columns[i].name.substr(0, 40);
    return names + (table.columns.size() > 12 ? ", ..." : "");
}

Chosen place_column(const std::string& file, const Table& table, const char* part, const CatalogueColumns& columns) {
    auto c = choose(file, table, part, columns);
    if (!c)
        fail(Fault::input, file, ": no column for ", part, " (such as ", usual_names().at(part).front(),
             "); there are ", listed(table), "; name it: columns ", part, "=NAME");
    for (std::size_t i = 0; i < c->values.size(); ++i)
        if (!(std::abs(c->values[i]) < 1e6))
            fail(Fault::input, file, ": row ", i + 1, ": ", c->name, " is ", c->values[i]);
    return std::move(*c);
}

// Where the first pixel's centre lies for a column, by the user's word, its name, or the format.
double first_pixel(const std::string& column, const Source& source, const CatalogueColumns& columns) {
    if (!std::isnan(columns.first_pixel)) return columns.first_pixel;
    const std::string lower = [&] {
        std::string s = column;
        std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return char(std::tolower(c)); });
        return s;
    }();
    if (lower.size() > 6 && lower.ends_with("_image")) return 1;
    for (const char* photutils : {"x_fit", "y_fit", "x_0", "y_0", "xcentroid", "ycentroid", "x_centroid", "y_centroid"})
        if (lower == photutils) return 0;
    return source.from_zero ? 0 : 1;
}

// Scores by which rows are ranked, and where they come from.
std::pair<std::vector<double>, std::string> ranking(const std::string& file, const Table& table, std::size_t rows,
                                                    const CatalogueColumns& columns) {
    std::vector<double> score(rows, 1);
    std::string words = "all rows equal";
    if (auto c = choose(file, table, "score", columns)) {
        score = std::move(c->values), words = "score " + c->name;
    } else if (auto m = choose(file, table, "mag", columns)) {
        for (std::size_t i = 0; i < rows; ++i) score[i] = -m->values[i];
        words = "score -" + m->name;
    }
    for (double& s : score)
        if (!std::isfinite(s)) s = -1e30;  // nothing is known: last
    return {std::move(score), words};
}

}  // namespace

std::map<std::string, std::string> parse_columns(const std::string& text) {
    std::map<std::string, std::string> named;
    if (text.empty()) return named;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(',', at), text.size());
        const std::string word = text.substr(at, end - at);
        const std::size_t equals = word.find('=');
        const std::string part = word.substr(0, equals);
        if (equals == std::string::npos || equals + 1 == word.size() || !usual_names().count(part))
            fail(Fault::usage, "columns ", word.substr(0, 60),
                 ": want PART=NAME, PART one of x, y, score, mag, nstars, xmin, ymin, xmax, ymax");
        if (!named.emplace(part, word.substr(equals + 1)).second) fail(Fault::usage, "columns: ", part, " twice");
        at = end + 1;
    }
    return named;
}

bool is_blends(const std::string& file) { return is_fits(file) && has_table(file, "BLENDS"); }

FoundList read_foreign(const std::string& file, const CatalogueColumns& columns) {
    const Source source = read_source(file);
    const Table& table = source.table;
    const Chosen x = place_column(file, table, "x", columns), y = place_column(file, table, "y", columns);
    const std::size_t rows = x.values.size();
    const auto [score, ranked_by] = ranking(file, table, rows, columns);
    const auto mag = choose(file, table, "mag", columns), stars = choose(file, table, "nstars", columns);
    FoundList list;
    list.boxes = columns.box_radius > 0;
    list.words = x.name + ", " + y.name + ", " + ranked_by;
    std::vector<Chosen> edges;
    for (const char* part : {"xmin", "ymin", "xmax", "ymax"})
        if (auto c = choose(file, table, part, columns)) edges.push_back(std::move(*c));
    const bool own_boxes = edges.size() == 4;
    list.boxes = list.boxes || own_boxes;
    const double dx = 0.5 - first_pixel(x.name, source, columns), dy = 0.5 - first_pixel(y.name, source, columns);
    for (std::size_t i = 0; i < rows; ++i) {
        Found f;
        f.x = x.values[i] + dx, f.y = y.values[i] + dy, f.score = score[i];
        const double r = columns.box_radius;
        f.box = {float(f.x - r), float(f.y - r), float(f.x + r), float(f.y + r)};
        if (own_boxes) {
            // SExtractor names the pixels at the ends, which the box holds whole.
            const double whole = source.sextractor ? 0.5 : 0;
            for (const Chosen& e : edges)
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
