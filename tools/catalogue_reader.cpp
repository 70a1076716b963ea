// HDUs to tables.
#include "tools/catalogue_reader.h"

#include <fmt/core.h>

#include "io/fits_hdu.h"
#include "io/fits_keys.h"
#include "kernels/check.h"
#include "tools/catalogue_columns.h"
#include "tools/text_table.h"

namespace star {
namespace {

// And the two lines of comment that CFITSIO begins every file with, which would come twice.
void drop_structure(std::vector<Card>& cards) {
    std::erase_if(cards, [](const Card& c) {
        return is_structural(c.key) ||
               (c.key == "COMMENT" && (c.comment.find("FITS (Flexible Image Transport System)") != std::string::npos ||
                                       c.comment.find("and Astrophysics', volume 376") != std::string::npos));
    });
}

bool is_table(const Hdu& h) { return h.kind() == "BINTABLE" && !h.compressed() && h.name() != "LDAC_IMHEAD"; }

}  // namespace

ReadCatalogue read_catalogue(const std::string& name) {
    const ImageName parts = parse_image_name(name);
    ReadCatalogue read;
    if (!is_fits(parts.file)) {
        read.catalogue.tables.push_back(read_text_table(name).table);
        if (read.catalogue.tables[0].name.empty()) read.catalogue.tables[0].name = "TABLE";
        return read;
    }
    for (const Hdu& h : list_hdus(parts.file)) {
        if (h.number == 0) read.catalogue.cards = h.header.cards;
        if (!is_table(h) || (!parts.extension.empty() && !h.matches(parts.extension))) continue;
        Table t = read_table(parts.file, std::to_string(h.number));
        if (t.name.empty()) t.name = fmt::format("TABLE{}", h.number);
        const std::int64_t fields = h.header.integer("TFIELDS").value_or(0), kept = std::int64_t(t.columns.size());
        if (kept < fields)
            read.left_out.push_back(
                fmt::format("table {}: {} columns of arrays, bits or complex numbers", t.name, fields - kept));
        drop_structure(t.cards);
        if (kept > 0) read.catalogue.tables.push_back(std::move(t));
    }
    drop_structure(read.catalogue.cards);
    if (read.catalogue.tables.empty())
        fail(Fault::input, name, ": holds no binary table", parts.extension.empty() ? "" : " of that name");
    return read;
}

}  // namespace star
