// Parity with torchvision's retinanet_resnet50_fpn on the same weights; see tests/parity/make_reference.py.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "kernels/nms.h"
#include "nn/retinanet.h"
#include "tests/reference/formula.h"

using namespace star;
using reference::formula;

namespace {

nlohmann::json stored(const char* name) {
    std::ifstream in(std::string(STARBLEND_SOURCE "/tests/parity/") + name);
    REQUIRE(in);
    return nlohmann::json::parse(in);
}

bool ends_with(const std::string& s, const char* tail) { return s.ends_with(tail); }

Architecture torchvision_architecture() {
    Architecture a;  // the defaults are the paper's, which are torchvision's but for the input
    a.in_channels = 3;
    return a;
}

// The formula of make_reference.py: a tensor in PyTorch's layout.
NamedTensor tensor(const std::string& name, const std::vector<std::int64_t>& shape) {
    std::int64_t count = 1;
    for (auto s : shape) count *= s;
    auto u = formula(name, count);
    const bool vector = shape.size() == 1;
    NamedTensor t{name, shape, {}};
    for (double x : u) {
        double v = x;
        if (ends_with(name, "running_var"))
            v = 1 + 0.3 * x;
        else if (vector && name.find(".bn3.") != std::string::npos && ends_with(name, "weight"))
            v = 0.4 + 0.1 * x;
        else if (vector && ends_with(name, "weight"))
            v = 1 + 0.2 * x;
        else if (vector)
            v = 0.1 * x;
        else
            v = std::sqrt(6.0 / double(shape[1] * shape[2] * shape[3])) * x;
        t.data.push_back(float(v));
    }
    return t;
}

void load_formula(Stream stream, RetinaNet& net, Params& params) {
    std::map<std::string, NamedTensor> tensors;
    net.params([&](const std::string& name, Param& p) {
        if (p.run == Run::derived) return;
        const Shape s = p.logical;
        const bool vector = p.shape.n == 1 && p.shape.h == 1 && p.shape.w == 1;
        tensors[name] =
            tensor(name, vector ? std::vector<std::int64_t>{s.c} : std::vector<std::int64_t>{s.n, s.c, s.h, s.w});
    });
    const auto missing = params.load(stream, [&](const std::string& name) { return &tensors.at(name); });
    CHECK(missing.empty());
}

}  // namespace

TEST_CASE("head outputs agree with torchvision's, as closely as torch's own float") {
    const auto ref = stored("heads.json");
    ThreadPool pool;
    const Stream stream{{}, &pool};
    RetinaNet net(torchvision_architecture());
    Params params(stream, Params::Use::inference, [&](const VisitParam& v) { net.params(v); });
    load_formula(stream, net, params);
    net.fold<float>(stream);

    const int N = ref["shape"][0], H = ref["shape"][1], W = ref["shape"][2];
    const auto image = formula("image", std::int64_t{N} * 3 * H * W);
    std::vector<float> x(std::size_t(N) * std::size_t(H) * std::size_t(W) * 8, 0.0f);
    for (int n = 0; n < N; ++n)
        for (int c = 0; c < 3; ++c)
            for (int i = 0; i < H * W; ++i)
                x[(std::size_t(n) * std::size_t(H * W) + std::size_t(i)) * 8 + std::size_t(c)] =
                    float(image[(std::size_t(n) * 3 + std::size_t(c)) * std::size_t(H * W) + std::size_t(i)]);

    for (const auto norm : {Pass::Norm::frozen, Pass::Norm::folded}) {
        CAPTURE(int(norm));
        const View<const float> input{x.data(), {N, H, W, 8}};
        Arena activations = Arena::measuring(), scratch = Arena::measuring();
        net.forward<float>({dry(stream), activations, scratch, norm}, input, nullptr);
        activations = Arena({}, activations.peak()), scratch = Arena({}, scratch.peak());
        const auto out = net.forward<float>({stream, activations, scratch, norm}, input, nullptr);
        const AnchorGrid grid = anchor_grid(net.architecture, H, W);
        REQUIRE(grid.levels == int(ref["levels"].size()));
        for (int l = 0; l < grid.levels; ++l) {
            CAPTURE(l);
            const auto& level = ref["levels"][std::size_t(l)];
            const AnchorLevel& ours = grid.level[l];
            CHECK(ours.h == level["h"]);
            CHECK(ours.w == level["w"]);
            const Box first = anchor_box(ours, 0, 0, 0), last = anchor_box(ours, ours.h - 1, ours.w - 1, 8);
            const std::vector<float> firsts{first.x0, first.y0, first.x1, first.y1},
                lasts{last.x0, last.y0, last.x1, last.y1};
            CHECK(firsts == level["first_anchor"].get<std::vector<float>>());
            CHECK(lasts == level["last_anchor"].get<std::vector<float>>());
            for (const auto& [key, view, width] :
                 {std::tuple{"cls_logits", out.logits[l], 5}, {"bbox_regression", out.deltas[l], 4}}) {
                CAPTURE(key);
                // torch: (N, anchors of the level, width); ours: (N, h, w, padded), anchors of a cell side by side
                double worst = 0;
                for (std::size_t i = 0; i < level[key]["at"].size(); ++i) {
                    const std::int64_t at = level[key]["at"][i], cell = at / width / 9, inside = at % (9 * width);
                    const double got = view.data[cell * view.shape.c + inside], want = level[key]["value"][i];
                    worst = std::max(worst, std::isfinite(got) ? std::fabs(got - want) : INFINITY);
                }
                const double torchs = level[key]["float_error"];
                MESSAGE(key << " level " << l << ": error " << worst << ", torch's own " << torchs);
                CHECK(worst <= 4 * torchs);
            }
        }
    }
}

TEST_CASE("post-processing keeps the same boxes as torchvision's, in the same order") {
    const auto ref = stored("postprocess.json");
    ThreadPool pool;
    const Stream stream{{}, &pool};
    const int H = ref["image"][0], W = ref["image"][1];
    const AnchorGrid grid = anchor_grid(torchvision_architecture(), H, W);
    const auto logits = formula("logits", std::int64_t{grid.total} * 5),
               deltas = formula("deltas", std::int64_t{grid.total} * 4);
    HeadOutputs<float> heads;
    std::vector<std::vector<float>> memory;
    for (int l = 0; l < grid.levels; ++l) {
        const AnchorLevel& level = grid.level[l];
        CHECK(level.h == ref["sizes"][std::size_t(l)][0]);
        CHECK(level.w == ref["sizes"][std::size_t(l)][1]);
        const auto fill = [&](const std::vector<double>& from, int width, int padded, auto&& value) {
            auto& to = memory.emplace_back(std::size_t(level.h * level.w * padded), 0.0f);
            for (int cell = 0; cell < level.h * level.w; ++cell)
                for (int i = 0; i < 9 * width; ++i)
                    to[std::size_t(cell * padded + i)] =
                        float(value(from[std::size_t((level.first + cell * 9) * width + i)]));
            return View<const float>{to.data(), {1, level.h, level.w, padded}};
        };
        heads.logits[l] = fill(logits, 5, 48, [](double u) { return u * 4 - 3; });
        heads.deltas[l] = fill(deltas, 4, 40, [](double u) { return u * 0.5; });
    }
    Decode how{Scoring::each_class, 5, 0.05f, ref["top_k"], float(W), float(H)};
    const int M = grid.levels * how.top_k;
    Arena arena({}, 64 << 20);
    const Shape rows{1, 1, 1, M};
    Candidates c{arena.take<Box>(rows), arena.take<float>(rows), arena.take<int>(rows),
                 arena.take<int>(rows), {nullptr, nothing},      arena.take<int>(Shape{1, 1, 1, 1})};
    decode_boxes<float>(stream, heads, grid, how, c, arena);
    const auto kept = arena.take<int>(rows), kept_count = arena.take<int>(Shape{1, 1, 1, 1});
    nms(stream, c.boxes, c.scores, c.labels, c.count, {Nms::By::iou, 0.5f}, kept, kept_count, arena);

    REQUIRE(std::size_t(kept_count.data[0]) == ref["scores"].size());
    for (std::size_t i = 0; i < ref["scores"].size(); ++i) {
        const int k = kept.data[i];
        CHECK(c.labels.data[k] == ref["labels"][i]);
        CHECK(std::fabs(c.scores.data[k] - ref["scores"][i].get<double>()) <=
              4 * 0x1p-24 + 1e-8);  // a few roundings, and the file's
        const Box b = c.boxes.data[k];
        const float got[] = {b.x0, b.y0, b.x1, b.y1};
        for (std::size_t j = 0; j < 4;
             ++j)  // coordinates below 1024 after six float operations, and the file's rounding
            CHECK(std::fabs(got[j] - ref["boxes"][i][j].get<double>()) <= 6 * 1024 * 0x1p-24 + 1e-5);
    }
}
