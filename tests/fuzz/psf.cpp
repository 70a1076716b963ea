// PSFs in FITS files: an image, or a library over a detector.
#include <cmath>

#include "io/fits_window.h"
#include "tests/fuzz/fits_input.h"
#include "tools/psf_file.h"

using namespace star;
using namespace star::fuzz;

namespace {

void check_psf(const Psf& psf) {
    expect(psf.energy() > 0 && psf.energy() <= 1 + 1e-6, "the share of a star's light");
    expect(psf.fwhm() > 0 && std::isfinite(psf.fwhm()), "a width");
    expect(std::isfinite(psf.at(0.3, -0.2)) && psf.at(1e9, 0) == 0, "values");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string path = fits_file(data, size);
    accepts(path, [&] { check_psf(read_psf_file(path, {})); });
    PsfFileOptions how;
    how.oversampling = 3, how.effective = false, how.drizzle_sigma = 0.4, how.x = 100;
    accepts(path, [&] { check_psf(read_psf_file(path, how)); });
    accepts(path, [&] {
        const auto library = read_psf_library(path, {});
        if (!library) return;
        double sum = 0;
        for (const auto& share : library->shares(0.5 * library->middle_x(), 1e9)) sum += share.weight;
        expect(std::fabs(sum - 1) < 1e-9, "shares of one star");
        check_psf(library->node(0, 0));
    });
    accepts(path, [&] {
        const auto [x, y] = origin_in_library(describe_image(path, false));
        expect(std::fabs(x) <= 1e6 && std::fabs(y) <= 1e6, "an origin");
    });
    return 0;
}
