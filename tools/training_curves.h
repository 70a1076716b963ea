// How a training went, as a picture.
#pragma once
#include <string>

namespace star {

/// The log of a training (OUTPUT.csv) as one SVG file that needs nothing else: the loss of the steps, a running mean
/// over 2 % of them, and that of the validation fields with the averaged weights. Rows that don't read are left out.
std::string training_curves(const std::string& log);

}  // namespace star
