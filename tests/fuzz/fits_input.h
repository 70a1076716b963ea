// FITS files from short inputs. In real ones most bytes are blanks, and a mutant that is a byte longer is none any
// more.
#pragma once
#include <zlib.h>

#include "tests/fuzz/fuzz.h"

namespace star::fuzz {

/// "CARD\nCARD\nEND\nDATA\n%%\n" and so on as HDUs of whole blocks.
inline std::string expanded(std::string_view text, bool pad_last) {
    constexpr std::size_t card = 80, block = 2880;
    const std::string_view between = "\n%%\n";
    std::string file;
    const auto pad = [&](char fill) { file.resize((file.size() + block - 1) / block * block, fill); };
    while (!text.empty()) {
        for (bool end = false; !text.empty() && !end;) {
            const std::string_view line = text.substr(0, text.find('\n'));
            text.remove_prefix(std::min(text.size(), line.size() + 1));
            end = line == "END";
            file.append(line).resize((file.size() + card - 1) / card * card, ' ');
        }
        pad(' ');
        const std::string_view data = text.substr(0, text.find(between));
        text.remove_prefix(std::min(text.size(), data.size() + between.size()));
        file += data;
        if (pad_last || !text.empty()) pad('\0');
    }
    return file;
}

/// The input as a FITS file; always the same path. It begins with what it is: "+" to be expanded, "-" likewise, but
/// the last block is cut short, "*" likewise and gzipped (mutants of packed files hardly ever unpack); else it is one.
inline std::string fits_file(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const char kind = text.empty() ? ' ' : text[0];
    if (kind != '+' && kind != '-' && kind != '*') return input_file(text);
    const std::string file = expanded(text.substr(1), kind != '-');
    if (kind != '*') return input_file(file);
    const std::string path = folder() / "input";
    const gzFile out = gzopen(path.c_str(), "wb1");
    gzwrite(out, file.data(), unsigned(file.size()));
    gzclose(out);
    return path;
}

}  // namespace star::fuzz
