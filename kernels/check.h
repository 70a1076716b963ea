// Errors: one exception type, one function. No macros: source_location knows where we are.
#pragma once
#include <source_location>
#include <sstream>
#include <stdexcept>
#include <string>

namespace star {

/// What went wrong, as a program's exit code (README, "Exit codes").
enum class Fault { internal = 1, usage = 2, input = 3, output = 4, device = 5 };

/// The only exception this project throws. `what()` is one line that names the file and the card or key at fault.
/// Control characters, which a file's own words may bring into the message, become '?'.
struct Error : std::runtime_error {
    explicit Error(const std::string& message, Fault fault = Fault::internal)
        : std::runtime_error(clean(message)), fault(fault) {}
    Fault fault;

private:
    static std::string clean(std::string text) {
        for (char& c : text)
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
        return text;
    }
};

struct Check {  // converted from the condition at the call site, so `where` is the caller's line
    bool ok;
    std::source_location where;
    constexpr Check(bool ok, std::source_location where = std::source_location::current()) : ok(ok), where(where) {}
};

/// Throws Error "file:line: message" with Fault::internal unless the condition holds: for a caller's mistakes.
template <class... A>
void require(Check check, const A&... message) {
    if (check.ok) [[likely]]
        return;
    std::ostringstream text;
    text << check.where.file_name() << ':' << check.where.line() << ": ";
    (text << ... << message);
    throw Error(text.str());
}

/// Throws Error "message", without a place in our code: for a user's mistakes (files, options, configuration).
template <class... A>
[[noreturn]] void fail(Fault fault, const A&... message) {
    std::ostringstream text;
    (text << ... << message);
    throw Error(text.str(), fault);
}

/// Throws Error (Fault::usage) "name = value is outside low...high" unless it is inside; NaN isn't.
inline void in_range(const char* name, double value, double low, double high) {
    if (!(value >= low && value <= high)) fail(Fault::usage, name, " = ", value, " is outside ", low, "...", high);
}

}  // namespace star
