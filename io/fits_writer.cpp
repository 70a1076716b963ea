// FitsWriter over CFITSIO: structure and data are CFITSIO's, the cards are formatted here.
#include "io/fits_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <set>
#include <type_traits>

#include "io/atomic_file.h"
#include "io/cfitsio.h"
#include "io/fits_keys.h"

namespace star {
namespace {

constexpr std::size_t widest_cfitsio_text = 28800;  // its buffer: fits_write_col refuses wider columns of text

std::string printable(std::string text) {
    for (char& c : text)
        if (c < 0x20 || c > 0x7e) c = '?';
    return text;
}

}  // namespace

struct FitsWriter::State {
    State(const std::string& path, bool overwrite) : where(path), out(path, overwrite) {
        // CFITSIO copies names into buffers of 1025 bytes, and makes only files that don't exist yet.
        if (out.path().size() > 1000) fail(Fault::output, path, ": the path is too long for CFITSIO");
        std::remove(out.path().c_str());
        errno = 0;  // check() asks it why
        const std::lock_guard guard(cfitsio_lock());
        file = std::make_unique<CfitsioFile>();
        int status = 0;
        fits_create_diskfile(&file->handle, out.path().c_str(), &status);
        check_cfitsio(status, where, Fault::output);
    }
    ~State() {
        const std::lock_guard guard(cfitsio_lock());
        file.reset();
    }

    fitsfile* handle() const { return file->handle; }

    void check(int status) const { check_cfitsio(status, where, Fault::output); }

    void put(const Card& card) {
        int status = 0;
        const std::vector<std::string> lines = format_card(card);
        if (lines.size() > 1 && std::holds_alternative<std::string>(card.value) && !long_strings) {
            long_strings = true;  // HEASARC's convention, which fitsverify misses otherwise
            put({"LONGSTRN", std::string("OGIP 1.0"), "strings may go on in CONTINUE cards"});
        }
        for (const std::string& line : lines) fits_write_record(handle(), line.c_str(), &status);
        check(status);
    }

    /// shapes: TDIMn too.
    void put_all(const std::vector<Card>& cards, bool shapes = false) {
        for (const Card& card : cards)
            if (shapes && card.key.starts_with("TDIM")) put(card);
        for (const Card& card : cards)
            if (is_passed_on(card.key)) put(card);
    }

    /// Room for the checksums of an HDU, at the end of its header.
    void reserve_checksums() {
        long_strings = false;  // the next HDU's are its own
        put({"CHECKSUM", std::string(16, '0'), "ones' complement sum of the HDU"});
        put({"DATASUM", std::string("0"), "ones' complement sum of the data"});
        int status = 0;
        fits_set_hdustruc(handle(), &status);
        check(status);
    }
    void put_checksums() {
        reserve_checksums();
        fill_checksums();
    }

    /// CFITSIO's own function writes the date into the comments, and then equal catalogues would differ.
    void fill_checksums() {
        int status = 0;
        unsigned long data = 0, hdu = 0;
        fits_get_chksum(handle(), &data, &hdu, &status);
        check(status);
        const auto replace = [&](const char* key, const std::string& value, const char* comment) {
            fits_modify_card(handle(), key, format_card({key, value, comment})[0].c_str(), &status);
            check(status);
        };
        replace("CHECKSUM", std::string(16, '0'), "ones' complement sum of the HDU");
        replace("DATASUM", std::to_string(data), "ones' complement sum of the data");
        fits_get_chksum(handle(), &data, &hdu, &status);
        check(status);
        char text[17] = "";
        fits_encode_chksum(hdu, 1, text);
        replace("CHECKSUM", text, "ones' complement sum of the HDU");
    }

    std::string where;
    AtomicFile out;
    std::unique_ptr<CfitsioFile> file;
    /// Makes an HDU the current one.
    void go_to(int hdu) {
        int status = 0;
        fits_movabs_hdu(handle(), hdu, nullptr, &status);
        check(status);
    }
    int current() {
        int hdu = 0;
        fits_get_hdu_num(handle(), &hdu);
        return hdu;
    }

    bool begun = false, long_strings = false;
    std::set<int> unsummed;  // HDUs whose checksums are yet to be filled in
    struct Planes {
        std::size_t pixels;  // of one
        int count;
    };
    std::map<int, Planes> planes;  // HDUs that planes() has begun
};

FitsWriter::FitsWriter(const std::string& path, bool overwrite) : state_(std::make_unique<State>(path, overwrite)) {}
FitsWriter::~FitsWriter() = default;

void FitsWriter::primary(const std::vector<Card>& cards) {
    require(!state_->begun, "the primary HDU comes first, and once");
    const std::lock_guard guard(cfitsio_lock());
    int status = 0;
    fits_create_img(state_->handle(), BYTE_IMG, 0, nullptr, &status);
    state_->check(status);
    state_->put_all(cards);
    state_->put_checksums();
    state_->begun = true;
}

void FitsWriter::begin_image(const std::string& name, Pixels type, const std::vector<long>& axes,
                             const std::vector<Card>& cards) {
    for (long n : axes) require(n > 0, "an image of ", axes[0], "x", axes[1], " px");
    if (!state_->begun && !name.empty()) primary({});
    const std::lock_guard guard(cfitsio_lock());
    int status = 0;
    std::vector<long> extent = axes;
    fits_create_img(state_->handle(), type == Pixels::real ? FLOAT_IMG : BYTE_IMG, int(extent.size()), extent.data(),
                    &status);
    state_->check(status);
    if (!name.empty()) state_->put({"EXTNAME", name, ""});
    state_->put_all(cards);
    state_->begun = true;
}

template <class T>
constexpr int cfitsio_type = std::is_same_v<T, float> ? TFLOAT : TBYTE;

template <class T>
void FitsWriter::pixels(const std::string& name, std::span<const T> pixels, const std::vector<long>& axes,
                        const std::vector<Card>& cards) {
    std::int64_t size = 1;
    for (long n : axes) size *= n;
    require(std::int64_t(pixels.size()) == size, "an image of ", axes[0], "x", axes[1], " px with ", pixels.size());
    begin_image(name, std::is_same_v<T, float> ? Pixels::real : Pixels::bytes, axes, cards);
    const std::lock_guard guard(cfitsio_lock());
    int status = 0;
    // The C interface isn't const-correct: the pixels are only read.
    fits_write_img(state_->handle(), cfitsio_type<T>, 1, LONGLONG(pixels.size()), const_cast<T*>(pixels.data()),
                   &status);
    state_->check(status);
    state_->put_checksums();
}

int FitsWriter::planes(const std::string& name, Pixels pixels, int width, int height, int planes,
                       const std::vector<Card>& cards) {
    begin_image(name, pixels, {width, height, planes}, cards);
    const std::lock_guard guard(cfitsio_lock());
    state_->reserve_checksums();
    const int hdu = state_->current();
    state_->unsummed.insert(hdu);
    state_->planes[hdu] = {std::size_t(width) * std::size_t(height), planes};
    return hdu;
}

template <class T>
void FitsWriter::write_plane(int hdu, int index, std::span<const T> pixels) {
    const std::lock_guard guard(cfitsio_lock());
    const auto at = state_->planes.find(hdu);
    require(at != state_->planes.end() && index >= 0 && index < at->second.count && pixels.size() == at->second.pixels,
            "HDU ", hdu, " has no plane ", index, " of ", pixels.size(), " pixels");
    const int before = state_->current();
    state_->go_to(hdu);
    int status = 0;
    fits_write_img(state_->handle(), cfitsio_type<T>, 1 + LONGLONG(index) * LONGLONG(pixels.size()),
                   LONGLONG(pixels.size()), const_cast<T*>(pixels.data()), &status);
    state_->check(status);
    state_->go_to(before);
}

void FitsWriter::plane(int hdu, int index, std::span<const float> pixels) { write_plane(hdu, index, pixels); }
void FitsWriter::plane(int hdu, int index, std::span<const std::uint8_t> pixels) { write_plane(hdu, index, pixels); }

void FitsWriter::image(const std::string& name, std::span<const float> image, int width, int height,
                       const std::vector<Card>& cards) {
    pixels(name, image, {width, height}, cards);
}

void FitsWriter::cube(const std::string& name, std::span<const float> cube, int width, int height, int planes,
                      const std::vector<Card>& cards) {
    pixels(name, cube, {width, height, planes}, cards);
}

void FitsWriter::mask(const std::string& name, std::span<const std::uint8_t> mask, int width, int height,
                      const std::vector<Card>& cards) {
    require(!name.empty(), "a mask is an extension, and has a name");
    pixels(name, mask, {width, height}, cards);
}

void FitsWriter::table(const Table& table) {
    if (!state_->begun) primary({});
    require(!table.columns.empty(), "table ", table.name, ": no columns");
    if (table.columns.size() > 999)
        fail(Fault::output, state_->where, ": table ", table.name, ": ", table.columns.size(),
             " columns, where FITS holds 999");
    const std::size_t rows = table.rows();
    const int n = int(table.columns.size());
    std::vector<std::string> names, forms, units;
    const bool shapes = table.file.empty() && std::any_of(table.cards.begin(), table.cards.end(), [](const Card& c) {
                            return c.key.starts_with("TDIM");  // those of a file are about the columns that it had
                        });
    bool as_bytes = shapes;  // texts that CFITSIO would cut to TDIM's first number, or refuse
    for (const Column& column : table.columns) {
        require(column.rows() == rows, "table ", table.name, ": column ", column.name, " has ", column.rows(),
                " rows, not ", rows);
        require(!column.name.empty(), "table ", table.name, ": a column without a name");
        if (column.name.size() > 68)
            fail(Fault::output, state_->where, ": table ", table.name, ": a column's name of ", column.name.size(),
                 " characters, where FITS holds 68: ", column.name.substr(0, 68), "...");
        names.push_back(printable(column.name));
        units.push_back(printable(column.unit).substr(0, 68));
        if (const auto* text = std::get_if<std::vector<std::string>>(&column.data)) {
            std::size_t width = 1;
            for (const std::string& s : *text) width = std::max(width, s.size());
            forms.push_back(std::to_string(width) + "A");
            as_bytes = as_bytes || width > widest_cfitsio_text;
        } else {
            static constexpr const char* codes[] = {"1D", "1E", "1J", "1K"};
            forms.push_back(codes[column.data.index()]);
        }
    }
    const auto pointers = [](std::vector<std::string>& list) {
        std::vector<char*> p;
        for (std::string& s : list) p.push_back(s.data());
        return p;
    };
    const std::lock_guard guard(cfitsio_lock());
    int status = 0;
    fitsfile* file = state_->handle();
    // The rows are CFITSIO's to count as it writes columns, but not for bytes.
    fits_create_tbl(file, BINARY_TBL, as_bytes ? LONGLONG(rows) : 0, n, pointers(names).data(), pointers(forms).data(),
                    pointers(units).data(), nullptr, &status);
    state_->check(status);
    if (!table.name.empty()) state_->put({"EXTNAME", table.name, ""});
    for (int i = 0; i < n; ++i) {
        const Column& column = table.columns[std::size_t(i)];
        const auto put = [&](const char* key, const std::string& text) {
            if (!text.empty()) state_->put({key + std::to_string(i + 1), text, ""});
        };
        put("TDISP", column.format);
        put("TCOMM", column.comment);
        put("TUCD", column.ucd);
    }
    state_->put_all(table.cards, shapes);
    std::size_t before = 0;  // bytes of a row that lie before the column
    for (int i = 0; i < n && rows > 0; ++i) {
        const auto write = [&](int type, const void* data) {
            fits_write_col(file, type, i + 1, 1, 1, LONGLONG(rows), const_cast<void*>(data), &status);
        };
        const ColumnData& data = table.columns[std::size_t(i)].data;
        if (const auto* d = std::get_if<std::vector<double>>(&data)) write(TDOUBLE, d->data());
        if (const auto* f = std::get_if<std::vector<float>>(&data)) write(TFLOAT, f->data());
        if (const auto* j = std::get_if<std::vector<std::int32_t>>(&data)) write(TINT, j->data());
        if (const auto* k = std::get_if<std::vector<std::int64_t>>(&data)) write(TLONGLONG, k->data());
        if (const auto* s = std::get_if<std::vector<std::string>>(&data)) {
            std::vector<std::string> clean;
            for (const std::string& text : *s) clean.push_back(printable(text));
            const std::size_t width = std::size_t(std::stoll(forms[std::size_t(i)]));
            if (!as_bytes)
                write(TSTRING, pointers(clean).data());
            else
                for (std::size_t row = 0; row < rows; ++row) {
                    clean[row].resize(width, ' ');
                    fits_write_tblbytes(file, LONGLONG(row) + 1, LONGLONG(before) + 1, LONGLONG(width),
                                        reinterpret_cast<unsigned char*>(clean[row].data()), &status);
                }
        }
        state_->check(status);
        static constexpr std::size_t bytes[] = {8, 4, 4, 8};
        before += data.index() < 4 ? bytes[data.index()] : std::size_t(std::stoll(forms[std::size_t(i)]));
    }
    state_->put_checksums();
}

void FitsWriter::append(const Table& more) {
    const std::lock_guard guard(cfitsio_lock());
    fitsfile* const file = state_->handle();
    int status = 0;
    long there = 0;
    fits_get_num_rows(file, &there, &status);
    state_->check(status);
    const auto rows = LONGLONG(more.rows());
    for (std::size_t i = 0; i < more.columns.size() && rows > 0; ++i) {
        const Column& column = more.columns[i];
        require(column.rows() == std::size_t(rows) && !std::holds_alternative<std::vector<std::string>>(column.data),
                "table ", more.name, ": column ", column.name, " of ", column.rows(), " rows can't be appended");
        static constexpr int types[] = {TDOUBLE, TFLOAT, TINT, TLONGLONG};
        std::visit(
            [&](const auto& values) {
                fits_write_col(file, types[column.data.index() % 4], int(i) + 1, there + 1, 1, rows,
                               const_cast<void*>(static_cast<const void*>(values.data())), &status);
            },
            column.data);
        state_->check(status);
    }
    state_->unsummed.insert(state_->current());
}

void FitsWriter::commit() {
    {
        const std::lock_guard guard(cfitsio_lock());
        for (int hdu : state_->unsummed) {
            state_->go_to(hdu);
            state_->fill_checksums();
        }
        int status = 0;
        fits_close_file(state_->handle(), &status);
        state_->file->handle = nullptr;
        state_->check(status);
    }
    state_->out.commit();
}

void write_image(const std::string& path, std::span<const float> pixels, int width, int height,
                 const std::vector<Card>& cards, bool overwrite) {
    FitsWriter out(path, overwrite);
    out.image("", pixels, width, height, cards);
    out.commit();
}

void write_tables(const std::string& path, const std::vector<Card>& primary, const std::vector<Table>& tables,
                  bool overwrite) {
    FitsWriter out(path, overwrite);
    out.primary(primary);
    for (const Table& table : tables) out.table(table);
    out.commit();
}

}  // namespace star
