// The kernel that fits stars against GroupFit on the same pieces.
#include "tests/cuda_fit_cases.h"

using namespace star;
using namespace star::test;

namespace {

void compare(FitCase& c, const FitResult& want, const FitResult& got) {
    REQUIRE(want.results.size() == got.results.size());
    double worst = 0;
    for (std::size_t i = 0; i < want.results.size(); ++i) {
        const FitPiece& p = c.pieces()[i];
        const GroupResult &a = want.results[i], &b = got.results[i];
        CAPTURE(i);
        CAPTURE(p.stars);
        CHECK(a.pixels == b.pixels);
        CHECK(a.iterations == b.iterations);
        CHECK(a.converged == b.converged);
        CHECK(std::fabs(a.chi2 - b.chi2) <= 1e-9 * a.chi2);
        for (int k = p.first; k < p.first + p.stars; ++k) {
            const FitStar &s = want.stars[std::size_t(k)], &t = got.stars[std::size_t(k)];
            const FitErrors &e = want.errors[std::size_t(k)], &f = got.errors[std::size_t(k)];
            CAPTURE(k);
            const auto check = [&](double u, double v, double sigma, double other_sigma) {
                if (sigma > 0) {
                    worst = std::max({worst, std::fabs(u - v) / sigma, std::fabs(sigma / other_sigma - 1)});
                    CHECK(std::fabs(u - v) <= apart * sigma);
                    CHECK(std::fabs(sigma - other_sigma) <= apart * sigma);
                } else {
                    CHECK(std::isnan(sigma));
                    CHECK(std::isnan(other_sigma));
                    // Not the piece's own, or nothing is known of it: then it hasn't moved.
                    CHECK(std::fabs(u - v) <= 1e-6 * std::max(1.0, std::fabs(u)));
                }
            };
            check(s.x, t.x, e.x, f.x), check(s.y, t.y, e.y, f.y), check(s.flux, t.flux, e.flux, f.flux);
        }
    }
    MESSAGE(want.results.size(), " pieces: at most ", worst, " errors apart");
}

void check(Stream stream, FitCase& c, const GroupLimits& limits = {}) {
    const FitResult want = c.fitted({{}, stream.pool}, limits), got = c.from_kernel(stream, limits, true);
    compare(c, want, got);
}

}  // namespace

TEST_CASE("fit_stars: groups of one to twelve stars, masked pixels, neighbours, with and without drizzle") {
    if (gpu_missing()) return;
    const Queue q;
    for (const double drizzle : {0.0, 0.4}) {
        FitCase c(*q.stream.pool, Psf::moffat(1.7, 3, {0, 12}), drizzle);
        c.add_random(9, 9, 0, 1, 1, 1);
        c.add_random(28, 10, 3, 3, 3, 2);
        c.add_random(45, 12, 4, 5, 2, 3);
        c.add_random(14, 30, 5, 12, 12, 4);
        check(q.stream, c);
        GroupLimits fixed;
        fixed.moves = false;
        check(q.stream, c, fixed);
        c.alone = true;
        check(q.stream, c);
    }
}

TEST_CASE("fit_stars: groups of up to 36 stars, stamps of more pixels than a warp holds") {
    if (gpu_missing()) return;
    const Queue q;
    FitCase c(*q.stream.pool, Psf::moffat(1.7, 3, {0, 12}), 0.4);
    c.add_random(14, 14, 4, 13, 12, 5);
    c.add_random(36, 30, 9, 36, 12, 6);
    check(q.stream, c);
    FitCase wide(*q.stream.pool, Psf::moffat(4, 3, {0, 20}), 0);
    REQUIRE(wide.stamp().side() * wide.stamp().side() > 2 * 96);
    wide.add_random(30, 24, 8, 6, 6, 7);
    check(q.stream, wide);
}

TEST_CASE("fit_stars: pieces with little in them, and stars that lie badly") {
    if (gpu_missing()) return;
    const Queue q;
    FitCase c(*q.stream.pool, Psf::moffat(1.7, 3, {0, 12}), 0);
    c.add({}, 0, 0);                                                   // nobody
    c.add({{30, 10, 2000}}, 0, 0.1);                                   // nobody of its own: it looks nowhere
    c.add({{20, 20, 4000}, {20.1, 20, 4000}}, 2, 0.02);                // 0.1 px apart
    c.add({{0, 30.2, 3000}, {59.99, 51.99, 3000}}, 2, 0);              // on edges
    c.add({{45, 15, 0}, {48, 15, 500}}, 2, 0);                         // of no flux
    c.add({{30, 30, 2000}, {1e9, -1e300, 10}, {-40, 30, 5}}, 1, 0.1);  // far away
    c.add({{-3, 40, 5000}}, 1, 0);                                     // beyond the edge
    c.add({{50, 35, 3000}}, 1, 0.1);                                   // no pixel is usable
    c.hide(42, 27, 59, 44);
    c.add({{12, 44, -800}}, 1, 0.1, 1);  // less than no light
    c.add({{30, 44, 50}}, 1, 3);         // too far to find its way
    check(q.stream, c);
    check(q.stream, c, {.iterations = 1});
    const FitResult one = c.from_kernel(q.stream, {}, true), other = c.from_kernel(q.stream, {}, false);
    CHECK(same_bits(one.stars, other.stars));
    const std::vector<double> untouched(3 * one.errors.size(), std::bit_cast<double>(~std::uint64_t{0}));
    CHECK(std::memcmp(other.errors.data(), untouched.data(), untouched.size() * sizeof(double)) == 0);
}

TEST_CASE("fit_stars: a PSF that changes over the image") {
    if (gpu_missing()) return;
    const Queue q;
    const PsfField field({0, 30, 60}, {0, 52}, [](int ix, int iy) {
        return Psf::moffat(1.6 + 0.4 * ix + 0.3 * iy, 3, {4, 12});
    });
    const PsfMap map(field, 0, 0, FitCase::width, FitCase::height);
    REQUIRE(map.varies());
    FitCase c(*q.stream.pool, map, 0.4);
    c.add_random(12, 12, 3, 4, 4, 1);
    c.add_random(44, 38, 3, 4, 4, 2);
    check(q.stream, c);
}

TEST_CASE("fit_stars: extents that are none") {
    if (gpu_missing()) return;
    const Queue q;
    FitBatch batch;
    batch.count = 1;
    CHECK_THROWS_WITH_AS(cuda::fit_stars(q.stream, batch, {100, most_fit_stars + 1, false}, nullptr),
                         doctest::Contains("37 stars"), Error);
    batch.kernel_size = 2;
    CHECK_THROWS_AS(cuda::fit_stars_workspace(batch, {100, 3, false}), Error);
    batch.count = 0, batch.kernel_size = 1;
    cuda::fit_stars(q.stream, batch, {0, 0, false}, nullptr);
    synchronize(q.stream);
}
