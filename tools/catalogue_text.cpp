// Columns to lines.
#include "tools/catalogue_text.h"

#include <fmt/core.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

namespace star {
namespace {

// A YAML scalar in double quotes: JSON's is one.
std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

// YAML 1.1 takes 1e-05 for a text: a real has a point.
std::string real(double v) {
    if (std::isnan(v)) return ".nan";
    if (std::isinf(v)) return v > 0 ? ".inf" : "-.inf";
    std::string text = fmt::format("{}", v);
    if (text.find('.') == std::string::npos) text.insert(std::min(text.find('e'), text.size()), ".0");
    return text;
}

std::string yaml(const CardValue& value) {
    if (const auto* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
    if (const auto* i = std::get_if<std::int64_t>(&value)) return std::to_string(*i);
    if (const auto* d = std::get_if<double>(&value)) return real(*d);
    if (const auto* s = std::get_if<std::string>(&value)) return quoted(*s);
    return "null";
}

// "F10.3" as "%10.3f"; empty where it says nothing.
std::string printf_format(const std::string& tdisp) {
    if (tdisp.size() < 2 || tdisp.find_first_not_of("0123456789.", 1) != std::string::npos) return "";
    const auto letter = std::string("FEGI").find(tdisp[0]);
    return letter == std::string::npos ? "" : "%" + tdisp.substr(1) + "fegd"[letter];
}

std::string column_line(const Column& c) {
    static constexpr const char* types[] = {"float64", "float32", "int32", "int64", "string"};
    std::string line = "# - {name: " + quoted(c.name);
    if (!c.unit.empty()) line += ", unit: " + quoted(c.unit);
    line += std::string(", datatype: ") + types[c.data.index()];
    if (const std::string f = printf_format(c.format); !f.empty()) line += ", format: " + quoted(f);
    if (!c.comment.empty()) line += ", description: " + quoted(c.comment);
    if (!c.ucd.empty()) line += ", meta: {ucd: " + quoted(c.ucd) + "}";
    return line + "}\n";
}

// Cards of one key: the last one holds, the texts of HISTORY and COMMENT are all kept.
std::string meta_lines(const std::vector<Card>& cards) {
    std::vector<std::string> order;
    std::map<std::string, std::string> values;
    for (const Card& c : cards) {
        if (c.key.empty()) continue;
        auto [at, fresh] = values.emplace(c.key, "");
        if (fresh) order.push_back(c.key);
        if (c.key == "HISTORY" || c.key == "COMMENT")
            at->second += (at->second.empty() ? "[" : ", ") + quoted(c.comment);
        else
            at->second = yaml(c.value);
    }
    std::string text;
    for (const std::string& key : order) {
        const bool list = key == "HISTORY" || key == "COMMENT";
        text += "# - {" + quoted(key) + ": " + values[key] + (list ? "]" : "") + "}\n";
    }
    return text;
}

// A text between blanks: quotes doubled, in quotes where it is empty or holds what would end it.
std::string blank_separated(const std::string& text) {
    if (!text.empty() && text.find_first_of(" \t\"'#\n\r") == std::string::npos) return text;
    std::string cell = "\"";
    for (const char c : text) cell += c == '"' ? std::string("\"\"") : std::string(1, c == '\n' || c == '\r' ? ' ' : c);
    return cell + "\"";
}

template <class Cell>
void append_rows(std::string& to, const Table& t, char separator, const char* undefined, Cell&& cell) {
    for (std::size_t c = 0; c < t.columns.size(); ++c) {
        if (c) to += separator;
        to += cell(t.columns[c].name);
    }
    to += '\n';
    for (std::size_t row = 0; row < t.rows(); ++row) {
        for (std::size_t c = 0; c < t.columns.size(); ++c) {
            if (c) to += separator;
            if (const auto* text = std::get_if<std::vector<std::string>>(&t.columns[c].data))
                to += cell((*text)[row]);
            else
                append_value(to, t.columns[c].data, row, undefined);
        }
        to += '\n';
    }
}

}  // namespace

std::string csv_cell(const std::string& text) {
    if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
    std::string cell = "\"";
    for (const char c : text) cell += c == '"' ? std::string("\"\"") : std::string(1, c);
    return cell + "\"";
}

void append_value(std::string& to, const ColumnData& data, std::size_t row, const char* undefined) {
    std::visit(
        [&](const auto& values) {
            const auto& v = values[row];
            if constexpr (std::is_floating_point_v<std::decay_t<decltype(v)>>) {
                if (std::isnan(v)) {
                    to += undefined;
                    return;
                }
            }
            fmt::format_to(std::back_inserter(to), "{}", v);
        },
        data);
}

std::string ecsv_text(const Table& t, const std::vector<Card>& cards) {
    std::string text = "# %ECSV 1.0\n# ---\n# delimiter: ' '\n# datatype:\n";
    for (const Column& c : t.columns) text += column_line(c);
    std::vector<Card> all{{"EXTNAME", t.name, ""}};
    all.insert(all.end(), cards.begin(), cards.end());
    all.insert(all.end(), t.cards.begin(), t.cards.end());
    text += "# meta: !!omap\n" + meta_lines(all) + "# schema: astropy-2.0\n";
    append_rows(text, t, ' ', "nan", blank_separated);
    return text;
}

std::string csv_text(const Table& t) {
    std::string text;
    append_rows(text, t, ',', "", csv_cell);
    return text;
}

}  // namespace star
