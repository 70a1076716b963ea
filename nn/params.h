// Parameters: every tensor a network learns, as slices of flat blocks, so that Adam, norms and files are one pass each.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/arena.h"
#include "kernels/random.h"

namespace star {

/// Where a parameter lies in the flat blocks; the order of the runs there.
enum class Run {
    decayed,  ///< weights, with weight decay
    plain,    ///< biases, gamma, beta
    running,  ///< running statistics: saved, never optimised
    derived   ///< computed from the others (folded weights): neither saved nor optimised
};

/// How a parameter starts.
struct Start {
    enum class By { constant, normal, uniform } by = By::constant;
    float value = 0;  ///< the constant, the standard deviation, or the half-width
};

/// A tensor of a layer. Views are null until Params has laid the network out.
struct Param {
    Shape shape;    ///< in memory: (K,R,S,C) with K and C padded to multiples of 8, or (1,1,1,C)
    Shape logical;  ///< as in files: without the padding
    Run run = Run::decayed;
    Start start{};
    View<float> value{}, grad{};  ///< grad: null outside training, and for running and derived
    View<bf16> rounded{};

    /// What kernels with activations of type T read.
    template <class T>
    View<const T> as() const {
        if constexpr (std::is_same_v<T, float>)
            return value;
        else
            return rounded;
    }
};

/// Called with each parameter's name (PyTorch's, torchvision's where there is one) in a fixed order.
using VisitParam = std::function<void(const std::string& name, Param&)>;

/// A tensor on its way to or from a file: PyTorch's layout (K,C,R,S) or (C), no padding.
struct NamedTensor {
    std::string name;
    std::vector<std::int64_t> shape;
    std::vector<float> data;
};

/// The flat blocks of one network.
class Params {
public:
    enum class Use { inference, training };

    /// Lays out all parameters that `visit_all` (a network's params()) names, run after run, each 16-byte aligned, and
    /// sets their views. Values are zero until initialise() or load(). Training adds gradients, Adam's moments and the
    /// averaged weights.
    Params(Stream stream, Use use, const std::function<void(const VisitParam&)>& visit_all);

    /// Draws starting values: a function of the seed and each parameter's name alone. Padding is zero.
    void initialise(Stream stream, std::uint64_t seed);

    /// Values (or averaged values, or Adam's moments) as files hold them, in order; `derived` left out.
    enum class Block { value, averaged, m, v };
    std::vector<NamedTensor> save(Stream stream, Block block = Block::value) const;

    /// Sets a block from `find(name)`, which returns null if there is no such tensor. Returns the names that were not
    /// found. Throws Error (Fault::input) naming the tensor whose shape differs. A weight of a one-channel stem may
    /// come from a three-channel one: its channels are summed (a grey image in all three).
    std::vector<std::string> load(Stream stream, const std::function<const NamedTensor*(const std::string&)>& find,
                                  Block block = Block::value);

    void round(Stream stream);  ///< rounded = value, for all

    std::int64_t decayed() const { return decayed_; }
    std::int64_t optimised() const { return optimised_; }
    std::int64_t count() const { return count_; }  ///< learnt numbers, without padding
    View<float> value() const { return flat(value_, optimised_); }
    View<float> grad() const { return flat(grad_, optimised_); }
    View<float> m() const { return flat(m_, optimised_); }
    View<float> v() const { return flat(v_, optimised_); }
    View<float> averaged() const { return flat(averaged_, optimised_); }
    View<bf16> rounded() const { return {rounded_.data(), {1, 1, 1, int(optimised_)}}; }

private:
    struct Entry {
        std::string name;
        Param* param;
        std::int64_t at;  // in every block
    };
    static View<float> flat(const Buffer<float>& b, std::int64_t n) { return {b.data(), {1, 1, 1, int(n)}}; }
    const Buffer<float>& block(Block) const;

    std::vector<Entry> entries_;
    std::int64_t decayed_ = 0, optimised_ = 0, total_ = 0, count_ = 0;
    Buffer<float> value_, grad_, m_, v_, averaged_;
    Buffer<bf16> rounded_;
};

}  // namespace star
