// What the fuzz targets share: the input as a file, and what may come of reading it: success, or one line that names
// the file. Anything else is a finding: another exception, a crash, a broken promise, too much time or memory.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "kernels/check.h"
#include "tests/io_folder.h"

namespace star::fuzz {

/// A broken promise: ends the program, so that libFuzzer keeps the input.
inline void expect(Check good, const std::string& what) {
    if (good.ok) return;
    std::fprintf(stderr, "%s:%u: broken promise: %s\n", good.where.file_name(), unsigned(good.where.line()),
                 what.c_str());
    std::abort();
}

/// One folder for the whole run: on tmpfs, where tools/fuzz.sh puts $TMPDIR.
inline const Folder& folder() {
    static const Folder own;
    return own;
}

/// The input as a file; always the same path.
inline std::string input_file(std::string_view bytes) { return folder().put("input", std::string(bytes)); }
inline std::string input_file(const std::uint8_t* data, std::size_t size) {
    return input_file({reinterpret_cast<const char*>(data), size});
}

/// One line, and nothing that could disturb a terminal.
inline bool presentable(const std::string& what) {
    return !what.empty() &&
           std::none_of(what.begin(), what.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

/// Whether `read` accepts the file; if not, the Error must be what the contract says.
template <class F>
bool accepts(const std::string& path, F read) {
    try {
        read();
        return true;
    } catch (const Error& e) {
        const std::string what = e.what();
        expect(e.fault == Fault::input || e.fault == Fault::usage || e.fault == Fault::device, "the fault of: " + what);
        expect(presentable(what), "one clean line: " + what);
        expect(what.find(path) != what.npos, "the file is named: " + what);
        return false;
    }
}

}  // namespace star::fuzz
