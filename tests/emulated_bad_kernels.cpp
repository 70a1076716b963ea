// Kernels with one mistake each: the emulator catches every one of them, and says where.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <string>

#include "tests/bad_kernels.h"
#include "tests/cuda_support.h"

extern "C" [[gnu::weak]] void __asan_init();  // null in a build without AddressSanitizer

using namespace star;
using namespace star::test;

namespace {

constexpr simt::Order orders[] = {simt::Order::forward, simt::Order::reverse, simt::Order::shuffled};

struct Orders {  // whatever order a test ends with, the next one starts with forward
    ~Orders() { simt::set_order(simt::Order::forward); }
};

using Kernel = void (*)(const float* in, float* out);

std::vector<float> run(Kernel kernel, std::size_t shared = sizeof(bad::Shared), unsigned blocks = 1) {
    Queue q;
    if (blocks > 1) q.stream.pool = nullptr;  // one after the other, so that a race shows for certain
    const auto in = upload(q.stream, std::vector<float>(bad::threads, 1));
    const Buffer<float> out(gpu, bad::threads);
    launch(q.stream, {{blocks}, bad::threads, shared}, kernel, in.data(), out.data());
    return download(q.stream, static_cast<const float*>(out.data()), out.size());
}

/// The Error in every order; "" if there is none.
std::string error_of(Kernel kernel, std::size_t shared = sizeof(bad::Shared)) {
    const Orders restore;
    std::string text;
    for (auto order : orders) {
        simt::set_order(order, 3);
        try {
            run(kernel, shared);
            return "";
        } catch (const Error& e) {
            text = e.what();
        }
    }
    return text;
}

bool says(const std::string& text, std::initializer_list<const char*> words) {
    for (const char* w : words)
        if (text.find(w) == std::string::npos) {
            MESSAGE("\"", text, "\" lacks \"", std::string(w), "\"");
            return false;
        }
    return true;
}

/// The results in all three orders are equal and hold no NaN.
bool looks_right(Kernel kernel, unsigned blocks = 1) {
    const Orders restore;
    std::vector<std::vector<float>> all;
    for (auto order : orders) {
        simt::set_order(order, 3);
        all.push_back(run(kernel, sizeof(bad::Shared), blocks));
        for (float v : all.back())
            if (std::isnan(v)) return false;
    }
    return same_bits(all[0], all[1]) && same_bits(all[0], all[2]);
}

}  // namespace

TEST_CASE("a kernel without a mistake looks right") {
    CHECK(looks_right(bad::correct));
    CHECK(error_of(bad::correct) == "");
}

TEST_CASE("divergence at barriers and collectives is an error that names kernel and line") {
    CHECK(says(error_of(bad::early_return),
               {"bad_kernels.h", "early_return", "have returned", "emulated_bad_kernels.cpp"}));
    CHECK(says(error_of(bad::two_barriers), {"bad_kernels.h", "two_barriers", "others wait at line"}));
    CHECK(says(error_of(bad::lonely_shuffle), {"bad_kernels.h", "lonely_shuffle", "never come"}));
    CHECK(says(error_of(bad::two_shuffles), {"bad_kernels.h", "two_shuffles", "is at line"}));
    CHECK(says(error_of(bad::barrier_in_half_a_warp), {"bad_kernels.h", "never come"}));
}

TEST_CASE("misuse of shared memory is an error") {
    CHECK(
        says(error_of(bad::correct, sizeof(bad::Shared) - 4), {"bad_kernels.h", "correct", "wants", "launched with"}));
    CHECK(says(error_of(bad::correct, most_shared + 1), {"emulated_bad_kernels.cpp", "at most"}));
}

TEST_CASE("misaligned and misdirected copies and matrix loads are errors") {
    CHECK(says(error_of(bad::misaligned_source), {"bad_kernels.h", "source isn't 16-byte aligned"}));
    CHECK(says(error_of(bad::misaligned_destination), {"bad_kernels.h", "destination isn't 16-byte aligned"}));
    CHECK(says(error_of(bad::copy_to_the_stack), {"bad_kernels.h", "destination isn't within shared memory"}));
    CHECK(says(error_of(bad::copy_past_the_end), {"bad_kernels.h", "destination isn't within shared memory"}));
    CHECK(says(error_of(bad::misaligned_stride), {"bad_kernels.h", "the row of a matrix load isn't 16-byte aligned"}));
    CHECK(says(error_of(bad::forgotten_copy), {"in flight"}));
}

TEST_CASE("races, missing waits and uninitialised memory show in the results") {
    CHECK_FALSE(looks_right(bad::missing_barrier));
    CHECK_FALSE(looks_right(bad::missing_barrier_after_collectives));
    CHECK_FALSE(looks_right(bad::missing_sync_warp));
    CHECK_FALSE(looks_right(bad::missing_wait));
    CHECK_FALSE(looks_right(bad::missing_barrier_after_wait));
    CHECK_FALSE(looks_right(bad::copy_over_what_is_read));
    CHECK_FALSE(looks_right(bad::uninitialised));
    CHECK_FALSE(looks_right(bad::nothing_written));
    CHECK_FALSE(looks_right(bad::blocks_race, 3));
}

TEST_CASE("grids that hardware refuses are errors") {
    Queue q;
    const auto fails = [&](Grid g) {
        const float* in = nullptr;
        float* out = nullptr;
        try {
            launch(q.stream, g, bad::correct, in, out);
        } catch (const Error& e) {
            return says(e.what(), {"emulated_bad_kernels.cpp"});
        }
        return false;
    };
    CHECK(fails({{1}, 0}));
    CHECK(fails({{1}, 33}));
    CHECK(fails({{1}, 1056}));
    CHECK(fails({{0}, 32}));
    CHECK(fails({{1u << 31}, 32}));
    CHECK(fails({{1, 65536}, 32}));
}

TEST_CASE("verbs outside a kernel are errors") {
    CHECK_THROWS_AS(sync_block(), Error);
    CHECK_THROWS_AS(shuffle_xor(1, 1), Error);
    CHECK_THROWS_AS(shared_memory<bad::Shared>(), Error);
}

TEST_CASE("after an error the same threads run the next kernel") {
    for (int i = 0; i < 3; ++i) {
        CHECK(error_of(bad::early_return) != "");
        CHECK(looks_right(bad::correct));
    }
}

namespace {

/// What a child process says on stderr while it runs the kernel, if it dies of it.
std::string last_words(void (*kernel)(const float*, float*), std::size_t shared) {
    int pipe_ends[2];
    REQUIRE(pipe(pipe_ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(pipe_ends[1], 2);
        close(pipe_ends[0]);
        const Stream stream{gpu};  // no pool: threads don't survive a fork
        const Buffer<float> in(gpu, bad::threads), out(gpu, bad::threads);
        launch(stream, {{1}, bad::threads, shared}, kernel, in.data(), out.data());
        _exit(0);
    }
    close(pipe_ends[1]);
    std::string text;
    char piece[4096];
    for (ssize_t n; (n = read(pipe_ends[0], piece, sizeof piece)) > 0;) text.append(piece, std::size_t(n));
    close(pipe_ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return status == 0 ? "" : text;
}

}  // namespace

TEST_CASE("AddressSanitizer sees what leaves a buffer") {
    if (!__asan_init) return skip("built without AddressSanitizer");
    const std::size_t shared = sizeof(bad::Shared);
    CHECK(says(last_words(bad::write_past_the_end, shared),
               {"heap-buffer-overflow", "bad_kernels.h", "write_past_the_end"}));
    CHECK(says(last_words(bad::read_before_the_start, shared),
               {"heap-buffer-overflow", "bad_kernels.h", "read_before_the_start"}));
    CHECK(says(last_words(bad::copy_past_the_source, shared),
               {"heap-buffer-overflow", "bad_kernels.h", "copy_past_the_source"}));
    CHECK(says(last_words(bad::shared_past_the_end, shared),
               {"heap-buffer-overflow", "bad_kernels.h", "shared_past_the_end"}));
}

TEST_CASE("a stack that is too small hits the guard page") {
    if (__asan_init) return skip("AddressSanitizer catches it first");
    const pid_t child = fork();
    if (child == 0) {
        std::signal(SIGSEGV, SIG_DFL);  // doctest's handler would report it
        const Stream stream{gpu};
        const Buffer<float> in(gpu, bad::threads), out(gpu, bad::threads);
        launch(stream, {{1}, bad::threads, sizeof(bad::Shared)}, bad::deep, in.data(), out.data());
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
}
