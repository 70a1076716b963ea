// Selection of stars for a PSF.
#include "sim/psf_measure_stars.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace star {
namespace {

constexpr double threshold = 20;     // sigma, of a peak: its position is then good to a few hundredths of a pixel
constexpr int ring_width = 4;        // px, of the sky's
constexpr double rival = 0.1;        // of a peak: a maximum this high beside it is another star
constexpr double window = 2.5;       // px, half-width of the one in which a star's centroid is taken
constexpr double overwhelming = 10;  // times a peak: its wings reach over

struct Peak {
    int column, row;
    float value;
};

float at(const MeasuredImage& i, int column, int row) { return i.pixels[std::size_t(row) * i.w + column]; }

// Robust: half of the differences between neighbours must be sky.
double noise(const MeasuredImage& image) {
    std::vector<double> steps;
    for (int y = 0; y < image.h; ++y)
        for (int x = 1; x < image.w; ++x)
            if (usable(image, x, y) && usable(image, x - 1, y))
                steps.push_back(std::fabs(double(at(image, x, y)) - at(image, x - 1, y)));
    return median(steps) * 1.4826 / std::sqrt(2.0);  // of a Gaussian from its median deviation; two pixels' noise
}

double middle(const MeasuredImage& image) {
    std::vector<double> values;
    for (int y = 0; y < image.h; ++y)
        for (int x = 0; x < image.w; ++x)
            if (usable(image, x, y)) values.push_back(at(image, x, y));
    return median(values);
}

// Highest of its 5 x 5 neighbours; of equal ones the first in reading order.
bool is_peak(const MeasuredImage& image, int column, int row) {
    const float value = at(image, column, row);
    for (int y = std::max(0, row - 2); y <= std::min(image.h - 1, row + 2); ++y)
        for (int x = std::max(0, column - 2); x <= std::min(image.w - 1, column + 2); ++x) {
            if ((x == column && y == row) || !usable(image, x, y)) continue;
            const float other = at(image, x, y);
            const bool before = y < row || (y == row && x < column);
            if (other > value || (before && other == value)) return false;
        }
    return true;
}

bool whole(const MeasuredImage& image, const Peak& p, double saturate) {
    for (int y = p.row - 2; y <= p.row + 2; ++y)
        for (int x = p.column - 2; x <= p.column + 2; ++x)
            if (x >= 0 && y >= 0 && x < image.w && y < image.h && (!usable(image, x, y) || at(image, x, y) >= saturate))
                return false;
    return true;
}

double ring_median(const MeasuredImage& image, const Peak& p, int radius) {
    std::vector<double> values;
    const int outer = radius + ring_width;
    for (int y = std::max(0, p.row - outer); y <= std::min(image.h - 1, p.row + outer); ++y)
        for (int x = std::max(0, p.column - outer); x <= std::min(image.w - 1, p.column + outer); ++x) {
            const double r = std::hypot(x - p.column, y - p.row);
            if (r >= radius && r <= outer && usable(image, x, y)) values.push_back(at(image, x, y));
        }
    return median(values);
}

// Share of pixel i that lies within `half` of `centre`.
double inside(int i, double centre, double half) {
    return std::clamp(std::min(i + 0.5, centre + half) - std::max(i - 0.5, centre - half), 0.0, 1.0);
}

// The centroid in a window that moves with it, edges and all: one of whole pixels would draw every star towards the
// middle of its pixel, and the PSF can't tell such a pull from a shape of its own (Anderson and King 2000, section 2).
void find_centroid(const MeasuredImage& image, IsolatedStar& s) {
    for (int round = 0; round < 30; ++round) {
        double sum = 0, x = 0, y = 0;
        for (int row = s.row - 4; row <= s.row + 4; ++row)
            for (int column = s.column - 4; column <= s.column + 4; ++column) {
                const double weight = inside(column, s.x, window) * inside(row, s.y, window);
                if (!(weight > 0) || !usable(image, column, row)) continue;
                const double v = weight * (at(image, column, row) - s.sky);
                sum += v, x += v * (column - s.x), y += v * (row - s.y);
            }
        if (!(sum > 0)) return;
        s.x = std::clamp(s.x + std::clamp(x / sum, -0.5, 0.5), s.column - 1.0, s.column + 1.0);
        s.y = std::clamp(s.y + std::clamp(y / sum, -0.5, 0.5), s.row - 1.0, s.row + 1.0);
    }
}

IsolatedStar measured(const MeasuredImage& image, const Peak& p, double sky) {
    IsolatedStar s{p.column, p.row, double(p.column), double(p.row), 0, sky};
    for (int dy = -3; dy <= 3; ++dy)
        for (int dx = -3; dx <= 3; ++dx)
            if (dx * dx + dy * dy <= 9 && usable(image, p.column + dx, p.row + dy))
                s.flux += at(image, p.column + dx, p.row + dy) - sky;
    find_centroid(image, s);
    return s;
}

}  // namespace

bool usable(const MeasuredImage& image, int column, int row) {
    const std::size_t i = std::size_t(row) * image.w + column;
    return std::isfinite(image.pixels[i]) && (image.mask.empty() || image.mask[i] == 0);
}

double median(std::vector<double>& values) {
    if (values.empty()) return std::nan("");
    const auto middle = values.begin() + std::ptrdiff_t(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

StarSelection select_stars(const MeasuredImage& image, const PsfMeasure& how) {
    StarSelection s;
    s.sigma = noise(image);
    const double level = middle(image);
    if (!std::isfinite(s.sigma)) return s;  // no two usable pixels side by side
    // Maxima from 5 sigma on may spoil a star; from 20 they may be one.
    std::vector<Peak> peaks;
    std::vector<std::uint8_t> is(image.pixels.size());
    for (int y = 0; y < image.h; ++y)
        for (int x = 0; x < image.w; ++x)
            if (usable(image, x, y) && at(image, x, y) > level + 5 * s.sigma && is_peak(image, x, y)) {
                is[std::size_t(y) * image.w + x] = 1;
                peaks.push_back({x, y, at(image, x, y)});
            }
    std::stable_sort(peaks.begin(), peaks.end(), [](const Peak& a, const Peak& b) { return a.value > b.value; });

    const int radius = how.radius;
    const auto alone = [&](const Peak& p, double sky) {
        const double own = p.value - sky;
        for (int y = std::max(0, p.row - 2 * radius); y <= std::min(image.h - 1, p.row + 2 * radius); ++y)
            for (int x = std::max(0, p.column - 2 * radius); x <= std::min(image.w - 1, p.column + 2 * radius); ++x) {
                if (!is[std::size_t(y) * image.w + x] || (x == p.column && y == p.row)) continue;
                const double r = std::hypot(x - p.column, y - p.row), other = at(image, x, y) - sky;
                if (other > own * (r <= radius + 2 ? rival : overwhelming) && r <= 2 * radius) return false;
            }
        return true;
    };
    for (const Peak& p : peaks) {
        if (!(p.value > level + threshold * s.sigma)) break;
        ++s.peaks;
        if (!whole(image, p, how.saturate)) {
            ++s.saturated;
            continue;
        }
        if (int(s.stars.size()) == how.max_stars) continue;
        const bool inside = p.column >= radius + 1 && p.row >= radius + 1 && p.column + radius + 1 < image.w &&
                            p.row + radius + 1 < image.h;
        const double sky = inside ? ring_median(image, p, radius) : 0;
        if (inside && p.value - sky > threshold * s.sigma && alone(p, sky))
            s.stars.push_back(measured(image, p, sky));
        else
            ++s.crowded;
    }
    return s;
}

}  // namespace star
