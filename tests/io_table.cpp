// Tables out and in again, judged by fitsverify where it is installed.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "io/fits_image.h"
#include "io/fits_table.h"
#include "io/fits_writer.h"
#include "tests/io_folder.h"

using namespace star;

namespace {

Table catalogue(std::size_t rows) {
    std::vector<double> ra(rows);
    std::vector<float> mag(rows);
    std::vector<std::int32_t> flags(rows);
    std::vector<std::int64_t> id(rows);
    std::vector<std::string> name(rows);
    for (std::size_t i = 0; i < rows; ++i) {
        ra[i] = 359.0 + double(i) / 7, mag[i] = i % 3 ? 20.f + float(i) : std::nanf("");
        flags[i] = i % 2 ? -1 : 1 << 30, id[i] = (std::int64_t{1} << 40) + std::int64_t(i),
        name[i] = "it's \xc3\xa9 " + std::to_string(i);
    }
    return {
        "BLENDS",
        {{"BLEND_ID", "", "identifier", "meta.id", "", id},
         {"RA", "deg", "right ascension, ICRS", "pos.eq.ra", "F12.7", ra},
         {"MAG", "mag",
          "a comment that is long enough to need the CONTINUE convention of FITS, since 68 characters don't hold it",
          "phot.mag", "", mag},
         {"FLAGS", "", "", "meta.code", "", flags},
         {"NAME", "", "", "", "", name}},
        {{"MAGSYS", std::string("AB"), "magnitude system"}}};
}

void verified(const std::string& path) {
    if (std::system("command -v fitsverify >/dev/null 2>&1") != 0) {
        MESSAGE("skipped: fitsverify is not installed");
        return;
    }
    const int status = std::system(("fitsverify -q '" + path + "' >'" + path + ".log' 2>&1").c_str());
    std::ifstream log(path + ".log");
    const std::string said{std::istreambuf_iterator<char>(log), {}};
    CAPTURE(said);
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(said.find("0 warnings") == said.npos);
    CHECK(said.find("verification OK") != said.npos);
}

}  // namespace

TEST_CASE("a catalogue comes back whole, verifies, and is the same bytes twice") {
    Folder folder;
    const std::vector<Card> provenance{
        {"ORIGIN", std::string("starblend"), ""},
        {"CMDLINE", std::string(300, 'x') + " 'quoted' " + std::string(90, 'y'), "command line"},
        {"SEED", std::int64_t{1} << 62, "random seed"},
        {"THRESH", 1e-7, ""},
        {"HISTORY", {}, std::string(150, 'h')},
        {"COMMENT", {}, "a comment with an \xc3\xa9"}};
    const Table out = catalogue(50), empty{"SOURCES", catalogue(0).columns, {}};
    write_tables(folder / "a.fits", provenance, {out, empty}, false);
    write_tables(folder / "b.fits", provenance, {out, empty}, false);
    CHECK(folder.get("a.fits") == folder.get("b.fits"));
    verified(folder / "a.fits");
    const Table in = read_table(folder / "a.fits", "BLENDS");
    CHECK(in.name == "BLENDS");
    REQUIRE(in.columns.size() == out.columns.size());
    for (std::size_t i = 0; i < in.columns.size(); ++i) {
        const Column &a = in.columns[i], &b = out.columns[i];
        CHECK(a.name == b.name);
        CHECK(a.unit == b.unit);
        CHECK(a.comment == b.comment);
        CHECK(a.ucd == b.ucd);
        CHECK(a.format == b.format);
        CHECK(a.data.index() == b.data.index());
        CHECK(a.rows() == 50);
    }
    CHECK(in.numbers("ra") == out.numbers("RA"));
    CHECK(std::get<3>(in.columns[0].data) == std::get<3>(out.columns[0].data));
    CHECK(std::get<2>(in.columns[3].data) == std::get<2>(out.columns[3].data));
    CHECK(std::get<4>(in.columns[4].data)[7] == "it's ?? 7");
    CHECK(std::isnan(std::get<1>(in.columns[2].data)[3]));
    CHECK(std::get<1>(in.columns[2].data)[4] == 24);
    CHECK(!in.find("NONE"));
    CHECK(fault([&] { in.numbers("NAME"); }) == Fault::input);
    CHECK(fault([&] { in.numbers("NONE"); }) == Fault::input);
    const Table none = read_table(folder / "a.fits", "sources");
    CHECK(none.rows() == 0);
    CHECK(none.columns.size() == 5);
    CHECK(read_table(folder / "a.fits").name == "BLENDS");
    const auto hdus = list_hdus(folder / "a.fits");
    REQUIRE(hdus.size() == 3);
    CHECK(hdus[0].header.text("CMDLINE") == std::get<std::string>(provenance[1].value));
    CHECK(hdus[0].header.integer("SEED") == std::int64_t{1} << 62);
    // The comment begins where astropy would put it: it formats the card anew to check the sum.
    CHECK(format_card({"CHECKSUM", std::string(16, '0'), "c"})[0].substr(28, 6) == "   / c");
    for (const Hdu& hdu : hdus) CHECK((hdu.header.find("CHECKSUM") && hdu.header.find("DATASUM")));
    CHECK(fault([&] { write_tables(folder / "a.fits", {}, {out}, false); }) == Fault::output);
    Table ragged = out;
    std::get<1>(ragged.columns[2].data).pop_back();
    CHECK(fault([&] { write_tables(folder / "r.fits", {}, {ragged}, false); }) == Fault::internal);
    CHECK(!std::filesystem::exists(folder / "r.fits"));
    CHECK(fault([&] { write_tables("/no/such/folder/r.fits", {}, {out}, false); }) == Fault::output);
}

TEST_CASE("images and tables in one file verify") {
    Folder folder;
    FitsWriter out(folder / "a.fits", false);
    const std::vector<float> pixels(6, 1.5f);
    out.image("SCI", pixels, 3, 2, {{"BUNIT", std::string("electron"), ""}});
    out.table(catalogue(3));
    out.commit();
    verified(folder / "a.fits");
    CHECK(read_image(folder / "a.fits").pixels == pixels);
    CHECK(read_table(folder / "a.fits").rows() == 3);
}

TEST_CASE("a writer that isn't committed leaves nothing") {
    Folder folder;
    {
        FitsWriter out(folder / "a.fits", false);
        out.table(catalogue(3));
    }
    CHECK(std::filesystem::is_empty(folder.path));
}

TEST_CASE("the real catalogues read") {
    const std::string data = real_data();
    if (data.empty()) {
        MESSAGE("skipped: no real data (STARBLEND_DATA)");
        return;
    }
    const Table sky = read_table(data + "/m31_phat/ap142_sky.fits");
    CHECK(sky.rows() == 2828);
    CHECK(sky.columns.size() == 76);
    const std::vector<double> ra = sky.numbers("RA");
    CHECK(std::fabs(ra[0] - 11.1) < 0.1);
    CHECK(read_image(data + "/images/ngc346_nircam_f444w_100x100.fits[ERR]").width == 100);
    CHECK(read_mask(data + "/images/ngc346_nircam_f444w_100x100.fits[DQ]").pixels.size() == 10000);
    CHECK(read_cube(data + "/psf/PSFSTD_ACSWFC_F775W.fits").planes == 56);
    CHECK(read_image(data + "/images/m13.fits").height == 300);
}
