// FITS binary tables: the first one, each by its number, and our own catalogue in them.
#include "io/fits_hdu.h"
#include "io/fits_table.h"
#include "tests/fuzz/fits_input.h"
#include "tools/catalogue.h"

using namespace star;
using namespace star::fuzz;

namespace {

void check_table(const Table& t) {
    for (const Column& c : t.columns) expect(c.rows() == t.rows(), "columns of one length");
    for (const Column& c : t.columns)
        if (!std::holds_alternative<std::vector<std::string>>(c.data) && t.find(c.name) == &c)
            expect(t.numbers(c.name).size() == t.rows(), "every row a number");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string path = fits_file(data, size);
    accepts(path, [&] { check_table(read_table(path)); });
    std::size_t units = 0;
    accepts(path, [&] { units = list_hdus(path).size(); });
    for (std::size_t i = 1; i < std::min<std::size_t>(units, 8); ++i)
        accepts(path, [&] { check_table(read_table(path, std::to_string(i))); });
    accepts(path, [&] { read_blends(path); });
    return 0;
}
