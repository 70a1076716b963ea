// AtomicFile: see atomic_file.h. POSIX calls, because the standard library has no fsync and no exclusive rename.
#include "io/atomic_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "kernels/check.h"

namespace star {
namespace fs = std::filesystem;
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

void flush(const fs::path& path, int flags) {
    const int file = ::open(path.c_str(), flags | O_CLOEXEC);
    if (file < 0) fail(Fault::output, path.string(), ": can't be reopened: ", reason(errno));
    const int bad = ::fsync(file) == 0 ? 0 : errno;
    ::close(file);
    // Some file systems can't flush a folder and say so with EINVAL: nothing more can be done there.
    if (bad && bad != EINVAL) fail(Fault::output, path.string(), ": can't be flushed to disk: ", reason(bad));
}

/// All of `size` bytes, whatever interrupts; `path` names the file in an error.
void write_all(int file, const char* data, std::size_t size, const std::string& path) {
    for (std::size_t done = 0; done < size;) {
        const ssize_t n = ::write(file, data + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail(Fault::output, path, ": can't be written: ", reason(errno));
        done += std::size_t(n);
    }
}

/// An open file, closed at the end of a scope.
struct Descriptor {
    int number;
    ~Descriptor() {
        if (number >= 0) ::close(number);
    }
};

void copy_to_output(const std::string& from) {
    const Descriptor file{::open(from.c_str(), O_RDONLY | O_CLOEXEC)};
    if (file.number < 0) fail(Fault::output, from, ": can't be reopened: ", reason(errno));
    std::vector<char> piece(1 << 20);
    for (;;) {
        const ssize_t n = ::read(file.number, piece.data(), piece.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail(Fault::output, from, ": can't be read back: ", reason(errno));
        if (n == 0) return;
        write_all(STDOUT_FILENO, piece.data(), std::size_t(n), "standard output");
    }
}

fs::path folder_of(const std::string& path) {
    const fs::path folder = fs::path(path).parent_path();
    return folder.empty() ? "." : folder;
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path, bool overwrite) : target_(path), overwrite_(overwrite) {
    std::error_code error;
    if (to_output()) {
        if (::isatty(STDOUT_FILENO)) fail(Fault::output, "-: standard output is a terminal; pipe it, or name a file");
        temporary_ = (fs::temp_directory_path(error) / "starblend-XXXXXX").string();
        const int file = ::mkostemp(temporary_.data(), O_CLOEXEC);
        if (file < 0) fail(Fault::output, std::exchange(temporary_, {}), ": can't be created: ", reason(errno));
        ::close(file);
        return;
    }
    if (fs::is_symlink(target_, error)) target_ = fs::weakly_canonical(target_, error).string();
    const fs::path name = fs::path(target_).filename();
    if (name.empty() || name == "." || name == "..") fail(Fault::output, "'", path, "': not a file name");
    const fs::file_status status = fs::status(target_, error);
    if (fs::exists(status) && !fs::is_regular_file(status)) fail(Fault::output, path, ": exists and is not a file");
    if (fs::exists(status) && !overwrite) fail(Fault::output, path, ": exists; --overwrite replaces it");
    for (int attempt = 0;; ++attempt) {
        const std::string hidden =
            "." + name.string() + "." + std::to_string(::getpid()) + "." + std::to_string(attempt) + ".part";
        temporary_ = (folder_of(target_) / hidden).string();
        const int file = ::open(temporary_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        if (file >= 0) {
            ::close(file);
            return;
        }
        if (errno != EEXIST || attempt == 1000) fail(Fault::output, path, ": can't be created: ", reason(errno));
    }
}

AtomicFile::~AtomicFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::commit() {
    require(!temporary_.empty(), "commit() called twice on ", target_);
    if (to_output()) {
        copy_to_output(temporary_);
        ::unlink(std::exchange(temporary_, {}).c_str());
        return;
    }
    flush(temporary_, O_RDONLY);
    int bad = 0;
    if (overwrite_) {
        if (::rename(temporary_.c_str(), target_.c_str()) != 0) bad = errno;
    } else if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE) != 0) {
        bad = errno;
        if (bad == EINVAL || bad == ENOSYS) {  // a file system without exclusive renames
            std::error_code error;
            bad = fs::exists(target_, error) ? EEXIST : ::rename(temporary_.c_str(), target_.c_str()) != 0 ? errno : 0;
        }
    }
    if (bad == EEXIST) fail(Fault::output, target_, ": has appeared meanwhile; --overwrite replaces it");
    if (bad) fail(Fault::output, target_, ": can't be written: ", reason(bad));
    temporary_.clear();
    flush(folder_of(target_), O_RDONLY | O_DIRECTORY);
}

void AtomicFile::commit(std::string_view bytes) {
    Descriptor file{::open(temporary_.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC)};
    if (file.number < 0) fail(Fault::output, target_, ": can't be opened: ", reason(errno));
    write_all(file.number, bytes.data(), bytes.size(), target_);
    if (::close(std::exchange(file.number, -1)) != 0)
        fail(Fault::output, target_, ": can't be written: ", reason(errno));
    commit();
}

void write_file(const std::string& path, const void* data, std::size_t size, bool overwrite) {
    AtomicFile(path, overwrite).commit({static_cast<const char*>(data), size});
}

}  // namespace star
