// Version, commit and what the program was built with.
#include "tools/version.h"

#include <fitsio.h>
#include <fmt/core.h>
#include <toml++/impl/version.h>
#include <wcslib/wcs.h>
#include <zlib.h>

#include <CLI/Version.hpp>
#include <nlohmann/json.hpp>

#include "kernels/config.h"
#include "kernels/device.h"

namespace star {

std::string version() { return STARBLEND_VERSION; }

std::string commit() {
    const std::string c = STARBLEND_COMMIT;
    return c.empty() ? "unknown" : c;
}

std::string version_report() {
    const std::string cuda = !with_cuda ? "not built in" : fmt::format("built in, {} devices", cuda_devices());
    return fmt::format(
        "starblend {} (commit {})\n"
        "processor: {}; CUDA: {}\n"
        "libraries: CFITSIO {}.{}.{}, WCSLIB {}, zlib {}, CLI11 {}, fmt {}.{}.{}, nlohmann/json {}.{}.{}, toml++ "
        "{}.{}.{}",
        version(), commit(), isa_name(best_isa()), cuda, CFITSIO_MAJOR, CFITSIO_MINOR, CFITSIO_MICRO,
        wcslib_version(nullptr), zlibVersion(), CLI11_VERSION, FMT_VERSION / 10000, FMT_VERSION / 100 % 100,
        FMT_VERSION % 100, NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH,
        TOML_LIB_MAJOR, TOML_LIB_MINOR, TOML_LIB_PATCH);
}

}  // namespace star
