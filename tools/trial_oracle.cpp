// Verdicts to detections.
#include "tools/trial_oracle.h"

#include <fmt/core.h>

#include <algorithm>

#include "kernels/check.h"

namespace star {

void OracleFields::add(std::vector<OracleVerdict> verdicts, const ScoredField& field) {
    require(verdicts.size() == field.wanted.size(), "oracle: ", verdicts.size(), " verdicts for ", field.wanted.size(),
            " units");
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
        if (!verdicts[i].asked) continue;
        mix_[std::size_t(field.wanted[i].label)] += 1;
        for (const bool at_rest : verdicts[i].converged) ++fits_, restless_ += !at_rest;
    }
    verdicts_.push_back(std::move(verdicts));
    fields_.push_back({field.width, field.height, {}, field.wanted});
}

std::vector<ScoredField> OracleFields::judged() const {
    std::vector<ScoredField> fields = fields_;
    for (std::size_t f = 0; f < fields.size(); ++f)
        for (std::size_t i = 0; i < verdicts_[f].size(); ++i) {
            Wanted& w = fields[f].wanted[i];
            const ClassChances p = oracle_posterior(verdicts_[f][i], mix_);
            const auto best = std::max_element(p.begin(), p.end());
            if (!(*best > 0)) {
                w.label = label_ignored;
                continue;
            }
            Found found{w.box, w.x, w.y, 1, int(best - p.begin()), 0, p, w.magnitude};
            for (std::size_t k = 0; k < p.size(); ++k) found.expected_stars += double(k + 1) * p[k];
            fields[f].found.push_back(found);
        }
    return fields;
}

std::string OracleFields::words() const {
    return fmt::format("class mix of the truth {:g}:{:g}:{:g}:{:g}:{:g}; {} of {} fits not at rest", mix_[0], mix_[1],
                       mix_[2], mix_[3], mix_[4], restless_, fits_);
}

}  // namespace star
