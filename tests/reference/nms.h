// Greedy suppression by definition: every box against every kept one.
#pragma once
#include <algorithm>
#include <numeric>
#include <vector>

#include "kernels/nms.h"

namespace star::reference {

inline std::vector<int> nms(const std::vector<Box>& boxes, const std::vector<float>& scores,
                            const std::vector<int>& groups, Nms how) {
    std::vector<int> order(boxes.size()), kept;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return scores[std::size_t(a)] > scores[std::size_t(b)]; });
    for (int i : order) {
        const Box b = boxes[std::size_t(i)];
        const bool falls = std::any_of(kept.begin(), kept.end(), [&](int k) {
            const Box a = boxes[std::size_t(k)];
            if (!groups.empty() && groups[std::size_t(k)] != groups[std::size_t(i)]) return false;
            if (how.by == Nms::By::iou) return iou(a, b) > how.threshold;
            const float dx = a.x() - b.x(), dy = a.y() - b.y();
            return dx * dx + dy * dy < how.threshold * how.threshold;
        });
        if (!falls) kept.push_back(i);
    }
    return kept;
}

}  // namespace star::reference
