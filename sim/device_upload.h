// Lists that a device's work begins with, sent there together.
#pragma once
#include <cstring>
#include <span>
#include <tuple>

#include "kernels/device.h"

namespace star {

/// Memory on the device and, pinned, on the host, that grows to the most ever sent. One stream at a time.
class DeviceUpload {
public:
    explicit DeviceUpload(Stream stream) : stream_(stream), staged_(stream.device, 0), copied_(stream.device) {}

    /// Queues the copying of all lists and returns where they will be, until the next call. Waits for the copies of the
    /// call before, whose staging memory it uses again.
    template <class... T>
    std::tuple<T*...> send(std::span<const T>... lists) {
        static_assert((std::is_trivially_copyable_v<T> && ...));
        std::size_t bytes = 0;
        ((bytes += padded(lists.size_bytes())), ...);
        copied_.wait();
        if (staged_.size() < std::int64_t(bytes)) {
            synchronize(stream_);  // kernels may still read the old lists
            Buffer<std::byte> there(stream_.device, std::int64_t(2 * bytes));  // both or, if memory is out, neither
            staged_ = HostBuffer<std::byte>(stream_.device, std::int64_t(2 * bytes));
            there_ = std::move(there);
        }
        std::size_t at = 0;
        const auto place = [&](const auto& list) {
            if (!list.empty()) std::memcpy(staged_.data() + at, list.data(), list.size_bytes());
            std::byte* const to = there_.data() + at;
            at += padded(list.size_bytes());
            return to;
        };
        std::tuple<T*...> where{reinterpret_cast<T*>(place(lists))...};  // in braces: from left to right
        copy_to_device(stream_, there_.data(), staged_.data(), bytes);
        copied_.record(stream_);
        return where;
    }

private:
    static std::size_t padded(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

    Stream stream_;
    Buffer<std::byte> there_;
    HostBuffer<std::byte> staged_;
    Event copied_;
};

}  // namespace star
