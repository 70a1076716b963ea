// A catalogue as a file: tables in one description, written in the format that the file's name or the user asks for.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "io/atomic_file.h"
#include "io/fits_writer.h"
#include "io/wcs.h"

namespace star {

struct Catalogue {
    std::vector<Card> cards;  ///< of the file: where it comes from
    std::vector<Table> tables;
};

/// The image that a catalogue belongs to. Formats that need none ignore it.
struct CatalogueImage {
    std::vector<Card> cards;  ///< of its header; empty: not known
    int width = 0, height = 0;
    const Wcs* wcs = nullptr;
};

enum class CatalogueFormat { fits, ldac, ecsv, csv, votable, regions };

/// What the user says about an output.
struct CatalogueOptions {
    std::string output;   ///< "-": standard output
    std::string format;   ///< empty: by the output's suffix
    std::string table;    ///< for formats of one table; empty: SOURCES, else BLENDS, else the first
    std::string names;    ///< "starblend", or "sextractor": catalogue_sextractor.h; empty: SExtractor's in LDAC alone
    std::string regions;  ///< "image" or "sky": what regions are drawn in
};

/// What --format takes.
std::vector<std::string> catalogue_format_names();

/// Of .fits .fit .fts, .ldac, .ecsv, .csv, .vot .votable .xml, .reg, whatever their case; "-" is FITS. Throws Error
/// (Fault::usage), listing the formats, for other names.
CatalogueFormat catalogue_format(const std::string& output, const std::string& format);

/// The table that a format of one table takes. Throws Error (Fault::usage), listing the tables, if it isn't there.
const Table& chosen_table(const Catalogue& catalogue, const std::string& name);

/// Usage: construct before the work, so that an output that can't be is known at once; write() once. Nothing appears
/// under the name before that is done.
class CatalogueWriter {
public:
    CatalogueWriter(const CatalogueOptions& options, bool overwrite);
    void write(Catalogue catalogue, const CatalogueImage& image);
    /// What was written, for the reader: "cat.csv (SOURCES alone: --table BLENDS for the other)".
    const std::string& words() const { return words_; }

private:
    std::string text_of(const Catalogue& catalogue, const CatalogueImage& image);

    CatalogueOptions options_;
    CatalogueFormat format_;
    std::unique_ptr<FitsWriter> fits_;
    std::unique_ptr<AtomicFile> text_;
    std::string words_;
};

}  // namespace star
