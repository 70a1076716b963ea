// What the oracle makes of the fields that a model is tried on.
#pragma once
#include <string>
#include <vector>

#include "sim/oracle.h"
#include "tools/score.h"

namespace star {

/// Collects verdicts; once all fields are known, so is the class mix, which is the prior.
class OracleFields {
public:
    /// verdicts: of field.wanted, one each.
    void add(std::vector<OracleVerdict> verdicts, const ScoredField& field);

    /// The fields with every unit found, in its own place, its class that of highest posterior. Units that the oracle
    /// had nothing to see of are ignored.
    std::vector<ScoredField> judged() const;

    std::string words() const;  ///< the prior, and how many fits didn't come to rest

private:
    ClassMix mix_{};  // how often each class occurs in the truth
    std::int64_t fits_ = 0, restless_ = 0;
    std::vector<std::vector<OracleVerdict>> verdicts_;
    std::vector<ScoredField> fields_;
};

}  // namespace star
