// Stars' light on a device: their stamps are cut on the host, drawn where the image lies.
#pragma once
#include <span>

#include "kernels/stamps.h"
#include "sim/device_upload.h"
#include "sim/render.h"

namespace star {

/// What render() makes on a CPU, on a GPU. Holds the PSF's table there. One stream at a time.
class DeviceLight {
public:
    DeviceLight(Stream stream, const Psf& psf);  ///< Waits for the device.

    /// image = what render() adds to an empty one, but for rounding, from another order of sums. (1,H,W,1) on the
    /// device, overwritten. Queued, but for the wait for the copies of the call before.
    void draw(std::span<const PointSource> sources, const Stamps& how, View<float> image);

    const Psf& psf() const { return psf_; }
    const float* table() const { return table_.data(); }  ///< Psf::coefficients(), on the device

private:
    Stream stream_;
    Psf psf_;
    Buffer<float> table_;
    DeviceUpload lists_;
};

}  // namespace star
