// Which fields a training step looks at.
#pragma once
#include <cstdint>
#include <vector>

namespace star {

/// An endless stream, or a set of fields gone through again and again, as a data set on disk would be: each once before
/// any comes twice, in an order drawn anew each time. Fields being functions of their numbers, neither needs a disk.
class FieldOrder {
public:
    /// distinct: of the set; 0: endless.
    FieldOrder(std::uint64_t seed, int per_step, std::int64_t distinct)
        : seed_(seed), per_step_(per_step), distinct_(distinct) {}

    /// Numbers of the fields of step `step`, from 0: a pure function of it. An order takes 8 bytes a field.
    std::vector<std::uint64_t> of(std::int64_t step);

private:
    void shuffle(std::int64_t epoch);

    std::uint64_t seed_;
    int per_step_;
    std::int64_t distinct_;
    std::int64_t epoch_ = -1;
    std::vector<std::uint64_t> order_;  // of epoch_
};

}  // namespace star
