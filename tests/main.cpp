// doctest's main, in one file for every test executable. Exit code 77 says that everything was skipped.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <set>
#include <string>

#include "tests/skip.h"

namespace {

struct Tally {
    std::string current;
    std::set<std::string> skipped;
    unsigned run = 0;
};
Tally& tally() {
    static Tally t;
    return t;
}

struct Listener : doctest::IReporter {
    explicit Listener(const doctest::ContextOptions&) {}
    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats& run) override { tally().run = run.numTestCasesPassingFilters; }
    void test_case_start(const doctest::TestCaseData& test) override { tally().current = test.m_name; }
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_end(const doctest::CurrentTestCaseStats&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}
};
REGISTER_LISTENER("skipped", 1, Listener);

}  // namespace

void star::test::skip(const char* why) {
    if (tally().skipped.insert(tally().current).second) std::printf("skipped: %s: %s\n", why, tally().current.c_str());
}

int main(int argc, char** argv) {
    doctest::Context context(argc, argv);
    const int result = context.run();
    if (result != 0 || context.shouldExit()) return result;
    const auto skipped = tally().skipped.size();
    if (skipped) std::printf("skipped %zu of %u test cases\n", skipped, tally().run);
    return skipped && skipped == tally().run ? 77 : 0;
}
