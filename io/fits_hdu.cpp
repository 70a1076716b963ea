// Walks a FITS file block by block and believes nothing it has not checked.
#include "io/fits_hdu.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "io/letter_case.h"
#include "kernels/check.h"

namespace star {
namespace {

constexpr std::int64_t card_size = 80;
constexpr std::int64_t max_cards = 100000;    // 8 MB of header; the longest known real ones have some 10,000
constexpr std::int64_t deflate_ratio = 1032;  // deflate can't expand by more: 258 bytes from 2 bits

std::int64_t times(std::int64_t a, std::int64_t b, const std::string& where) {
    std::int64_t product;
    if (__builtin_mul_overflow(a, b, &product))
        fail(Fault::input, where, ": the product of the NAXISn cards overflows 64 bits");
    return product;
}

/// The value of a card that must be the index-th and an integer within bounds.
std::int64_t mandatory(const FitsHeader& h, std::size_t index, const std::string& key, std::int64_t low,
                       std::int64_t high) {
    if (index >= h.cards.size() || h.cards[index].key != key)
        fail(Fault::input, h.where, ": ", key, " is missing: card ", index + 1, " must be ", key);
    const Card& card = h.cards[index];
    const auto* value = std::get_if<std::int64_t>(&card.value);
    if (!value) fail(Fault::input, h.where, ": ", key, " = ", to_text(card.value), ": not an integer");
    if (*value < low || *value > high) fail(Fault::input, h.where, ": ", key, " = ", *value, ": impossible");
    return *value;
}

std::int64_t optional_count(const FitsHeader& h, const char* key, std::int64_t standard) {
    const std::int64_t value = h.integer(key).value_or(standard);
    if (value < 0) fail(Fault::input, h.where, ": ", key, " = ", value, ": impossible");
    return value;
}

std::string sizes(const Hdu& hdu) {
    std::string text = "BITPIX = " + std::to_string(hdu.bitpix);
    for (std::size_t i = 0; i < hdu.axes.size() && i < 4; ++i)
        text += ", NAXIS" + std::to_string(i + 1) + " = " + std::to_string(hdu.axes[i]);
    return text;
}

/// Reads blocks up to and with the one that holds END; returns the cards before it.
std::string read_cards(FitsSource& source, std::string block, const std::string& where) {
    std::string cards;
    for (;;) {
        for (std::int64_t i = 0; i < fits_block; i += card_size)
            if (block.compare(i, 8, "END     ") == 0) return cards += block.substr(0, i);
        cards += block;
        if (std::int64_t(cards.size()) > max_cards * card_size)
            fail(Fault::input, where, ": no END card within ", max_cards, " cards");
        const std::int64_t n = source.read(block.data(), fits_block);
        if (n != fits_block) fail(Fault::input, where, ": truncated: the header has no END card");
    }
}

void check_structure(Hdu& hdu) {
    const FitsHeader& h = hdu.header;
    if (hdu.number == 0) {
        const auto* simple = std::get_if<bool>(&h.cards[0].value);
        if (!simple || !*simple) fail(Fault::input, h.where, ": SIMPLE is not T: not a standard FITS file");
    }
    hdu.bitpix = int(mandatory(h, 1, "BITPIX", -64, 64));
    const int known[] = {8, 16, 32, 64, -32, -64};
    if (std::find(std::begin(known), std::end(known), hdu.bitpix) == std::end(known))
        fail(Fault::input, h.where, ": BITPIX = ", hdu.bitpix, ": impossible; 8, 16, 32, 64, -32 and -64 exist");
    const std::int64_t naxis = mandatory(h, 2, "NAXIS", 0, 999);
    std::int64_t values = naxis > 0;
    for (std::int64_t i = 0; i < naxis; ++i) {
        if (std::size_t(3 + i) >= h.cards.size())
            fail(Fault::input, h.where, ": NAXIS = ", naxis, ", but NAXIS", i + 1, " is missing");
        hdu.axes.push_back(mandatory(h, std::size_t(3 + i), "NAXIS" + std::to_string(i + 1), 0, INT64_MAX));
        const bool random_groups = i == 0 && hdu.number == 0 && hdu.axes[0] == 0 && h.boolean("GROUPS").value_or(false);
        if (!random_groups) values = times(values, hdu.axes.back(), h.where);
    }
    const bool groups = hdu.number > 0 || h.find("GROUPS");
    if (groups && naxis > 0) {
        const std::int64_t heap = optional_count(h, "PCOUNT", 0);
        if (__builtin_add_overflow(values, heap, &values))
            fail(Fault::input, h.where, ": PCOUNT = ", heap, ": the data's size overflows 64 bits");
        values = times(values, optional_count(h, "GCOUNT", 1), h.where);
    }
    hdu.data_bytes = times(values, std::abs(hdu.bitpix) / 8, h.where);
}

}  // namespace

ImageName parse_image_name(const std::string& name) {
    const auto open = name.rfind('[');
    if (name.empty() || name.back() != ']' || open == name.npos || open == 0) return {name, ""};
    const std::string extension = name.substr(open + 1, name.size() - open - 2);
    if (extension.find_first_not_of(' ') == extension.npos)
        fail(Fault::usage, name, ": the brackets name no extension");
    return {name.substr(0, open), extension};
}

FitsSource::FitsSource(const std::string& path) : path_(path) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) fail(Fault::input, path, ": no such file");
    if (std::filesystem::is_directory(status)) fail(Fault::input, path, ": a folder, not a FITS file");
    if (!std::filesystem::is_regular_file(status)) fail(Fault::input, path, ": not a regular file");
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) fail(Fault::input, path, ": can't be opened: ", std::generic_category().message(errno));
    const std::int64_t length = ::lseek(file, 0, SEEK_END);
    unsigned char magic[2] = {};
    const bool gzip = ::pread(file, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
    ::lseek(file, 0, SEEK_SET);
    limit_ = gzip ? std::min<std::int64_t>(length, INT64_MAX / deflate_ratio) * deflate_ratio : length;
    stream_ = gzdopen(file, "rb");
    if (!stream_) {
        ::close(file);
        fail(Fault::input, path, ": not enough memory to read it");
    }
    gzbuffer(static_cast<gzFile>(stream_), 1 << 17);
    if (length == 0) {
        gzclose(static_cast<gzFile>(stream_));
        fail(Fault::input, path, ": empty, not a FITS file");
    }
}

FitsSource::~FitsSource() { gzclose(static_cast<gzFile>(stream_)); }

std::int64_t FitsSource::read(void* to, std::int64_t size) {
    std::int64_t done = 0;
    while (done < size) {
        const auto want = unsigned(std::min<std::int64_t>(size - done, 1 << 30));
        const int n = gzread(static_cast<gzFile>(stream_), static_cast<char*>(to) + done, want);
        if (n < 0) {
            int code = 0;
            const char* message = gzerror(static_cast<gzFile>(stream_), &code);
            fail(Fault::input, path_,
                 ": can't be read: ", code == Z_ERRNO ? std::generic_category().message(errno) : message);
        }
        if (n == 0) break;
        done += n;
    }
    position_ += done;
    return done;
}

void FitsSource::skip(std::int64_t size) {
    if (size > 0 && gzseek(static_cast<gzFile>(stream_), size, SEEK_CUR) < 0) fail(Fault::input, path_, ": truncated");
    position_ += size;
}

std::string Hdu::kind() const { return number == 0 ? "PRIMARY" : header.text("XTENSION").value_or(""); }

std::string Hdu::name() const { return header.text("EXTNAME").value_or(""); }

std::int64_t Hdu::version() const { return header.integer("EXTVER").value_or(1); }

bool Hdu::compressed() const { return kind() == "BINTABLE" && header.boolean("ZIMAGE").value_or(false); }

bool Hdu::matches(const std::string& extension) const {
    const auto comma = extension.rfind(',');
    const auto trim = [](const std::string& s) {
        const auto first = s.find_first_not_of(' ');
        return first == s.npos ? std::string() : s.substr(first, s.find_last_not_of(' ') - first + 1);
    };
    const auto as_integer = [](const std::string& s) -> std::optional<std::int64_t> {
        std::int64_t value;
        const auto [stop, error] = std::from_chars(s.data(), s.data() + s.size(), value);
        if (s.empty() || error != std::errc{} || stop != s.data() + s.size()) return {};
        return value;
    };
    const std::string wanted = upper(trim(extension.substr(0, comma)));
    const std::string own = upper(name().empty() && number == 0 ? "PRIMARY" : name());
    if (comma != extension.npos) {
        const auto wanted_version = as_integer(trim(extension.substr(comma + 1)));
        if (!wanted_version) fail(Fault::usage, header.where, "[", extension, "]: EXTVER must be an integer");
        return own == wanted && version() == *wanted_version;
    }
    if (const auto index = as_integer(wanted)) return number == *index;
    return own == wanted;
}

std::optional<Hdu> read_hdu(FitsSource& source, int number) {
    std::string block(std::size_t(fits_block), '\0');
    const std::int64_t n = source.read(block.data(), fits_block);
    if (number == 0 && block.compare(0, 9, "SIMPLE  =") != 0)
        fail(Fault::input, source.path(), ": not a FITS file: it doesn't begin with SIMPLE");
    if (number > 0 && block.compare(0, 9, "XTENSION=") != 0) return {};
    const std::string where = number == 0 ? source.path() : source.path() + "[" + std::to_string(number) + "]";
    if (n != fits_block) fail(Fault::input, where, ": truncated: the header has no END card");
    Hdu hdu;
    hdu.number = number;
    hdu.header = parse_header(read_cards(source, std::move(block), where), where);
    check_structure(hdu);
    if (hdu.data_bytes > source.remaining())
        fail(Fault::input, where, ": truncated: ", sizes(hdu), " need ", hdu.data_bytes, " bytes of data, at most ",
             source.remaining(), " follow");
    return hdu;
}

Hdu find_hdu(FitsSource& source, const std::string& extension) {
    for (int number = 0; auto hdu = read_hdu(source, number); ++number) {
        if (hdu->matches(extension)) return *std::move(hdu);
        source.skip(std::min(hdu->padded_bytes(), source.remaining()));
    }
    fail(Fault::input, source.path(), ": has no extension [", extension, "]");
}

std::vector<Hdu> list_hdus(const std::string& file) {
    FitsSource source(file);
    std::vector<Hdu> hdus;
    while (auto hdu = read_hdu(source, int(hdus.size()))) {
        source.skip(std::min(hdu->padded_bytes(), source.remaining()));
        hdus.push_back(*std::move(hdu));
    }
    return hdus;
}

std::uint32_t add_datasum(std::uint32_t sum, const unsigned char* data, std::int64_t size) {
    std::uint64_t total = sum;
    for (std::int64_t i = 0; i + 4 <= size; i += 4)
        total += std::uint32_t{data[i]} << 24 | std::uint32_t{data[i + 1]} << 16 | std::uint32_t{data[i + 2]} << 8 |
                 data[i + 3];
    while (total >> 32) total = (total & 0xffffffffu) + (total >> 32);  // end-around carry
    return std::uint32_t(total);
}

}  // namespace star
