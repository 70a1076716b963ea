// For the tests of io: FITS files made byte by byte, so that they may be as wrong as a test wants.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

/// A card of 80 characters.
inline std::string card(std::string text) {
    text.resize(80, ' ');
    return text;
}

/// "KEY     = value", as integers, reals and logicals are written.
inline std::string card(std::string key, const std::string& value) {
    key.resize(8, ' ');
    return card(key + "= " + std::string(value.size() < 20 ? 20 - value.size() : 0, ' ') + value);
}

inline std::string blocks(std::string bytes, char fill) {
    bytes.resize((bytes.size() + 2879) / 2880 * 2880, fill);
    return bytes;
}

inline std::string header_of(const std::vector<std::string>& cards) {
    std::string text;
    for (const std::string& c : cards) text += card(c);
    return blocks(text + card("END"), ' ');
}

/// The mandatory cards of a primary image, then `more`.
inline std::vector<std::string> image_cards(int bitpix, const std::vector<std::int64_t>& axes,
                                            const std::vector<std::string>& more = {},
                                            const std::string& first = "SIMPLE  =                    T") {
    std::vector<std::string> cards{first, card("BITPIX", std::to_string(bitpix)),
                                   card("NAXIS", std::to_string(axes.size()))};
    for (std::size_t i = 0; i < axes.size(); ++i)
        cards.push_back(card("NAXIS" + std::to_string(i + 1), std::to_string(axes[i])));
    cards.insert(cards.end(), more.begin(), more.end());
    return cards;
}

/// Big-endian bytes of the values.
template <class T>
std::string big_endian(const std::vector<T>& values) {
    std::string bytes;
    for (const T v : values) {
        char raw[sizeof(T)];
        std::memcpy(raw, &v, sizeof(T));
        for (std::size_t i = sizeof(T); i-- > 0;) bytes += raw[i];
    }
    return bytes;
}

/// A whole file: one primary image.
template <class T>
std::string image_file(int bitpix, const std::vector<std::int64_t>& axes, const std::vector<T>& values,
                       const std::vector<std::string>& more = {}) {
    return header_of(image_cards(bitpix, axes, more)) + blocks(big_endian(values), '\0');
}
