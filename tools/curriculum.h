// What a training's stream of fields is mixed from: lessons, each a kind of field with its share of the stream.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "io/config.h"
#include "sim/field.h"

namespace star {

struct Setup;

/// [curriculum.NAME]: the run's own configuration with some keys replaced.
struct Lesson {
    std::string name;
    double share = 1;              ///< of the stream's fields, relative to the other lessons'
    std::vector<std::string> set;  ///< "mock.mag_max=23.5", as --set gives it
    std::vector<std::string>
        draw;          ///< "exposure.sky=0.15..0.45": a number uniform between the two, one for each variant
    int variants = 1;  ///< instruments and scenes drawn; fields take one of them each
};

/// Reads the lessons, in the order of their names. Throws Error (Fault::usage) naming the key.
std::vector<Lesson> read_lessons(Config&);

/// Simulators ready to draw from. With no lesson: the run's own alone.
class Curriculum {
public:
    /// A lesson that chooses scene.stars starts from the defaults of [mock], [cluster], [disk] and truth.units, not
    /// from the run's. Variants are drawn from the lessons' names, not from the run's seed. Throws Error (Fault::usage)
    /// naming the lesson.
    explicit Curriculum(const Setup& setup);

    int size() const { return int(simulators_.size()); }
    const FieldSimulator& operator[](int i) const { return simulators_[std::size_t(i)]; }

    /// Which simulator draws field `index` of `seed`: a pure function.
    int choice(std::uint64_t seed, std::uint64_t index) const;

private:
    std::vector<FieldSimulator> simulators_;
    std::vector<double> until_;  // cumulative shares; the last is 1
};

}  // namespace star
