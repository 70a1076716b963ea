// FITS and PNG of a field.
#include "tools/field_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <type_traits>

#include "io/fits_writer.h"
#include "io/png.h"
#include "tools/truth.h"

namespace star {

namespace {

std::vector<Card> image_cards(const Setup& setup, const std::vector<Card>& cards) {
    const Exposure& e = setup.instrument.exposure;
    std::vector<Card> all = cards;
    const std::string unit = e.rate ? "electron/s" : "adu";
    all.insert(all.end(), {{"BUNIT", unit, ""},
                           {"EXPTIME", e.exptime_s, "[s] total"},
                           {"NCOMBINE", std::int64_t(e.exposures), "exposures added up"},
                           {"GAIN", e.gain, "[electron/adu]"},
                           {"RDNOISE", e.read_noise, "[electron] rms per exposure"},
                           {"SATURATE", saturation_level(e), "level at which pixels clip"},
                           {"MAGZERO", e.zeropoint + (e.rate ? 0 : 2.5 * std::log10(e.exptime_s / e.gain)),
                            "[mag] of one unit of the image"},
                           {"MAGSYS", std::string("AB"), ""},
                           {"PIXSCALE", setup.instrument.pixel_scale, "[arcsec/pix]"},
                           {"PSF_FWHM", image_psf(setup.instrument.psf, e).fwhm(), "[pix] azimuthal average"}});
    return all;
}

std::vector<Card> variance_cards(const Setup& setup) {
    const bool rate = setup.instrument.exposure.rate;
    return {{"BUNIT", std::string(rate ? "electron2/s2" : "adu2"), "of the noise, expected"}};
}

std::vector<Card> mask_cards() { return {{"SATURAT", std::int64_t(mask_saturated), "value where a pixel clipped"}}; }

// Rows of one field after the other, in an unnamed temporary file.
template <class Row>
class Spool {
public:
    static_assert(std::is_trivially_copyable_v<Row>);

    void add(const std::vector<Row>& rows) {
        if (!file_) file_.reset(std::tmpfile());
        const std::uint64_t count = rows.size();
        if (!file_ || std::fwrite(&count, sizeof count, 1, file_.get()) != 1 ||
            std::fwrite(rows.data(), sizeof(Row), rows.size(), file_.get()) != rows.size())
            fail(Fault::output, "temporary file: ", std::strerror(errno));
    }
    void rewind() {
        if (file_ && std::fseek(file_.get(), 0, SEEK_SET) != 0) fail_reading();
    }
    std::vector<Row> next() {
        std::uint64_t count = 0;
        if (std::fread(&count, sizeof count, 1, file_.get()) != 1) fail_reading();
        std::vector<Row> rows(count);
        if (std::fread(rows.data(), sizeof(Row), rows.size(), file_.get()) != rows.size()) fail_reading();
        return rows;
    }

private:
    [[noreturn]] static void fail_reading() { fail(Fault::output, "temporary file: can't be read back"); }
    struct Close {
        void operator()(std::FILE* f) const { std::fclose(f); }
    };
    std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace

void write_field(const std::string& path, bool overwrite, const Field& field, const Setup& setup,
                 const std::vector<Card>& cards) {
    const int w = field.width, h = field.height;
    FitsWriter out(path, overwrite);
    out.image("", field.image, w, h, image_cards(setup, cards));
    out.image("VARIANCE", field.variance, w, h, variance_cards(setup));
    out.mask("MASK", field.mask, w, h, mask_cards());
    out.table(truth_units(field.truth));
    out.table(truth_stars(field.truth, setup.instrument.exposure));
    if (setup.scene.galaxies) out.table(truth_galaxies(field.scene.galaxies));
    out.commit();
}

struct FieldCube::State {
    const Setup& setup;
    Extent extent;
    FitsWriter out;
    int image, variance, mask;  // HDUs
    int added = 0;
    Spool<TruthStar> stars;
    Spool<Galaxy> galaxies;

    State(const std::string& path, bool overwrite, const Setup& s, const std::vector<Card>& cards, const Extent& e)
        : setup(s), extent(e), out(path, overwrite) {
        using enum FitsWriter::Pixels;
        const auto planes = [&](const char* name, FitsWriter::Pixels type, const std::vector<Card>& of) {
            return out.planes(name, type, e.width, e.height, e.count, of);
        };
        image = planes("", real, image_cards(setup, cards));
        variance = planes("VARIANCE", real, variance_cards(setup));
        mask = planes("MASK", bytes, mask_cards());
    }
    // A field's rows: the first begin the table.
    void put(Table table, int plane) {
        table = with_field(std::move(table), std::int64_t(extent.first) + plane);
        plane == 0 ? out.table(table) : out.append(table);
    }
};

FieldCube::FieldCube(const std::string& path, bool overwrite, const Setup& setup, const std::vector<Card>& cards,
                     const Extent& extent)
    : state_(std::make_unique<State>(path, overwrite, setup, cards, extent)) {}
FieldCube::~FieldCube() = default;

void FieldCube::add(const Field& field) {
    State& s = *state_;
    require(field.width == s.extent.width && field.height == s.extent.height && s.added < s.extent.count,
            "FieldCube: a field of ", field.width, "x", field.height, " too many or of another size");
    const int plane = s.added++;
    s.out.plane(s.image, plane, std::span<const float>(field.image));
    s.out.plane(s.variance, plane, std::span<const float>(field.variance));
    s.out.plane(s.mask, plane, std::span<const std::uint8_t>(field.mask));
    s.put(truth_units(field.truth), plane);
    s.stars.add(field.truth.stars);
    if (s.setup.scene.galaxies) s.galaxies.add(field.scene.galaxies);
}

void FieldCube::commit() {
    State& s = *state_;
    require(s.added == s.extent.count, "FieldCube: ", s.added, " fields of ", s.extent.count);
    s.stars.rewind(), s.galaxies.rewind();
    for (int plane = 0; plane < s.added; ++plane) {
        Truth rows;
        rows.stars = s.stars.next();
        s.put(truth_stars(rows, s.setup.instrument.exposure), plane);
    }
    for (int plane = 0; s.setup.scene.galaxies && plane < s.added; ++plane)
        s.put(truth_galaxies(s.galaxies.next()), plane);
    s.out.commit();
}

std::string field_png(const Field& field, const Exposure& exposure) {
    const double sky = background_level(exposure), sigma = background_sigma(exposure);
    const auto stretched = [&](double v) { return std::asinh((v - sky) / (5 * sigma)); };
    std::vector<float> sorted = field.image;
    const auto top = sorted.begin() + std::ptrdiff_t(0.999 * double(sorted.size() - 1));
    std::nth_element(sorted.begin(), top, sorted.end());
    const double low = stretched(sky - sigma), high = std::max(stretched(*top), stretched(sky + 5 * sigma));
    std::vector<std::uint8_t> grey;
    grey.reserve(field.image.size());
    for (int y = field.height - 1; y >= 0; --y)  // FITS counts rows from below
        for (int x = 0; x < field.width; ++x) {
            const double v = stretched(field.image[std::size_t(y) * std::size_t(field.width) + std::size_t(x)]);
            grey.push_back(std::uint8_t(std::lround(255 * std::clamp((v - low) / (high - low), 0.0, 1.0))));
        }
    return encode_png(grey, field.width, field.height);
}

std::string field_summary(const Field& field, const Exposure& e, double fwhm) {
    int ignored = 0, soft = 0, percolated = 0;
    std::size_t counting = 0;
    for (const TruthUnit& u : field.truth.units) ignored += u.label < 0, soft += u.soft, percolated += u.percolated;
    for (const TruthStar& s : field.truth.stars) counting += s.counts && s.unit >= 0;
    std::string sizes;
    for (int k = 1; k <= 5; ++k) {
        const auto of_size = [k](const TruthUnit& u) { return u.label == k - 1; };
        sizes += fmt::format("{}{}", k > 1 ? " / " : "",
                             std::count_if(field.truth.units.begin(), field.truth.units.end(), of_size));
    }
    return fmt::format(
        "{}x{} px, {} units: {} of 1 / 2 / 3 / 4 / 5+ stars, {} too faint to ask for ({} with a star that may or may "
        "not count, {} split from larger ones); {} stars of which {} count; PSF FWHM {:.2f} px, sky {:.4g}, noise "
        "{:.4g} {} per pixel",
        field.width, field.height, field.truth.units.size(), sizes, ignored, soft, percolated, field.scene.stars.size(),
        counting, fwhm, background_level(e), background_sigma(e), e.rate ? "e/s" : "ADU");
}

}  // namespace star
