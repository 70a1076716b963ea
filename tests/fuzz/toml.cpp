// TOML to Config: a file as a layer, every key asked for, and the dump loaded again; then each line as --set has it.
#include "io/config.h"
#include "tests/fuzz/fuzz.h"

using namespace star;
using namespace star::fuzz;

namespace {

/// A key that nobody asked for, or "": taken from the complaint, "FILE:LINE: KEY: unknown key...".
std::string unasked(const Config& c) {
    try {
        c.refuse_unknown();
    } catch (const Error& e) {
        const std::string what = e.what();
        const auto end = what.find(": unknown key");
        expect(e.fault == Fault::usage && end != what.npos && presentable(what), "unknown keys: " + what);
        return what.substr(what.rfind(' ', end - 1) + 1, end - what.rfind(' ', end - 1) - 1);
    }
    return "";
}

/// Asks for a key in all ways, which its value or the words of an Error answer; counts those that fit.
int ask(Config& c, const std::string& path, const std::string& key) {
    expect(c.has(key), "a key that was given");
    return accepts(path, [&] { c.number(key, 0, -1e9, 1e9); }) + accepts(path, [&] { c.integer(key, 0, -9, 9); }) +
           accepts(path, [&] { c.boolean(key, false); }) + accepts(path, [&] { c.numbers(key, {}); }) +
           accepts(path, [&] { c.integers(key, {}); }) + accepts(path, [&] { c.texts(key, {}); }) +
           accepts(path,
                   [&] {
                       c.choice(key, "a", {"a", "airy", "b"});
                   }) +
           accepts(path, [&] { c.text(key, ""); });
}

void check_dump(Config& c) {
    const std::string text = c.dump();
    Config again;
    again.load_text(text, "dump");
    for (std::string key; !(key = unasked(again)).empty();) {
        const std::string line = "\n" + key + " = ", all = "\n" + text;
        const auto begin = all.find(line) + line.size();
        const std::string value = all.substr(begin, all.find('\n', begin) - begin);
        Config one;
        one.load_text("v = " + value, "value");
        expect(ask(again, "dump", key) > 0 && ask(one, "value", "v") > 0, "a value of the dump");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string path = input_file(data, size);
    Config c;
    if (accepts(path, [&] { c.load(path); })) {
        for (std::string key; !(key = unasked(c)).empty();) ask(c, path, key);
        for (const std::string& name : c.names("curriculum")) c.forget("curriculum." + name);
        check_dump(c);
    }
    const std::string text(reinterpret_cast<const char*>(data), size);
    for (std::size_t at = 0, n = 0; at < text.size() && n < 4; ++n) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        accepts("--set", [&] {
            Config one;
            one.set(text.substr(at, end - at));
            const std::string key = unasked(one);
            expect(!key.empty(), "--set gives a key");
            ask(one, "--set", key);
        });
        at = end + 1;
    }
    return 0;
}
