// A model's configuration: the network, the procedure and the exposure that it asks for.
#include <cmath>

#include "tests/fuzz/fuzz.h"
#include "tools/setup.h"

using namespace star;
using namespace star::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string path = input_file(data, size);
    Config c;
    if (!accepts(path, [&] { c.load(path); })) return 0;
    accepts("", [&] {  // several keys together are refused by name, without a line
        const Architecture a = read_architecture(c);
        const Procedure p = read_procedure(c, a);
        const int side = (p.core + 2 * p.halo) * p.input_scale;
        expect(side % a.largest_stride() == 0, "tiles of whole cells");
        expect(anchor_grid(a, side, side).total > 0, "a grid of anchors");
    });
    accepts("", [&] {
        const Exposure e = read_exposure(c);
        expect(std::isfinite(e.sky) && e.exptime_s > 0 && e.gain > 0, "an exposure");
        c.refuse_unknown();
    });
    Config again;
    again.load_text(c.dump(), "dump");
    return 0;
}
