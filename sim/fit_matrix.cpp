// Overlaps and Cholesky.
#include "sim/fit_matrix.h"

#include <algorithm>

#include "kernels/fit_rules.h"

namespace star {

const FitKernels& fit_kernels(Isa isa) {
    return of_isa(isa, baseline::fit_kernels, avx2::fit_kernels, avx512::fit_kernels);
}

namespace {

const double* at(const FitPatch& p, int x, int y) { return p.first + (y - p.y0) * p.line + (x - p.x0); }

// What two patches share; false: nothing.
bool meeting(const FitPatch& a, const FitPatch& b, FitMeeting& m) {
    const int x0 = std::max(a.x0, b.x0), x1 = std::min(a.x0 + a.w, b.x0 + b.w);
    const int y0 = std::max(a.y0, b.y0), y1 = std::min(a.y0 + a.h, b.y0 + b.h);
    if (x0 >= x1 || y0 >= y1) return false;
    m = {at(a, x0, y0), at(b, x0, y0), a.planes, b.planes, a.plane, a.line, b.plane, b.line, y1 - y0, x1 - x0};
    return true;
}

}  // namespace

void overlap_matrix(const FitKernels& kernels, const std::vector<FitPatch>& patches, const double* weight, int width,
                    std::vector<double>& scratch, SymmetricMatrix& out) {
    int n = 0;
    for (const FitPatch& p : patches) n += p.planes;
    out.reset(n);
    int row = 0;
    for (std::size_t a = 0; a < patches.size(); row += patches[a++].planes) {
        FitPatch p = patches[a];
        scratch.resize(std::max(scratch.size(), std::size_t(p.planes) * std::size_t(p.w) * std::size_t(p.h)));
        kernels.weigh(p, weight, width, scratch.data());
        p.first = scratch.data(), p.line = p.w, p.plane = std::ptrdiff_t(p.w) * p.h;
        int column = row;
        for (std::size_t b = a; b < patches.size(); column += patches[b++].planes) {
            const FitPatch& q = patches[b];
            FitMeeting shared;
            if (!meeting(p, q, shared)) continue;
            double block[9];
            kernels.meet(shared, block);
            for (int i = 0; i < p.planes; ++i)
                for (int j = 0; j < q.planes; ++j)
                    if (row + i <= column + j) out(row + i, column + j) = block[i * q.planes + j];
        }
    }
}

void overlap_image(const FitKernels& kernels, const std::vector<FitPatch>& patches, const double* image, int width,
                   std::vector<double>& out) {
    out.clear();
    for (const FitPatch& p : patches) {
        double sums[3] = {};
        const FitPatch under{p.x0, p.y0, p.w, p.h, image + std::ptrdiff_t(p.y0) * width + p.x0, 1, 0, width};
        if (FitMeeting shared; meeting(under, p, shared)) kernels.meet(shared, sums);
        out.insert(out.end(), sums, sums + p.planes);
    }
}

void cholesky(const FitKernels& kernels, SymmetricMatrix& m, std::vector<double>& diagonal) {
    const int n = m.n;
    diagonal.resize(std::size_t(n));
    for (int k = 0; k < n; ++k) diagonal[std::size_t(k)] = m(k, k);
    for (int k = 0; k < n; ++k) {
        double* row = &m(k, 0);
        if (!(diagonal[std::size_t(k)] > 0)) {
            std::fill(row + k, row + n, 0.0);
            continue;
        }
        const double root = fit_rules::pivot(row[k], diagonal[std::size_t(k)]), inverse = 1 / root;
        row[k] = root;
        for (int j = k + 1; j < n; ++j) row[j] *= inverse;
        kernels.eliminate(m.at.data(), n, k);
    }
}

}  // namespace star
