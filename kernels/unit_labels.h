// What a blending unit is called, from the stars that count: on every device the same arithmetic. And on a GPU, units
// from stars, and the truth of a batch's windows from units.
#pragma once
#include <cstdint>

#include "kernels/fisher.h"
#include "kernels/match.h"
#include "kernels/random.h"
#include "kernels/types.h"

namespace star {

/// The chances of 1, 2, 3, 4, 5 or more of independent events, given at least one.
struct CountChances {
    double p[6] = {1, 0, 0, 0, 0, 0};  ///< of 0, 1, 2, 3, 4, 5 or more

    constexpr void add(double chance) {
        p[5] += chance * p[4];
        for (int k = 4; k > 0; --k) p[k] = p[k] * (1 - chance) + p[k - 1] * chance;
        p[0] *= 1 - chance;
    }
    /// All 0 if there can't be one.
    constexpr void write(float* out) const {
        double some = 0;
        for (int k = 1; k <= 5; ++k) some += p[k];
        for (int k = 1; k <= 5; ++k) out[k - 1] = some > 0 ? float(p[k] / some) : 0.0f;
    }
};

/// 0 below `hopeless`, 1 from `certain` on, linear between.
constexpr double chance_of(double snr, double hopeless, double certain) {
    const double c = (snr - hopeless) / (certain - hopeless);
    return c < 0 ? 0 : c > 1 ? 1 : c;
}

/// The box and the centre of some stars.
struct UnitShape {
    double flux = 0, x = 0, y = 0;  ///< sums until done()
    double x0 = 1e300, y0 = 1e300, x1 = -1e300, y1 = -1e300;

    constexpr void add(double at_x, double at_y, double f) {
        flux += f, x += f * at_x, y += f * at_y;
        x0 = at_x < x0 ? at_x : x0, x1 = at_x > x1 ? at_x : x1;
        y0 = at_y < y0 ? at_y : y0, y1 = at_y > y1 ? at_y : y1;
    }
    /// x and y become the flux-weighted centroid; without flux, the box's middle.
    constexpr void done() {
        if (flux > 0)
            x /= flux, y /= flux;
        else
            x = 0.5 * (x0 + x1), y = 0.5 * (y0 + y1);
    }
    constexpr Box box(double half_width) const {
        return {float(x0 - half_width), float(y0 - half_width), float(x1 + half_width), float(y1 + half_width)};
    }
};

/// What training needs of a unit.
struct UnitTruth {
    Box box;            ///< px of its field, pixel edges
    float chance[5];    ///< of 1, 2, 3, 4, 5 or more stars; all 0 if ignored
    std::int8_t label;  ///< class, or label_ignored
    bool soft;          ///< the class is to be drawn from the chances
    bool inside;        ///< its centroid is in the field: else it is no truth
};

/// The class to train on, drawn with `uniform` from a soft unit's chances: over an endless stream the mean gradient is
/// that of the chances themselves, the loss of an anchor being linear in its target.
constexpr std::int8_t drawn_label(const float* chance, std::int8_t label, double uniform) {
    std::int8_t last = label;
    for (int k = 0; k < 5; ++k) {
        if (!(chance[k] > 0)) continue;
        last = std::int8_t(k);
        if ((uniform -= double(chance[k])) < 0) break;
    }
    return last;
}
/// A unit's box in a window whose first pixel is (x0, y0): whether it reaches in, and whether its centre lies there.
struct WindowBox {
    Box box;
    bool reaches, centred;
};
constexpr WindowBox window_box(const Box& at, float x0, float y0, float width, float height) {
    const Box b{at.x0 - x0, at.y0 - y0, at.x1 - x0, at.y1 - y0};
    return {b, !(b.x1 <= 0 || b.y1 <= 0 || b.x0 >= width || b.y0 >= height),
            b.x() >= 0 && b.y() >= 0 && b.x() < width && b.y() < height};
}

constexpr bool is_drawn(bool soft, std::int8_t label) { return soft && label != label_ignored; }

/// A star of a unit that was grown.
struct UnitMember {
    double x, y, flux;  ///< px, pixel edges; electrons
    int star;           ///< in FisherWork::stars; -1: its light doesn't reach the image, or it is hopeless by its flux
};

/// A unit of a field: `count` members from `first` on, the brightest first. None: its truth is ready.
struct UnitMembers {
    int first, count, field;
};

/// How the units of a field are labelled.
struct UnitField {
    int width, height;  ///< px
    bool all_count;     ///< whatever their signal-to-noise: the paper's labels
    double hopeless_snr, certain_snr;
    double half_width;          ///< of the square around a star, px
    int first_unit, last_unit;  ///< its units
    std::uint64_t seed;         ///< of what is drawn; the k-th soft unit takes Random(seed, 0)'s k-th number
};

/// Windows of `height` x `width` px, `rows` x `columns` of them in every field, one field after the other.
struct TruthWindows {
    int rows, columns, height, width;
    float scale;  ///< of boxes: pixels of the network's input in a pixel
};

/// Pointers are to the device.
struct UnitWork {
    const UnitField* fields;
    const UnitMembers* units;
    const UnitMember* members;
    UnitTruth* truth;    ///< of each unit
    std::int8_t* drawn;  ///< of each unit: its label in this batch
    int field_count, unit_count;
};

namespace cuda {

/// truth[u] of the units that have members, as sim/truth.h's label_truth() makes it, the CPU's bits for equal
/// signal-to-noise. `stars`: after find_detectable(); its matrices are used again.
void label_units(Stream, const UnitWork& units, const FisherWork& stars);

/// The truth of all windows: the units inside their field that reach into a window, in their order, boxes in the
/// window's own pixels times scale; label_ignored if the box is centred elsewhere.
///   boxes, labels  with room for `room` units, what is beyond isn't written    first  (windows + 1)
/// Draws the labels of soft units first. By one block: a batch has few units.
void cut_truths(Stream, const UnitWork& units, const TruthWindows& windows, int room, Box* boxes, std::int8_t* labels,
                int* first);

}  // namespace cuda
}  // namespace star
