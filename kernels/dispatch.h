// How a public operation reaches its device: the only place that asks which one it is.
#pragma once
#include "kernels/config.h"
#include "kernels/device.h"

namespace star {

/// Calls on_cpu(stream, args...) or on_cuda(stream, args...), whichever the stream's device is; nothing on a dry
/// stream.
template <auto on_cpu, auto on_cuda, class... A>
void on(Stream stream, A... args) {
    if (stream.dry) return;
    if constexpr (with_cuda)
        if (stream.device.kind == Device::Kind::cuda) return on_cuda(stream, args...);
    require(stream.device.kind == Device::Kind::cpu, "this build has no CUDA");
    on_cpu(stream, args...);
}

/// A number that depends on the device (the size of an operation's workspace), also on a dry stream.
template <auto on_cpu, auto on_cuda, class... A>
auto measure(Stream stream, A... args) {
    if constexpr (with_cuda)
        if (stream.device.kind == Device::Kind::cuda) return on_cuda(stream, args...);
    require(stream.device.kind == Device::Kind::cpu, "this build has no CUDA");
    return on_cpu(stream, args...);
}

}  // namespace star
