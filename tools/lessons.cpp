// Lessons: configurations in layers, and their simulators.
#include "tools/lessons.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernels/check.h"
#include "kernels/random.h"
#include "sim/streams.h"
#include "tools/setup.h"

namespace star {
namespace {

constexpr int most_variants = 64;

// A lesson's own random numbers: FNV-1a of its name.
std::uint64_t seed_of_name(const std::string& name) {
    std::uint64_t h = 0xcbf29ce484222325;
    for (const char c : name) h = (h ^ std::uint8_t(c)) * 0x100000001b3;
    return h;
}

// "KEY=LOW..HIGH" becomes "KEY=VALUE", uniform between the two.
std::string drawn(const std::string& range, double u) {
    const std::size_t equals = range.find('='), dots = range.find("..", equals);
    double low = 0, high = 0;
    const auto number = [](const char* from, const char* to, double& value) {
        const auto read = std::from_chars(from, to, value);
        return read.ec == std::errc{} && read.ptr == to && std::isfinite(value);
    };
    const char *text = range.data(), *end = text + range.size();
    if (equals == range.npos || dots == range.npos || !number(text + equals + 1, text + dots, low) ||
        !number(text + dots + 2, end, high) || !(low <= high))
        fail(Fault::usage, range, ": must look like exposure.sky=0.1..0.4");
    char digits[40];
    const auto written = std::to_chars(digits, digits + sizeof digits, low + u * (high - low));
    return range.substr(0, equals + 1) + std::string(digits, written.ptr);
}

bool chooses_stars(const Lesson& l) {
    return std::any_of(l.set.begin(), l.set.end(), [](const auto& s) { return s.starts_with("scene.stars="); });
}

FieldSimulator variant(const Setup& run, const Lesson& lesson, int which) {
    Config c;
    c.load_text(run.config, "configuration");
    for (const char* section : {"curriculum", "training"}) c.forget(section);
    if (chooses_stars(lesson))
        for (const char* section : {"mock", "cluster", "disk", "truth.units"}) c.forget(section);
    for (const std::string& s : lesson.set) c.set(s);
    Random random(seed_of(seed_of_name(lesson.name), Draw::lessons, std::uint64_t(which)), 0);
    for (const std::string& range : lesson.draw) c.set(drawn(range, random.uniform()));
    return read_setup(c).simulator();
}

}  // namespace

std::vector<Lesson> read_lessons(Config& c) {
    std::vector<Lesson> lessons;
    for (const std::string& name : c.names("curriculum")) {
        const std::string at = "curriculum." + name;
        Lesson l{name, c.number(at + ".share", 1, 1e-6, 1e6), c.texts(at + ".set", {}), c.texts(at + ".draw", {}),
                 int(c.integer(at + ".variants", 1, 1, most_variants))};
        if (l.variants > 1 && l.draw.empty())
            c.refuse(at + ".variants", "needs a range to draw from, in " + at + ".draw");
        lessons.push_back(std::move(l));
    }
    return lessons;
}

Curriculum curriculum_of(const Setup& setup) {
    if (setup.lessons.empty()) return Curriculum(setup.simulator());
    std::vector<Curriculum::Part> parts;
    for (const Lesson& l : setup.lessons)
        for (int i = 0; i < l.variants; ++i) {
            try {
                parts.push_back({l.share / l.variants, variant(setup, l, i)});
            } catch (const Error& e) {
                fail(e.fault, "curriculum.", l.name, ": ", e.what());
            }
        }
    return Curriculum(std::move(parts));
}

}  // namespace star
