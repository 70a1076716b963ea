// Files built into the program. The bytes are put there by CMake (see "embedded" in CMakeLists.txt).
#pragma once
#include <string_view>
#include <vector>

namespace star {

struct EmbeddedFile {
    std::string_view name;  ///< without folder and extension
    std::string_view bytes;
};

std::vector<EmbeddedFile> embedded_presets();        ///< tools/presets/*.toml
std::vector<EmbeddedFile> embedded_architectures();  ///< tools/architectures/*.toml
std::vector<EmbeddedFile> embedded_models();         ///< weights/*.safetensors
std::vector<EmbeddedFile> embedded_scripts();        ///< tools/pages/*.js
std::vector<EmbeddedFile> embedded_styles();         ///< tools/pages/*.css

}  // namespace star
