// The architecture, as a test: which folder may include which, who sees CUDA, and no device clutter.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace fs = std::filesystem;

int main(int argc, char** argv) {
    if (argc != 2) return std::printf("usage: layering SOURCE_FOLDER\n"), 2;
    const fs::path root = argv[1];
    const std::map<std::string, std::set<std::string>> may{{"kernels", {}},
                                                           {"io", {"kernels/check.h", "kernels/types.h"}},
                                                           {"nn", {"kernels"}},
                                                           {"sim", {"kernels"}},
                                                           {"tools", {"kernels", "nn", "sim", "io"}},
                                                           {"bench", {"kernels", "nn", "sim", "io", "tools", "tests"}},
                                                           {"tests", {"kernels", "nn", "sim", "io", "tools", "bench"}}};
    const std::regex ours(R"re(^\s*#\s*include\s+"((\w+)/.*)".*)re"),
        any_quoted(R"re(^\s*#\s*include\s+"([^"]*)".*)re"), cuda(R"re(^\s*#\s*include\s+<(cuda|mma|cub|thrust).*)re"),
        device_clutter(R"re(^\s*#\s*if.*__CUDA.*)re");
    int bad = 0, files = 0;
    const auto report = [&](const fs::path& file, int number, const std::string& line, const char* why) {
        std::printf("%s:%d: %s: %s\n", file.c_str(), number, why, line.c_str());
        ++bad;
    };
    for (const auto& [folder, allowed] : may)
        for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
            const fs::path& file = entry.path();
            static const std::set<std::string> kinds{".h", ".cpp", ".cu", ".cuh", ".in"};
            if (!entry.is_regular_file() || !kinds.count(file.extension())) continue;
            ++files;
            std::ifstream in(file);
            std::smatch m;
            int number = 0;
            for (std::string line; std::getline(in, line);) {
                ++number;
                if (std::regex_match(line, m, ours)) {
                    if (m[2] != folder && !allowed.count(m[1]) && !allowed.count(m[2]))
                        report(file, number, line, "forbidden include");
                } else if (std::regex_match(line, m, any_quoted)) {
                    report(file, number, line, "include from the root: \"folder/file.h\"");
                }
                if (std::regex_match(line, cuda) && file.filename() != "simt_cuda.h")
                    report(file, number, line, "only simt_cuda.h sees CUDA");
                if (std::regex_match(line, device_clutter) && file.filename() != "simt.h")
                    report(file, number, line, "only simt.h asks which compiler this is");
            }
        }
    std::printf("%d files, %d violations\n", files, bad);
    return bad != 0 || files == 0;
}
