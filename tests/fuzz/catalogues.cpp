// Catalogues of any program: as tables, lists and points, and in every format that convert writes; lists of images.
#include <algorithm>

#include "tests/fuzz/fits_input.h"
#include "tools/catalogue_reader.h"
#include "tools/catalogue_text.h"
#include "tools/foreign_catalogue.h"
#include "tools/image_list.h"
#include "tools/matched_lists.h"
#include "tools/text_table.h"

using namespace star;
using namespace star::fuzz;

namespace {

void check_table(const Table& t) {
    for (const Column& c : t.columns) expect(c.rows() == t.rows(), "columns of one length");
}

void expect_fault(const Error& e, bool good) {
    expect(good && presentable(e.what()), std::string("the fault of: ") + e.what());
}

/// What is converted is written, or refused for what it is; never an internal error.
void convert(const Catalogue& catalogue) {
    for (const char* format : {"fits", "ldac", "ecsv", "csv", "votable", "reg"}) try {
            CatalogueWriter(CatalogueOptions{folder() / "output", format, "", "", "image"}, true).write(catalogue, {});
        } catch (const Error& e) {
            expect_fault(e, e.fault == Fault::input || e.fault == Fault::output || e.fault == Fault::usage);
        }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string path = fits_file(data, size);
    accepts(path, [&] { check_table(read_text_table(path).table); });
    CatalogueColumns columns;
    columns.box_radius = 2;
    columns.named = {{"score", "b"}};
    accepts(path, [&] { read_foreign(path, {}); });
    accepts(path, [&] { read_foreign(path, columns); });
    for (const bool sky : {false, true})
        accepts(path, [&] {
            const PlacedList list = read_placed_list(path, {}, sky);
            expect(list.x.size() == list.y.size(), "a place for each row");
        });
    ReadCatalogue read;
    if (accepts(path, [&] { read = read_catalogue(path); })) {
        for (const Table& t : read.catalogue.tables) check_table(t);
        convert(read.catalogue);
    }
    accepts("", [&] {  // what a list names may be missing in its stead
        for (const std::string& name : expand_images({"@" + path})) expect(!name.empty(), "a name");
    });
    accepts(path, [&] { expand_images({path + "[*]"}); });
    try {
        parse_columns({reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 200)});
    } catch (const Error& e) {
        expect_fault(e, e.fault == Fault::usage);
    }
    return 0;
}
