// A star through an interpolated PSF is a few stars in one place, one for each node.
#include "sim/psf_map.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"

namespace star {
namespace {

// The sources as each node sees them, and what is done with them: draw(node's PSF, its shares).
template <class Draw>
double for_each_node(std::span<const PointSource> sources, const PsfMap& psf, Draw&& draw) {
    const std::span<const Psf> nodes = psf.nodes();
    std::vector<std::vector<PointSource>> shares(nodes.size());
    for (const PointSource& s : sources) {
        const LocalPsf local = psf.at(s.x, s.y);
        for (const LocalPsf::Part& part : local.parts())
            shares[std::size_t(part.psf - nodes.data())].push_back({s.x, s.y, part.weight * s.flux});
    }
    double landed = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i)
        if (!shares[i].empty()) landed += draw(nodes[i], shares[i]);
    return landed;
}

constexpr double most_bytes = 1e9;

// Samples, and the spline's coefficients.
double table_bytes(const Psf& psf) {
    const double side = 2.0 * psf.half() + 1, extent = double(psf.stride()) * psf.oversampling();
    return side * side * sizeof(double) + extent * extent * sizeof(float);
}

constexpr double share_of_cut = 0.25;  // a source has four shares at most

}  // namespace

float LocalPsf::at(double dx, double dy) const {
    if (count_ == 1) return parts_[0].psf->at(dx, dy);
    double sum = 0;
    for (const Part& p : parts()) sum += p.weight * double(p.psf->at(dx, dy));
    return float(sum);
}

PsfMap::PsfMap(const Psf& psf) : nodes_(std::make_shared<Nodes>(Nodes{psf, {psf}, {}})) {}

PsfMap::PsfMap(const PsfField& field, double x0, double y0, int width, int height) : x0_(x0), y0_(y0) {
    require(width > 0 && height > 0, "PSF map: of ", width, "x", height, " px");
    Nodes n{field.at(x0 + 0.5 * width, y0 + 0.5 * height), {}, field.without_nodes()};
    const double reach = n.middle.reach() + 1;
    n.x0 = x0 - reach, n.y0 = y0 - reach, n.x1 = x0 + width + reach, n.y1 = y0 + height + reach;
    const PsfField::Share low = *field.shares(n.x0, n.y0).begin(), high = *(field.shares(n.x1, n.y1).end() - 1);
    n.first_column = low.ix, n.first_row = low.iy, n.columns = high.ix - low.ix + 1;
    const std::int64_t count = std::int64_t{n.columns} * (high.iy - low.iy + 1);
    if (const double bytes = double(count) * table_bytes(n.middle); bytes > most_bytes)
        fail(Fault::input, "PSF grid: ", count, " PSFs of ", 2 * n.middle.half() + 1, "x", 2 * n.middle.half() + 1,
             " samples for one image take ", std::int64_t(bytes / 1e6), " MB; ", std::int64_t(most_bytes / 1e6),
             " can be had");
    for (int iy = low.iy; iy <= high.iy; ++iy)
        for (int ix = low.ix; ix <= high.ix; ++ix) {
            n.psfs.push_back(field.node(ix, iy));
            const Psf& psf = n.psfs.back();
            if (psf.half() != n.middle.half() || psf.oversampling() != n.middle.oversampling())
                fail(Fault::input, "PSF grid: nodes of different sizes");
        }
    nodes_ = std::make_shared<Nodes>(std::move(n));
}

PsfMap PsfMap::part(int column, int row) const {
    PsfMap p = *this;
    p.x0_ += column, p.y0_ += row;
    return p;
}

double PsfMap::least_blur() const {
    const Psf& psf = nodes_->middle;
    const double bytes = double(nodes_->psfs.size()) * table_bytes(psf);
    const double finer = std::floor(std::sqrt(std::max(1.0, most_bytes / bytes)));  // samples in place of one
    return std::max(Psf::least_blur, finer > 1 ? 1 / (finer * psf.oversampling()) : 1.0 / psf.oversampling());
}

PsfMap PsfMap::blurred(double sigma) const {
    if (sigma == 0) return *this;
    if (sigma < least_blur())
        fail(Fault::input, "PSF: a blur of ", sigma, " px needs tables of more than ", std::int64_t(most_bytes / 1e6),
             " MB; from ", least_blur(), " px on it can be had");
    PsfMap p = *this;
    Nodes n = *nodes_;
    n.middle = n.middle.convolved_gaussian(sigma);
    for (Psf& psf : n.psfs) psf = varies() ? psf.convolved_gaussian(sigma) : n.middle;
    p.nodes_ = std::make_shared<Nodes>(std::move(n));
    return p;
}

LocalPsf PsfMap::at(double x, double y) const {
    const Nodes& n = *nodes_;
    LocalPsf local;
    if (!n.field) {
        local.add(n.psfs[0], 1);
        return local;
    }
    const double u = std::clamp(x0_ + x, n.x0, n.x1), v = std::clamp(y0_ + y, n.y0, n.y1);
    for (const PsfField::Share& s : n.field->shares(u, v))
        local.add(n.psfs[std::size_t((s.iy - n.first_row) * n.columns + s.ix - n.first_column)], s.weight);
    return local;
}

double shine(ThreadPool& pool, std::span<const PointSource> sources, const PsfMap& psf, View<float> image,
             const Stamps& stamps) {
    if (!psf.varies()) return render(pool, sources, psf.middle(), image, stamps);
    Stamps each = stamps;
    each.cut *= share_of_cut;
    return for_each_node(sources, psf, [&](const Psf& node, std::span<const PointSource> shares) {
        return render(pool, shares, node, image, each);
    });
}

double shine(ThreadPool& pool, std::span<const PointSource> sources, const PsfMap& psf, View<float> image, double cut) {
    if (!psf.varies()) return render(pool, sources, psf.middle(), image, cut);
    return for_each_node(sources, psf, [&](const Psf& node, std::span<const PointSource> shares) {
        return render(pool, shares, node, image, share_of_cut * cut);
    });
}

}  // namespace star
