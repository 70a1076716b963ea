// A small field with a tiny network that sees a lot in it: four tiles.
#pragma once
#include <vector>

#include "kernels/random.h"
#include "nn/detector.h"
#include "tests/nn_tiny.h"

namespace star::test {

struct DetectionScene {
    static constexpr int height = 40, width = 56;
    std::vector<float> pixels;
    Procedure procedure;
    Architecture architecture = tiny();
    Weights weights = loud_weights(architecture, 7);

    DetectionScene() : pixels(std::size_t(height) * width) {
        Random r(3, 0);
        for (float& p : pixels) p = float(10 + r.normal());
        for (int u = 0; u < 12; ++u)
            add_blob(pixels.data(), height, width, r.uniform(0, width), r.uniform(0, height), r.below(3));
        procedure.core = 32, procedure.halo = 8, procedure.top_k = 4096, procedure.threshold = 0.3f;
    }
    Sky sky() { return {{pixels.data(), {1, height, width, 1}}}; }
    Detector<float> detector(Stream stream) const { return {stream, architecture, procedure, weights.finder()}; }
};

}  // namespace star::test
