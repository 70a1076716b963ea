// Runs something until its time is known, in turns with something else to compare with.
#pragma once
#include <algorithm>
#include <chrono>
#include <ctime>
#include <vector>

namespace star::bench {

/// Seconds of one run.
struct Times {
    double median = 0, best = 0;
    double quartile = 0;   ///< a quarter of the runs are quicker
    double spread = 0;     ///< distance of the quartiles over the median
    double processor = 0;  ///< median of the processor time of all threads: what others on the machine hardly change
    double least_processor = 0;  ///< and the least of them: what others change least
    int runs = 0;

    /// Each run was so many.
    void divide(int by) { median /= by, best /= by, quartile /= by, processor /= by, least_processor /= by; }
};

struct PairedTimes {
    Times work, ceiling;
};

/// Collects the times of runs.
class Timer {
public:
    template <class F>
    double run(F& f) {
        const auto start = std::chrono::steady_clock::now();
        const double before = processor_seconds();
        f();
        processor_.push_back(processor_seconds() - before);
        return wall_.emplace_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    int runs() const { return int(wall_.size()); }
    Times times() {
        std::sort(wall_.begin(), wall_.end());
        std::sort(processor_.begin(), processor_.end());
        const double median = at(wall_, 0.5);
        return {median,
                wall_.front(),
                at(wall_, 0.25),
                (at(wall_, 0.75) - at(wall_, 0.25)) / median,
                at(processor_, 0.5),
                processor_.front(),
                runs()};
    }

private:
    static double processor_seconds() {
        timespec t{};
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
    }
    static double at(const std::vector<double>& sorted, double part) {
        return sorted[std::size_t(part * double(sorted.size() - 1) + 0.5)];
    }
    std::vector<double> wall_, processor_;
};

/// Runs `work` and `ceiling` in turns, so that a throttled machine slows both; at least five turns and `least` seconds
/// of work, after one run to warm up.
template <class Work, class Top>
PairedTimes time_in_turns(double least, Work&& work, Top&& ceiling) {
    work();
    Timer of_work, of_ceiling;
    for (double total = 0; total < least || of_work.runs() < 5;) {
        of_ceiling.run(ceiling);
        total += of_work.run(work);
    }
    return {of_work.times(), of_ceiling.times()};
}

}  // namespace star::bench
