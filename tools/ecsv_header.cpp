// A reader of maps in braces.
#include "tools/ecsv_header.h"

#include <algorithm>
#include <charconv>

#include "kernels/check.h"

namespace star {
namespace {

struct Scalar {
    std::string text;
    bool quoted = false;
};

// "{a: 1, b: 'x', c: {...}}" from its opening brace.
class FlowMap {
public:
    FlowMap(const std::string& text, std::size_t at, const std::string& where) : text_(text), at_(at), where_(where) {}

    struct Item {
        std::string key;
        Scalar value;
        std::size_t nested;  // where a map that is the value begins; npos: it is plain
    };
    std::vector<Item> items() {
        std::vector<Item> all;
        ++at_;
        for (;;) {
            skip_blanks();
            if (peek() == '}') return ++at_, all;
            if (peek() == ',') {
                ++at_;
                continue;
            }
            Item item{scalar(":").text, {}, std::string::npos};
            skip_blanks();
            if (peek() != ':') bad();
            ++at_;
            skip_blanks();
            if (text_.compare(at_, 6, "!!omap") == 0) at_ += 6, skip_blanks();
            if (peek() == '{' || peek() == '[') {
                item.nested = at_;
                skip_nested();
            } else {
                item.value = scalar(",}");
            }
            all.push_back(std::move(item));
        }
    }
    std::size_t end() const { return at_; }

private:
    [[noreturn]] void bad() const { fail(Fault::input, where_, ": the header is not ECSV's YAML"); }
    char peek() const {
        if (at_ >= text_.size()) bad();
        return text_[at_];
    }
    void skip_blanks() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    }
    Scalar scalar(const char* ends) {
        const char quote = peek();
        if (quote == '"' || quote == '\'') return {quoted(quote), true};
        std::string s;
        while (std::string_view(ends).find(peek()) == std::string_view::npos || (peek() == ':' && follows_word()))
            s += text_[at_] == '\n' ? ' ' : text_[at_], ++at_;
        while (!s.empty() && s.back() == ' ') s.pop_back();
        return {s, false};
    }
    // A colon ends a key if a blank comes after it.
    bool follows_word() const { return at_ + 1 < text_.size() && text_[at_ + 1] != ' ' && text_[at_ + 1] != '\n'; }
    std::string quoted(char quote) {
        std::string s;
        for (++at_;; ++at_) {
            const char c = peek();
            if (c == quote && quote == '\'' && at_ + 1 < text_.size() && text_[at_ + 1] == '\'') {
                s += c, ++at_;
            } else if (c == quote) {
                return ++at_, s;
            } else if (c == '\\' && quote == '"') {
                ++at_;
                s += escaped();
            } else if (c == '\n') {  // a folded line: one blank
                while (at_ + 1 < text_.size() && text_[at_ + 1] == ' ') ++at_;
                if (s.empty() || s.back() != ' ') s += ' ';
            } else {
                s += c;
            }
        }
    }
    std::string escaped() {
        const char c = peek();
        if (c == '\n') {
            while (at_ + 1 < text_.size() && text_[at_ + 1] == ' ') ++at_;
            return "";
        }
        if (c == 'u' || c == 'x') {  // beyond ASCII: the tables have no letter for it
            at_ = std::min(at_ + (c == 'u' ? 4 : 2), text_.size() - 1);
            return "?";
        }
        return c == 'n' || c == 't' ? " " : std::string(1, c);
    }
    void skip_nested() {
        int depth = 0;
        do {
            const char c = peek();
            if (c == '"' || c == '\'') {
                quoted(c);
                continue;
            }
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
            ++at_;
        } while (depth > 0);
    }

    const std::string& text_;
    std::size_t at_;
    const std::string& where_;
};

CardValue value_of(const Scalar& s) {
    if (s.quoted) return s.text;
    if (s.text == "true" || s.text == "false") return s.text == "true";
    const char *first = s.text.data(), *last = first + s.text.size();
    std::int64_t i = 0;
    if (const auto r = std::from_chars(first, last, i); r.ec == std::errc() && r.ptr == last) return i;
    double d = 0;
    if (const auto r = std::from_chars(first, last, d); r.ec == std::errc() && r.ptr == last) return d;
    if (s.text == "null" || s.text == "~" || s.text.empty()) return {};
    return s.text;
}

// Of a column's meta: {ucd: x}, or an omap [{ucd: x}].
std::string ucd_in(const std::string& text, std::size_t at, const std::string& where) {
    at += text[at] == '[';
    if (at >= text.size() || text[at] != '{') return "";
    for (const auto& item : FlowMap(text, at, where).items())
        if (item.key == "ucd") return item.value.text;
    return "";
}

EcsvColumn column_of(const std::vector<FlowMap::Item>& items, const std::string& text, const std::string& where) {
    EcsvColumn c;
    for (const auto& i : items) {
        for (auto [key, to] :
             {std::pair{"name", &c.name}, {"unit", &c.unit}, {"datatype", &c.type}, {"description", &c.comment}})
            if (i.key == key) *to = i.value.text;
        if (i.key == "meta" && i.nested != std::string::npos) c.ucd = ucd_in(text, i.nested, where);
    }
    if (c.name.empty()) fail(Fault::input, where, ": a column of the header has no name");
    return c;
}

bool fits_key(const std::string& key) {
    return !key.empty() && key.size() <= 8 &&
           key.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == std::string::npos;
}

}  // namespace

EcsvHeader parse_ecsv_header(const std::string& text, const std::string& where) {
    EcsvHeader header;
    enum { elsewhere, columns, meta } part = elsewhere;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string line = text.substr(at, end - at);
        const std::size_t brace = line.find('{');
        const std::size_t dash = line.find_first_not_of(' ');
        if (part != elsewhere && dash != std::string::npos && line[dash] == '-' && brace != std::string::npos) {
            FlowMap map(text, at + brace, where);
            const auto items = map.items();
            at = map.end();
            at = std::min(text.find('\n', at), text.size()) + 1;
            if (part == columns) header.columns.push_back(column_of(items, text, where));
            for (const auto& i : items)
                if (part == meta && i.nested == std::string::npos && fits_key(i.key))
                    header.cards.push_back({i.key, value_of(i.value), ""});
            continue;
        }
        if (!line.empty() && line[0] != ' ' && line[0] != '-')
            part = line.starts_with("datatype:") ? columns : line.starts_with("meta:") ? meta : elsewhere;
        at = end + 1;
    }
    if (header.columns.empty()) fail(Fault::input, where, ": the header has no columns under datatype");
    return header;
}

}  // namespace star
