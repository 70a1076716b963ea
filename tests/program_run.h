// For the tests of the program: runs the real one in a folder of its own, and makes the one model they share.
#pragma once
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/io_folder.h"

namespace star::test {

inline const std::string binary = STARBLEND_BINARY "/starblend";

/// What a run ended in. code: as a shell gives it, 128 + n after signal n.
struct Outcome {
    int code = -1;
    std::string out, err;
    std::int64_t peak_mb = 0;  ///< largest resident memory
    bool hung = false;         ///< and was killed for it
};

/// What befalls a run.
struct Fate {
    std::string at;                       ///< once stderr holds this text ...
    std::chrono::milliseconds after{-1};  ///< ... or after this time, if it isn't negative ...
    int signal = SIGTERM;                 ///< ... this is sent
    rlim_t most_bytes = RLIM_INFINITY;  ///< no file grows larger, as on a disk without room (but for the error's name)
};

inline std::vector<std::string> words(const std::string& text) {
    std::istringstream in(text);
    return {std::istream_iterator<std::string>(in), {}};
}

/// A folder in which programs run; file names in arguments are relative to it.
struct Bench : Folder {
    static constexpr int most_seconds =
        300;  ///< a guard against hanging: nothing here takes more than a few on an idle machine

    /// Runs a command, its words as they are.
    Outcome command(const std::vector<std::string>& argv, const Fate& fate = {}) const {
        std::vector<char*> raw;
        for (const std::string& a : argv) raw.push_back(const_cast<char*>(a.c_str()));
        raw.push_back(nullptr);
        const Folder said;  // elsewhere, so that a listing of this folder shows what the program made
        const std::string out = said / "out", err = said / "err";
        const pid_t child = ::fork();
        if (child == 0) {
            const int to = ::open(out.c_str(), O_CREAT | O_WRONLY, 0600),
                      errors = ::open(err.c_str(), O_CREAT | O_WRONLY, 0600);
            rlimit room{};
            ::getrlimit(RLIMIT_FSIZE, &room);
            room.rlim_cur = std::min(room.rlim_cur, fate.most_bytes);
            const bool ready = ::setrlimit(RLIMIT_FSIZE, &room) == 0 && ::dup2(to, 1) == 1 && ::dup2(errors, 2) == 2 &&
                               ::chdir(path.c_str()) == 0;
            if (ready) ::execvp(raw[0], raw.data());
            ::_exit(127);
        }
        Outcome o;
        if (child < 0) return o;
        const auto start = std::chrono::steady_clock::now(), deadline = start + std::chrono::seconds(most_seconds);
        int status = 0;
        struct rusage use = {};
        bool sent = false;
        while (::wait4(child, &status, WNOHANG, &use) == 0) {
            if ((!sent && !fate.at.empty() && said.get("err").find(fate.at) != std::string::npos) ||
                (!sent && fate.after.count() >= 0 && std::chrono::steady_clock::now() >= start + fate.after))
                ::kill(child, fate.signal), sent = true;
            if (std::chrono::steady_clock::now() > deadline) ::kill(child, SIGKILL), o.hung = true;
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        o.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        o.out = said.get("out"), o.err = said.get("err");
        o.peak_mb = use.ru_maxrss >> 10;
        return o;
    }

    /// Runs starblend; `arguments` are separated by blanks.
    Outcome run(const std::string& arguments, const Fate& fate = {}) const {
        std::vector<std::string> argv{binary};
        for (std::string& w : words(arguments)) argv.push_back(std::move(w));
        return command(argv, fate);
    }

    /// Runs it and wants exit 0.
    Outcome must(const std::string& arguments) const {
        CAPTURE(arguments);
        const Outcome o = run(arguments);
        INFO(o.err);
        REQUIRE(o.code == 0);
        return o;
    }

    /// The names in the folder.
    std::set<std::string> listing() const {
        std::set<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(path))
            names.insert(entry.path().filename().string());
        return names;
    }

    /// What every mistake owes the user: the exit code, one line on stderr with these parts, nothing on stdout, no file
    /// made or left behind, bounded memory (the default of --mem-limit, and no run here comes near it) and time.
    void refused(const std::string& arguments, int code, const std::vector<std::string>& parts,
                 const Fate& fate = {}) const {
        CAPTURE(arguments);
        const auto before = listing();
        const Outcome o = run(arguments, fate);
        INFO(o.err);
        CHECK(o.code == code);
        CHECK(std::count(o.err.begin(), o.err.end(), '\n') == 1);
        CHECK(o.err.rfind("starblend: ", 0) == 0);
        for (const std::string& part : parts) {
            CAPTURE(part);
            CHECK(o.err.find(part) != std::string::npos);
        }
        CHECK(o.out.empty());
        CHECK(listing() == before);
        CHECK(o.peak_mb < 1500);
    }
};

/// Settings of a network so small that it trains in moments. Its prior is high, so that even untrained it reports
/// units.
inline const std::string tiny_network =
    "--preset csst-g --set network.stem_width=[8,8,8] --set network.blocks=[1,1,1,1] --set network.width=[8,8,8,8] "
    "--set network.pyramid_width=8 --set network.head_width=8 --set network.head_depth=1 --set network.prior=0.1 "
    "--set training.batch=2 --set training.side=64 --set training.validation_batches=1 --set training.warm_up=1 ";

/// Puts the model of these tests into the folder as m.safetensors; it is made once per run of the tests.
inline void put_tiny_model(const Bench& bench) {
    static const std::string bytes = [] {
        const Bench maker;
        maker.must("train -q -o m.safetensors --set training.steps=2 " + tiny_network);
        return maker.get("m.safetensors");
    }();
    bench.put("m.safetensors", bytes);
}

/// What makes `detect` use it; the threshold is one that something passes.
inline const std::string tiny = " --model m.safetensors --threshold 0.05 ";

/// A file's bytes from its first table on: without the primary header, whose HISTORY holds the command line.
inline std::string tables(const Bench& b, const std::string& file) {
    const std::string bytes = b.get(file);
    const auto at = bytes.find("XTENSION= 'BINTABLE'");
    REQUIRE(at != std::string::npos);
    return bytes.substr(at);
}

/// Whether fitsverify finds neither errors nor warnings; nullopt where there is no fitsverify.
inline std::optional<bool> verified(const Bench& bench, const std::string& file) {
    const Outcome o = bench.command({"fitsverify", "-q", file});
    if (o.code == 127) return {};
    return o.code == 0 && o.out.rfind("verification OK", 0) == 0;
}

}  // namespace star::test
