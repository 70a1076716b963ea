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

Scene FieldSimulator::scene(const FieldSpec& field) const { return make_scene(scene_, psf_, exposure_, field); }

Truth FieldSimulator::truth(ThreadPool& pool, const Scene& scene) const {
    return label_truth(pool, scene.stars, native_, exposure_, truth_, scene.width, scene.height);
}

SceneImage FieldSimulator::image(ThreadPool& pool, const Scene& scene, const Look& look) const {
    return observe_scene(pool, scene, scene_, psf_, exposure_, look);
}

Field FieldSimulator::plan(ThreadPool& pool, const FieldSpec& field) const {
    Field out{field.width, field.height, {}, {}, {}, scene(field), {}};
    out.truth = truth(pool, out.scene);
    return out;
}

Field FieldSimulator::make(ThreadPool& pool, const FieldSpec& field, bool with_variance) const {
    Field out = plan(pool, field);
    SceneImage seen = image(pool, out.scene, {field.seed, field.index, with_variance});
    out.image = std::move(seen.image), out.mask = std::move(seen.mask), out.variance = std::move(seen.variance);
    return out;
}

bool FieldSimulator::stars_alone() const {
    return !scene_.galaxies && !scene_.cosmic_rays && !scene_.defects && !scene_.bleeding && !scene_.varying_psf &&
           scene_.sky_gradient_x == 0 && scene_.sky_gradient_y == 0;
}

}  // namespace star
