// Parses TFORMn.
#include "io/fits_columns.h"

#include <algorithm>
#include <charconv>

#include "kernels/check.h"

namespace star {

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
