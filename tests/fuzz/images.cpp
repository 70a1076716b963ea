// FITS images: whole, as masks, cubes and windows; and what is read of their headers.
#include <cmath>
#include <cstring>

#include "io/fits_window.h"
#include "tests/fuzz/fits_input.h"
#include "tools/layout.h"
#include "tools/zero_point.h"

using namespace star;
using namespace star::fuzz;

namespace {

template <class Plane>
void check_plane(const Plane& p) {
    expect(p.width > 0 && p.height > 0 && p.planes > 0, "extents");
    expect(std::int64_t(p.pixels.size()) == std::int64_t{p.width} * p.height * p.planes,
           "as many pixels as NAXISn say");
}

/// A part of an image that was read whole is read as it stands there.
template <class Plane, class Read>
void check_window(const std::string& path, const Plane& whole, Read read) {
    const int x0 = whole.width / 3, y0 = whole.height / 2;
    const Window w{x0, y0, std::min(7, whole.width - x0), std::min(5, whole.height - y0)};
    expect(accepts(path,
                   [&] {
                       const Plane part = read(path, w);
                       expect(part.width == w.width && part.height == w.height, "the window's extents");
                       check_plane(part);
                       for (int y = 0; y < w.height; ++y)
                           expect(std::memcmp(&part.pixels[std::size_t(y) * w.width],
                                              &whole.pixels[std::size_t(y0 + y) * whole.width + x0],
                                              std::size_t(w.width) * sizeof part.pixels[0]) == 0,
                                  "the window's pixels");
                   }),
           "a window of a good image");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string path = fits_file(data, size);
    FitsImage image;
    if (accepts(path, [&] { image = read_image(path); })) {
        check_plane(image);
        for (const float v : image.pixels) expect(!std::isinf(v), "no infinities");
        check_window(path, image, [](const std::string& p, const Window& w) { return read_image(p, w); });
        expect(accepts(path,
                       [&] {
                           const FitsPlane plane = describe_image(path, true);
                           expect(plane.datasum == image.datasum && plane.width == image.width &&
                                      plane.height == image.height && plane.number == image.number,
                                  "described as it was read");
                       }),
               "a description of a good image");
        accepts(path, [&] { companions_of(image); });
        accepts(path, [&] { weight_of(image.header), beside(path, image); });
        accepts(path,
                [&] { header_zero_point(image, parse_flux_unit(image.text_of("BUNIT").value_or("")), false, 1, NAN); });
    }
    accepts(path, [&] {
        const FitsMask mask = read_mask(path);
        check_plane(mask);
        check_window(path, mask, [](const std::string& p, const Window& w) { return read_mask(p, w); });
        mask_meaning(mask);
    });
    accepts(path, [&] { check_plane(read_cube(path)); });
    accepts(path, [&] { read_image(path + "[1]", Window{0, 0, 1, 1}); });
    accepts(path, [&] { list_hdus(path); });
    return 0;
}
