// Runs something until its time is known.
#pragma once
#include <algorithm>
#include <chrono>
#include <vector>

namespace star::bench {

/// Seconds of one run.
struct Times {
    double median = 0, best = 0;
    double spread = 0;  ///< distance of the quartiles over the median
    int runs = 0;
};

inline Times summary(std::vector<double> seconds) {
    std::sort(seconds.begin(), seconds.end());
    const auto at = [&](double q) { return seconds[std::size_t(q * double(seconds.size() - 1) + 0.5)]; };
    return {at(0.5), seconds.front(), (at(0.75) - at(0.25)) / at(0.5), int(seconds.size())};
}

/// At least five runs and `least` seconds, after one run to warm up.
template <class F>
Times time_repeated(double least, F&& f) {
    using Clock = std::chrono::steady_clock;
    f();
    std::vector<double> seconds;
    for (double total = 0; total < least || seconds.size() < 5;) {
        const auto start = Clock::now();
        f();
        seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
        total += seconds.back();
    }
    return summary(std::move(seconds));
}

}  // namespace star::bench
