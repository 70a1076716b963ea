// Lists of stamps on the host, everything else queued.
#include "sim/device_sky.h"

#include <algorithm>
#include <cstring>

#include "kernels/config.h"
#include "kernels/noise.h"
#include "kernels/normalise.h"
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

template <class T>
void grow(Buffer<T>& buffer, Device device, std::int64_t count) {
    if (buffer.size() < count) buffer = Buffer<T>(device, count);
}

}  // namespace

DeviceSky::DeviceSky(Stream stream, const Psf& psf, const Exposure& exposure)
    : stream_(stream),
      psf_(psf),
      exposure_((check_exposure(exposure), exposure)),
      drizzle_(drizzle_kernel(exposure.drizzle_sigma)),
      staged_(stream.device, 0),
      copied_(stream.device) {
    require(with_cuda && stream.device.kind == Device::Kind::cuda, "DeviceSky: needs a GPU");
    const std::int64_t planes = std::int64_t{psf.oversampling()} * psf.oversampling();
    table_ = Buffer<float>(stream.device, planes * psf.stride() * psf.stride());
    copy_to_device(stream, table_.data(), psf.coefficients(), std::size_t(table_.size()) * sizeof(float));
    synchronize(stream);
}

void DeviceSky::upload(std::span<const Star> stars, Shape native, int frame) {
    std::vector<PointSource> sources;
    sources.reserve(stars.size());
    for (const Star& s : stars) sources.push_back({s.x + frame, s.y + frame, s.flux});
    const double density = std::max(1.0, double(sources.size())) / double(native.size());
    const StampsByTile cut(sources, psf_, Stamps{wing_cut * native_sigma(exposure_), density}, native, stamp_tile_rows,
                           stamp_tile_columns);
    const std::size_t stamps = cut.stamps().size() * sizeof(Stamp), first = cut.first().size() * sizeof(int),
                      list = cut.list().size() * sizeof(int);
    const std::size_t bytes = stamps + first + list;
    copied_.wait();
    if (staged_.size() < std::int64_t(bytes)) {
        synchronize(stream_);  // kernels may still read the old lists
        staged_ = HostBuffer<std::byte>(stream_.device, std::int64_t(2 * bytes));
        lists_ = Buffer<std::byte>(stream_.device, std::int64_t(2 * bytes));
    }
    std::byte* to = staged_.data();
    for (const CutStamp& s : cut.stamps()) {
        const Stamp stamp = device_stamp(s, psf_);
        std::memcpy(to, &stamp, sizeof stamp);
        to += sizeof stamp;
    }
    std::memcpy(to, cut.first().data(), first);
    if (list > 0) std::memcpy(to + first, cut.list().data(), list);
    copy_to_device(stream_, lists_.data(), staged_.data(), bytes);
    copied_.record(stream_);
    tiles_ = {reinterpret_cast<const Stamp*>(lists_.data()), reinterpret_cast<const int*>(lists_.data() + stamps),
              reinterpret_cast<const int*>(lists_.data() + stamps + first)};
}

void DeviceSky::observe(std::span<const Star> stars, const Look& look, View<float> image) {
    require(!look.variance, "DeviceSky: gives no variance");
    const int frame = int(drizzle_.size()) / 2;
    const Shape native{1, image.shape.h + 2 * frame, image.shape.w + 2 * frame, 1};
    upload(stars, native, frame);
    const bool drizzled = frame > 0;
    if (drizzled) {
        grow(native_, stream_.device, native.size());
        grow(noise_, stream_.device, native.size());
        grow(rows_, stream_.device, native.size());
    }
    const View<float> light = drizzled ? native_.view(native) : image;
    fill_zero(stream_, light.data, std::size_t(light.size()) * sizeof(float));
    if constexpr (with_cuda) {  // the CPU has observe_scene()
        cuda::add_stamps(stream_, tiles_, table_.data(), psf_.stride(), light);

        NoiseRun run = noise_run(exposure_, look.seed, look.index);
        run.image = light.data, run.count = light.size();
        run.noise = drizzled ? noise_.data() : nullptr;
        cuda::expose(stream_, run);
        if (!drizzled) return;
        cuda::drizzle_noise(stream_, light, {noise_.data(), native}, drizzle_.data(), int(drizzle_.size()), run.unit,
                            rows_.data());
        cut_window(stream_, View<const float>{light.data, native}, frame, frame, image);
    }
}

}  // namespace star
