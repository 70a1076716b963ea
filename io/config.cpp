// Config's questions and answers; the TOML itself is parsed in config_parse.cpp.
#include "io/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <sstream>

#include "kernels/check.h"

namespace star {
namespace {

std::string written(bool v) { return v ? "true" : "false"; }
std::string written(std::int64_t v) { return std::to_string(v); }

std::string written(double v) {  // the shortest digits that read back as the same bits
    char digits[40];
    std::string text(digits, std::to_chars(digits, digits + sizeof digits, v).ptr);
    if (text.find_first_of(".en") == text.npos) text += ".0";
    return text;
}

std::string written(const std::string& v) {
    std::string text = "\"";
    for (const char c : v) {
        if (c == '"' || c == '\\') text += '\\';
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            const char* hex = "0123456789ABCDEF";
            text += std::string("\\u00") + hex[c >> 4 & 15] + hex[c & 15];
        } else {
            text += c;
        }
    }
    return text + '"';
}

template <class T>
std::string written(const std::vector<T>& list) {
    std::string text = "[";
    for (const T& v : list) text += (text.size() > 1 ? ", " : "") + written(v);
    return text + "]";
}

template <class T>
std::string outside(T value, T min, T max) {
    std::ostringstream text;
    text << written(value) << " is outside " << written(min) << " ... " << written(max);
    return text.str();
}

/// Levenshtein's distance.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replace = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replace, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

/// "; did you mean X?" for the nearest candidate, if any is near: a third of the word, or the same last name.
template <class Words>
std::string suggestion(std::string_view word, const Words& candidates) {
    std::string best;
    std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
    if (word.size() <= 200)
        for (const auto& c : candidates)
            if (const std::size_t d = distance(word, c); d < least) least = d, best = c;
    const auto last = [](std::string_view s) { return s.substr(s.rfind('.') + 1); };
    for (const auto& c : candidates)
        if (best.empty() && last(word) == last(c)) best = c;
    return best.empty() ? "" : "; did you mean " + best + "?";
}

}  // namespace

const char* Config::Value::name() const {
    switch (kind) {
        case Kind::boolean:
            return "true or false";
        case Kind::integer:
            return "an integer";
        case Kind::number:
            return "a number";
        case Kind::text:
            return "a text";
        case Kind::list:
            return "a list";
        default:
            return "a date or table";
    }
}

void Config::complain(const std::string& key, const Value& value, const std::string& what) {
    fail(Fault::usage, value.where, ": ", key, ": ", what);
}

void Config::refuse(const std::string& key, const std::string& what) const {
    if (const Value* value = given(key)) complain(key, *value, what);
    fail(Fault::usage, "configuration: ", key, ": ", what);
}

const Config::Value* Config::given(const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
}

void Config::forget(const std::string& section) {
    std::erase_if(values_,
                  [&](const auto& entry) { return entry.first == section || entry.first.starts_with(section + "."); });
}

std::vector<std::string> Config::names(const std::string& section) const {
    std::vector<std::string> found;
    for (const auto& [key, value] : values_) {
        if (!key.starts_with(section + ".")) continue;
        const std::string name = key.substr(section.size() + 1, key.find('.', section.size() + 1) - section.size() - 1);
        if (found.empty() || found.back() != name) found.push_back(name);
    }
    return found;
}

bool Config::has(const std::string& key) const {
    asked_.insert(key);
    return given(key) != nullptr;
}

template <class T>
T Config::remember(const std::string& key, T value) {
    asked_.insert(key);
    for (auto& [name, text] : effective_)
        if (name == key) return text = written(value), value;
    effective_.emplace_back(key, written(value));
    return value;
}

double Config::as_number(const std::string& key, const Value& value, double min, double max) {
    if (value.kind != Kind::number && value.kind != Kind::integer)
        complain(key, value, std::string("is ") + value.name() + ", must be a number");
    const double v = value.kind == Kind::integer ? double(value.integer) : value.number;
    if (!std::isfinite(v)) complain(key, value, "is not a finite number");
    if (!(v >= min && v <= max)) complain(key, value, outside(v, min, max));
    return v;
}

std::int64_t Config::as_integer(const std::string& key, const Value& value, std::int64_t min, std::int64_t max) {
    if (value.kind != Kind::integer) complain(key, value, std::string("is ") + value.name() + ", must be an integer");
    if (value.integer < min || value.integer > max) complain(key, value, outside(value.integer, min, max));
    return value.integer;
}

std::string Config::as_text(const std::string& key, const Value& value) {
    if (value.kind != Kind::text)
        complain(key, value, std::string("is ") + value.name() + ", must be a text in quotes");
    return value.text;
}

const std::vector<Config::Value>& Config::as_list(const std::string& key, const Value& value) {
    if (value.kind != Kind::list) complain(key, value, std::string("is ") + value.name() + ", must be a list in [ ]");
    return value.list;
}

double Config::number(const std::string& key, double standard, double min, double max) {
    const Value* value = given(key);
    return remember(key, value ? as_number(key, *value, min, max) : standard);
}

std::int64_t Config::integer(const std::string& key, std::int64_t standard, std::int64_t min, std::int64_t max) {
    const Value* value = given(key);
    return remember(key, value ? as_integer(key, *value, min, max) : standard);
}

bool Config::boolean(const std::string& key, bool standard) {
    const Value* value = given(key);
    if (value && value->kind != Kind::boolean)
        complain(key, *value, std::string("is ") + value->name() + ", must be true or false");
    return remember(key, value ? value->boolean : standard);
}

std::string Config::text(const std::string& key, const std::string& standard) {
    const Value* value = given(key);
    return remember(key, value ? as_text(key, *value) : standard);
}

std::string Config::choice(const std::string& key, const std::string& standard,
                           std::initializer_list<std::string_view> words) {
    const std::string chosen = text(key, standard);
    const Value* value = given(key);
    if (!value || std::find(words.begin(), words.end(), chosen) != words.end()) return chosen;
    std::string list;
    for (const std::string_view word : words) list += (list.empty() ? "" : ", ") + std::string(word);
    complain(key, *value, written(chosen) + " is none of " + list + suggestion(chosen, words));
}

std::vector<double> Config::numbers(const std::string& key, const std::vector<double>& standard, double min,
                                    double max) {
    const Value* value = given(key);
    if (!value) return remember(key, standard);
    std::vector<double> list;
    for (const Value& v : as_list(key, *value)) list.push_back(as_number(key, v, min, max));
    return remember(key, list);
}

std::vector<std::int64_t> Config::integers(const std::string& key, const std::vector<std::int64_t>& standard,
                                           std::int64_t min, std::int64_t max) {
    const Value* value = given(key);
    if (!value) return remember(key, standard);
    std::vector<std::int64_t> list;
    for (const Value& v : as_list(key, *value)) list.push_back(as_integer(key, v, min, max));
    return remember(key, list);
}

std::vector<std::string> Config::texts(const std::string& key, const std::vector<std::string>& standard) {
    const Value* value = given(key);
    if (!value) return remember(key, standard);
    std::vector<std::string> list;
    for (const Value& v : as_list(key, *value)) list.push_back(as_text(key, v));
    return remember(key, list);
}

void Config::refuse_unknown() const {
    for (const auto& [key, value] : values_)
        if (!asked_.count(key)) complain(key, value, "unknown key" + suggestion(key, asked_));
}

std::string Config::dump() const {
    std::string text;
    for (const auto& [key, value] : effective_) text += key + " = " + value + "\n";
    return text;
}

}  // namespace star
