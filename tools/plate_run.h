// All plates of an image, one after the other: resumed, isolated from each other's faults, made one catalogue.
#pragma once
#include "tools/plate_detection.h"
#include "tools/progress_file.h"

namespace star {

struct ImageFound {
    PlateRows rows;
    std::vector<TileSeen> seen;  ///< of the plates that could be read
    WholeSky sky;
    int tiles = 0, tiles_done = 0;
    int failed = 0;                      ///< plates of which nothing could be made; said on the console
    bool complete = true;                ///< false: interrupted
    std::unique_ptr<FittedStars> stars;  ///< of an image that is one plate
};

/// `first`: number `middle` of the plates, opened. progress: null for none. A plate that can't be read or has no memory
/// costs its own rows alone; of an image that is one plate it is an Error.
template <class T>
ImageFound detect_plates(Stream stream, const Detector<T>& detector, const DetectionPlan& plan,
                         const std::vector<Plate>& plates, Observation& first, ProgressFile* progress,
                         Console& console);

}  // namespace star
