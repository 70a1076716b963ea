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
              std::is_trivially_copyable_v<WholeSky> && std::is_trivially_copyable_v<TileSeen>);

// Before a record's rows. Its hash covers the counts and the rows.
struct Head {
    std::int64_t plate, blends, sources, seen, tiles, tiles_done;
    WholeSky sky;
};
constexpr std::size_t hash_length = 64;  // hexadecimal SHA-256

template <class T>
void put(std::string& bytes, const T* values, std::size_t count) {
    bytes.append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

std::string record_of(int plate, const PlateFound& found) {
    const auto& [blends, sources] = found.rows;
    const Head head{plate,
                    std::int64_t(blends.size()),
                    std::int64_t(sources.size()),
                    std::int64_t(found.seen.size()),
                    found.tiles,
                    found.tiles_done,
                    found.sky};
    std::string body;
    put(body, &head, 1);
    put(body, blends.data(), blends.size());
    put(body, sources.data(), sources.size());
    put(body, found.seen.data(), found.seen.size());
    return sha256(body.data(), body.size()) + body;
}

// The record at `at`, which is moved behind it; false where there is no whole one.
bool next_record(const std::string& bytes, std::size_t& at, std::map<int, PlateFound>& done) {
    if (bytes.size() - at < hash_length + sizeof(Head)) return false;
    Head head;
    std::memcpy(&head, bytes.data() + at + hash_length, sizeof head);
    const char* const body = bytes.data() + at + hash_length;
    std::size_t room = bytes.size() - at - hash_length - sizeof head, size = sizeof head;
    // The next rows, as many as the head says; their bytes are looked at once the hash is known to be theirs.
    const auto fits = [&](std::int64_t count, std::size_t each) {
        if (count < 0 || std::size_t(count) > room / each) return false;
        room -= std::size_t(count) * each, size += std::size_t(count) * each;
        return true;
    };
    if (!fits(head.blends, sizeof(Blend)) || !fits(head.sources, sizeof(Source)) || !fits(head.seen, sizeof(TileSeen)))
        return false;
    if (bytes.compare(at, hash_length, sha256(body, size)) != 0) return false;
    PlateFound found;
    const char* from = body + sizeof head;
    const auto take = [&]<class T>(std::vector<T>& rows, std::int64_t count) {
        rows.resize(std::size_t(count));
        std::memcpy(static_cast<void*>(rows.data()), from, rows.size() * sizeof(T));
        from += rows.size() * sizeof(T);
    };
    take(found.rows.blends, head.blends), take(found.rows.sources, head.sources), take(found.seen, head.seen);
    found.sky = head.sky, found.tiles = int(head.tiles), found.tiles_done = int(head.tiles_done);
    done[int(head.plate)] = std::move(found);
    at += hash_length + size;
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
