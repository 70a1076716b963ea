// Records of plates, appended and flushed.
#include "tools/progress_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>
#include <type_traits>

#include "io/hash.h"
#include "kernels/check.h"

namespace star {
namespace {

static_assert(std::is_trivially_copyable_v<Blend> && std::is_trivially_copyable_v<Source> &&
              std::is_trivially_copyable_v<WholeSky>);

// Before a record's rows. Its hash covers the counts and the rows.
struct Head {
    std::int64_t plate, blends, sources, tiles, tiles_done;
    WholeSky sky;
};
constexpr std::size_t hash_length = 64;  // hexadecimal SHA-256

template <class T>
void put(std::string& bytes, const T* values, std::size_t count) {
    bytes.append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

std::string record_of(int plate, const PlateFound& found) {
    const auto& [blends, sources] = found.rows;
    const Head head{plate,    std::int64_t(blends.size()), std::int64_t(sources.size()), found.tiles, found.tiles_done,
                    found.sky};
    std::string body;
    put(body, &head, 1);
    put(body, blends.data(), blends.size());
    put(body, sources.data(), sources.size());
    return sha256(body.data(), body.size()) + body;
}

// The record at `at`, which is moved behind it; false where there is no whole one.
bool next_record(const std::string& bytes, std::size_t& at, std::map<int, PlateFound>& done) {
    if (bytes.size() - at < hash_length + sizeof(Head)) return false;
    Head head;
    std::memcpy(&head, bytes.data() + at + hash_length, sizeof head);
    const std::size_t room = bytes.size() - at - hash_length - sizeof head;
    if (head.blends < 0 || head.sources < 0 || std::size_t(head.blends) > room / sizeof(Blend) ||
        std::size_t(head.sources) > (room - std::size_t(head.blends) * sizeof(Blend)) / sizeof(Source))
        return false;
    const std::size_t rows = std::size_t(head.blends) * sizeof(Blend) + std::size_t(head.sources) * sizeof(Source);
    const char* const body = bytes.data() + at + hash_length;
    if (bytes.compare(at, hash_length, sha256(body, sizeof head + rows)) != 0) return false;
    PlateFound found;
    found.rows.blends.resize(std::size_t(head.blends)), found.rows.sources.resize(std::size_t(head.sources));
    const char* from = body + sizeof head;
    std::memcpy(static_cast<void*>(found.rows.blends.data()), from, found.rows.blends.size() * sizeof(Blend));
    from += found.rows.blends.size() * sizeof(Blend);
    std::memcpy(static_cast<void*>(found.rows.sources.data()), from, found.rows.sources.size() * sizeof(Source));
    found.sky = head.sky, found.tiles = int(head.tiles), found.tiles_done = int(head.tiles_done);
    done[int(head.plate)] = std::move(found);
    at += hash_length + sizeof head + rows;
    return true;
}

bool write_all(int file, const std::string& bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t n = ::write(file, bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        done += std::size_t(n);
    }
    return ::fdatasync(file) == 0;
}

}  // namespace

ProgressFile::ProgressFile(const std::string& output, const std::string& key, bool resume)
    : path_(output + ".progress") {
    const std::string first_line = "starblend-progress-1 " + sha256(key.data(), key.size()) + "\n";
    if (resume) read(first_line);
    const bool fresh = done_.empty();
    file_ = ::open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_APPEND | (fresh ? O_TRUNC : 0), 0666);
    if (file_ < 0) fail(Fault::output, path_, ": can't be written: ", std::generic_category().message(errno));
    if (fresh && !write_all(file_, first_line)) {
        const int error = errno;
        remove();
        fail(Fault::output, path_, ": can't be written: ", std::generic_category().message(error));
    }
}

ProgressFile::~ProgressFile() {
    if (file_ >= 0) ::close(file_);
}

void ProgressFile::read(const std::string& first_line) {
    std::ifstream in(path_, std::ios::binary);
    if (!in) return;
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    if (bytes.compare(0, first_line.size(), first_line) != 0) {
        if (bytes.size() < first_line.size()) return;  // killed before it began
        fail(Fault::input, path_, ": of another run: another image, model or option; without --resume it is replaced");
    }
    std::size_t at = first_line.size();
    while (next_record(bytes, at, done_)) {
    }
    if (at < bytes.size() && ::truncate(path_.c_str(), off_t(at)) != 0)
        fail(Fault::output, path_, ": can't be written: ", std::generic_category().message(errno));
}

void ProgressFile::add(int plate, const PlateFound& found) {
    if (write_all(file_, record_of(plate, found))) return;
    const int error = errno;
    remove();
    fail(Fault::output, path_, ": can't be written: ", std::generic_category().message(error));
}

void ProgressFile::remove() {
    ::close(file_);
    file_ = -1;
    ::unlink(path_.c_str());
}

}  // namespace star
