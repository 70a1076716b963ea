// For the tests of io: a folder of one's own, removed at the end; and the fault that a call ends in.
#pragma once
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "kernels/check.h"

struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "starblend-XXXXXX").string();
        if (!mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
        path = name;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path); }
    std::string operator/(const std::string& name) const { return (path / name).string(); }
    /// Writes a file and returns its path.
    std::string put(const std::string& name, const std::string& bytes) const {
        std::ofstream(path / name, std::ios::binary) << bytes;
        return *this / name;
    }
    std::string get(const std::string& name) const {
        std::ifstream in(path / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
};

/// What went wrong, or nullopt if nothing did.
template <class F>
std::optional<star::Fault> fault(F f) {
    try {
        f();
    } catch (const star::Error& e) {
        return e.fault;
    }
    return {};
}

/// The message of the error, or "" if there is none.
template <class F>
std::string message(F f) {
    try {
        f();
    } catch (const star::Error& e) {
        return e.what();
    }
    return {};
}

/// The folder of real data, or "" where it is absent.
inline std::string real_data() {
    const char* named = std::getenv("STARBLEND_DATA");
    const std::filesystem::path folder =
        named ? std::filesystem::path(named) : std::filesystem::path(STARBLEND_SOURCE) / "../shared/data";
    std::error_code error;
    return std::filesystem::is_directory(folder, error) ? folder.string() : "";
}
