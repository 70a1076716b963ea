// Fisher and Yates's shuffle, an epoch at a time.
#include "tools/field_order.h"

#include <numeric>
#include <utility>

#include "kernels/random.h"
#include "sim/streams.h"

namespace star {

void FieldOrder::shuffle(std::int64_t epoch) {
    order_.resize(std::size_t(distinct_));
    std::iota(order_.begin(), order_.end(), std::uint64_t{0});
    Random random(seed_of(seed_, Draw::order, std::uint64_t(epoch)), 0);
    for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[std::size_t(random.below(int(i)))]);
    epoch_ = epoch;
}

std::vector<std::uint64_t> FieldOrder::of(std::int64_t step) {
    std::vector<std::uint64_t> fields;
    for (std::int64_t n = step * per_step_; n < (step + 1) * per_step_; ++n) {
        if (distinct_ > 0 && n / distinct_ != epoch_) shuffle(n / distinct_);
        fields.push_back(distinct_ > 0 ? order_[std::size_t(n % distinct_)] : std::uint64_t(n));
    }
    return fields;
}

}  // namespace star
