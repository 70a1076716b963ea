// Scene, image, truth.
#include "sim/field.h"

#include <utility>

namespace star {

FieldSimulator::FieldSimulator(const Psf& psf, const Exposure& exposure, SceneOptions scene, const TruthOptions& truth)
    : exposure_((check_exposure(exposure), exposure)),
      scene_((check_scene(scene, exposure), std::move(scene))),
      truth_((check_truth(truth), truth)),
      native_(psf),
      psf_(image_psf(psf, exposure)) {}

Field FieldSimulator::make(ThreadPool& pool, const FieldSpec& field, bool with_variance) const {
    Scene scene = make_scene(scene_, psf_, exposure_, field);
    SceneImage seen = observe_scene(pool, scene, scene_, psf_, exposure_, {field.seed, field.index, with_variance});
    Truth truth = label_truth(pool, scene.stars, native_, exposure_, truth_, field.width, field.height);
    return {field.width,      field.height,    std::move(seen.image), std::move(seen.mask), std::move(seen.variance),
            std::move(scene), std::move(truth)};
}

}  // namespace star
