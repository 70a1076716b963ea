// A star through an interpolated PSF is a few stars in one place, one for each node.
#include "sim/scene_light.h"

#include <map>
#include <utility>

namespace star {

double shine(ThreadPool& pool, std::span<const PointSource> sources, const Psf& psf, const VaryingPsf* varying,
             View<float> image, double cut) {
    if (!varying) return render(pool, sources, psf, image, cut);
    const double x0 = varying->x - 0.5 * image.shape.w, y0 = varying->y - 0.5 * image.shape.h;
    const PsfField& field = *varying->over_detector;
    std::map<std::pair<int, int>, std::vector<PointSource>> by_node;
    for (const PointSource& s : sources)
        for (const PsfField::Share& share : field.shares(x0 + s.x, y0 + s.y))
            by_node[{share.ix, share.iy}].push_back({s.x, s.y, share.weight * s.flux});
    double landed = 0;
    for (const auto& [node, shares] : by_node)  // a source has four shares at most
        landed += render(pool, shares, field.node(node.first, node.second), image, 0.25 * cut);
    return landed;
}

}  // namespace star
