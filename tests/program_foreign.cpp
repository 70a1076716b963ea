// Catalogues of other programs: what is read from them, and what is refused.
#include <doctest/doctest.h>

#include <cmath>

#include "io/fits_writer.h"
#include "kernels/check.h"
#include "tests/io_folder.h"
#include "tools/foreign_catalogue.h"
#include "tools/text_table.h"

using namespace star;

namespace {

FoundList read(const Folder& folder, const std::string& text, const CatalogueColumns& columns = {}) {
    folder.put("list.txt", text);
    return read_foreign(folder / "list.txt", columns);
}

// The message of the Error that reading this gives.
std::string refusal(const Folder& folder, const std::string& text, const CatalogueColumns& columns = {}) {
    try {
        read(folder, text, columns);
    } catch (const Error& e) {
        CHECK(e.fault == Fault::input);
        const std::string what = e.what();
        CHECK(what.find('\n') == std::string::npos);
        CHECK(what.find("list.txt") != std::string::npos);
        return what;
    }
    return "";
}
bool names(const std::string& message, const char* part) { return message.find(part) != std::string::npos; }

const char* const sextractor = R"(#   1 NUMBER                 Running object number
#   2 FLUX_AUTO              Flux within a Kron-like elliptical aperture                [count]
#   3 MAG_AUTO               Kron-like elliptical aperture magnitude                    [mag]
#   4 X_IMAGE                Object position along x                                    [pixel]
#   5 Y_IMAGE                Object position along y                                    [pixel]
#   6 XMIN_IMAGE             Minimum x-coordinate among detected pixels                 [pixel]
#   7 YMIN_IMAGE             Minimum y-coordinate among detected pixels                 [pixel]
#   8 XMAX_IMAGE             Maximum x-coordinate among detected pixels                 [pixel]
#   9 YMAX_IMAGE             Maximum y-coordinate among detected pixels                 [pixel]
         1     5310.2   21.50     10.2500     7.5000   9   7  12   9
         2      310.5   24.40    +20.0000     1.0000  19   1  21   3
)";

}  // namespace

TEST_CASE("foreign: SExtractor's ASCII_HEAD") {
    const Folder folder;
    const FoundList list = read(folder, sextractor);
    REQUIRE(list.rows.size() == 2);
    CHECK(list.boxes);
    CHECK(list.rows[0].x == 9.75);  // the centre of the first pixel is 1, and 0.5 from the edge
    CHECK(list.rows[0].y == 7);
    CHECK(list.rows[0].box == Box{8, 6, 12, 9});  // pixels 9...12 and 7...9, whole
    CHECK(list.rows[0].score == 5310.2);
    CHECK(list.rows[0].magnitude == 21.5);
    CHECK(list.rows[1].x == 19.5);
    CHECK(list.rows[0].label == 0);
    CHECK(list.rows[0].chances == ClassChances{});
    CHECK(names(list.words, "FLUX_AUTO"));
}

TEST_CASE("foreign: Photutils' ECSV counts from 0") {
    const Folder folder;
    const FoundList list =
        read(folder,
             "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: id, datatype: int64}\n"
             "# - {name: x_fit, unit: pix, datatype: float64}\n# - {name: y_fit, datatype: float64}\n"
             "# - {name: flux_fit, datatype: float64}\n# - {name: group id, datatype: string}\n"
             "# schema: astropy-2.0\n"
             "id x_fit y_fit flux_fit \"group id\"\n1 4.0 5.5 77 \"a b\"\n2 6.25 0 \"\" c\n");
    REQUIRE(list.rows.size() == 2);
    CHECK(!list.boxes);
    CHECK(list.rows[0].x == 4.5);
    CHECK(list.rows[0].y == 6);
    CHECK(list.rows[0].score == 77);
    CHECK(list.rows[1].score < -1e29);  // not known: last
    CHECK(list.rows[1].box.area() == 0);
}

TEST_CASE("foreign: CSV, and what the user says of it") {
    const Folder folder;
    const std::string text =
        "\"name, or so\",x,y,other_x,nstars,mag\r\nA,1,2,30,3,20\r\n\"B,\"\"C\"\"\",3,4,50,9,19\r\n";
    FoundList list = read(folder, text);
    REQUIRE(list.rows.size() == 2);
    CHECK(list.rows[0].x == 1.5);
    CHECK(list.rows[0].label == 2);
    CHECK(list.rows[1].label == 4);
    CHECK(list.rows[1].expected_stars == 9);
    CHECK(list.rows[1].score > list.rows[0].score);  // brighter

    CatalogueColumns columns;
    columns.named = parse_columns("x=OTHER_X,score=nstars");
    columns.first_pixel = 1, columns.box_radius = 2;
    list = read(folder, text, columns);
    CHECK(list.boxes);
    CHECK(list.rows[0].x == 29.5);
    CHECK(list.rows[0].box == Box{27.5f, -0.5f, 31.5f, 3.5f});
    CHECK(list.rows[0].score == 3);
    for (const char* bad : {"x", "x=", "z=X", "x=a,x=b", "x=a,,y=b"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(parse_columns(bad), Error);
    }
    CHECK(parse_columns("").empty());
}

TEST_CASE("foreign: FITS_LDAC") {
    const Folder folder;
    Table head, objects;
    head.name = "LDAC_IMHEAD";
    head.columns = {{"X", "", "", "", "", std::vector<double>{99}}};
    objects.name = "LDAC_OBJECTS";
    objects.columns = {{"XWIN_IMAGE", "pixel", "", "", "", std::vector<double>{3.5, 8}},
                       {"YWIN_IMAGE", "pixel", "", "", "", std::vector<double>{1, 2}},
                       {"SNR_WIN", "", "", "", "", std::vector<float>{10, 20}}};
    write_tables(folder / "ldac.fits", {}, {head, objects}, false);
    const FoundList list = read_foreign(folder / "ldac.fits", {});
    REQUIRE(list.rows.size() == 2);
    CHECK(list.rows[0].x == 3);
    CHECK(list.rows[1].y == 1.5);
    CHECK(list.rows[1].score == 20);
    CHECK(!is_blends(folder / "ldac.fits"));
}

TEST_CASE("foreign: one clear line for what can't be scored") {
    const Folder folder;
    CHECK(names(refusal(folder, "a,b\n1,2\n"), "no column for x"));
    CHECK(names(refusal(folder, "a,b\n1,2\n"), "there are a, b"));
    CHECK(names(refusal(folder, "a\x1b[2J,b\x7f\n1,2\n"), "there are a?[2J, b?"));  // not for a terminal
    CHECK(names(message([] { parse_columns("x=a,\n"); }), "columns ?: want"));
    CHECK(names(refusal(folder, "x,y\n1,2\n3,nan\n"), "row 2: y is nan"));
    CHECK(names(refusal(folder, "x,y\n1,2\n3,\n"), "row 2: y"));
    CHECK(names(refusal(folder, "x,y\n1e300,2\n"), "row 1: x"));
    CHECK(names(refusal(folder, "x,y\n1,2,3\n"), ":2: 3 values for 2 columns"));
    CHECK(names(refusal(folder, "x,y,x\n1,2,3\n"), "two columns x"));
    CHECK(names(refusal(folder, "x,y,nstars\n1,2,0\n"), "row 1: nstars is 0"));
    CHECK(names(refusal(folder, ""), "no column"));
    CHECK(names(refusal(folder, "\"\"\n1\n"), "no column has a name"));
    CHECK(names(refusal(folder, std::string("x,y\n1,\0\n", 8)), "not a text"));
    CatalogueColumns columns;
    columns.named = {{"x", "absent"}};
    CHECK(names(refusal(folder, "x,y\n1,2\n", columns), "no column absent"));
    CHECK_THROWS_AS(read_foreign(folder / "absent.csv", {}), Error);
    CHECK(read(folder, "x,y\n").rows.empty());  // an empty catalogue is one
}
