// Speed of the simulator on this machine: stars rendered, pixels exposed and whole fields per second.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "kernels/random.h"
#include "sim/field.h"

using namespace star;

namespace {

template <class Work>
double seconds(Work&& work) {  // median of five
    std::vector<double> times;
    for (int i = 0; i < 5; ++i) {
        const auto start = std::chrono::steady_clock::now();
        work();
        times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::sort(times.begin(), times.end());
    return times[2];
}

}  // namespace

int main() {
    const int n = 1000;
    std::vector<float> image(n * n);
    const View<float> view{image.data(), {1, n, n, 1}};
    std::vector<PointSource> stars;
    Random r(1, 1);
    for (int i = 0; i < 50000; ++i) {
        const double x = r.uniform(0, n);
        stars.push_back({x, r.uniform(0, n), 1000});
    }
    for (int threads : {1, 0}) {
        ThreadPool pool(threads);
        std::printf("%d thread%s\n", pool.threads(), pool.threads() > 1 ? "s" : "");
        for (double radius : {15.0, 50.0}) {
            const Psf psf = Psf::moffat(1.7, 3, {4, radius - 1});
            const std::size_t count = radius > 20 ? 5000 : stars.size();
            const double t = seconds([&] { render(pool, {stars.data(), count}, psf, view); });
            std::printf("  render, %3d x %3d px stamps  %9.0f stars/s\n", 2 * psf.reach() + 1, 2 * psf.reach() + 1,
                        double(count) / t);
        }
        for (double sky : {0.29, 13.3}) {
            Exposure e;
            e.sky = sky;
            const double t = seconds([&] {
                std::fill(image.begin(), image.end(), 0.0f);
                expose(pool, view, {}, e, 1, 1);
            });
            std::printf("  expose, sky of %4.0f e         %9.2f Mpx/s\n", e.sky * e.exptime_s, n * n / t * 1e-6);
        }
        Exposure e;
        const FieldSimulator simulator(Psf::moffat_enclosing(0.8, 0.12 / 0.074, 3.0), e, {});
        std::uint64_t index = 0;
        const double mock = seconds([&] { make_mock({}, simulator.psf(), e, 512, 512, 16, 1, index++); });
        std::size_t drawn = 0;
        const double t = seconds([&] { drawn = simulator.make(pool, 512, 512, 16, 1, index++).truth.stars.size(); });
        std::printf("  field of 512 x 512 px, %zu stars at jamming: %.1f fields/s (mock %.1f ms)\n", drawn, 1 / t,
                    mock * 1e3);
    }
}
