// SHA-256 (FIPS 180-4), for provenance: which model, which input made this catalogue.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace star {

/// Feed it bytes in pieces of any size; hex() ends it.
class Sha256 {
public:
    void add(const void* data, std::size_t size);
    /// The digest as 64 lower-case hexadecimal digits. Call once; nothing can be added afterwards.
    std::string hex();

private:
    void block(const std::uint8_t* p);
    std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<std::uint8_t, 64> pending_{};
    std::uint64_t size_ = 0;  // bytes so far
};

/// Of `size` bytes in memory.
std::string sha256(const void* data, std::size_t size);

/// Of a file's bytes. Fault::input if it can't be read.
std::string sha256_file(const std::string& path);

}  // namespace star
