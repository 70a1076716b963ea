// Adam with decoupled weight decay in double precision (Kingma & Ba 2015, Algorithm 1; Loshchilov & Hutter 2019).
#pragma once
#include <cmath>

#include "kernels/adam.h"

namespace star::reference {

struct AdamElement {
    double value, m, v, averaged;
};

inline AdamElement adam(AdamElement e, double grad, double norm, const AdamStep& how, bool decayed) {
    const double scale = how.clip > 0 && norm > how.clip ? how.clip / norm : 1;
    const double beta1 = how.beta1, beta2 = how.beta2, g = scale * grad, t = double(how.step);
    e.m = beta1 * e.m + (1 - beta1) * g;
    e.v = beta2 * e.v + (1 - beta2) * g * g;
    const double m_hat = e.m / (1 - std::pow(beta1, t)), v_hat = e.v / (1 - std::pow(beta2, t));
    const double decay = decayed ? double(how.rate) * how.weight_decay * e.value : 0;
    e.value -= decay + how.rate * m_hat / (std::sqrt(v_hat) + how.epsilon);
    e.averaged = double(how.average) * e.averaged + (1 - double(how.average)) * e.value;
    return e;
}

}  // namespace star::reference
