// The memory and streams of real GPUs: star::cuda as device.h declares it.
#include "kernels/graph.h"
#include "kernels/simt.h"

namespace star::cuda {
namespace {

using Where = std::source_location;

void choose(int index, Where where = Where::current()) {
    check_cuda(cudaSetDevice(index), where, "CUDA device ", index);
}

cudaStream_t queue(Stream stream, Where where = Where::current()) {
    choose(stream.device.index, where);
    return cudaStream_t(stream.handle);
}

/// Devices are numbered from 0 without gaps, so those behind one that is too old can't be used.
CudaSeen look() {
    CudaSeen seen{};
    const cudaError_t status = cudaGetDeviceCount(&seen.devices);
    seen.status = {int(status), cudaGetErrorName(status), cudaGetErrorString(status)};
    cudaDriverGetVersion(&seen.driver), cudaRuntimeGetVersion(&seen.runtime);
    if (status != cudaSuccess) {
        cudaGetLastError();  // or the next check would report this error again
        return seen;
    }
    for (; seen.usable < seen.devices; ++seen.usable)
        if (cudaDeviceGetAttribute(&seen.major, cudaDevAttrComputeCapabilityMajor, seen.usable) != cudaSuccess ||
            cudaDeviceGetAttribute(&seen.minor, cudaDevAttrComputeCapabilityMinor, seen.usable) != cudaSuccess ||
            seen.major < oldest_major)
            break;
    return seen;
}

}  // namespace

int devices() { return look().usable; }
std::string trouble() { return cuda_trouble(look()); }

std::string device_name(int index) {
    cudaDeviceProp properties{};
    check_cuda(cudaGetDeviceProperties(&properties, index), Where::current(), "CUDA device ", index);
    return properties.name;
}

void* allocate(int index, std::size_t bytes) {
    choose(index);
    void* p = nullptr;
    const cudaError_t status = cudaMalloc(&p, bytes);
    if (status == cudaErrorMemoryAllocation) {
        std::size_t free = 0, total = 0;
        cudaGetLastError();
        cudaMemGetInfo(&free, &total);
        fail(Fault::device, "CUDA device ", index, " is out of memory: ", bytes, " bytes wanted, ", free, " of ", total,
             " free");
    }
    check_cuda(status, Where::current(), "cudaMalloc of ", bytes, " bytes");
    return p;
}

void release(int index, void* p) noexcept {
    if (p && cudaSetDevice(index) == cudaSuccess) cudaFree(p);
}

void* allocate_host(std::size_t bytes) {
    void* p = nullptr;
    check_cuda(cudaMallocHost(&p, bytes), Where::current(), "cudaMallocHost of ", bytes, " bytes");
    return p;
}
void release_host(void* p) noexcept { cudaFreeHost(p); }

void* make_stream(int index) {
    choose(index);
    cudaStream_t stream = nullptr;
    check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), Where::current(), "a stream");
    return stream;
}
void free_stream(int index, void* stream) noexcept {
    if (cudaSetDevice(index) != cudaSuccess) return;
    cudaStreamSynchronize(cudaStream_t(stream));
    cudaStreamDestroy(cudaStream_t(stream));
}

void* make_event(int index) {
    choose(index);
    cudaEvent_t event = nullptr;
    check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), Where::current(), "an event");
    return event;
}
void free_event(int index, void* event) noexcept {
    if (cudaSetDevice(index) == cudaSuccess) cudaEventDestroy(cudaEvent_t(event));
}
void record_event(Stream stream, void* event) {
    check_cuda(cudaEventRecord(cudaEvent_t(event), queue(stream)), Where::current(), "an event");
}
void wait_event(int index, void* event) {
    choose(index);
    check_cuda(cudaEventSynchronize(cudaEvent_t(event)), Where::current(), "work queued before");
}

// Thread-local, so that another thread may allocate meanwhile: only what this thread queues belongs to the recording.
void record_begin(Stream stream) {
    check_cuda(cudaStreamBeginCapture(queue(stream), cudaStreamCaptureModeThreadLocal), Where::current(), "recording");
}

std::function<void()> record_end(Stream stream, bool keep) {
    cudaGraph_t graph = nullptr;
    const cudaError_t status = cudaStreamEndCapture(queue(stream), &graph);
    struct FreeGraph {
        cudaGraph_t graph;
        ~FreeGraph() {
            if (graph) cudaGraphDestroy(graph);
        }
    } const owner{graph};
    if (!keep) {
        cudaGetLastError();  // the recording's failure is already on its way
        return {};
    }
    check_cuda(status, Where::current(), "recording");
    cudaGraphExec_t ready = nullptr;
    check_cuda(cudaGraphInstantiate(&ready, graph, 0), Where::current(), "preparing a recorded graph");
    const std::shared_ptr<CUgraphExec_st> exec(ready, cudaGraphExecDestroy);
    return [stream, exec] {
        check_cuda(cudaGraphLaunch(exec.get(), queue(stream)), Where::current(), "a recorded graph");
    };
}

void copy_to_device(Stream stream, void* device, const void* host, std::size_t bytes) {
    if (bytes)
        check_cuda(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, queue(stream)), Where::current(),
                   "copy of ", bytes, " bytes to the device");
}

void copy_to_host(Stream stream, void* host, const void* device, std::size_t bytes) {
    if (bytes)
        check_cuda(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, queue(stream)), Where::current(),
                   "copy of ", bytes, " bytes from the device");
}

void copy_on_device(Stream stream, void* to, const void* from, std::size_t bytes) {
    if (bytes)
        check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, queue(stream)), Where::current(),
                   "copy of ", bytes, " bytes on the device");
}

void fill_zero(Stream stream, void* device, std::size_t bytes) {
    if (bytes)
        check_cuda(cudaMemsetAsync(device, 0, bytes, queue(stream)), Where::current(), "zeroing ", bytes, " bytes");
}

void synchronize(Stream stream) {
    check_cuda(cudaStreamSynchronize(queue(stream)), Where::current(), "work queued before");
}

}  // namespace star::cuda
