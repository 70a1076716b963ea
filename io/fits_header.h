// The cards of a FITS header: parsed from and formatted to 80 characters (FITS standard 4.0, section 4).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace star {

/// monostate: no value (COMMENT, HISTORY, blank keyword, or an undefined value).
using CardValue = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

/// One keyword. Strings have their quotes undoubled, trailing blanks removed and CONTINUE cards joined. A COMMENT or
/// HISTORY has its text in `comment`. HIERARCH keywords keep that word and their blanks: "HIERARCH ESO DET GAIN".
struct Card {
    std::string key;
    CardValue value;
    std::string comment;
};

/// An ordered list of cards, without END.
struct FitsHeader {
    std::string where;  // the file, or file and extension: begins every error
    std::vector<Card> cards;

    /// The first card of that keyword, or null.
    const Card* find(std::string_view key) const;

    /// A number, whether written as integer, real or (as some writers do) a number in quotes. nullopt if the card is
    /// absent or has no value; Fault::input if it holds something else.
    std::optional<double> number(std::string_view key) const;
    /// As number(), but Fault::input unless the value is an integer of 64 bits.
    std::optional<std::int64_t> integer(std::string_view key) const;
    /// T or F. nullopt if absent or without a value; Fault::input if it is anything else.
    std::optional<bool> boolean(std::string_view key) const;
    /// A string; numbers and logicals as text. nullopt if the card is absent or has no value.
    std::optional<std::string> text(std::string_view key) const;
};

/// The value as text: strings as they are, numbers in the shortest form that reads back equal, T or F, or "".
std::string to_text(const CardValue& value);

/// Parses a whole number of 80-character cards, without END. Bytes outside ASCII's printable range are Fault::input in
/// a keyword and become '?' elsewhere: many real files have them in comments. A value that is no FITS value (complex
/// numbers among them) is kept as a string of its text.
FitsHeader parse_header(std::string_view cards, const std::string& where);

/// Whether FITS knows such a keyword: up to 8 of A-Z 0-9 _ -, or none.
bool is_keyword(std::string_view key);

/// The 80-character cards that say this: one, or several where a string or a comment is long (CONTINUE, or COMMENT
/// repeated). Non-ASCII bytes become '?'; a real that is not finite has no FITS form and becomes an undefined value;
/// the comment is cut where it does not fit. The keyword must be valid.
std::vector<std::string> format_card(const Card& card);

}  // namespace star
