// A draw by shares.
#include "tools/curriculum.h"

#include <utility>

#include "kernels/check.h"
#include "kernels/random.h"
#include "sim/streams.h"

namespace star {

Curriculum::Curriculum(std::vector<Part> parts) : parts_(std::move(parts)) {
    double total = 0;
    for (const Part& p : parts_) total += p.share;
    require(total > 0, "curriculum: ", parts_.size(), " parts");
    for (Part& p : parts_) p.share /= total;
}

int Curriculum::choice(std::uint64_t seed, std::uint64_t index) const {
    Random random(seed_of(seed, Draw::lessons, index), 0);
    double left = random.uniform();
    for (int i = 0; i + 1 < size(); ++i)
        if ((left -= parts_[std::size_t(i)].share) < 0) return i;
    return size() - 1;
}

}  // namespace star
