// PSF photometry at given places, in an image or in the plates of one too large to be held whole.
#pragma once
#include <memory>
#include <vector>

#include "tools/plate_detection.h"

namespace star {

/// A row of a list of places.
struct Place {
    int id, blend;  ///< SOURCE_ID and BLEND_ID, kept
    double x, y;    ///< px, pixel edges of the image; not finite where its projection has no place for it
};

struct Forced {
    std::vector<Source> sources;         ///< in the list's order
    std::int64_t usable = 0;             ///< pixels that were looked at, those of two plates twice
    int failed = 0;                      ///< plates that can't be read; said on the console
    bool complete = true;                ///< false: interrupted
    std::unique_ptr<FittedStars> stars;  ///< of an image that is one plate: for its pictures
};

/// plan: its PSF isn't none; cosmic rays aren't looked for. first: open_first(). moves: px along each axis that a star
/// may move. image: the whole. What lies more than a FWHM beyond it (flag_truncated), in a plate that can't be read or
/// that an interruption left out, or where no pixel tells, has no flux, no error, and flag_no_convergence.
Forced measure_places(Stream stream, const DetectionPlan& plan, const FitsPlane& image,
                      const std::vector<Plate>& plates, Observation& first, const std::vector<Place>& places,
                      double moves, Console& console);

}  // namespace star
