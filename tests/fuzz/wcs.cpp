// Cards to coordinates. The input is a header, a card a line.
#include "io/wcs.h"

#include <cmath>

#include "tests/fuzz/fuzz.h"

using namespace star;
using namespace star::fuzz;

namespace {

const std::string where = "input.fits";

FitsHeader header_of_lines(const std::string& text) {
    std::string cards;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string card = text.substr(at, end - at);
        card.resize(80, ' ');
        cards += card;
        at = end + 1;
    }
    return parse_header(cards, where);
}

void check_wcs(const Wcs& wcs) {
    expect(!(wcs.pixel_scale() < 0), "a pixel's side");
    for (const PixelPosition p : {PixelPosition{1, 1}, {1024.5, 7}, {0, 0}, {-1e6, 1e6}, {1e300, -1e300}}) {
        const SkyPosition sky = wcs.to_sky(p);
        expect(std::isnan(sky.ra) || (sky.ra >= 0 && sky.ra <= 360), "RA in 0...360");
        expect(std::isnan(sky.dec) || std::fabs(sky.dec) <= 90 + 1e-9, "DEC between the poles");
        const PixelPosition back = wcs.to_pixel(sky);
        expect(std::isnan(back.x) == std::isnan(back.y), "a position, or none");
    }
    for (const SkyPosition s : {SkyPosition{0, 0}, {150.1, -40.2}, {359.999, 90}, {1e300, -1e300}, {NAN, 0}})
        wcs.to_pixel(s);
    expect(presentable("frame " + wcs.frame()), "the frame's name");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    accepts(where, [&] {
        const FitsHeader header = header_of_lines({reinterpret_cast<const char*>(data), size});
        if (const auto wcs = Wcs::from_header(header)) {
            check_wcs(*wcs);
            const Wcs copy = *wcs;
            const SkyPosition a = wcs->to_sky({3, 4}), b = copy.to_sky({3, 4});
            expect((a.ra == b.ra && a.dec == b.dec) || std::isnan(a.ra) || std::isnan(a.dec), "a copy agrees");
        }
    });
    return 0;
}
