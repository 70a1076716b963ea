// doctest's main, in one file for every test executable. Exit code 77 says that everything was skipped.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
