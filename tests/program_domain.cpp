// When an image is unlike a model's training: each of five numbers, and none that isn't known.
#include <doctest/doctest.h>

#include "tools/domain.h"

using namespace star;

TEST_CASE("departures from the training: each on its own, from its own ratio on") {
    const Domain training{0.05, 2.0, 10, 0.02, 1000};
    const auto departs = [&](double Domain::*what, double value) {
        Domain image = training;
        image.*what = value;
        const auto said = departures(image, training);
        CHECK(said.size() <= 1);
        return said.empty() ? std::string() : said[0];
    };
    CHECK(departures(training, training).empty());
    CHECK(departures({}, training).empty());  // nothing is known
    CHECK(departures(training, {}).empty());
    CHECK(departs(&Domain::pixel_scale, 0.0545).empty());
    CHECK(departs(&Domain::pixel_scale, 0.0555) == "pixels of 0.0555\" (0.05\")");
    CHECK(departs(&Domain::pixel_scale, 0.045) == "pixels of 0.045\" (0.05\")");
    CHECK(departs(&Domain::psf_fwhm, 2.49).empty());
    CHECK(departs(&Domain::psf_fwhm, 2.51) == "stars of FWHM 2.51 px (2.00)");
    CHECK(departs(&Domain::noise, 29).empty());
    CHECK(departs(&Domain::noise, 31) == "noise of 31 electrons (10)");
    CHECK(departs(&Domain::noise, 3.2).starts_with("noise of 3.2 electrons"));
    CHECK(departs(&Domain::density, 0.039).empty());
    CHECK(departs(&Domain::density, 0.041) == "0.041 units per pixel (0.02)");
    CHECK(departs(&Domain::density, 0.00041).empty());
    CHECK(departs(&Domain::density, 0.00039).starts_with("0.00039 units"));
    CHECK(departs(&Domain::density, 0).empty());  // an empty field is no crowd to be unlike
    CHECK(departs(&Domain::brightest, 2990).empty());
    CHECK(departs(&Domain::brightest, 3010) == "saturation 3.01e+03 times the noise (1e+03)");
    CHECK(departs(&Domain::brightest, 10).empty());
}
