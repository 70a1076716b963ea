// Chooses a format, and leaves the writing to it.
#include "tools/catalogue_file.h"

#include <algorithm>
#include <filesystem>

#include "io/letter_case.h"
#include "kernels/check.h"
#include "tools/catalogue_ldac.h"
#include "tools/catalogue_regions.h"
#include "tools/catalogue_sextractor.h"
#include "tools/catalogue_text.h"
#include "tools/catalogue_votable.h"

namespace star {
namespace {

struct FormatName {
    CatalogueFormat format;
    const char* name;
    std::vector<std::string> suffixes;
};

const std::vector<FormatName>& formats() {
    static const std::vector<FormatName> all{{CatalogueFormat::fits, "fits", {".fits", ".fit", ".fts"}},
                                             {CatalogueFormat::ldac, "ldac", {".ldac"}},
                                             {CatalogueFormat::ecsv, "ecsv", {".ecsv"}},
                                             {CatalogueFormat::csv, "csv", {".csv"}},
                                             {CatalogueFormat::votable, "votable", {".vot", ".votable", ".xml"}},
                                             {CatalogueFormat::regions, "reg", {".reg"}}};
    return all;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& w : words) text += (text.empty() ? "" : ", ") + w;
    return text;
}

bool one_table(CatalogueFormat f) {
    return f == CatalogueFormat::ldac || f == CatalogueFormat::ecsv || f == CatalogueFormat::csv;
}

}  // namespace

std::vector<std::string> catalogue_format_names() {
    std::vector<std::string> names;
    for (const FormatName& f : formats()) names.push_back(f.name);
    return names;
}

CatalogueFormat catalogue_format(const std::string& output, const std::string& format) {
    for (const FormatName& f : formats())
        if (format == f.name) return f.format;
    if (output == "-") return CatalogueFormat::fits;
    const std::string suffix = lower(std::filesystem::path(output).extension().string());
    std::vector<std::string> all;
    for (const FormatName& f : formats()) {
        if (std::find(f.suffixes.begin(), f.suffixes.end(), suffix) != f.suffixes.end()) return f.format;
        all.insert(all.end(), f.suffixes.begin(), f.suffixes.end());
    }
    fail(Fault::usage, output, ": no format has this suffix; there are ", joined(all), ", or --format ",
         joined(catalogue_format_names()));
}

const Table& chosen_table(const Catalogue& c, const std::string& name) {
    std::vector<std::string> names;
    for (const std::string& wanted : name.empty() ? std::vector<std::string>{"SOURCES", "BLENDS"} : std::vector{name})
        for (const Table& t : c.tables)
            if (t.name == wanted) return t;
    for (const Table& t : c.tables) names.push_back(t.name);
    if (!name.empty() || c.tables.empty())
        fail(Fault::usage, "--table ", name, ": no such table; there are ", joined(names));
    return c.tables.front();
}

CatalogueWriter::CatalogueWriter(const CatalogueOptions& options, bool overwrite)
    : options_(options), format_(catalogue_format(options.output, options.format)), words_(options.output) {
    if (format_ == CatalogueFormat::fits || format_ == CatalogueFormat::ldac)
        fits_ = std::make_unique<FitsWriter>(options.output, overwrite);
    else
        text_ = std::make_unique<AtomicFile>(options.output, overwrite);
}

std::string CatalogueWriter::text_of(const Catalogue& c, const CatalogueImage& image) {
    switch (format_) {
        case CatalogueFormat::votable:
            return votable_text(c);
        case CatalogueFormat::regions:
            return regions_text(c, options_.regions == "sky", image.wcs);
        case CatalogueFormat::csv:
            return csv_text(c.tables.front());
        default:
            return ecsv_text(c.tables.front(), c.cards);
    }
}

void CatalogueWriter::write(Catalogue c, const CatalogueImage& image) {
    if (one_table(format_)) {
        Table t = chosen_table(c, options_.table);
        std::string others;
        for (const Table& other : c.tables)
            if (other.name != t.name) others += (others.empty() ? "" : " or ") + other.name;
        words_ += " (" + t.name + (others.empty() ? "" : " alone; --table takes " + others) + ")";
        c.tables.assign(1, std::move(t));
    }
    const bool theirs = options_.names.empty() ? format_ == CatalogueFormat::ldac : options_.names == "sextractor";
    if (theirs && format_ != CatalogueFormat::regions)
        for (Table& t : c.tables) t = with_sextractor_names(std::move(t));
    if (format_ == CatalogueFormat::ldac) c = ldac(std::move(c), image);
    if (text_) return text_->commit(text_of(c, image));
    fits_->primary(c.cards);
    for (const Table& t : c.tables) fits_->table(t);
    fits_->commit();
}

}  // namespace star
