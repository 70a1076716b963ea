// Messages, progress and signals.
#include "tools/console.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>

namespace star {

Console::Console(Level level) : level_(level), terminal_(isatty(STDERR_FILENO)) {}

void Console::clear() {
    if (open_line_) std::fputs("\r\033[K", stderr);
    open_line_ = false;
}

void Console::line(const std::string& text) {
    clear();
    std::fprintf(stderr, "%s\n", text.c_str());
}

void Console::progress(const std::string& what, std::int64_t done, std::int64_t all, const std::string& unit,
                       const std::string& more) {
    if (level_ == Level::quiet) return;
    using clock = std::chrono::steady_clock;
    const auto now = clock::now();
    if (what != what_) what_ = what, first_done_ = done, start_ = now, last_ = {};
    const bool last = done >= all;
    const double since = std::chrono::duration<double>(now - last_).count();
    if (!last && since < (terminal_ ? 0.2 : 5.0)) return;
    last_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double rate = seconds > 0 ? double(done - first_done_) / seconds : 0;
    std::string text = fmt::format("{}: {}/{}", what, done, all);
    if (rate > 0)
        text += rate >= 1 ? fmt::format(", {:.1f} {}/s", rate, unit) : fmt::format(", {:.1f} s/{}", 1 / rate, unit);
    if (rate > 0 && !last) text += fmt::format(", {} left", duration(double(all - done) / rate));
    if (!more.empty()) text += ", " + more;
    if (terminal_ && !last) {
        std::fprintf(stderr, "\r\033[K%s", text.c_str());
        std::fflush(stderr);
        open_line_ = true;
    } else {
        line(text);
    }
}

std::string duration(double seconds) {
    const auto s = std::int64_t(seconds + 0.5);
    if (s >= 3600) return fmt::format("{} h {:02} min", s / 3600, s / 60 % 60);
    if (s >= 60) return fmt::format("{} min {:02} s", s / 60, s % 60);
    return fmt::format("{} s", s);
}

namespace interrupt {
namespace {

std::atomic<int> caught{0};

void remember(int signal) { caught = signal; }

}  // namespace

void catch_signals() {
    struct sigaction action = {};
    action.sa_handler = remember;
    action.sa_flags = SA_RESETHAND;  // a second Ctrl-C ends the program at once
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is then a failed write, with its message
}

bool requested() { return caught != 0; }
int exit_code() { return 128 + caught; }

}  // namespace interrupt
}  // namespace star
