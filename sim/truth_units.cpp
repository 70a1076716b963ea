// Merging, linking, splitting.
#include "sim/truth_units.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "sim/truth_geometry.h"

namespace star {
namespace {

std::vector<int> brightest_first(std::span<const PointSource> stars) {
    std::vector<int> order(stars.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return stars[std::size_t(a)].flux > stars[std::size_t(b)].flux; });
    return order;
}

double separation(const PointSource& a, const PointSource& b) { return std::hypot(a.x - b.x, a.y - b.y); }

// The tree of links that a component is made of, strongest first: a node is a star or a link that joins two nodes.
// Taking away the weakest links of a component leaves the two sides of its last link, whatever weaker links close
// loops: single linkage.
struct Tree {
    struct Node {
        int left = -1, right = -1, stars = 1;
    };
    std::vector<Node> nodes;
    std::vector<int> parent;

    explicit Tree(std::size_t stars) : nodes(stars), parent(stars) { std::iota(parent.begin(), parent.end(), 0); }

    int root(int node) {
        while (parent[std::size_t(node)] != node) {
            parent[std::size_t(node)] = parent[std::size_t(parent[std::size_t(node)])];
            node = parent[std::size_t(node)];
        }
        return node;
    }
    void join(int a, int b) {
        const int p = root(a), q = root(b), made = int(nodes.size());
        if (p == q) return;
        nodes.push_back({p, q, nodes[std::size_t(p)].stars + nodes[std::size_t(q)].stars});
        parent.push_back(made);
        parent[std::size_t(p)] = parent[std::size_t(q)] = made;
    }
    std::vector<int> leaves(int node) const {
        std::vector<int> out, stack{node};
        while (!stack.empty()) {
            const Node& n = nodes[std::size_t(stack.back())];
            if (n.left < 0) out.push_back(stack.back());
            stack.pop_back();
            if (n.left >= 0) stack.push_back(n.right), stack.push_back(n.left);
        }
        return out;
    }
};

struct PairLink {
    double weakness;
    int a, b;
};

}  // namespace

std::vector<MergedStar> merge_stars(std::span<const PointSource> stars, double merge_px) {
    std::vector<MergedStar> out;
    // Kept stars by square cell: few fit into one, however many stars lie in a place.
    std::map<std::pair<double, double>, std::vector<int>>
        cells;  // places in `out`, which is in the order of brightness
    for (int i : brightest_first(stars)) {
        const PointSource& s = stars[std::size_t(i)];
        const double column = std::floor(s.x / merge_px), row = std::floor(s.y / merge_px);
        int best = -1;
        for (int j = -1; j <= 1; ++j)
            for (int k = -1; k <= 1; ++k) {
                const auto cell = cells.find({column + k, row + j});
                if (cell == cells.end()) continue;
                for (int kept : cell->second) {
                    const PointSource& t = stars[std::size_t(out[std::size_t(kept)].parts.front())];
                    if (separation(s, t) < merge_px && (best < 0 || kept < best)) best = kept;
                }
            }
        if (best < 0) {
            cells[{column, row}].push_back(int(out.size()));
            out.push_back({s.x, s.y, s.flux, {i}});
            continue;
        }
        MergedStar& m = out[std::size_t(best)];
        const double sum = m.flux + s.flux, share = sum > 0 ? s.flux / sum : 0;
        m.x += share * (s.x - m.x), m.y += share * (s.y - m.y), m.flux = sum;
        m.parts.push_back(i);
    }
    return out;
}

LinkFinder::LinkFinder(std::span<const PointSource> stars, const Psf& psf, double contrast)
    : stars_(stars),
      psf_(psf),
      faintest_(std::pow(10, -0.4 * contrast) * (1 - 1e-12)),  // so that rounding doesn't cut off the limit itself
      near_(stars, dist_max(psf, 1, faintest_)) {}

std::vector<LinkFinder::Link> LinkFinder::links(const PointSource& s) const {
    std::vector<Link> out;
    if (!(s.flux > 0)) return out;
    near_.for_each(s.x, s.y, [&](int j) {
        const PointSource& t = stars_[std::size_t(j)];
        const double bright = std::max(s.flux, t.flux), faint = std::min(s.flux, t.flux);
        if (&t == &s || !(faint >= faintest_ * bright)) return;
        const double weakness = separation(s, t) / dist_max(psf_, bright, faint);
        if (weakness < 1) out.push_back({j, weakness});
    });
    return out;
}

LinkFinder::Link LinkFinder::strongest(const PointSource& star) const {
    Link best;
    for (const Link& l : links(star))
        if (best.star < 0 || l.weakness < best.weakness || (l.weakness == best.weakness && l.star < best.star))
            best = l;
    return best;
}

Grouping group_stars(std::span<const PointSource> stars, const Psf& psf, const UnitRules& rules) {
    const LinkFinder finder(stars, psf, rules.contrast);
    std::vector<PairLink> links;
    for (std::size_t i = 0; i < stars.size(); ++i)
        for (const auto& l : finder.links(stars[i]))
            if (l.star > int(i)) links.push_back({l.weakness, int(i), l.star});
    std::sort(links.begin(), links.end(), [](const PairLink& p, const PairLink& q) {
        return p.weakness != q.weakness ? p.weakness < q.weakness : p.a != q.a ? p.a < q.a : p.b < q.b;
    });
    Tree tree(stars.size());
    for (const PairLink& l : links) tree.join(l.a, l.b);

    const double widest = rules.most_fwhm * psf.fwhm();
    const auto fits = [&](int node) {
        if (tree.nodes[std::size_t(node)].stars > rules.most_stars) return false;
        const std::vector<int> members = tree.leaves(node);
        for (int a : members)
            for (int b : members)
                if (separation(stars[std::size_t(a)], stars[std::size_t(b)]) > widest) return false;
        return true;
    };
    struct Part {
        std::vector<int> members;
        bool percolated;
    };
    std::vector<Part> parts;
    std::vector<std::pair<int, bool>> stack;
    for (std::size_t n = 0; n < tree.nodes.size(); ++n)
        if (tree.parent[n] == int(n)) stack.push_back({int(n), false});
    while (!stack.empty()) {
        const auto [node, split] = stack.back();
        stack.pop_back();
        if (fits(node)) {
            parts.push_back({tree.leaves(node), split});
        } else {
            stack.push_back({tree.nodes[std::size_t(node)].left, true});
            stack.push_back({tree.nodes[std::size_t(node)].right, true});
        }
    }
    const auto brighter = [&](int a, int b) {
        const double p = stars[std::size_t(a)].flux, q = stars[std::size_t(b)].flux;
        return p != q ? p > q : a < b;
    };
    for (Part& p : parts) std::sort(p.members.begin(), p.members.end(), brighter);
    std::sort(parts.begin(), parts.end(),
              [&](const Part& p, const Part& q) { return brighter(p.members.front(), q.members.front()); });
    Grouping out;
    for (Part& p : parts) out.units.push_back(std::move(p.members)), out.percolated.push_back(p.percolated);
    return out;
}

}  // namespace star
