// How a test says that it can't run here: visibly, and counted by tests/main.cpp.
#pragma once

namespace star::test {

/// Prints "skipped: why" for the running test case, which should then return. Where every case of a run was skipped,
/// the program exits with 77, which ctest reports as skipped.
void skip(const char* why);

}  // namespace star::test
