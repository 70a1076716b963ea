// The dialect of simt.h on a GPU (sm_80 and later). The only header that includes CUDA's. A part of simt.h: include
// that.
#pragma once
#include <cuda_runtime.h>
#include <cxxabi.h>

#include <cstdlib>

#include "kernels/cuda_error.h"

namespace star {

static_assert(int(CudaCode::out_of_memory) == cudaErrorMemoryAllocation &&
              int(CudaCode::driver_too_old) == cudaErrorInsufficientDriver &&
              int(CudaCode::device_busy) == cudaErrorDevicesUnavailable &&
              int(CudaCode::no_device) == cudaErrorNoDevice &&
              int(CudaCode::device_too_old) == cudaErrorNoKernelImageForDevice &&
              int(CudaCode::driver_without_ptx) == cudaErrorUnsupportedPtxVersion);

/// Throws Error (Fault::device) with cuda_message() unless the status is success.
template <class... A>
void check_cuda(cudaError_t status, std::source_location where, const A&... what) {
    if (status == cudaSuccess) return;
    cudaGetLastError();  // or the next check would report this error again
    std::ostringstream text;
    (text << ... << what);
    fail(Fault::device,
         cuda_message({int(status), cudaGetErrorName(status), cudaGetErrorString(status)}, where, text.str()));
}

namespace cuda {
inline std::string kernel_name(const void* kernel) {
    const char* name = nullptr;
    if (cudaFuncGetName(&name, kernel) != cudaSuccess || !name) return "a kernel";
    const std::unique_ptr<char, void (*)(void*)> plain(abi::__cxa_demangle(name, nullptr, nullptr, nullptr), std::free);
    return plain ? plain.get() : name;
}
}  // namespace cuda

template <class... P>
void launch(Site site, Grid g, void (*kernel)(P...), std::type_identity_t<P>... args) {
    static_assert((std::is_trivially_copyable_v<P> && ...));
    if (site.stream.dry) return;
    cudaError_t status = cudaSetDevice(site.stream.device.index);
    if (status == cudaSuccess && g.shared > 48 << 10)  // more must be asked for
        status = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(g.shared));
    if (status == cudaSuccess) {
        cudaLaunchConfig_t how{};
        how.gridDim = dim3(g.blocks.x, g.blocks.y, g.blocks.z);
        how.blockDim = dim3(g.threads);
        how.dynamicSmemBytes = g.shared;
        how.stream = cudaStream_t(site.stream.handle);
        status = cudaLaunchKernelEx(&how, kernel, args...);
    }
    if (status != cudaSuccess)
        check_cuda(status, site.where, cuda::kernel_name(reinterpret_cast<const void*>(kernel)), " in ", in_words(g));
}

template <class T>
__device__ T& shared_memory() {
    static_assert(std::is_trivial_v<T> && alignof(T) <= 128);
    extern __shared__ __align__(128) unsigned char raw[];
    return *reinterpret_cast<T*>(raw);
}

__device__ inline void sync_block() { __syncthreads(); }
__device__ inline void sync_warp() { __syncwarp(); }
__device__ inline int lane() { return int(threadIdx.x & 31); }

template <class T>
__device__ T shuffle_xor(T v, int mask) {
    return __shfl_xor_sync(~0u, v, mask);
}
template <class T>
__device__ T shuffle_up(T v, int by) {
    return __shfl_up_sync(~0u, v, unsigned(by));
}
template <class T>
__device__ T shuffle_down(T v, int by) {
    return __shfl_down_sync(~0u, v, unsigned(by));
}
template <class T>
__device__ T shuffle_idx(T v, int from) {
    return __shfl_sync(~0u, v, from);
}
__device__ inline unsigned ballot(bool p) { return __ballot_sync(~0u, p); }
__device__ inline bool any(bool p) { return __any_sync(~0u, p); }
__device__ inline bool all(bool p) { return __all_sync(~0u, p); }

namespace cuda {
template <class T>  // the integer types that CUDA's atomics know, by size and sign
using Atomic = std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, int, unsigned>,
                                  std::conditional_t<std::is_signed_v<T>, long long, unsigned long long>>;
template <class T>  // adding and comparing don't ask for the sign, and not all signed forms exist
using AtomicBits = std::conditional_t<sizeof(T) == 4, unsigned, unsigned long long>;
}  // namespace cuda
template <class T>
requires std::is_integral_v<T> &&(sizeof(T) >= 4) __device__ T atomic_add(T* p, std::type_identity_t<T> v) {
    using U = cuda::AtomicBits<T>;
    return T(atomicAdd(reinterpret_cast<U*>(p), U(v)));
}
template <class T>
requires std::is_integral_v<T> &&(sizeof(T) >= 4) __device__ T atomic_max(T* p, std::type_identity_t<T> v) {
    using U = cuda::Atomic<T>;
    return T(atomicMax(reinterpret_cast<U*>(p), U(v)));
}
template <class T>
requires std::is_integral_v<T> &&(sizeof(T) >= 4) __device__ T
    atomic_cas(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> v) {
    using U = cuda::AtomicBits<T>;
    return T(atomicCAS(reinterpret_cast<U*>(p), U(expected), U(v)));
}

__device__ inline void copy_async(void* shared, const void* global, bool valid) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(unsigned(__cvta_generic_to_shared(shared))),
                 "l"(global), "r"(valid ? 16 : 0)
                 : "memory");
}
__device__ inline void copy_commit() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }
template <int pending>
__device__ void copy_wait() {
    asm volatile("cp.async.wait_group %0;\n" ::"n"(pending) : "memory");
}

namespace cuda {
struct Words4 {
    unsigned x[4];
};
struct Words2 {
    unsigned x[2];
};
__device__ inline Words4 load_matrices4(const bf16* mine) {
    Words4 r;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(r.x[0]), "=r"(r.x[1]), "=r"(r.x[2]), "=r"(r.x[3])
                 : "r"(unsigned(__cvta_generic_to_shared(mine)))
                 : "memory");
    return r;
}
__device__ inline Words4 load_matrices4_across(const bf16* mine) {
    Words4 r;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(r.x[0]), "=r"(r.x[1]), "=r"(r.x[2]), "=r"(r.x[3])
                 : "r"(unsigned(__cvta_generic_to_shared(mine)))
                 : "memory");
    return r;
}
}  // namespace cuda
__device__ inline FragA load_a_across(const bf16* mine) {
    return std::bit_cast<FragA>(cuda::load_matrices4_across(mine));
}
__device__ inline FragB2 load_b2_across(const bf16* mine) {
    return std::bit_cast<FragB2>(cuda::load_matrices4_across(mine));
}
__device__ inline FragA load_a(const bf16* mine) { return std::bit_cast<FragA>(cuda::load_matrices4(mine)); }
__device__ inline FragB2 load_b2(const bf16* mine) { return std::bit_cast<FragB2>(cuda::load_matrices4(mine)); }
__device__ inline FragB load_b(const bf16* mine) {
    cuda::Words2 r;
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];\n"
                 : "=r"(r.x[0]), "=r"(r.x[1])
                 : "r"(unsigned(__cvta_generic_to_shared(mine)))
                 : "memory");
    return std::bit_cast<FragB>(r);
}
__device__ inline FragA load_a(const bf16* tile, int stride) { return load_a(tile + a_source(lane()).offset(stride)); }
__device__ inline FragB load_b(const bf16* tile, int stride) { return load_b(tile + b_source(lane()).offset(stride)); }
__device__ inline FragB2 load_b2(const bf16* tile, int stride) {
    return load_b2(tile + b2_source(lane()).offset(stride));
}
__device__ inline void mma(FragC& c, const FragA& a, const FragB& b) {
    const auto x = std::bit_cast<cuda::Words4>(a);
    const auto y = std::bit_cast<cuda::Words2>(b);
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
        : "+f"(c.x[0]), "+f"(c.x[1]), "+f"(c.x[2]), "+f"(c.x[3])
        : "r"(x.x[0]), "r"(x.x[1]), "r"(x.x[2]), "r"(x.x[3]), "r"(y.x[0]), "r"(y.x[1]));
}

}  // namespace star
