// The truth of a batch, on the host.
#pragma once
#include <vector>

#include "kernels/types.h"

namespace star::test {

struct BatchTruth {
    std::vector<Box> boxes;
    std::vector<std::int8_t> labels;
    std::vector<int> first;
    bool operator==(const BatchTruth&) const = default;
};

}  // namespace star::test
