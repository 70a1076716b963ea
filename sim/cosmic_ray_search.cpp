// One band of rows at a time: medians, Laplacian, both criteria, growth.
#include "sim/cosmic_ray_search.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "sim/median_filter.h"

namespace star {
namespace {

constexpr int band_rows = 128, band_margin = 48;  // a round reaches 1 + 3 + 2 + 2 + 2 + 2 px: four stay within it
constexpr double structure_noise = 0.42;          // of a 3 x 3 median, in units of a pixel's: 1.25 / 3

// A rectangle of floats; reads beyond its edge give the edge.
struct Plane {
    int w, h;
    std::vector<float> v;
    Plane(int width, int height) : w(width), h(height), v(std::size_t(width) * std::size_t(height)) {}
    float& operator()(int y, int x) { return v[std::size_t(y) * std::size_t(w) + std::size_t(x)]; }
    float at(int y, int x) const {
        return v[std::size_t(std::clamp(y, 0, h - 1)) * std::size_t(w) + std::size_t(std::clamp(x, 0, w - 1))];
    }
};

Plane median(const Plane& in, int radius) {
    Plane out(in.w, in.h);
    out.v = median_filter(best_isa(), in.v, in.w, in.h, radius);
    return out;
}

// Each pixel as four: a quarter has two of its neighbours in the pixel itself and two in those beside it.
float laplacian(const Plane& p, int y, int x) {
    const float c = p.at(y, x), left = p.at(y, x - 1), right = p.at(y, x + 1), down = p.at(y - 1, x),
                up = p.at(y + 1, x);
    const auto quarter = [&](float a, float b) { return std::max(0.0f, 2 * c - a - b); };
    return 0.25f * (quarter(left, down) + quarter(left, up) + quarter(right, down) + quarter(right, up));
}

// The largest within two pixels along each axis.
Plane largest(const Plane& in) {
    constexpr int reach = 2;
    Plane rows(in.w, in.h), out(in.w, in.h);
    std::vector<float> line(std::size_t(in.w + 2 * reach));
    for (int y = 0; y < in.h; ++y) {
        for (int x = -reach; x < in.w + reach; ++x) line[std::size_t(x + reach)] = in.at(y, x);
        float* const to = &rows(y, 0);
        for (int x = 0; x < in.w; ++x) {
            const float* const l = line.data() + x;
            to[x] = std::max(std::max(std::max(l[0], l[1]), std::max(l[2], l[3])), l[4]);
        }
    }
    for (int y = 0; y < in.h; ++y) {
        float* const to = &out(y, 0);
        std::copy_n(&rows(y, 0), in.w, to);
        for (int d = -reach; d <= reach; ++d) {
            const float* const from = &rows(std::clamp(y + d, 0, in.h - 1), 0);
            for (int x = 0; x < in.w; ++x) to[x] = std::max(to[x], from[x]);
        }
    }
    return out;
}

Plane fine_structure(const Plane& light) {
    Plane fine = median(light, 1);
    const Plane coarse = median(fine, 3);
    for (std::size_t i = 0; i < fine.v.size(); ++i) fine.v[i] -= coarse.v[i];
    return largest(fine);
}

class Band {
public:
    Band(const FitImage& image, int first, int last)
        : image_(image),
          first_(first),
          light_(image.width, last - first),
          usable_(light_.v.size()),
          hit_(light_.v.size()) {
        const std::size_t begin = std::size_t(first) * std::size_t(image.width);
        for (std::size_t i = 0; i < usable_.size(); ++i) {
            const std::size_t at = begin + i;
            usable_[i] = std::isfinite(image.pixels[at]) && image.variance[at] > 0 &&
                         (image.unusable.empty() || !image.unusable[at]);
            light_.v[i] = usable_[i] ? image.pixels[at] - image.sky[at] : 0;
        }
        replace([&](std::size_t i) { return !usable_[i]; });
    }

    void search(const CosmicRaySearch& how) {
        for (int round = 0; round < how.rounds; ++round)
            if (!search_once(how)) return;
    }

    std::uint8_t hit(int y, int x) const { return hit_[index(y - first_, x)]; }

private:
    std::size_t index(int y, int x) const { return std::size_t(y) * std::size_t(light_.w) + std::size_t(x); }

    // These pixels become the median of the others within two pixels, or the sky.
    template <class Which>
    void replace(Which which) {
        std::vector<std::pair<std::size_t, float>> replaced;
        std::vector<float> window;
        for (int y = 0; y < light_.h; ++y)
            for (int x = 0; x < light_.w; ++x) {
                if (!which(index(y, x))) continue;
                window.clear();
                for (int v = std::max(y - 2, 0); v <= std::min(y + 2, light_.h - 1); ++v)
                    for (int u = std::max(x - 2, 0); u <= std::min(x + 2, light_.w - 1); ++u)
                        if (usable_[index(v, u)] && !which(index(v, u))) window.push_back(light_(v, u));
                float value = 0;
                if (!window.empty()) {
                    const auto middle = window.begin() + std::ptrdiff_t(window.size() / 2);
                    std::nth_element(window.begin(), middle, window.end());
                    value = *middle;
                }
                replaced.emplace_back(index(y, x), value);
            }
        for (const auto& [i, value] : replaced) light_.v[i] = value;
    }

    bool beside_unusable(int y, int x) const {
        for (int v = std::max(y - 1, 0); v <= std::min(y + 1, light_.h - 1); ++v)
            for (int u = std::max(x - 1, 0); u <= std::min(x + 1, light_.w - 1); ++u)
                if (!usable_[index(v, u)]) return true;
        return false;
    }

    // Equations 10 to 13; the Laplacian itself is left in `edges`.
    Plane significance(Plane& edges, Plane& noise) {
        const Plane smooth = median(light_, 2);
        const double photon = image_.electrons_per_unit > 0 ? 1 / image_.electrons_per_unit : 0;
        const std::size_t begin = std::size_t(first_) * std::size_t(image_.width);
        Plane s(light_.w, light_.h);
        for (int y = 0; y < light_.h; ++y)
            for (int x = 0; x < light_.w; ++x) {
                const std::size_t i = index(y, x);
                const float variance = usable_[i] ? image_.variance[begin + i] : INFINITY;
                noise.v[i] = float(std::sqrt(variance + std::max(0.0f, smooth.v[i]) * photon));
                edges.v[i] = laplacian(light_, y, x);
                s.v[i] = edges.v[i] / (2 * noise.v[i]);  // 2: the sampling's factor
            }
        const Plane smooth_s = median(s, 2);
        for (std::size_t i = 0; i < s.v.size(); ++i) s.v[i] -= smooth_s.v[i];
        return s;
    }

    bool search_once(const CosmicRaySearch& how) {
        Plane edges(light_.w, light_.h), noise(light_.w, light_.h);
        const Plane s = significance(edges, noise), fine = fine_structure(light_);
        std::vector<std::uint8_t> found(hit_.size());
        bool any = false;
        for (int y = 0; y < light_.h; ++y)
            for (int x = 0; x < light_.w; ++x) {
                const std::size_t i = index(y, x);
                const float structure = std::max(fine.v[i], 0.0f) + float(structure_noise) * noise.v[i];
                if (s.v[i] > how.sigma && edges.v[i] > how.contrast * structure && !hit_[i] && !beside_unusable(y, x))
                    found[i] = 1, any = true;
            }
        if (!any) return false;
        grow(found, s, how.sigma);
        grow(found, s, how.sigma * how.neighbour);
        for (std::size_t i = 0; i < found.size(); ++i) hit_[i] |= found[i];
        replace([&](std::size_t i) { return !usable_[i] || hit_[i]; });
        return true;
    }

    void grow(std::vector<std::uint8_t>& found, const Plane& s, double limit) const {
        const std::vector<std::uint8_t> seeds = found;
        for (int y = 0; y < light_.h; ++y)
            for (int x = 0; x < light_.w; ++x) {
                if (!seeds[index(y, x)]) continue;
                for (int v = std::max(y - 1, 0); v <= std::min(y + 1, light_.h - 1); ++v)
                    for (int u = std::max(x - 1, 0); u <= std::min(x + 1, light_.w - 1); ++u)
                        if (s.v[index(v, u)] > limit && usable_[index(v, u)]) found[index(v, u)] = 1;
            }
    }

    const FitImage& image_;
    int first_;
    Plane light_;
    std::vector<std::uint8_t> usable_, hit_;
};

}  // namespace

double star_contrast(const Psf& psf) {
    constexpr int side = 21, steps = 8;
    double worst = 0;
    for (int i = -steps / 2; i <= steps / 2; ++i)
        for (int j = -steps / 2; j <= steps / 2; ++j) {
            Plane star(side, side);
            for (int y = 0; y < side; ++y)
                for (int x = 0; x < side; ++x)
                    star(y, x) = psf.at(x - side / 2 - double(j) / steps, y - side / 2 - double(i) / steps);
            const Plane fine = fine_structure(star);
            const float peak = *std::max_element(star.v.begin(), star.v.end());
            for (int y = side / 2 - 4; y <= side / 2 + 4; ++y)
                for (int x = side / 2 - 4; x <= side / 2 + 4; ++x)
                    worst = std::max(worst, double(laplacian(star, y, x) / std::max(fine.at(y, x), 1e-6f * peak)));
        }
    return std::max(2.0, 1.5 * worst);
}

std::vector<std::uint8_t> find_cosmic_rays(ThreadPool& pool, const FitImage& image, const CosmicRaySearch& how) {
    const std::size_t size = std::size_t(image.width) * std::size_t(image.height);
    require(image.pixels.size() == size && image.sky.size() == size && image.variance.size() == size,
            "cosmic rays: an image of ", image.width, "x", image.height, " with ", image.pixels.size(), " pixels");
    std::vector<std::uint8_t> out(size);
    pool.for_range(image.height, band_rows, [&](std::int64_t first, std::int64_t last, int) {
        const int low = std::max(int(first) - band_margin, 0), high = std::min(int(last) + band_margin, image.height);
        Band band(image, low, high);
        band.search(how);
        for (int y = int(first); y < int(last); ++y)
            for (int x = 0; x < image.width; ++x)
                out[std::size_t(y) * std::size_t(image.width) + std::size_t(x)] = band.hit(y, x);
    });
    return out;
}

}  // namespace star
