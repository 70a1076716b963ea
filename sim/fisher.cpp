// Weights, blocks of pairs, and the last pivot of a Cholesky factor.
#include "sim/fisher.h"

#include <algorithm>
#include <cmath>

namespace star {
namespace {

constexpr double smallest_pivot = 1e-10;  // of the diagonal: far above rounding, far below what a blend needs
constexpr std::int64_t most_pairs = std::int64_t{1} << 25;

constexpr int tile_rows = 16, tile_columns = 64;  // a tile's stamps stay in cache; few are made for two tiles

// Where a stamp lies in the image; rows and columns of the stamp outside it are left out.
struct Window {
    int column, row;  // of the stamp's middle
    int x0, x1, y0, y1;

    Window(const PointSource& s, int radius, const Weights& w)
        : column(int(std::floor(s.x))),
          row(int(std::floor(s.y))),
          x0(std::max(0, column - radius)),
          x1(std::min(w.width, column + radius + 1)),
          y0(std::max(0, row - radius)),
          y1(std::min(w.height, row + radius + 1)) {}
};

bool reaches(const PointSource& s, int radius, const Weights& w) {
    return s.x >= -radius && s.y >= -radius && s.x < w.width + radius && s.y < w.height + radius;
}

void weigh(const Window& at, int radius, const Weights& w, const double* stamp, double* out) {
    const int n = 2 * radius + 1;
    std::fill_n(out, 3 * std::size_t(n) * std::size_t(n), 0.0);
    for (int y = at.y0; y < at.y1; ++y) {
        const double* weight = w.pixels.data() + std::size_t(y) * std::size_t(w.width) + at.x0;
        const std::size_t line = std::size_t(y - at.row + radius) * 3 * std::size_t(n);
        for (int k = 0; k < 3; ++k) {
            const std::size_t from = line + std::size_t(k * n + at.x0 - at.column + radius);
            for (int x = 0; x < at.x1 - at.x0; ++x)
                out[from + std::size_t(x)] = weight[x] * stamp[from + std::size_t(x)];
        }
    }
}

// block = sum over the pixels both stamps hold of (weighted gradient of a) (gradient of b)^T.
std::array<double, 9> overlap(const Window& a, const double* weighted, const Window& b, const double* stamp,
                              int radius) {
    const int n = 2 * radius + 1;
    const int x0 = std::max(a.x0, b.x0), x1 = std::min(a.x1, b.x1), y0 = std::max(a.y0, b.y0),
              y1 = std::min(a.y1, b.y1);
    std::array<double, 9> sum{};
    for (int y = y0; y < y1; ++y) {
        const double* p = weighted + std::size_t((y - a.row + radius) * 3 * n + x0 - a.column + radius);
        const double* q = stamp + std::size_t((y - b.row + radius) * 3 * n + x0 - b.column + radius);
        for (int x = 0; x < x1 - x0; ++x) {
            const double u[3] = {p[x], p[x + n], p[x + 2 * n]}, v[3] = {q[x], q[x + n], q[x + 2 * n]};
            for (int i = 0; i < 3; ++i)
                for (int j = 0; j < 3; ++j) sum[std::size_t(3 * i + j)] += u[i] * v[j];
        }
    }
    return sum;
}

// The last pivot of a symmetric matrix of which the upper triangle (n rows of n) is given, overwritten: the information
// left on the last parameter when all others are free. diagonal: scratch.
double last_pivot(double* a, int n, double* diagonal) {
    for (int k = 0; k < n; ++k) diagonal[k] = a[std::size_t(k) * std::size_t(n + 1)];
    for (int k = 0; k + 1 < n; ++k) {
        const double* row = a + std::size_t(k) * std::size_t(n);
        if (!(diagonal[k] > 0)) continue;  // nothing is known of it, and nothing shared
        const double inverse = 1 / std::max(row[k], smallest_pivot * diagonal[k]);
        for (int i = k + 1; i < n; ++i) {
            const double factor = row[i] * inverse;
            double* to = a + std::size_t(i) * std::size_t(n);
            for (int j = i; j < n; ++j) to[j] -= factor * row[j];
        }
    }
    return std::max(a[std::size_t(n) * std::size_t(n) - 1], smallest_pivot * diagonal[n - 1]);
}

// Indices of stars by the row of pixels they lie in.
class Rows {
public:
    explicit Rows(std::span<const PointSource> stars) : stars_(stars) {
        first_row_ = stars.empty() ? 0 : int(std::floor(stars.front().y));
        int row = first_row_;
        first_.push_back(0);
        for (std::size_t i = 0; i < stars.size(); ++i) {
            const int r = int(std::floor(stars[i].y));
            require(r > row || (r == row && (i == std::size_t(first_.back()) || stars[i - 1].x <= stars[i].x)),
                    "Fisher: star ", i, " isn't in order");
            for (; row < r; ++row) first_.push_back(int(i));
        }
        first_.push_back(int(stars.size()));
    }
    struct Range {
        int first, last;
    };
    /// Stars of a row whose column is in [low, high].
    Range columns(int row, int low, int high) const {
        const int i = row - first_row_;
        if (i < 0 || i + 1 >= int(first_.size())) return {0, 0};
        const auto a = stars_.begin() + first_[std::size_t(i)], b = stars_.begin() + first_[std::size_t(i) + 1];
        const auto left = [](const PointSource& s, int x) { return s.x < x; };
        const auto from = std::lower_bound(a, b, low, left);
        return {int(from - stars_.begin()), int(std::lower_bound(from, b, high + 1, left) - stars_.begin())};
    }

private:
    std::span<const PointSource> stars_;
    int first_row_;
    std::vector<int> first_;
};

}  // namespace

Weights pixel_weights(ThreadPool& pool, std::span<const PointSource> stars, const Psf& psf, const Exposure& exposure,
                      double psf_error, int width, int height) {
    const Shape shape{1, height, width, 1};
    std::vector<float> light(std::size_t(shape.size()));
    const double empty = native_sigma(exposure);
    // Light below a hundredth of the empty sky's noise changes its variance by less than 1e-2 sigma electrons.
    render(pool, stars, psf, {light.data(), shape}, 0.01 * empty);
    Weights w{width, height, std::vector<double>(light.size())};
    for (std::size_t i = 0; i < light.size(); ++i) {
        const double model = std::max(0.0, double(light[i])), error = psf_error * model;
        w.pixels[i] = 1 / (empty * empty + model + error * error);
    }
    return w;
}

std::vector<double> snr_alone(ThreadPool& pool, std::span<const PointSource> stars, const FisherStamp& stamp,
                              const Weights& weights, double empty_variance, double floor) {
    std::vector<double> snr(stars.size(), 0.0);
    const int radius = stamp.radius();
    const std::size_t size = 3 * std::size_t(stamp.side()) * std::size_t(stamp.side());
    std::vector<std::vector<double>> scratch(std::size_t(pool.threads()));
    pool.for_range(std::int64_t(stars.size()), 256, [&](std::int64_t first, std::int64_t last, int worker) {
        auto& s = scratch[std::size_t(worker)];
        s.resize(2 * size);
        for (std::int64_t i = first; i < last; ++i) {
            const PointSource& star = stars[std::size_t(i)];
            const bool faint = star.flux * std::sqrt(stamp.sharpest() / empty_variance) < floor;
            if (faint || !(star.flux > 0) || !reaches(star, radius, weights)) continue;
            stamp.fill(star.x, star.y, s.data());
            const Window at(star, radius, weights);
            weigh(at, radius, weights, s.data(), s.data() + size);
            auto block = overlap(at, s.data() + size, at, s.data(), radius);
            double diagonal[3];
            snr[std::size_t(i)] = star.flux * std::sqrt(last_pivot(block.data(), 3, diagonal));
        }
    });
    return snr;
}

Fisher::Fisher(ThreadPool& pool, std::span<const PointSource> stars, const FisherStamp& stamp, const Weights& weights) {
    const int radius = stamp.radius(), reach = 2 * radius;
    require(stars.size() < std::size_t{1} << 30, "Fisher: ", stars.size(), " stars");
    for (const PointSource& s : stars) {
        require(reaches(s, radius, weights), "Fisher: a star at ", s.x, ", ", s.y, " is outside the image");
        flux_.push_back(s.flux);
    }
    const Rows rows(stars);
    // Later stars whose stamps overlap star a's: those in a's row from itself on, and in the next rows.
    const auto later = [&](int a, auto&& visit) {
        const int column = int(std::floor(stars[std::size_t(a)].x)), row = int(std::floor(stars[std::size_t(a)].y));
        for (int r = row; r <= row + reach; ++r) {
            const auto [first, last] = rows.columns(r, column - reach, column + reach);
            if (std::max(first, a) < last) visit(std::max(first, a), last);
        }
    };
    first_.assign(stars.size() + 1, 0);
    pool.for_range(std::int64_t(stars.size()), 256, [&](std::int64_t first, std::int64_t last, int) {
        for (std::int64_t a = first; a < last; ++a)
            later(int(a), [&](int b, int end) { first_[std::size_t(a) + 1] += end - b; });
    });
    for (std::size_t i = 0; i < stars.size(); ++i) first_[i + 1] += first_[i];
    if (first_.back() > most_pairs)
        fail(Fault::input, "truth: ", stars.size(), " stars overlap in ", first_.back(), " pairs, more than ",
             most_pairs, ": too dense to tell any from the next");
    other_.resize(std::size_t(first_.back()));
    block_.resize(std::size_t(first_.back()));

    const int columns = ceil_div(weights.width + 2 * radius, tile_columns);
    const int tiles = columns * ceil_div(weights.height + 2 * radius, tile_rows);
    const std::size_t size = 3 * std::size_t(stamp.side()) * std::size_t(stamp.side());
    struct Worker {
        std::vector<double> stamps, weighted;
        std::vector<Rows::Range> range;
        std::vector<int> slot;  // of the first star of each row
    };
    std::vector<Worker> workers(std::size_t(pool.threads()));
    pool.for_each(tiles, [&](std::int64_t tile, int worker) {
        Worker& w = workers[std::size_t(worker)];
        const int x0 = int(tile) % columns * tile_columns - radius, y0 = int(tile) / columns * tile_rows - radius;
        w.range.clear(), w.slot.clear(), w.stamps.clear();
        int count = 0;
        for (int r = y0; r < y0 + tile_rows + reach; ++r) {
            const auto range = rows.columns(r, x0 - reach, x0 + tile_columns - 1 + reach);
            w.range.push_back(range), w.slot.push_back(count);
            count += range.last - range.first;
        }
        w.stamps.resize(std::size_t(count) * size), w.weighted.resize(size);
        for (std::size_t r = 0; r < w.range.size(); ++r)
            for (int i = w.range[r].first; i < w.range[r].last; ++i)
                stamp.fill(stars[std::size_t(i)].x, stars[std::size_t(i)].y,
                           w.stamps.data() + std::size_t(w.slot[r] + i - w.range[r].first) * size);
        const auto stamp_of = [&](int i) {
            const auto r = std::size_t(int(std::floor(stars[std::size_t(i)].y)) - y0);
            return w.stamps.data() + std::size_t(w.slot[r] + i - w.range[r].first) * size;
        };
        for (int r = y0; r < y0 + tile_rows; ++r) {
            const auto own = rows.columns(r, x0, x0 + tile_columns - 1);
            for (int a = own.first; a < own.last; ++a) {
                const Window at(stars[std::size_t(a)], radius, weights);
                weigh(at, radius, weights, stamp_of(a), w.weighted.data());
                auto to = std::size_t(first_[std::size_t(a)]);
                later(a, [&](int b, int end) {
                    for (; b < end; ++b) {
                        other_[to] = b;
                        block_[to++] = overlap(at, w.weighted.data(), Window(stars[std::size_t(b)], radius, weights),
                                               stamp_of(b), radius);
                    }
                });
            }
        }
    });
}

double Fisher::snr(int star, std::span<const int> others, Scratch& scratch) const {
    const int stars = int(others.size()) + 1, n = 3 * stars;
    scratch.slot.resize(flux_.size(), -1);
    scratch.matrix.assign(std::size_t(n) * std::size_t(n), 0.0);
    scratch.diagonal.resize(std::size_t(n));
    const auto at = [&](int i) { return i + 1 < stars ? others[std::size_t(i)] : star; };
    for (int i = 0; i < stars; ++i) scratch.slot[std::size_t(at(i))] = i;
    for (int i = 0; i < stars; ++i) {
        const auto a = std::size_t(at(i));
        for (std::int64_t k = first_[a]; k < first_[a + 1]; ++k) {
            const int j = scratch.slot[std::size_t(other_[std::size_t(k)])];
            if (j < 0) continue;
            const Block& block = block_[std::size_t(k)];
            for (int p = 0; p < 3; ++p)
                for (int q = 0; q < 3; ++q) {
                    const int row = i <= j ? 3 * i + p : 3 * j + q, column = i <= j ? 3 * j + q : 3 * i + p;
                    scratch.matrix[std::size_t(row) * std::size_t(n) + std::size_t(column)] =
                        block[std::size_t(3 * p + q)];
                }
        }
    }
    for (int i = 0; i < stars; ++i) scratch.slot[std::size_t(at(i))] = -1;
    return flux_[std::size_t(star)] * std::sqrt(last_pivot(scratch.matrix.data(), n, scratch.diagonal.data()));
}

}  // namespace star
