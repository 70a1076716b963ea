// What this program is.
#pragma once
#include <string>

namespace star {

inline constexpr const char* program = "starblend";
std::string version();         ///< "0.1.0"
std::string commit();          ///< of the source it was built from; "unknown" outside a checkout
std::string version_report();  ///< several lines: version, commit, instruction sets, CUDA, libraries

}  // namespace star
