// cuDNN's convolutions, to stand beside ours on a GPU. The library is opened when it is there; the project doesn't link
// it.
#pragma once
#include <array>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>

#include "bench/library.h"
#include "bench/problem.h"

namespace star::bench {

class Cudnn {
public:
    /// On a CPU, or where cuDNN isn't found or doesn't start, convolution() gives nothing.
    explicit Cudnn(Stream stream) : stream_(stream) {
        if (stream.device.kind != Device::Kind::cuda) return;
        library_ = Library({"libcudnn.so.9", "libcudnn.so.8", "libcudnn.so"});
        if (!library_) return;
        try {
            if (find<int (*)(void**)>("cudnnCreate")(&handle_) != 0) handle_ = nullptr;
            if (handle_) call("cudnnSetStream", find<int (*)(void*, void*)>("cudnnSetStream")(handle_, stream.handle));
        } catch (const Error& e) {
            std::fprintf(stderr, "%s\n", e.what());
            handle_ = nullptr;
        }
    }
    ~Cudnn() {
        if (handle_) destroy("cudnnDestroy", handle_);
    }
    Cudnn(const Cudnn&) = delete;
    Cudnn& operator=(const Cudnn&) = delete;

    bool starts() const { return handle_ != nullptr; }

    /// Queues "forward", "input gradient" or "weight gradient" of a problem on its tensors, with a result of its own:
    /// NHWC, bf16, sums in float, by the algorithm that cuDNN measures as its fastest for the shape. Its weight
    /// gradient is bf16 too, where ours is float. Empty: there is no cuDNN, or it has no algorithm for the shape.
    std::function<void()> convolution(const Problem<bf16>& problem, const std::string& operation) const {
        if (!handle_) return {};
        const auto c = std::make_shared<Convolution>(*this, problem.layer());
        const Tensor x{c->x, problem.x.data()}, w{c->w, problem.w.data()}, y{c->y, problem.dy.data()};
        return operation == "forward"          ? run_of(c, forward, x, w, c->y, problem.layer().y())
               : operation == "input gradient" ? run_of(c, input_gradient, w, y, c->x, problem.layer().x)
                                               : run_of(c, weight_gradient, x, y, c->w, problem.layer().w);
    }

private:
    // cuDNN's enumerators
    static constexpr int float_numbers = 0, bf16_numbers = 9, nhwc = 1, cross_correlation = 1, tensor_cores = 1;
    static constexpr std::size_t workspace_bytes = std::size_t{1} << 30;

    /// cudnnConvolution...AlgoPerf_t, the same for all three operations.
    struct Measured {
        int algorithm, status;
        float milliseconds;
        std::size_t workspace;
        int deterministic, math, reserved[3];
    };
    /// The operations take two tensors in and one out, in this order, so that one type of function serves all.
    struct Names {
        const char *find, *run;
    };
    static constexpr Names forward{"cudnnFindConvolutionForwardAlgorithmEx", "cudnnConvolutionForward"},
        input_gradient{"cudnnFindConvolutionBackwardDataAlgorithmEx", "cudnnConvolutionBackwardData"},
        weight_gradient{"cudnnFindConvolutionBackwardFilterAlgorithmEx", "cudnnConvolutionBackwardFilter"};
    using FindAlgorithm = int (*)(void*, void*, const void*, void*, const void*, void*, void*, void*, int, int*,
                                  Measured*, void*, std::size_t);
    using Run = int (*)(void*, const void*, void*, const void*, void*, const void*, void*, int, void*, std::size_t,
                        const void*, void*, void*);

    struct Tensor {
        void* description;
        const bf16* data;
    };
    struct Convolution {
        const Cudnn& cudnn;
        void *x = nullptr, *w = nullptr, *y = nullptr, *how = nullptr;  // descriptions
        Buffer<std::byte> workspace;
        Buffer<bf16> result;

        Convolution(const Cudnn& c, const Layer& l) : cudnn(c), workspace(c.stream_.device, workspace_bytes) {
            const auto create = [&](const char* name, void** at) { c.call(name, c.find<int (*)(void**)>(name)(at)); };
            create("cudnnCreateTensorDescriptor", &x);
            create("cudnnCreateTensorDescriptor", &y);
            create("cudnnCreateFilterDescriptor", &w);
            create("cudnnCreateConvolutionDescriptor", &how);
            using Describe = int (*)(void*, int, int, int, int, int, int);
            const auto tensor = c.find<Describe>("cudnnSetTensor4dDescriptor");
            const Shape X = l.x, W = l.w, Y = l.y();
            c.call("cudnnSetTensor4dDescriptor", tensor(x, nhwc, bf16_numbers, X.n, X.c, X.h, X.w));
            c.call("cudnnSetTensor4dDescriptor", tensor(y, nhwc, bf16_numbers, Y.n, Y.c, Y.h, Y.w));
            c.call("cudnnSetFilter4dDescriptor",
                   c.find<Describe>("cudnnSetFilter4dDescriptor")(w, bf16_numbers, nhwc, W.n, W.c, W.h, W.w));
            c.call("cudnnSetConvolution2dDescriptor",
                   c.find<int (*)(void*, int, int, int, int, int, int, int, int)>("cudnnSetConvolution2dDescriptor")(
                       how, l.how.pad, l.how.pad, l.how.stride, l.how.stride, 1, 1, cross_correlation, float_numbers));
            c.call("cudnnSetConvolutionMathType",
                   c.find<int (*)(void*, int)>("cudnnSetConvolutionMathType")(how, tensor_cores));
        }
        ~Convolution() {  // what a constructor that failed has made is left to the library
            cudnn.destroy("cudnnDestroyConvolutionDescriptor", how);
            cudnn.destroy("cudnnDestroyFilterDescriptor", w);
            cudnn.destroy("cudnnDestroyTensorDescriptor", y);
            cudnn.destroy("cudnnDestroyTensorDescriptor", x);
        }
    };

    std::function<void()> run_of(const std::shared_ptr<Convolution>& c, Names names, Tensor a, Tensor b, void* to,
                                 Shape shape) const {
        std::array<Measured, 16> measured;
        int count = 0;
        c->result = {stream_.device, shape.size()};
        void *const space = c->workspace.data(), *const out = c->result.data();
        const int status =
            find<FindAlgorithm>(names.find)(handle_, a.description, a.data, b.description, b.data, c->how, to, out,
                                            int(measured.size()), &count, measured.data(), space, workspace_bytes);
        if (status != 0 || count == 0 || measured[0].status != 0) return {};  // the fastest comes first
        const auto run = find<Run>(names.run);
        return [=, this, algorithm = measured[0].algorithm] {
            const float one = 1, zero = 0;
            call(names.run, run(handle_, &one, a.description, a.data, b.description, b.data, c->how, algorithm, space,
                                workspace_bytes, &zero, to, out));
        };
    }

    template <class F>
    F find(const char* name) const {
        return library_.find<F>(name);
    }
    void destroy(const char* name, void* p) const noexcept {
        if (const auto destroy = library_.look_up<int (*)(void*)>(name)) destroy(p);
    }
    void call(const char* name, int status) const { require(status == 0, name, ": status ", status); }

    Stream stream_;
    Library library_;
    void* handle_ = nullptr;
};

}  // namespace star::bench
