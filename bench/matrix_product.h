// The rate of a large matrix product on a GPU: what a convolution could reach there at most. By cuBLAS, which is opened
// when it is there; the project doesn't link it.
#pragma once
#include <vector>

#include "bench/library.h"
#include "kernels/device.h"
#include "kernels/random.h"

namespace star::bench {

class MatrixProduct {
public:
    /// On a CPU, or where cuBLAS isn't found, flops() is 0 and run() does nothing.
    explicit MatrixProduct(Stream stream) : stream_(stream) {
        if (stream.device.kind != Device::Kind::cuda) return;
        library_ = Library({"libcublas.so.13", "libcublas.so.12", "libcublas.so"});
        if (!library_) return;
        const auto create = library_.find<int (*)(void**)>("cublasCreate_v2");
        const auto set_stream = library_.find<int (*)(void*, void*)>("cublasSetStream_v2");
        multiply_ = library_.find<Multiply>("cublasGemmEx");
        require(create(&handle_) == 0 && set_stream(handle_, stream.handle) == 0, "cuBLAS doesn't start");
        std::vector<bf16> numbers(std::size_t(n) * n);  // zeros would draw less power, and run faster
        Random random(1, 0);
        for (bf16& v : numbers) v = narrow<bf16>(float(random.uniform(-1, 1)));
        for (auto* b : {&a_, &b_, &c_}) {
            *b = Buffer<bf16>(stream.device, std::int64_t{n} * n);
            copy_to_device(stream, b->data(), numbers.data(), numbers.size() * sizeof(bf16));
        }
        synchronize(stream);
    }
    ~MatrixProduct() {
        if (handle_) library_.find<int (*)(void*)>("cublasDestroy_v2")(handle_);
    }
    MatrixProduct(const MatrixProduct&) = delete;
    MatrixProduct& operator=(const MatrixProduct&) = delete;

    double flops() const { return handle_ ? 2.0 * n * n * n : 0; }
    /// bf16 operands, float accumulation; waits for it.
    void run() {
        if (!handle_) return;
        // cuBLAS' enumerators: CUBLAS_OP_N, CUDA_R_16BF, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT
        constexpr int as_it_is = 0, type_bf16 = 14, compute_float = 68, any_algorithm = -1;
        const float one = 1, zero = 0;
        const int status = multiply_(handle_, as_it_is, as_it_is, n, n, n, &one, a_.data(), type_bf16, n, b_.data(),
                                     type_bf16, n, &zero, c_.data(), type_bf16, n, compute_float, any_algorithm);
        require(status == 0, "cublasGemmEx: status ", status);
        synchronize(stream_);
    }

private:
    static constexpr int n = 8192;
    using Multiply = int (*)(void*, int, int, int, int, int, const void*, const void*, int, int, const void*, int, int,
                             const void*, void*, int, int, int, int);
    Stream stream_;
    Library library_;
    void* handle_ = nullptr;
    Multiply multiply_ = nullptr;
    Buffer<bf16> a_, b_, c_;
};

}  // namespace star::bench
