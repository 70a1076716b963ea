// Where memory lives and work runs. Everything that differs between devices passes through here and dispatch.h.
#pragma once
#include <cstddef>
#include <memory>

#include "kernels/check.h"
#include "kernels/thread_pool.h"
#include "kernels/types.h"

namespace star {

struct Device {
    enum class Kind { cpu, cuda } kind = Kind::cpu;
    int index = 0;
    bool operator==(const Device&) const = default;
};

int cuda_devices();  ///< How many CUDA devices can be used; 0 without one, without a driver or in a CPU-only build.

/// Why there is none of them, in one line; empty if there is one.
std::string cuda_trouble();

/// A queue of work on one device, run in order. On a CPU, work is done by `pool` before the call returns.
/// A dry stream runs nothing: it is used to measure memory (arena.h). A value, which owns nothing: see StreamOwner.
struct Stream {
    Device device;
    ThreadPool* pool = nullptr;  ///< the CPU's threads; also given to CUDA streams for work on the host's side
    void* handle = nullptr;      ///< cudaStream_t; null is CUDA's default stream
    bool dry = false;
};

/// "cpu avx512", or "cuda:0 NVIDIA H100 80GB HBM3".
std::string device_name(Stream);

inline Stream dry(Stream s) {
    s.dry = true;
    return s;
}

void* allocate(Device,
               std::size_t bytes);  ///< 256-byte aligned, uninitialised. Throws Error (Fault::device) if out of memory.
void release(Device, void*) noexcept;
void* allocate_host(Device,
                    std::size_t bytes);  ///< Host memory for copies to and from the device, zeroed. Throws as allocate.
void release_host(Device, void*) noexcept;
void copy_to_device(Stream, void* device, const void* host,
                    std::size_t bytes);                                        ///< Queued; `host` must live until done.
void copy_to_host(Stream, void* host, const void* device, std::size_t bytes);  ///< Queued; `host` must live until done.
void copy_on_device(Stream, void* to, const void* from, std::size_t bytes);    ///< Queued; they don't overlap.
void fill_zero(Stream, void* device, std::size_t bytes);                       ///< Queued.
void synchronize(Stream);  ///< Waits, and throws the first error of anything queued before.

/// Owned array on a device.
template <class T>
class Buffer {
public:
    Buffer() = default;
    Buffer(Device device, std::int64_t count)
        : data_(count ? static_cast<T*>(allocate(device, std::size_t(count) * sizeof(T))) : nullptr, Free{device}),
          count_(count) {}
    T* data() const { return data_.get(); }
    std::int64_t size() const { return count_; }
    View<T> view(Shape shape) const {
        require(shape.size() <= count_, "Buffer: a view of ", shape.size(), " elements, ", count_, " held");
        return {data(), shape};
    }

private:
    struct Free {
        Device device;
        void operator()(T* p) const noexcept { release(device, p); }
    };
    std::unique_ptr<T[], Free> data_;
    std::int64_t count_ = 0;
};

/// A queue of its own on a device, which runs beside others; waits for its work at the end. On a CPU, the pool alone.
class StreamOwner {
public:
    StreamOwner(Device, ThreadPool*);
    ~StreamOwner();
    StreamOwner(const StreamOwner&) = delete;
    StreamOwner& operator=(const StreamOwner&) = delete;
    operator Stream() const { return stream_; }

private:
    Stream stream_;
};

/// A point in a stream's work that the host can wait for.
class Event {
public:
    explicit Event(Device);
    ~Event();
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    void record(Stream);  ///< what was queued before; replaces an earlier point
    void wait() const;    ///< until that is done; at once if nothing was recorded

private:
    Device device_;
    void* handle_ = nullptr;
};

/// An array on the host that copies to and from `device` at full speed (pinned); zeros at first.
template <class T>
class HostBuffer {
public:
    HostBuffer(Device device, std::int64_t count)
        : data_(count ? static_cast<T*>(allocate_host(device, std::size_t(count) * sizeof(T))) : nullptr, Free{device}),
          count_(count) {}
    T* data() const { return data_.get(); }
    std::int64_t size() const { return count_; }

private:
    struct Free {
        Device device;
        void operator()(T* p) const noexcept { release_host(device, p); }
    };
    std::unique_ptr<T[], Free> data_;
    std::int64_t count_ = 0;
};

// What each device brings. cpu: device.cpp. cuda: device_cuda.cu, or simt_memory.cpp and simt_queue.cpp in the emulated tests.
namespace cpu {
void* allocate(std::size_t bytes);
void release(void*) noexcept;
}  // namespace cpu
namespace cuda {
int devices();
std::string trouble();
std::string device_name(int index);
void* allocate(int index, std::size_t bytes);
void release(int index, void*) noexcept;
void* allocate_host(std::size_t bytes);
void release_host(void*) noexcept;
void* make_stream(int index);
void free_stream(int index, void*) noexcept;
void* make_event(int index);
void free_event(int index, void*) noexcept;
void record_event(Stream, void*);
void wait_event(int index, void*);
void copy_to_device(Stream, void* device, const void* host, std::size_t bytes);
void copy_to_host(Stream, void* host, const void* device, std::size_t bytes);
void copy_on_device(Stream, void* to, const void* from, std::size_t bytes);
void fill_zero(Stream, void* device, std::size_t bytes);
void synchronize(Stream);
}  // namespace cuda

}  // namespace star
