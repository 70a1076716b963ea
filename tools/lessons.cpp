// Lessons: configurations in layers, and their simulators.
#include "tools/lessons.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

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

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

// A number uniform between the two of "LOW..HIGH".
std::string drawn_number(const std::string& range, std::string_view text, Random& random) {
    text = trimmed(text);
    const std::size_t dots = text.find("..");
    double low = 0, high = 0;
    const auto number = [](std::string_view from, double& value) {
        const auto read = std::from_chars(from.data(), from.data() + from.size(), value);
        return read.ec == std::errc{} && read.ptr == from.data() + from.size() && std::isfinite(value);
    };
    if (dots == text.npos || !number(text.substr(0, dots), low) || !number(text.substr(dots + 2), high) ||
        !(low <= high))
        fail(Fault::usage, range, ": must look like exposure.sky=0.1..0.4 or psf.aberrations=[-9..9,0..5]");
    char digits[40];
    const auto written = std::to_chars(digits, digits + sizeof digits, low + random.uniform() * (high - low));
    return {digits, written.ptr};
}

// "KEY=LOW..HIGH" becomes "KEY=VALUE", and so each range of a list.
std::string drawn(const std::string& range, Random& random) {
    const std::size_t equals = range.find('=');
    std::string_view left = trimmed(equals == range.npos ? "" : std::string_view(range).substr(equals + 1));
    const bool list = left.size() > 1 && left.front() == '[' && left.back() == ']';
    if (!list) return range.substr(0, equals + 1) + drawn_number(range, left, random);
    left = left.substr(1, left.size() - 2);
    std::string values;
    for (bool more = true; more;) {
        const std::size_t comma = left.find(',');
        values += (values.empty() ? "" : ",") + drawn_number(range, left.substr(0, comma), random);
        more = comma != left.npos;
        if (more) left.remove_prefix(comma + 1);
    }
    return range.substr(0, equals + 1) + "[" + values + "]";
}

bool chooses_stars(const Lesson& l) {
    return std::any_of(l.set.begin(), l.set.end(), [](const auto& s) { return s.starts_with("scene.stars="); });
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

Config lesson_config(const Setup& run, const Lesson& lesson, int which) {
    Config c;
    c.load_text(run.config, "configuration");
    for (const char* section : {"curriculum", "training"}) c.forget(section);
    if (chooses_stars(lesson))
        for (const char* section : {"mock", "cluster", "disk", "truth.units"}) c.forget(section);
    for (const std::string& s : lesson.set) c.set(s);
    Random random(seed_of(seed_of_name(lesson.name), Draw::lessons, std::uint64_t(which)), 0);
    for (const std::string& range : lesson.draw) c.set(drawn(range, random));
    return c;
}

Curriculum curriculum_of(const Setup& setup) {
    if (setup.lessons.empty()) return Curriculum(setup.simulator());
    std::vector<Curriculum::Part> parts;
    for (const Lesson& l : setup.lessons)
        for (int i = 0; i < l.variants; ++i) {
            try {
                parts.push_back({l.share / l.variants, read_setup(lesson_config(setup, l, i)).simulator()});
            } catch (const Error& e) {
                fail(e.fault, "curriculum.", l.name, ": ", e.what());
            }
        }
    return Curriculum(std::move(parts));
}

}  // namespace star
