// The sky mesh and its interpolation by definition, in double precision and plain loops.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "kernels/background.h"

namespace star::reference {

struct SkyMesh {
    int h, w;
    std::vector<double> level, rms;
};

inline double median_of(std::vector<double> v) {
    std::sort(v.begin(), v.end());
    return 0.5 * (v[(v.size() - 1) / 2] + v[v.size() / 2]);
}

inline int cell_edge(int cell, int cells, int extent, int size) { return cell == cells ? extent : cell * size; }

inline void clipped_mode(std::vector<double> v, const Mesh& how, double& level, double& rms) {
    for (int round = 0;; ++round) {
        const double middle = median_of(v);
        double mean = 0, square = 0;
        for (double x : v) mean += (x - middle) / double(v.size());
        for (double x : v) square += std::pow(x - middle - mean, 2) / double(v.size());
        rms = std::sqrt(square);
        level = std::fabs(mean) >= 0.3 * rms ? middle : middle - 1.5 * mean;
        std::vector<double> left;
        for (double x : v)
            if (std::fabs(x - middle) <= how.clip * rms) left.push_back(x);
        if (round == how.rounds || left.size() == v.size()) return;
        v = left;
    }
}

/// usable(y, x); value(y, x)
template <class Usable, class Value>
SkyMesh sky_mesh(int height, int width, Usable usable, Value value, const Mesh& how) {
    SkyMesh m{mesh_cells(height, how.size), mesh_cells(width, how.size), {}, {}};
    const int cells = m.h * m.w;
    std::vector<double> level(std::size_t(cells), 0), rms(level);
    std::vector<int> own(level.size());
    for (int pass = 0; pass < 2 && std::count(own.begin(), own.end(), 1) == 0; ++pass)
        for (int c = 0; c < cells; ++c) {
            std::vector<double> v;
            const int y0 = cell_edge(c / m.w, m.h, height, how.size),
                      y1 = cell_edge(c / m.w + 1, m.h, height, how.size);
            const int x0 = cell_edge(c % m.w, m.w, width, how.size), x1 = cell_edge(c % m.w + 1, m.w, width, how.size);
            for (int y = y0; y < y1; ++y)
                for (int x = x0; x < x1; ++x)
                    if (usable(y, x)) v.push_back(value(y, x));
            own[std::size_t(c)] = !v.empty() && (pass == 1 || 4 * v.size() >= std::size_t((y1 - y0) * (x1 - x0)));
            if (!v.empty()) clipped_mode(v, how, level[std::size_t(c)], rms[std::size_t(c)]);
        }
    m.level.assign(level.size(), 0), m.rms = m.level;
    if (std::count(own.begin(), own.end(), 1) == 0) return m;
    std::vector<double> full_level = level, full_rms = rms;
    for (int c = 0; c < cells; ++c)
        for (int r = 1; !own[std::size_t(c)] && r < m.h + m.w; ++r) {
            std::vector<double> a, b;
            for (int o = 0; o < cells; ++o)
                if (own[std::size_t(o)] && std::max(std::abs(o / m.w - c / m.w), std::abs(o % m.w - c % m.w)) == r)
                    a.push_back(level[std::size_t(o)]), b.push_back(rms[std::size_t(o)]);
            if (a.empty()) continue;
            full_level[std::size_t(c)] = median_of(a), full_rms[std::size_t(c)] = median_of(b);
            break;
        }
    for (int c = 0; c < cells; ++c) {
        std::vector<double> a, b;
        for (int o = 0; o < cells; ++o)
            if (std::max(std::abs(o / m.w - c / m.w), std::abs(o % m.w - c % m.w)) <= how.filter / 2)
                a.push_back(full_level[std::size_t(o)]), b.push_back(full_rms[std::size_t(o)]);
        m.level[std::size_t(c)] = median_of(a), m.rms[std::size_t(c)] = median_of(b);
    }
    return m;
}

/// Along one axis: the cells below and above pixel `at`, and how far it is between their centres.
struct Between {
    int low, high;
    double part;
};

inline Between between(int at, int cells, int extent, int size) {
    const auto centre = [&](int c) {
        return 0.5 * (cell_edge(c, cells, extent, size) + cell_edge(c + 1, cells, extent, size));
    };
    int low = 0;
    while (low + 1 < cells && centre(low + 1) <= at + 0.5) ++low;
    if (at + 0.5 <= centre(low) || low + 1 == cells) return {low, low, 0};
    return {low, low + 1, (at + 0.5 - centre(low)) / (centre(low + 1) - centre(low))};
}

}  // namespace star::reference
