// CFITSIO behind a door: see cfitsio.h.
#include "io/cfitsio.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace star {

std::mutex& cfitsio_lock() {
    static std::mutex lock;  // because the library's own state is global
    return lock;
}

namespace {

// What CFITSIO says when the disk, not the data, was at fault.
bool is_of_the_disk(int status) {
    return status == FILE_NOT_CREATED || status == WRITE_ERROR || status == READ_ERROR || status == FILE_NOT_CLOSED ||
           status == SEEK_ERROR;
}

}  // namespace

void check_cfitsio(int status, const std::string& where, Fault fault) {
    if (status == 0) return;
    const int reason = errno;  // before anything here changes it
    char text[FLEN_STATUS] = "";
    fits_get_errstatus(status, text);
    fits_clear_errmsg();
    if (fault == Fault::output && is_of_the_disk(status) && (reason == ENOSPC || reason == EDQUOT || reason == EFBIG))
        fail(fault, where, ": can't be written: ", std::generic_category().message(reason));
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
        if (key.size() < card.key.size() && card.key[key.size()] == '0')
            continue;  // TFORM01 is TFORM1 to CFITSIO alone
        if (key.size() != card.key.size()) key += '#';
        // of a key that is there twice the first: the one that was checked, where CFITSIO would take the last
        if (std::find(keys.begin(), keys.end(), key) != keys.end() && is_keyword(card.key) &&
            hdu.header.find(card.key) == &card)
            put(card);
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

}  // namespace star
