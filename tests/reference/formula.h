// Numbers given by a formula that tests/parity/make_reference.py shares: splitmix64 of a name's hash and an index.
#pragma once
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace star::reference {

/// `count` numbers in (-1, 1).
inline std::vector<double> formula(const std::string& name, std::int64_t count) {
    std::uint64_t h = 0xcbf29ce484222325ull;  // FNV-1a
    for (unsigned char c : name) h = (h ^ c) * 0x100000001b3ull;
    std::vector<double> out(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) {
        std::uint64_t z = h + std::uint64_t(i + 1) * 0x9e3779b97f4a7c15ull;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ z >> 27) * 0x94d049bb133111ebull;
        z ^= z >> 31;
        out[std::size_t(i)] = double(z >> 40) * 0x1p-23 - 1 + 0x1p-24;
    }
    return out;
}

}  // namespace star::reference
