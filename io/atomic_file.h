// A file that appears under its name whole or not at all: written beside it, flushed to disk, renamed. Or, for "-", data
// that comes out of standard output once it is whole.
#pragma once
#include <string>
#include <string_view>

namespace star {

/// Usage: `AtomicFile out(path, overwrite);` write to `out.path()` by any means, close, `out.commit()`.
/// Without commit() the destructor removes what was written. Everything that fails is Fault::output and names the file.
class AtomicFile {
public:
    /// Creates an empty temporary file in the folder of `path`, so that a folder that can't be written is known before
    /// the work. Fails if `path` exists and `overwrite` is false, or if it is anything but a regular file. A symbolic
    /// link is followed. "-" is standard output: commit() copies there what lies in the system's folder for temporary
    /// files until then; fails if it is a terminal.
    AtomicFile(const std::string& path, bool overwrite);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    /// Where to write. The file exists and is empty; it may be truncated, or removed and made again.
    const std::string& path() const { return temporary_; }

    /// The name under which the file will appear.
    const std::string& target() const { return target_; }

    /// Flushes the temporary file to disk and renames it; call once, with every handle on it closed. Without
    /// `overwrite`, a file that has appeared under that name in the meantime is kept, and this fails.
    void commit();

    /// Writes these bytes as the whole file, then the same.
    void commit(std::string_view bytes);

private:
    bool to_output() const { return target_ == "-"; }

    std::string target_, temporary_;
    bool overwrite_;
};

/// Writes `size` bytes to `path`, atomically.
void write_file(const std::string& path, const void* data, std::size_t size, bool overwrite);

}  // namespace star
