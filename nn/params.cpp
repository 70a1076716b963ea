// Layout of the flat blocks, starting values, and the way to and from files.
#include "nn/params.h"

#include <cmath>

#include "kernels/elementwise.h"

namespace star {
namespace {

std::vector<std::int64_t> file_shape(const Param& p) {
    const Shape s = p.logical;
    if (p.shape.n == 1 && p.shape.h == 1 && p.shape.w == 1) return {s.c};  // one value per channel
    return {s.n, s.c, s.h, s.w};
}

bool per_channel(const Param& p) { return file_shape(p).size() == 1; }

std::uint64_t hash(const std::string& text) {  // FNV-1a
    std::uint64_t h = 0xcbf29ce484222325ull;
    for (unsigned char c : text) h = (h ^ c) * 0x100000001b3ull;
    return h;
}

std::string describe(const std::vector<std::int64_t>& shape) {
    std::string text = "(";
    for (auto s : shape) text += (text.size() > 1 ? "," : "") + std::to_string(s);
    return text + ")";
}

// Calls visit(offset in memory (K,R,S,C) with padding, offset in a file (K,C,R,S) without).
template <class F>
void each_element(const Param& p, F&& visit) {
    const Shape s = p.logical, m = p.shape;
    for (int k = 0; k < s.n; ++k)
        for (int r = 0; r < s.h; ++r)
            for (int q = 0; q < s.w; ++q)
                for (int c = 0; c < s.c; ++c)
                    visit(((std::int64_t{k} * m.h + r) * m.w + q) * m.c + c,
                          ((std::int64_t{k} * s.c + c) * s.h + r) * s.w + q);
}

}  // namespace

Params::Params(Stream stream, Use use, const std::function<void(const VisitParam&)>& visit_all) {
    for (Run run : {Run::decayed, Run::plain, Run::running, Run::derived}) {
        visit_all([&](const std::string& name, Param& p) {
            if (p.run != run) return;
            entries_.push_back({name, &p, total_});
            total_ += ceil_div(p.shape.size(), std::int64_t{8}) * 8;
            if (run == Run::decayed || run == Run::plain) count_ += p.logical.size();
        });
        if (run == Run::decayed) decayed_ = total_;
        if (run == Run::plain) optimised_ = total_;
    }
    require(total_ > 0 && total_ < INT32_MAX, "Params: ", total_, " parameters");
    const auto zeros = [&](std::int64_t n) {
        Buffer<float> b(stream.device, n);
        fill_zero(stream, b.data(), std::size_t(n) * sizeof(float));
        return b;
    };
    value_ = zeros(total_);
    rounded_ = Buffer<bf16>(stream.device, total_);
    fill_zero(stream, rounded_.data(), std::size_t(total_) * sizeof(bf16));
    const bool training = use == Use::training;
    if (training)
        grad_ = zeros(optimised_), m_ = zeros(optimised_), v_ = zeros(optimised_), averaged_ = zeros(optimised_);
    for (const Entry& e : entries_) {
        e.param->value = {value_.data() + e.at, e.param->shape};
        e.param->rounded = {rounded_.data() + e.at, e.param->shape};
        const bool learns = e.param->run == Run::decayed || e.param->run == Run::plain;
        e.param->grad = {training && learns ? grad_.data() + e.at : nullptr, e.param->shape};
    }
}

const Buffer<float>& Params::block(Block b) const {
    switch (b) {
        case Block::value:
            return value_;
        case Block::averaged:
            return averaged_;
        case Block::m:
            return m_;
        case Block::v:
            break;
    }
    return v_;
}

void Params::initialise(Stream stream, std::uint64_t seed) {
    std::vector<float> host(std::size_t(total_), 0.0f);
    for (const Entry& e : entries_) {
        Random random(seed, hash(e.name));
        const Start start = e.param->start;
        each_element(*e.param, [&](std::int64_t at, std::int64_t) {
            float& x = host[std::size_t(e.at + at)];
            switch (start.by) {
                case Start::By::constant:
                    x = start.value;
                    break;
                case Start::By::normal:
                    x = float(start.value * random.normal());
                    break;
                case Start::By::uniform:
                    x = float(random.uniform(-start.value, start.value));
                    break;
            }
        });
    }
    copy_to_device(stream, value_.data(), host.data(), host.size() * sizeof(float));
    if (averaged_.size())
        copy_to_device(stream, averaged_.data(), host.data(), std::size_t(optimised_) * sizeof(float));
    synchronize(stream);
    round(stream);
}

void Params::round(Stream stream) {
    const Shape all{1, 1, 1, int(total_)};
    convert<float, bf16>(stream, View<const float>{value_.data(), all}, View<bf16>{rounded_.data(), all});
}

std::vector<NamedTensor> Params::save(Stream stream, Block which) const {
    const Buffer<float>& from = block(which);
    std::vector<float> host(std::size_t(from.size()));
    copy_to_host(stream, host.data(), from.data(), host.size() * sizeof(float));
    synchronize(stream);
    std::vector<NamedTensor> tensors;
    for (const Entry& e : entries_) {
        if (e.param->run == Run::derived || e.at >= from.size()) continue;
        NamedTensor t{e.name, file_shape(*e.param), std::vector<float>(std::size_t(e.param->logical.size()))};
        each_element(*e.param, [&](std::int64_t at, std::int64_t file) {
            t.data[std::size_t(file)] = host[std::size_t(e.at + at)];
        });
        tensors.push_back(std::move(t));
    }
    return tensors;
}

std::vector<std::string> Params::load(Stream stream, const std::function<const NamedTensor*(const std::string&)>& find,
                                      Block which) {
    const Buffer<float>& to = block(which);
    std::vector<float> host(std::size_t(to.size()));
    copy_to_host(stream, host.data(), to.data(), host.size() * sizeof(float));
    synchronize(stream);
    std::vector<std::string> missing;
    for (const Entry& e : entries_) {
        if (e.param->run == Run::derived || e.at >= to.size()) continue;
        const NamedTensor* t = find(e.name);
        if (!t) {
            missing.push_back(e.name);
            continue;
        }
        const auto want = file_shape(*e.param);
        const bool grey = !per_channel(*e.param) && want[1] == 1 && t->shape.size() == 4 && t->shape[1] == 3;
        auto expected = want;
        if (grey) expected[1] = 3;
        if (t->shape != expected)
            fail(Fault::input, "tensor ", e.name, " has shape ", describe(t->shape), ", the network wants ",
                 describe(want));
        if (std::int64_t(t->data.size()) != e.param->logical.size() * (grey ? 3 : 1))
            fail(Fault::input, "tensor ", e.name, " has ", t->data.size(), " values, its shape ", describe(t->shape),
                 " wants others");
        const std::int64_t plane = std::int64_t{e.param->logical.h} * e.param->logical.w;
        each_element(*e.param, [&](std::int64_t at, std::int64_t file) {
            float& x = host[std::size_t(e.at + at)];
            if (!grey) {
                x = t->data[std::size_t(file)];
                return;
            }
            const std::int64_t first = file / plane * 3 * plane + file % plane;
            x = t->data[std::size_t(first)] + t->data[std::size_t(first + plane)] +
                t->data[std::size_t(first + 2 * plane)];
        });
    }
    copy_to_device(stream, to.data(), host.data(), host.size() * sizeof(float));
    synchronize(stream);
    if (which == Block::value) round(stream);
    return missing;
}

}  // namespace star
