// TOML into Config's flat map, with toml++; sizes and depth are bounded before it parses.
// toml++ 3.3 asserts what a file can break (a "[" without a name behind it), so here its assertions throw. With NDEBUG
// it would take them for granted.
#undef NDEBUG
namespace star {
struct BrokenAssertion {};
constexpr void toml_assert(bool holds) {
    if (!holds) throw BrokenAssertion();
}
}  // namespace star
#define TOML_ASSERT(condition) star::toml_assert(static_cast<bool>(condition))
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "io/config.h"
#include "kernels/check.h"

namespace star {
namespace {

constexpr std::size_t max_bytes = 1 << 20;

bool bare(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/// toml++ bounds the depth of values (256) but not of dotted keys, and walks tables recursively: a megabyte of "a.a.a"
/// would overflow the stack. Depth comes from dots within a key and from inline tables, so both are bounded before it
/// parses: 16 dots in a run of names, 64 inline tables, and 64 dots after a quote (quoted names could hide what breaks
/// a run). Text in strings and comments counts too, which no sensible configuration notices.
void check_depth(std::string_view text, const std::string& where) {
    int dots = 0, quoted_dots = 0, tables = 0, line = 1;
    char before = 0;  // the last character that is no blank
    for (const char c : text) {
        line += c == '\n';
        const bool blank = c == ' ' || c == '\t', quote = c == '"' || c == '\'';
        tables += c == '{';
        dots = c == '.' ? dots + 1 : bare(c) || blank || quote ? dots : 0;
        quoted_dots += c == '.' && (before == '"' || before == '\'');
        if (dots > 16 || quoted_dots > 64) fail(Fault::usage, where, ":", line, ": names of too many parts");
        if (tables > 64) fail(Fault::usage, where, ":", line, ": more than 64 inline tables");
        if (!blank) before = c;
    }
}

/// A message of one line, without what could disturb a terminal.
std::string one_line(std::string_view text) {
    std::string line(text.substr(0, 200));
    for (char& c : line)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    return line;
}

bool breaks_parser(std::string_view text) {
    try {
        [[maybe_unused]] const auto parsed = toml::parse(text);
        return false;
    } catch (const BrokenAssertion&) {
        return true;
    }
}

toml::parse_result parse(std::string_view text, const std::string& where) {
    try {
        return toml::parse(text, where);
    } catch (const BrokenAssertion&) {
    }
    std::vector<std::size_t> ends;  // of the lines; the one at fault ends the shortest beginning that breaks it too
    for (std::size_t at = 0; at < text.size(); ++at)
        if (text[at] == '\n') ends.push_back(at + 1);
    const auto line = std::partition_point(ends.begin(), ends.end(),
                                           [&](std::size_t end) { return !breaks_parser(text.substr(0, end)); });
    fail(Fault::usage, where, ":", line - ends.begin() + 1, ": not TOML: a name is missing");
}

}  // namespace

struct Config::Parser {
    const std::string& source;

    std::string where(const toml::node& node) const {
        return source == "--set" ? source : source + ":" + std::to_string(node.source().begin.line);
    }

    Value value(const toml::node& node) const {
        Value v;
        v.where = where(node);
        if (const auto* b = node.as_boolean()) v.kind = Kind::boolean, v.boolean = b->get();
        if (const auto* i = node.as_integer()) v.kind = Kind::integer, v.integer = i->get();
        if (const auto* d = node.as_floating_point()) v.kind = Kind::number, v.number = d->get();
        if (const auto* s = node.as_string()) v.kind = Kind::text, v.text = s->get();
        if (const auto* list = node.as_array()) {
            v.kind = Kind::list;
            for (const toml::node& element : *list) v.list.push_back(value(element));
        }
        return v;
    }

    void flatten(const toml::table& table, const std::string& prefix, std::map<std::string, Value>& out) const {
        for (const auto& [name, node] : table) {
            const std::string_view text = name.str();
            if (text.empty() || !std::all_of(text.begin(), text.end(), bare))
                fail(Fault::usage, where(node), ": ", one_line(prefix + std::string(text)),
                     ": keys are made of letters, digits, _ and -");
            const std::string key = prefix + std::string(text);
            if (const auto* inner = node.as_table())
                flatten(*inner, key + ".", out);
            else
                out[key] = value(node);
        }
    }
};

void Config::load(const std::string& path) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) fail(Fault::usage, path, ": no such file");
    if (!std::filesystem::is_regular_file(path, error)) fail(Fault::usage, path, ": not a file");
    if (std::filesystem::file_size(path, error) > max_bytes)
        fail(Fault::usage, path, ": over 1 MB: not a configuration");
    std::ifstream in(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (error || !in) fail(Fault::usage, path, ": can't be read");
    load_text(text, path);
}

void Config::load_text(std::string_view text, const std::string& where) {
    if (text.size() > max_bytes) fail(Fault::usage, where, ": over 1 MB: not a configuration");
    check_depth(text, where);
    const toml::parse_result result = parse(text, where);
    if (!result)
        fail(Fault::usage, where, ":", result.error().source().begin.line, ": ",
             one_line(result.error().description()));
    std::map<std::string, Value> layer;
    Parser{where}.flatten(result.table(), "", layer);
    for (auto& [key, value] : layer) values_[key] = std::move(value);
}

void Config::set(const std::string& assignment) {
    const auto equals = assignment.find('=');
    const auto trim = [](std::string s) {
        const auto first = s.find_first_not_of(" \t");
        return first == s.npos ? std::string() : s.substr(first, s.find_last_not_of(" \t") - first + 1);
    };
    const std::string key = trim(assignment.substr(0, equals));
    const bool good = !key.empty() && key.front() != '.' && key.back() != '.' && key.find("..") == key.npos &&
                      std::all_of(key.begin(), key.end(), [](char c) { return bare(c) || c == '.'; });
    if (equals == assignment.npos || !good) fail(Fault::usage, "--set ", one_line(assignment), ": must be KEY=VALUE");
    const std::string text = trim(assignment.substr(equals + 1));
    if (text.empty() || text.size() > max_bytes || text.find_first_of("\r\n#") != text.npos)
        fail(Fault::usage, "--set ", one_line(assignment), ": the value is missing, or not on one line");
    const std::string source = "--set";
    check_depth(text, source);
    const toml::parse_result result = parse("value = " + text, source);
    if (result && !result.table().get("value")->is_table()) {
        values_[key] = Parser{source}.value(*result.table().get("value"));
        return;
    }
    const auto plain = [](char c) { return bare(c) || std::string_view("./:,+").find(c) != std::string_view::npos; };
    if (!std::all_of(text.begin(), text.end(), plain))
        fail(Fault::usage, "--set ", one_line(assignment), ": not a TOML value");
    Value value;
    value.kind = Kind::text;
    value.text = text;
    value.where = source;
    values_[key] = value;
}

}  // namespace star
