// Pictures of fields for a page: the image, and over it boxes in layers that checkboxes switch.
#pragma once
#include <string>

#include "tools/score_report.h"

namespace star {

/// HTML of one picture. Layers: true (every unit), found (matched detections), missed (units without a detection),
/// false (detections without a unit). What the matching leaves out is in the first layer alone. `number` makes its ids
/// unique in the page.
std::string field_html(const ScorePicture& picture, const MatchRule& rule, int number);

}  // namespace star
