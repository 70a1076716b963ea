// What the person at the keyboard sees: messages, warnings and progress, all on stderr. stdout is for data alone.
#pragma once
#include <fmt/core.h>

#include <chrono>
#include <string>

namespace star {

class Console {
public:
    enum class Level { quiet, normal, verbose };
    explicit Console(Level level = Level::normal);

    Level level() const { return level_; }
    template <class... A>
    void say(fmt::format_string<A...> text, A&&... args) {
        if (level_ != Level::quiet) line(fmt::format(text, std::forward<A>(args)...));
    }
    template <class... A>
    void detail(fmt::format_string<A...> text, A&&... args) {
        if (level_ == Level::verbose) line(fmt::format(text, std::forward<A>(args)...));
    }
    template <class... A>
    void warn(fmt::format_string<A...> text, A&&... args) {  // shown also when quiet
        line("warning: " + fmt::format(text, std::forward<A>(args)...));
    }

    /// "what: 12/40, 3.1 unit/s, 9 s left": on a terminal a line that is rewritten, else a line every few seconds.
    void progress(const std::string& what, std::int64_t done, std::int64_t all, const std::string& unit,
                  const std::string& more = "");

private:
    void line(const std::string& text);
    void clear();

    Level level_;
    bool terminal_;
    bool open_line_ = false;
    std::string what_;
    std::int64_t first_done_ = 0;
    std::chrono::steady_clock::time_point start_{}, last_{};
};

/// "1 h 02 min", "3 min 20 s", "12 s".
std::string duration(double seconds);

/// Ctrl-C and SIGTERM ask politely: the commands look here between steps and finish with what they have.
namespace interrupt {
void catch_signals();
bool requested();
int exit_code();  ///< 130 after SIGINT, 143 after SIGTERM
}  // namespace interrupt

}  // namespace star
