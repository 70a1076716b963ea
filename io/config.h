// Configuration: TOML in layers, read through typed and bounded questions; what nobody asked for is an error.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace star {

/// Usage: load() files and set() single values, later ones winning; ask for every key that exists, with its default and
/// bounds; refuse_unknown(); dump() into the provenance. Keys are paths of bare names: "train.learning_rate". All
/// errors are Fault::usage, one line "FILE:LINE: KEY: what".
class Config {
public:
    /// A TOML file of at most 1 MB. Its values replace those of earlier layers key by key.
    void load(const std::string& path);
    /// TOML text; `where` names it in errors.
    void load_text(std::string_view text, const std::string& where);
    /// "a.b=c", as --set gives it: c is a TOML value, or else a text without quotes (letters, digits, . _ - + / : ,).
    void set(const std::string& assignment);

    /// Drops what earlier layers gave for a section or a key, known or not: "training" drops all "training.*".
    void forget(const std::string& section);

    /// The names given right below a section, sorted: for "curriculum", "easy" if there is a "curriculum.easy.share".
    std::vector<std::string> names(const std::string& section) const;

    /// Whether a value was given. Counts as asking.
    bool has(const std::string& key) const;

    // Each returns the value given or, without one, the default, and remembers the key for dump(). The default isn't
    // checked against the bounds. A number may be written as an integer; NaN and infinities are refused.
    double number(const std::string& key, double standard, double min = -std::numeric_limits<double>::max(),
                  double max = std::numeric_limits<double>::max());
    std::int64_t integer(const std::string& key, std::int64_t standard, std::int64_t min = INT64_MIN,
                         std::int64_t max = INT64_MAX);
    bool boolean(const std::string& key, bool standard);
    std::string text(const std::string& key, const std::string& standard);
    /// One of a few words; the error lists them.
    std::string choice(const std::string& key, const std::string& standard,
                       std::initializer_list<std::string_view> words);
    std::vector<double> numbers(const std::string& key, const std::vector<double>& standard,
                                double min = -std::numeric_limits<double>::max(),
                                double max = std::numeric_limits<double>::max());
    std::vector<std::int64_t> integers(const std::string& key, const std::vector<std::int64_t>& standard,
                                       std::int64_t min = INT64_MIN, std::int64_t max = INT64_MAX);
    std::vector<std::string> texts(const std::string& key, const std::vector<std::string>& standard);

    /// A complaint about a key that was given, in the form of the others: for rules between several keys.
    [[noreturn]] void refuse(const std::string& key, const std::string& what) const;

    /// Fails for the first key that was given and never asked for, and suggests the nearest one that was.
    void refuse_unknown() const;

    /// The effective configuration as TOML, a line "a.b = value" per key, in the order asked. Loading it gives the same
    /// values, bit for bit.
    std::string dump() const;

private:
    enum class Kind { boolean, integer, number, text, list, other };
    struct Value {
        Kind kind = Kind::other;
        bool boolean = false;
        std::int64_t integer = 0;
        double number = 0;
        std::string text;
        std::vector<Value> list;
        std::string where;  // "file.toml:12", or "--set"
        const char* name() const;
    };
    struct Parser;

    const Value* given(const std::string& key) const;
    template <class T>
    T remember(const std::string& key, T value);
    [[noreturn]] static void complain(const std::string& key, const Value& value, const std::string& what);
    static double as_number(const std::string& key, const Value& value, double min, double max);
    static std::int64_t as_integer(const std::string& key, const Value& value, std::int64_t min, std::int64_t max);
    static std::string as_text(const std::string& key, const Value& value);
    static const std::vector<Value>& as_list(const std::string& key, const Value& value);

    std::map<std::string, Value> values_;
    mutable std::set<std::string> asked_;
    std::vector<std::pair<std::string, std::string>> effective_;  // key and TOML value, in the order asked
};

}  // namespace star
