// Fields drawn on a device: stars' places come from the host, light and noise are made where the network wants them.
#pragma once
#include <span>
#include <vector>

#include "kernels/device.h"
#include "sim/detector_noise.h"
#include "sim/device_light.h"
#include "sim/scene.h"

namespace star {

/// What render() and expose() make on a CPU, on a GPU. Holds the PSF's table and workspace there, which grows to the
/// largest field asked for. One stream at a time.
class DeviceSky {
public:
    /// psf: of the output image. Waits for the device.
    DeviceSky(Stream stream, const Psf& psf, const Exposure& exposure);

    /// The image of a list of stars: a scene without galaxies, tracks, defects, gradient and bleeding, cut as
    /// observe_scene() cuts it. Its noise is observe_scene()'s, bit for bit, given the same light; the light differs by
    /// rounding, from another order of sums.
    ///   image  (1,H,W,1) on the device, overwritten      look  without a variance
    /// Queued, but for the wait for the copies of the call before, whose staging memory it uses again.
    void observe(std::span<const Star> stars, const Look& look, View<float> image);

private:
    Stream stream_;
    Exposure exposure_;
    std::vector<double> drizzle_;
    DeviceLight light_;
    Buffer<float> native_, noise_, rows_;
};

}  // namespace star
