// Device arrays that are kept from call to call.
#pragma once
#include "kernels/device.h"

namespace star {

/// Room for so many; what was there is lost where there is too little.
template <class T>
void grow(Buffer<T>& buffer, Device device, std::int64_t count) {
    if (buffer.size() < count) buffer = Buffer<T>(device, count);
}

}  // namespace star
