// Reads FITS binary tables: the rows are validated by their forms and decoded by CFITSIO from memory.
#include "io/fits_table.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <new>

#include "io/cfitsio.h"
#include "io/fits_columns.h"

namespace star {
namespace {

bool same(const std::string& a, const std::string& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

template <class T>
ColumnData read_as(fitsfile* file, int type, int column, std::int64_t rows, T* null, const std::string& where) {
    std::vector<T> values(static_cast<std::size_t>(rows));
    int status = 0, any_null = 0;
    if (rows > 0) fits_read_col(file, type, column, 1, 1, rows, null, values.data(), &any_null, &status);
    check_cfitsio(status, where, Fault::input);
    return values;
}

ColumnData read_strings(fitsfile* file, int column, std::int64_t rows, std::int64_t width, const std::string& where) {
    std::vector<std::string> values;
    std::vector<char> text(std::size_t(width) + 1);
    char* pointer = text.data();
    int status = 0, any_null = 0;
    for (std::int64_t row = 1; row <= rows; ++row) {
        fits_read_col_str(file, column, row, 1, 1, const_cast<char*>(""), &pointer, &any_null, &status);
        check_cfitsio(status, where, Fault::input);
        values.emplace_back(text.data());
        while (!values.back().empty() && values.back().back() == ' ') values.back().pop_back();
    }
    return values;
}

ColumnData read_logical(fitsfile* file, int column, std::int64_t rows, const std::string& where) {
    std::vector<char> flags(static_cast<std::size_t>(rows));
    char null = 0;
    int status = 0, any_null = 0;
    if (rows > 0) fits_read_col(file, TLOGICAL, column, 1, 1, rows, &null, flags.data(), &any_null, &status);
    check_cfitsio(status, where, Fault::input);
    return std::vector<std::int32_t>(flags.begin(), flags.end());
}

ColumnData read_column(fitsfile* file, const ColumnForm& form, int column, const Hdu& hdu) {
    const std::string n = std::to_string(column), where = hdu.header.where + ": column " + n;
    const std::int64_t rows = hdu.axes[1];
    const double scale = hdu.header.number("TSCAL" + n).value_or(1), zero = hdu.header.number("TZERO" + n).value_or(0);
    double nan = std::numeric_limits<double>::quiet_NaN();
    const auto reals = [&] { return read_as<double>(file, TDOUBLE, column, rows, &nan, where); };
    const auto longs = [&] { return read_as<std::int64_t>(file, TLONGLONG, column, rows, nullptr, where); };
    const auto ints = [&] { return read_as<std::int32_t>(file, TINT, column, rows, nullptr, where); };
    if (form.code == 'A') return read_strings(file, column, rows, form.repeat, where);
    if (form.code == 'L') return read_logical(file, column, rows, where);
    if (form.code == 'E' && scale == 1 && zero == 0) {
        float nan_float = std::numeric_limits<float>::quiet_NaN();
        return read_as<float>(file, TFLOAT, column, rows, &nan_float, where);
    }
    const bool has_null = hdu.header.find("TNULL" + n) != nullptr;
    if (form.code == 'D' || form.code == 'E' || scale != 1 || has_null) return reals();
    if (zero == 0) return form.code == 'K' ? longs() : ints();
    if (form.code == 'I' && zero == 32768.0) return ints();
    if (form.code == 'B' && zero == -128.0) return ints();
    if (form.code == 'J' && zero == 2147483648.0) return longs();
    return reals();
}

}  // namespace

std::size_t Column::rows() const {
    return std::visit([](const auto& values) { return values.size(); }, data);
}

std::size_t Table::rows() const { return columns.empty() ? 0 : columns[0].rows(); }

const Column* Table::find(const std::string& column) const {
    for (const Column& c : columns)
        if (same(c.name, column)) return &c;
    return nullptr;
}

std::string Table::named() const { return file.empty() ? "table " + name : file + ": table " + name; }

std::vector<double> Table::numbers(const std::string& column) const {
    const Column* found = find(column);
    if (!found) fail(Fault::input, named(), ": has no column ", column);
    return std::visit(
        [&](const auto& values) -> std::vector<double> {
            if constexpr (std::is_same_v<std::decay_t<decltype(values)>, std::vector<std::string>>)
                fail(Fault::input, named(), ": column ", column, " holds text, not numbers");
            else
                return {values.begin(), values.end()};
        },
        found->data);
}

Table read_table(const std::string& file, const std::string& extension) {
    FitsSource source(file);
    std::optional<Hdu> hdu;
    if (!extension.empty()) {
        hdu = find_hdu(source, extension);
    } else {
        for (int number = 0; (hdu = read_hdu(source, number)); ++number) {
            if (hdu->kind() == "BINTABLE" && !hdu->compressed()) break;
            source.skip(std::min(hdu->padded_bytes(), source.remaining()));
        }
        if (!hdu) fail(Fault::input, file, ": holds no binary table");
    }
    const FitsHeader& h = hdu->header;
    if (hdu->kind() != "BINTABLE" || hdu->compressed()) fail(Fault::input, h.where, ": not a binary table");
    const auto forms = column_forms(*hdu);
    try {
        MemoryHdu memory(*hdu, {"XTENSION", "BITPIX", "NAXIS", "NAXIS#", "PCOUNT", "GCOUNT", "TFIELDS", "TTYPE#",
                                "TFORM#", "TSCAL#", "TZERO#", "TNULL#", "THEAP"});
        if (source.read(memory.bytes.data() + memory.data, hdu->padded_bytes()) < hdu->data_bytes)
            fail(Fault::input, h.where, ": truncated: ", hdu->data_bytes,
                 " bytes of data are declared, the file ends before");
        const std::lock_guard guard(cfitsio_lock());
        CfitsioFile handle;
        memory.open(handle, h.where);
        Table table{hdu->name(), {}, h.cards, file};
        for (std::size_t i = 0; i < forms.size(); ++i) {
            const std::string n = std::to_string(i + 1);
            const ColumnForm& form = forms[i];
            const bool array = form.element || (form.code == 'A' ? form.repeat < 1 : form.repeat != 1);
            if (array || form.code == 'X' || form.code == 'C' || form.code == 'M') continue;
            const auto text = [&](const std::string& key) { return h.text(key + n).value_or(""); };
            table.columns.push_back({h.text("TTYPE" + n).value_or("col" + n), text("TUNIT"), text("TCOMM"),
                                     text("TUCD"), text("TDISP"), read_column(handle.handle, form, int(i) + 1, *hdu)});
        }
        return table;
    } catch (const std::bad_alloc&) {
        fail(Fault::device, h.where, ": not enough memory for ", hdu->axes[1], " rows");
    }
}

}  // namespace star
