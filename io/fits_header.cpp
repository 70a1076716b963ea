// FITS cards to values and back. Locale-free: from_chars and to_chars only.
#include "io/fits_header.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernels/check.h"

namespace star {
namespace {

constexpr std::size_t card_size = 80, key_size = 8;

bool printable(char c) { return c >= 0x20 && c <= 0x7e; }

std::string_view strip_right(std::string_view s) {
    while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
    return s;
}

std::string_view strip(std::string_view s) {
    while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
    return strip_right(s);
}

std::string clean(std::string_view s) {
    std::string text(s);
    for (char& c : text)
        if (!printable(c)) c = '?';
    return text;
}

/// A FITS number: digits, sign, point, and an exponent marked E or D. Words such as "inf" are none.
std::optional<double> parse_real(std::string_view token) {
    std::string digits;
    for (const char c : token) {
        if (!((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' || c == 'E' || c == 'D' || c == 'e' ||
              c == 'd'))
            return {};
        digits += c == 'D' || c == 'd' ? 'E' : c;
    }
    const char* begin = digits.data() + (!digits.empty() && digits[0] == '+');
    const char* end = digits.data() + digits.size();
    double value;
    const auto [stop, error] = std::from_chars(begin, end, value);
    if (error != std::errc{} || stop != end || !std::isfinite(value)) return {};
    return value;
}

std::optional<std::int64_t> parse_integer(std::string_view token) {
    if (!token.empty() && token[0] == '+') token.remove_prefix(1);
    std::int64_t value;
    const auto [stop, error] = std::from_chars(token.data(), token.data() + token.size(), value);
    if (token.empty() || error != std::errc{} || stop != token.data() + token.size()) return {};
    return value;
}

/// Parses "value / comment" as it stands after "= " or CONTINUE. A string that is never closed ends with the card.
void parse_value(std::string_view field, Card& card) {
    field = strip(field);
    if (!field.empty() && field[0] == '\'') {
        std::string text;
        std::size_t i = 1;
        for (; i < field.size(); ++i) {
            if (field[i] == '\'') {
                if (i + 1 >= field.size() || field[i + 1] != '\'') break;
                ++i;
            }
            text += field[i];
        }
        card.value = std::string(strip_right(text));
        field.remove_prefix(std::min(field.size(), i + 1));
        const auto slash = field.find('/');
        if (slash != field.npos) card.comment = strip(field.substr(slash + 1));
        return;
    }
    const auto slash = field.find('/');
    if (slash != field.npos) card.comment = strip(field.substr(slash + 1));
    const std::string_view token = strip(field.substr(0, slash));
    if (token.empty())
        card.value = std::monostate{};
    else if (token == "T" || token == "F")
        card.value = token == "T";
    else if (const auto integer = parse_integer(token))
        card.value = *integer;
    else if (const auto real = parse_real(token))
        card.value = *real;
    else
        card.value = std::string(token);
}

/// Appends a CONTINUE card to the long string before it. False if there is none.
bool join(std::string_view line, std::vector<Card>& cards) {
    if (cards.empty() || line.substr(0, 10) != "CONTINUE  ") return false;
    auto* text = std::get_if<std::string>(&cards.back().value);
    if (!text || text->empty() || text->back() != '&') return false;
    Card next;
    parse_value(line.substr(10), next);
    const auto* more = std::get_if<std::string>(&next.value);
    if (!more) return false;
    text->pop_back();
    *text += *more;
    if (!next.comment.empty()) cards.back().comment += (cards.back().comment.empty() ? "" : " ") + next.comment;
    return true;
}

template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;  // clang before 17 doesn't deduce an aggregate's

std::string padded(std::string text) {
    text.resize(card_size, ' ');
    return text;
}

/// Cards for a string: one, or a chain of CONTINUE, each piece ending in '&'. A doubled quote is never parted.
std::vector<std::string> format_string(const std::string& head, const std::string& value, const std::string& comment) {
    std::vector<std::string> pieces{""};
    constexpr std::size_t room = card_size - 10 - 3;  // the first 10 columns, two quotes, and '&'
    for (const char c : clean(value)) {
        const std::string written = c == '\'' ? "''" : std::string(1, c);
        if (pieces.back().size() + written.size() > room) pieces.emplace_back();
        pieces.back() += written;
    }
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const bool last = i + 1 == pieces.size();
        std::string text = pieces[i];
        if (pieces.size() == 1) text.resize(std::max<std::size_t>(text.size(), 8), ' ');
        std::string line = (i == 0 ? head + "= '" : "CONTINUE  '") + text + (last ? "'" : "&'");
        if (pieces.size() == 1 && line.size() < 30) line.resize(30, ' ');  // astropy's checksum expects it so
        if (last && !comment.empty() && line.size() + 4 < card_size) line += " / " + comment;
        lines.push_back(padded(line));
    }
    return lines;
}

}  // namespace

std::string to_text(const CardValue& value) {
    const auto real = [](double v) -> std::string {
        char digits[40];
        std::string text(digits, std::to_chars(digits, digits + sizeof digits, v).ptr);
        std::replace(text.begin(), text.end(), 'e', 'E');
        if (text.find_first_of(".EN") == text.npos && std::isfinite(v)) text += ".0";  // a real, not an integer
        return text;
    };
    return std::visit(
        Overloaded{[](std::monostate) { return std::string(); }, [](bool v) { return std::string(v ? "T" : "F"); },
                   [](std::int64_t v) { return std::to_string(v); }, real, [](const std::string& v) { return v; }},
        value);
}

const Card* FitsHeader::find(std::string_view key) const {
    for (const Card& card : cards)
        if (card.key == key) return &card;
    return nullptr;
}

std::optional<double> FitsHeader::number(std::string_view key) const {
    const Card* card = find(key);
    if (!card || std::holds_alternative<std::monostate>(card->value)) return {};
    if (const auto* v = std::get_if<double>(&card->value)) return *v;
    if (const auto* v = std::get_if<std::int64_t>(&card->value)) return double(*v);
    if (const auto* v = std::get_if<std::string>(&card->value))
        if (const auto parsed = parse_real(strip(*v))) return parsed;
    fail(Fault::input, where, ": ", key, " = ", to_text(card->value), ": not a number");
}

std::optional<std::int64_t> FitsHeader::integer(std::string_view key) const {
    const auto value = number(key);
    if (!value) return {};
    if (const auto* v = std::get_if<std::int64_t>(&find(key)->value)) return *v;
    if (std::floor(*value) != *value || !(std::fabs(*value) < 9007199254740992.0))  // 2^53: exact in a double
        fail(Fault::input, where, ": ", key, " = ", to_text(find(key)->value), ": not an integer");
    return std::int64_t(*value);
}

std::optional<bool> FitsHeader::boolean(std::string_view key) const {
    const Card* card = find(key);
    if (!card || std::holds_alternative<std::monostate>(card->value)) return {};
    if (const auto* v = std::get_if<bool>(&card->value)) return *v;
    fail(Fault::input, where, ": ", key, " = ", to_text(card->value), ": neither T nor F");
}

std::optional<std::string> FitsHeader::text(std::string_view key) const {
    const Card* card = find(key);
    if (!card || std::holds_alternative<std::monostate>(card->value)) return {};
    return to_text(card->value);
}

FitsHeader parse_header(std::string_view cards, const std::string& where) {
    FitsHeader header{where, {}};
    for (std::size_t i = 0; i + card_size <= cards.size(); i += card_size) {
        const std::string_view raw = cards.substr(i, card_size);
        if (!std::all_of(raw.begin(), raw.begin() + key_size, printable))
            fail(Fault::input, where, ": card ", i / card_size + 1,
                 " of the header has a keyword that is not printable");
        const std::string line = clean(raw);
        if (join(line, header.cards)) continue;
        Card card{std::string(strip_right(line.substr(0, key_size))), {}, {}};
        const std::string_view rest = std::string_view(line).substr(key_size);
        const auto equals = rest.find('=');
        if (card.key == "HIERARCH" && equals != rest.npos) {
            card.key += " " + std::string(strip(rest.substr(0, equals)));
            parse_value(rest.substr(equals + 1), card);
        } else if (rest.substr(0, 2) == "= " && card.key != "COMMENT" && card.key != "HISTORY" && !card.key.empty()) {
            parse_value(rest.substr(2), card);
        } else {
            card.comment = strip_right(rest);
        }
        header.cards.push_back(std::move(card));
    }
    return header;
}

bool is_keyword(std::string_view key) {
    return key.size() <= key_size && std::all_of(key.begin(), key.end(), [](char c) {
               return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
           });
}

std::vector<std::string> format_card(const Card& card) {
    require(is_keyword(card.key), "'", card.key, "' is no FITS keyword");
    std::string head = card.key;
    head.resize(key_size, ' ');
    const std::string comment = clean(card.comment);
    if (card.key.empty() || card.key == "COMMENT" || card.key == "HISTORY") {
        std::vector<std::string> lines;
        for (std::size_t i = 0; i == 0 || i < comment.size(); i += card_size - key_size)
            lines.push_back(padded(head + comment.substr(i, card_size - key_size)));
        return lines;
    }
    if (const auto* text = std::get_if<std::string>(&card.value)) return format_string(head, *text, comment);
    const auto* real = std::get_if<double>(&card.value);
    std::string value = real && !std::isfinite(*real) ? "" : to_text(card.value);
    if (value.size() < 20) value.insert(0, 20 - value.size(), ' ');  // fixed format: ends in column 30
    return {padded(head + "= " + value + (comment.empty() ? "" : " / " + comment))};
}

}  // namespace star
