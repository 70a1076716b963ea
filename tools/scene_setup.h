// What is in the sky and what is asked of it: [scene], [mock], [cluster], [disk] and [truth] of a configuration.
#pragma once
#include "io/config.h"
#include "sim/scene.h"
#include "sim/truth.h"
#include "tools/setup.h"

namespace star {

/// scene.stars says where stars come from: "mock" ([mock], the paper's catalogue; its mix is "P1", "P2", "P3" or five
/// weights), "ngc2298" ([cluster]), "m31-disk" ([disk]), "m31-cluster" (both), "list" (scene.list, a FITS file whose
/// first table has the columns X_IMAGE, Y_IMAGE and MAG; first pixel = 1) or "none". The other keys of [scene] add
/// galaxies, cosmic rays, defects, bleeding, and a sky gradient.
SceneOptions read_scene(Config&, const Instrument&);

/// Which stars count, and where units come from: "given" for a mock, "linked" for all others, unless the configuration
/// says otherwise.
TruthOptions read_truth_options(Config&, const SceneOptions&);

}  // namespace star
