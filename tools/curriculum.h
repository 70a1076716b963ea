// What a training's fields are drawn from: one simulator, or a mixture of them.
#pragma once
#include <vector>

#include "sim/field.h"

namespace star {

class Curriculum {
public:
    struct Part {
        double share;  ///< of the fields, relative to the other parts'; above 0
        FieldSimulator simulator;
    };
    explicit Curriculum(FieldSimulator simulator) : Curriculum(std::vector<Part>{{1, std::move(simulator)}}) {}
    explicit Curriculum(std::vector<Part> parts);  ///< at least one

    int size() const { return int(parts_.size()); }
    const FieldSimulator& operator[](int i) const { return parts_[std::size_t(i)].simulator; }

    /// Which simulator draws field `index` of `seed`: a pure function, by the parts' shares.
    int choice(std::uint64_t seed, std::uint64_t index) const;

private:
    std::vector<Part> parts_;
};

}  // namespace star
