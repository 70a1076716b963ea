// Lessons: the kinds of fields that a configuration mixes its training's stream from.
#pragma once
#include <string>
#include <vector>

#include "io/config.h"
#include "tools/curriculum.h"

namespace star {

struct Setup;

/// [curriculum.NAME]: the run's own configuration with some keys replaced. A table without a key is no lesson.
struct Lesson {
    std::string name;
    double share = 1;              ///< of the fields, relative to the other lessons'
    std::vector<std::string> set;  ///< "mock.mag_max=23.5", as --set gives it
    /// "exposure.sky=0.15..0.45": a number uniform between the two for each variant; so each of a list, "[-9..9,0..5]"
    std::vector<std::string> draw;
    int variants = 1;  ///< so many instruments and scenes are drawn; a field takes one of them
};

/// Reads the lessons, sorted by name. Throws Error (Fault::usage) naming the key.
std::vector<Lesson> read_lessons(Config&);

/// The configuration of a lesson's variant: the run's without [curriculum] and [training], the lesson's keys set, its
/// ranges drawn.
Config lesson_config(const Setup& run, const Lesson& lesson, int which);

/// The simulators of a setup's lessons, every variant's; without lessons the setup's own alone. A lesson that chooses
/// scene.stars starts from the defaults of [mock], [cluster], [disk] and truth.units, not from the run's. A variant's
/// numbers follow from the lesson's name and the variant's number, whatever the seed. Throws Error naming the lesson.
Curriculum curriculum_of(const Setup& setup);

}  // namespace star
