// Lists of stamps on the host, everything else queued.
#include "sim/device_light.h"

#include <vector>

#include "kernels/config.h"
#include "sim/stamp_tiles.h"

namespace star {
namespace {

Stamp device_stamp(const CutStamp& s, const Psf& psf) {
    const Psf::Phase x = psf.phase_x(s.x - s.column - 0.5), y = psf.phase_y(s.y - s.row - 0.5);
    Stamp to{};
    for (int i = 0; i < 4; ++i) {
        to.taps.at_y[i] = y.at[i], to.taps.y[i] = y.weight[i] * s.flux;
        to.taps.at_x[i] = x.at[i], to.taps.x[i] = x.weight[i];
    }
    to.column = s.column, to.row = s.row;
    to.left = s.left, to.right = s.right, to.top = s.top, to.bottom = s.bottom;
    return to;
}

}  // namespace

DeviceLight::DeviceLight(Stream stream, const Psf& psf) : stream_(stream), psf_(psf), lists_(stream) {
    const std::int64_t planes = std::int64_t{psf.oversampling()} * psf.oversampling();
    table_ = Buffer<float>(stream.device, planes * psf.stride() * psf.stride());
    copy_to_device(stream, table_.data(), psf.coefficients(), std::size_t(table_.size()) * sizeof(float));
    synchronize(stream);
}

void DeviceLight::draw(std::span<const PointSource> sources, const Stamps& how, View<float> image) {
    const StampsByTile cut(sources, psf_, how, image.shape, stamp_tile_rows, stamp_tile_columns);
    std::vector<Stamp> stamps;
    stamps.reserve(cut.stamps().size());
    for (const CutStamp& s : cut.stamps()) stamps.push_back(device_stamp(s, psf_));
    const auto [at, first, list] = lists_.send(std::span<const Stamp>(stamps), std::span<const int>(cut.first()),
                                               std::span<const int>(cut.list()));
    fill_zero(stream_, image.data, std::size_t(image.size()) * sizeof(float));
    if constexpr (with_cuda) cuda::add_stamps(stream_, {at, first, list}, table_.data(), psf_.stride(), image);
}

}  // namespace star
