// CFITSIO behind a door: see cfitsio.h.
#include "io/cfitsio.h"

#include <algorithm>
#include <charconv>

namespace star {

std::mutex& cfitsio_lock() {
    static std::mutex lock;  // because the library's own state is global
    return lock;
}

void check_cfitsio(int status, const std::string& where, Fault fault) {
    if (status == 0) return;
    char text[FLEN_STATUS] = "";
    fits_get_errstatus(status, text);
    fits_clear_errmsg();
    fail(fault, where, ": ", text, " (CFITSIO ", status, ")");
}

CfitsioFile::~CfitsioFile() {
    int status = 0;
    if (handle) fits_close_file(handle, &status);
    if (status) fits_clear_errmsg();
}

MemoryHdu::MemoryHdu(const Hdu& hdu, const std::vector<std::string>& keys) {
    std::string text;
    const auto put = [&](const Card& card) {
        for (const std::string& line : format_card(card)) text += line;
    };
    const auto end = [&] {
        text += "END";
        text.resize((text.size() + fits_block - 1) / fits_block * fits_block, ' ');
    };
    put({"SIMPLE", true, ""});
    put({"BITPIX", std::int64_t{8}, ""});
    put({"NAXIS", std::int64_t{0}, ""});
    put({"EXTEND", true, ""});
    end();
    for (const Card& card : hdu.header.cards) {
        std::string key = card.key;
        while (!key.empty() && key.back() >= '0' && key.back() <= '9') key.pop_back();
        if (key.size() != card.key.size()) key += '#';
        if (card.key == "ZDITHER0") key = card.key;
        if (std::find(keys.begin(), keys.end(), key) != keys.end()) put(card);
    }
    end();
    data = std::int64_t(text.size());
    bytes.assign(text.begin(), text.end());
    bytes.resize(std::size_t(data + hdu.padded_bytes()));
}

void MemoryHdu::open(CfitsioFile& file, const std::string& where) {
    int status = 0;
    buffer_ = bytes.data();
    size_ = bytes.size();
    fits_open_memfile(&file.handle, "memory", READONLY, &buffer_, &size_, 0, nullptr, &status);
    check_cfitsio(status, where, Fault::input);
    fits_movabs_hdu(file.handle, 2, nullptr, &status);
    check_cfitsio(status, where, Fault::input);
}

std::int64_t element_bytes(char code) {
    switch (code) {
        case 'L':
        case 'B':
        case 'A':
            return 1;
        case 'I':
            return 2;
        case 'J':
        case 'E':
            return 4;
        case 'K':
        case 'D':
        case 'C':
            return 8;
        case 'M':
            return 16;
        default:
            return 0;
    }
}

std::vector<ColumnForm> column_forms(const Hdu& hdu) {
    const FitsHeader& h = hdu.header;
    const std::int64_t fields = h.integer("TFIELDS").value_or(-1);
    if (hdu.axes.size() != 2 || hdu.bitpix != 8 || fields < 0 || fields > 999 || h.integer("GCOUNT").value_or(1) != 1)
        fail(Fault::input, h.where, ": TFIELDS, BITPIX, NAXIS or GCOUNT is not a binary table's");
    std::vector<ColumnForm> forms;
    std::int64_t width = 0;
    for (std::int64_t i = 1; i <= fields; ++i) {
        const std::string key = "TFORM" + std::to_string(i);
        const std::string text = h.text(key).value_or("");
        ColumnForm form;
        const char* end = text.data() + text.size();
        const auto [at_code, error] = std::from_chars(text.data(), end, form.repeat);  // without digits it stays 1
        const char* at = at_code;
        if (at != end) form.code = *at++;
        const std::int64_t limit = hdu.axes[0] * 8;  // no row holds more elements, bits included
        bool good = error != std::errc::result_out_of_range && form.repeat >= 0 &&
                    form.repeat <= std::max<std::int64_t>(limit, 1) && hdu.axes[0] <= INT32_MAX;
        if (form.code == 'P' || form.code == 'Q') {
            if (at != end) form.element = *at;
            good = good && form.repeat <= 1 && (element_bytes(form.element) > 0 || form.element == 'X');
            form.bytes = form.repeat * (form.code == 'P' ? 8 : 16);
        } else if (form.code == 'X') {
            form.bytes = (form.repeat + 7) / 8;
        } else {
            good = good && element_bytes(form.code) > 0;
            form.bytes = good ? form.repeat * element_bytes(form.code) : 0;
        }
        if (!good) fail(Fault::input, h.where, ": ", key, " = '", text, "': impossible");
        form.offset = width;
        width += form.bytes;
        forms.push_back(form);
    }
    if (width != hdu.axes[0])
        fail(Fault::input, h.where, ": NAXIS1 = ", hdu.axes[0], ", but the TFORMn cards make rows of ", width,
             " bytes");
    return forms;
}

}  // namespace star
