// Configuration: layers, types, bounds, unknown keys, and TOML made to hurt.
#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "io/config.h"
#include "tests/io_folder.h"

using namespace star;

namespace {

Config text(const std::string& toml) {
    Config c;
    c.load_text(toml, "a.toml");
    return c;
}

}  // namespace

TEST_CASE("later layers win, key by key, and dump gives it all back") {
    Folder folder;
    Config c;
    c.load(folder.put("one.toml",
                      "seed = 7\n[train]\nrate = 0.001\nsteps = 100\nname = \"a \\\"b\\\"\"\nflags = [1, 2.5]\n"));
    c.load(folder.put("two.toml", "train.steps = 200\n"));
    c.set("train.rate=1e-2");
    c.set("device = cuda:1");
    CHECK(c.integer("seed", 1) == 7);
    CHECK(c.number("train.rate", 0.5, 0, 1) == 0.01);
    CHECK(c.integer("train.steps", 1) == 200);
    CHECK(c.text("train.name", "") == "a \"b\"");
    CHECK(c.numbers("train.flags", {}) == std::vector<double>{1, 2.5});
    CHECK(c.choice("device", "auto", {"auto", "cpu", "cuda:1"}) == "cuda:1");
    CHECK(c.boolean("train.augment", true));
    CHECK(c.integers("train.milestones", {60, 80}) == std::vector<std::int64_t>{60, 80});
    CHECK(c.texts("train.words", {"x"}) == std::vector<std::string>{"x"});
    CHECK(c.number("third", 1.0 / 3) == 1.0 / 3);
    c.refuse_unknown();
    CHECK(c.dump() ==
          "seed = 7\ntrain.rate = 0.01\ntrain.steps = 200\ntrain.name = \"a \\\"b\\\"\"\ntrain.flags = [1.0, "
          "2.5]\ndevice = \"cuda:1\"\n"
          "train.augment = true\ntrain.milestones = [60, 80]\ntrain.words = [\"x\"]\nthird = 0.3333333333333333\n");
    Config again = text(c.dump());
    CHECK(again.number("third", 0) == 1.0 / 3);
    CHECK(again.text("train.name", "") == "a \"b\"");
    CHECK(again.numbers("train.flags", {}) == std::vector<double>{1, 2.5});
}

TEST_CASE("control characters survive dump") {
    Config c;
    const std::string odd = "tab\t newline\n quote\" backslash\\ bell\x07 \xc3\xa9";
    c.text("odd", odd);
    CHECK(text(c.dump()).text("odd", "") == odd);
}

TEST_CASE("unknown keys are refused with the nearest known one") {
    Config c = text("\n[train]\nlearning_rat = 1\n");
    c.number("train.learning_rate", 1);
    c.number("train.steps", 1);
    CHECK(message([&] { c.refuse_unknown(); }) ==
          "a.toml:3: train.learning_rat: unknown key; did you mean train.learning_rate?");
    CHECK(fault([&] { c.refuse_unknown(); }) == Fault::usage);
    Config far = text("xyzzy = 1");
    far.number("train.steps", 1);
    CHECK(message([&] { far.refuse_unknown(); }) == "a.toml:1: xyzzy: unknown key");
    Config moved = text("learning_rate = 1");
    moved.number("schedule.optimiser.learning_rate", 1);
    CHECK(message([&] { moved.refuse_unknown(); }) ==
          "a.toml:1: learning_rate: unknown key; did you mean schedule.optimiser.learning_rate?");
    Config set;
    set.set("a=1");
    CHECK(message([&] { set.refuse_unknown(); }) == "--set: a: unknown key");
}

TEST_CASE("wrong types and values out of bounds name file, line and key") {
    Config c = text("a = \"x\"\nb = 7\nc = 1.5\nd = nan\ne = [1, \"x\"]\nf = 2020-01-01\ng = inf\nh = true\n");
    CHECK(message([&] { c.number("a", 0); }) == "a.toml:1: a: is a text, must be a number");
    CHECK(message([&] { c.number("b", 0, 0, 1); }) == "a.toml:2: b: 7.0 is outside 0.0 ... 1.0");
    CHECK(message([&] { c.integer("b", 0, -1, 6); }) == "a.toml:2: b: 7 is outside -1 ... 6");
    CHECK(message([&] { c.integer("c", 0); }) == "a.toml:3: c: is a number, must be an integer");
    CHECK(message([&] { c.number("d", 0); }) == "a.toml:4: d: is not a finite number");
    CHECK(fault([&] { c.number("g", 0); }) == Fault::usage);
    CHECK(fault([&] { c.numbers("e", {}); }) == Fault::usage);
    CHECK(fault([&] { c.numbers("b", {}); }) == Fault::usage);
    CHECK(fault([&] { c.text("f", ""); }) == Fault::usage);
    CHECK(fault([&] { c.text("b", ""); }) == Fault::usage);
    CHECK(fault([&] { c.boolean("b", true); }) == Fault::usage);
    CHECK(message([&] { c.choice("a", "y", {"xx", "y"}); }) == "a.toml:1: a: \"x\" is none of xx, y; did you mean xx?");
    CHECK(message([&] { c.refuse("b", "must be even"); }) == "a.toml:2: b: must be even");
}

TEST_CASE("bad TOML is one clear line") {
    const auto bad = [](const std::string& toml) { return message([&] { text(toml); }); };
    CHECK(bad("a = 1\nb = = 2\n").rfind("a.toml:2: ", 0) == 0);
    CHECK(bad("a = 1\na = 2\n").rfind("a.toml:2: ", 0) == 0);
    for (const std::string& toml :
         {std::string("\xff\xfe\x00", 3), std::string("a = \"\x01\""), std::string("\"a.b\" = 1"), std::string("[["),
          std::string("a = 99999999999999999999"), std::string("a = "), std::string(2 << 20, '\n')}) {
        const std::string what = bad(toml);
        CHECK(what.rfind("a.toml", 0) == 0);
        CHECK(what.find('\n') == std::string::npos);
    }
    Config c;
    CHECK(fault([&] { c.load("/no/such.toml"); }) == Fault::usage);
    CHECK(fault([&] { c.load("/"); }) == Fault::usage);
    for (const char* assignment :
         {"", "a", "=1", "a=", "a..b=1", "a b=1", "a=1\nb=2", "a={b=1}", "a=\"", "a=[1", ".a=1"}) {
        CAPTURE(assignment);
        CHECK(fault([&] { c.set(assignment); }) == Fault::usage);
    }
}

TEST_CASE("letters and blanks beyond ASCII belong in texts and comments") {
    for (const char* name : {"\xd0\x9f", "\xc3\xa9", "\xd7\x90", "\xe1\x9a\x81", "\xe2\x81\xa1", "\xef\xbb\xbe",
                             "\xef\xbf\xbd", "\xf0\x9f\x8c\x9f"}) {
        const std::string n = name;
        CHECK(fault([&] { text(n + " = 1"); }) == Fault::usage);
        CHECK(fault([&] { text("a" + n + "= 1"); }) == Fault::usage);
        CHECK(fault([&] { text("a = 1" + n); }) == Fault::usage);
        CHECK(fault([&] { text("[a" + n + "b]\nc = 1"); }) == Fault::usage);
        CHECK(text("a = \"" + n + "\" # " + n).text("a", "") == n);
    }
}

TEST_CASE("deep nesting is refused before it can overflow the stack") {
    const auto repeat = [](const std::string& s, int n) {
        std::string all;
        for (int i = 0; i < n; ++i) all += s;
        return all;
    };
    CHECK(fault([&] { text("a = " + repeat("[", 100000)); }) == Fault::usage);
    CHECK(fault([&] { text("a = " + repeat("{a=", 100000)); }) == Fault::usage);
    CHECK(fault([&] { text(repeat("a.", 200000) + "a = 1"); }) == Fault::usage);
    CHECK(fault([&] { text(repeat("'#'.", 100000) + "a = 1"); }) == Fault::usage);
    CHECK(fault([&] { text("[" + repeat("a . ", 100000) + "a]"); }) == Fault::usage);
    CHECK(fault([&] { text(repeat("a.a.a.'#' . ", 50000) + "a = 1"); }) == Fault::usage);
    CHECK(fault([&] { text(repeat("a = {\n", 1000)); }) == Fault::usage);
    // As deep as the limits together allow: no crash, whatever the answer.
    const std::string key = repeat("a.", 16) + "a";
    fault([&] { text("[" + key + "]\n" + repeat(key + ".'#'." + key + " = {", 64) + "b=1" + repeat("}", 64)); });
}
