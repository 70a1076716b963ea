// Values to words, words to bytes, bytes to text.
#include "tools/page_table.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>

#include "io/deflate.h"
#include "tools/base64.h"

namespace star {
namespace {

using Json = nlohmann::json;
using Rows = std::vector<std::size_t>;

constexpr std::uint32_t undefined = 0xffffffff;

constexpr const char* needed[] = {"BLEND_ID",   "SOURCE_ID",  "X_IMAGE",    "Y_IMAGE", "XMIN_IMAGE",
                                  "YMIN_IMAGE", "XMAX_IMAGE", "YMAX_IMAGE", "NSTARS",  "SCORE",
                                  "FLUX",       "MAG",        "FLUX_PSF",   "MAG_PSF", "FLAGS"};

bool is_text(const Column& c) { return std::holds_alternative<std::vector<std::string>>(c.data); }
bool is_whole(const Column& c) { return c.data.index() == 2 || c.data.index() == 3; }

// Decimals that TDISP shows; -1: it is no fixed-point format.
int decimals_of(const Column& c) {
    if (is_whole(c)) return 0;
    const std::size_t point = c.format.find('.');
    if (c.format.empty() || c.format[0] != 'F' || point == std::string::npos) return -1;
    return std::clamp(std::atoi(c.format.c_str() + point + 1), 0, 9);
}

struct Words {
    Json about;
    std::vector<std::uint32_t> words;
};

Words words_of(const Column& c, const std::vector<double>& values, const Rows& rows) {
    Words w{{{"name", c.name}, {"unit", c.unit}, {"about", c.comment}}, {}};
    double low = INFINITY, high = -INFINITY;
    for (const std::size_t i : rows)
        if (std::isfinite(values[i])) low = std::min(low, values[i]), high = std::max(high, values[i]);
    int decimals = decimals_of(c);
    while (decimals > 0 && low <= high && (high - low) * std::pow(10, decimals) > 4e9) --decimals;
    const double scale = std::pow(10, std::max(decimals, 0));
    const bool fixed = decimals >= 0 && (low > high || ((high - low) * scale < 4e9 && std::abs(low) * scale < 9e15));
    const double base = low > high ? 0 : std::round(low * scale);
    w.about["kind"] = fixed ? "fixed" : "float";
    w.about["decimals"] = decimals;
    w.about["low"] = fixed ? base : 0;
    for (const std::size_t i : rows) {
        std::uint32_t word = undefined;
        if (!fixed) {
            const float f = float(values[i]);
            std::memcpy(&word, &f, sizeof word);
        } else if (std::isfinite(values[i])) {
            word = std::uint32_t(std::round(values[i] * scale) - base);
        }
        w.words.push_back(word);
    }
    return w;
}

Json packed(const Table& t, const Rows& rows, bool all_columns) {
    Json json{{"name", t.name}, {"rows", rows.size()}, {"of", t.rows()}, {"columns", Json::array()}};
    std::string bytes;
    for (const Column& c : t.columns) {
        const bool wanted = all_columns || std::find(std::begin(needed), std::end(needed), c.name) != std::end(needed);
        if (is_text(c) || !wanted) continue;
        Words w = words_of(c, t.numbers(c.name), rows);
        json["columns"].push_back(std::move(w.about));
        for (int plane = 0; plane < 32; plane += 8)
            for (const std::uint32_t word : w.words) bytes.push_back(char(word >> plane & 255));
    }
    json["data"] = base64(deflated(bytes));
    return json;
}

// The brightest n rows, in the table's order.
Rows brightest(const Table& t, std::size_t n) {
    Rows rows(t.rows());
    std::iota(rows.begin(), rows.end(), std::size_t{0});
    const char* by = t.find("FLUX_PSF") ? "FLUX_PSF" : t.find("FLUX") ? "FLUX" : nullptr;
    if (by) {
        const auto flux = t.numbers(by);
        const auto key = [&](std::size_t i) { return std::isfinite(flux[i]) ? -flux[i] : INFINITY; };
        std::stable_sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
    }
    rows.resize(std::min(n, rows.size()));
    std::sort(rows.begin(), rows.end());
    return rows;
}

}  // namespace

Json packed_table(const Table& t, std::size_t most_bytes) {
    Rows rows = brightest(t, t.rows());
    const auto size = [](const Json& j) { return j["data"].get_ref<const std::string&>().size(); };
    Json json = packed(t, rows, true);
    if (size(json) <= most_bytes) return json;
    json = packed(t, rows, false);
    while (size(json) > most_bytes && !rows.empty()) {
        rows = brightest(t, std::size_t(0.95 * double(rows.size()) * double(most_bytes) / double(size(json))));
        json = packed(t, rows, false);
    }
    return json;
}

}  // namespace star
