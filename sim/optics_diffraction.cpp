// Two real matrix products per direction: even parts meet cosines, odd parts sines.
#include "sim/optics_diffraction.h"

#include <cmath>
#include <numbers>

#include "kernels/check.h"

namespace star {
namespace {

using Plane = std::vector<double>;

// c (m x n) = a (m x k) b (k x n), row-major; two rows of b at a time, so that c is loaded half as often.
Plane product(const Plane& a, const Plane& b, int m, int k, int n) {
    Plane c(std::size_t(m) * n);
    for (int i = 0; i < m; ++i) {
        double* out = c.data() + std::size_t(i) * n;
        for (int j = 0; j < k; j += 2) {
            const bool pair = j + 1 < k;
            const double p = a[std::size_t(i) * k + j], q = pair ? a[std::size_t(i) * k + j + 1] : 0;
            if (p == 0 && q == 0) continue;  // outside the pupil
            const double *x = b.data() + std::size_t(j) * n, *y = pair ? x + n : x;
            for (int l = 0; l < n; ++l) out[l] += p * x[l] + q * y[l];
        }
    }
    return c;
}

struct Waves {
    Plane cosines, sines;
};

// cos and sin of pi u x for u = 0, step, ... half step and the cells' x > 0: [position][cell], or its transpose.
Waves waves(int cells, int half, double step, bool transposed) {
    const int k = cells / 2, n = half + 1;
    Waves w{Plane(std::size_t(k) * n), Plane(std::size_t(k) * n)};
    for (int u = 0; u < n; ++u)
        for (int x = 0; x < k; ++x) {
            const double phase = std::numbers::pi * step * u * (2 * x + 1) / cells;
            const std::size_t at = transposed ? std::size_t(x) * n + u : std::size_t(u) * k + x;
            w.cosines[at] = std::cos(phase), w.sines[at] = std::sin(phase);
        }
    return w;
}

}  // namespace

std::vector<double> diffracted(std::span<const std::complex<double>> field, int cells, int half, double step) {
    require(cells > 0 && cells % 2 == 0 && half >= 0 && field.size() == std::size_t(cells) * cells,
            "diffracted: ", cells, " cells, half ", half);
    const int k = cells / 2, n = half + 1, size = 2 * half + 1;
    // Along x. parts: even and odd, real and imaginary, of each pupil row.
    Plane even_re(std::size_t(cells) * k), even_im(even_re), odd_re(even_re), odd_im(even_re);
    for (int y = 0; y < cells; ++y)
        for (int x = 0; x < k; ++x) {
            const std::complex<double> right = field[std::size_t(y) * cells + k + x],
                                       left = field[std::size_t(y) * cells + k - 1 - x];
            const std::size_t at = std::size_t(y) * k + x;
            even_re[at] = right.real() + left.real(), even_im[at] = right.imag() + left.imag();
            odd_re[at] = right.real() - left.real(), odd_im[at] = right.imag() - left.imag();
        }
    const Waves along_x = waves(cells, half, step, true);
    const Plane cre = product(even_re, along_x.cosines, cells, k, n),
                cim = product(even_im, along_x.cosines, cells, k, n), sre = product(odd_re, along_x.sines, cells, k, n),
                sim = product(odd_im, along_x.sines, cells, k, n);
    // G(y, +-u) = C -+ i S; then the even and odd parts in y, for every u.
    Plane ere(std::size_t(k) * size), eim(ere), ore(ere), oim(ere);
    for (int y = 0; y < k; ++y)
        for (int u = -half; u <= half; ++u) {
            const double sign = u < 0 ? -1 : 1;
            const auto g = [&](int row) {
                const std::size_t at = std::size_t(row) * n + std::abs(u);
                return std::complex<double>(cre[at] + sign * sim[at], cim[at] - sign * sre[at]);
            };
            const std::complex<double> up = g(k + y), down = g(k - 1 - y);
            const std::size_t at = std::size_t(y) * size + u + half;
            ere[at] = up.real() + down.real(), eim[at] = up.imag() + down.imag();
            ore[at] = up.real() - down.real(), oim[at] = up.imag() - down.imag();
        }
    const Waves along_y = waves(cells, half, step, false);
    const Plane pre = product(along_y.cosines, ere, n, k, size), pim = product(along_y.cosines, eim, n, k, size),
                qre = product(along_y.sines, ore, n, k, size), qim = product(along_y.sines, oim, n, k, size);
    std::vector<double> intensity(std::size_t(size) * size);
    for (int v = -half; v <= half; ++v)
        for (int u = 0; u < size; ++u) {
            const double sign = v < 0 ? -1 : 1;
            const std::size_t at = std::size_t(std::abs(v)) * size + u;
            const double re = pre[at] + sign * qim[at], im = pim[at] - sign * qre[at];
            intensity[std::size_t(v + half) * size + u] = re * re + im * im;
        }
    return intensity;
}

}  // namespace star
