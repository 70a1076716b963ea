// One call of zlib.
#include "io/deflate.h"

#include <zlib.h>

#include "kernels/check.h"

namespace star {

std::string deflated(std::string_view bytes) {
    uLongf size = compressBound(bytes.size());
    std::string packed(size, '\0');
    const int status = compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                                 reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), Z_DEFAULT_COMPRESSION);
    require(status == Z_OK, "zlib says ", status);
    packed.resize(size);
    return packed;
}

}  // namespace star
