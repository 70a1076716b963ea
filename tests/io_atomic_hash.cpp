// Files that appear whole or not at all, and SHA-256 against FIPS 180-4's published answers.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "io/atomic_file.h"
#include "io/hash.h"
#include "kernels/check.h"
#include "tests/io_folder.h"

using namespace star;
namespace fs = std::filesystem;

TEST_CASE("SHA-256 gives its published answers") {
    CHECK(sha256("", 0) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256("abc", 3) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const std::string two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    CHECK(sha256(two_blocks.data(), two_blocks.size()) ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    const std::string million(1000000, 'a');
    CHECK(sha256(million.data(), million.size()) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    Sha256 pieces;
    for (std::size_t i = 0, n = 1; i < million.size(); i += n, n = n % 97 + 1)
        pieces.add(million.data() + i, std::min(n, million.size() - i));
    CHECK(pieces.hex() == sha256(million.data(), million.size()));
    Folder folder;
    folder.put("a", million);
    CHECK(sha256_file(folder / "a") == sha256(million.data(), million.size()));
    CHECK(fault([&] { sha256_file(folder / "missing"); }) == Fault::input);
    CHECK(fault([&] { sha256_file(folder.path.string()); }) == Fault::input);
}

TEST_CASE("an atomic file appears at commit only, and leaves nothing behind otherwise") {
    Folder folder;
    const std::string path = folder / "out.txt";
    {
        AtomicFile out(path, false);
        CHECK(fs::path(out.path()).parent_path() == folder.path);
        CHECK(!fs::exists(path));
    }
    CHECK(fs::is_empty(folder.path));
    write_file(path, "one", 3, false);
    CHECK(folder.get("out.txt") == "one");
    CHECK(fault([&] { write_file(path, "two", 3, false); }) == Fault::output);
    CHECK(folder.get("out.txt") == "one");
    write_file(path, "three", 5, true);
    CHECK(folder.get("out.txt") == "three");
    {
        AtomicFile out(folder / "late", false);
        folder.put("late", "somebody else's");
        CHECK(fault([&] { out.commit(); }) == Fault::output);
    }
    CHECK(folder.get("late") == "somebody else's");
    fs::create_symlink(path, folder / "link");
    write_file(folder / "link", "four", 4, true);
    CHECK(fs::is_symlink(folder / "link"));
    CHECK(folder.get("out.txt") == "four");
    CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator{}) == 3);  // out.txt, late, link
}

TEST_CASE("an output that can't be is refused before the work") {
    Folder folder;
    CHECK(fault([&] { AtomicFile(folder.path.string(), true); }) == Fault::output);
    CHECK(fault([&] { AtomicFile(folder / "no/such/folder", true); }) == Fault::output);
    CHECK(fault([&] { AtomicFile("", true); }) == Fault::output);
    CHECK(fault([&] { AtomicFile("/dev/null", true); }) == Fault::output);
}
