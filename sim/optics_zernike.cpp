// Annular Zernike polynomials by orthogonalising powers of the radius.
#include "sim/optics_zernike.h"

#include <cmath>
#include <cstdlib>

#include "kernels/check.h"

namespace star {
namespace {

using Powers = std::vector<long double>;  // coefficients of r^m, r^(m+2), ...: they grow to 1e6 and cancel

// The mean of a b over the annulus, analytically.
long double mean(const Powers& a, const Powers& b, int m, long double e) {
    long double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        for (std::size_t k = 0; k < b.size(); ++k) {
            const int n = 2 * (m + int(i + k)) + 2;
            sum += a[i] * b[k] * (1 - std::pow(e, (long double)n)) * 2 / n;
        }
    return sum / (1 - e * e);
}

}  // namespace

Zernike::Zernike(int j, double obscuration) {
    require(j >= 1 && j <= 231 && obscuration >= 0 && obscuration <= 0.95, "Zernike: ", j, ", obscuration ",
            obscuration);
    int n = 0, before = 0;  // Noll: row n holds j = before + 1 ... before + n + 1
    while (j > before + n + 1) before += ++n;
    const int place = j - before - 1;
    const int m = n % 2 ? place / 2 * 2 + 1 : (place + 1) / 2 * 2;
    m_ = j % 2 ? -m : m;

    std::vector<Powers> found;
    for (int order = m; order <= n; order += 2) {
        Powers p(found.size() + 1, 0);
        p.back() = 1;
        const Powers power = p;
        for (const Powers& q : found) {
            const long double share = mean(power, q, m, obscuration);
            for (std::size_t i = 0; i < q.size(); ++i) p[i] -= share * q[i];
        }
        const long double norm = 1 / std::sqrt(mean(p, p, m, obscuration));
        for (long double& c : p) c *= norm;
        found.push_back(p);
    }
    for (long double c : found.back()) powers_.push_back(double(c * (m ? std::sqrt(2.0L) : 1.0L)));
}

double Zernike::at(double x, double y) const {
    const double r2 = x * x + y * y, angle = std::atan2(y, x);
    const int m = std::abs(m_);
    double radial = 0;
    for (std::size_t i = powers_.size(); i-- > 0;) radial = radial * r2 + powers_[i];
    return radial * std::pow(std::sqrt(r2), m) * (m_ < 0 ? std::sin(m * angle) : std::cos(m * angle));
}

}  // namespace star
