// Expanded, named, and done one after the other.
#include "tools/image_list.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "io/fits_hdu.h"
#include "kernels/check.h"
#include "tools/layout.h"

namespace star {
namespace {

constexpr std::size_t longest_list = 1000000;

void add_list(const std::string& file, std::vector<std::string>& out) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) fail(Fault::input, "@", file, ": no such list");
    std::ifstream in(file);
    const std::size_t before = out.size();
    for (std::string line; std::getline(in, line);) {
        const auto first = line.find_first_not_of(" \t\r");
        if (first == line.npos || line[first] == '#') continue;
        if (out.size() - before == longest_list) fail(Fault::input, "@", file, ": more than ", longest_list, " names");
        out.push_back(line.substr(first, line.find_last_not_of(" \t\r") - first + 1));
    }
    if (in.bad()) fail(Fault::input, "@", file, ": can't be read");
    if (out.size() == before) fail(Fault::input, "@", file, ": names no image");
}

void add_all_of(const std::string& file, std::vector<std::string>& out) {
    const std::size_t before = out.size();
    for (const Hdu& hdu : list_hdus(file)) {
        const bool image =
            (hdu.kind() != "BINTABLE" && hdu.kind() != "TABLE" && hdu.axes.size() >= 2) || hdu.compressed();
        if (image && hdu.data_bytes > 0 && !is_companion(hdu))
            out.push_back(file + "[" + std::to_string(hdu.number) + "]");
    }
    if (out.size() == before) fail(Fault::input, file, ": holds no image");
}

std::string replaced(std::string pattern, const std::string& name) {
    for (std::size_t at = 0; (at = pattern.find("{}", at)) != pattern.npos; at += name.size())
        pattern.replace(at, 2, name);
    return pattern;
}

}  // namespace

std::vector<std::string> expand_images(const std::vector<std::string>& given) {
    std::vector<std::string> names, out;
    for (const std::string& name : given) {
        if (name.size() > 1 && name[0] == '@')
            add_list(name.substr(1), names);
        else
            names.push_back(name);
    }
    for (const std::string& name : names) {
        if (name.size() > 3 && name.ends_with("[*]"))
            add_all_of(name.substr(0, name.size() - 3), out);
        else
            out.push_back(name);
    }
    return out;
}

std::string short_name(const std::string& image) {
    const ImageName parts = parse_image_name(image);
    std::filesystem::path name = std::filesystem::path(parts.file).filename();
    for (bool cut = true; cut;) {
        cut = false;
        for (const char* tail : {".fits", ".fit", ".fts", ".fz", ".gz"})
            if (name.extension() == tail && name.has_stem()) name = name.stem(), cut = true;
    }
    std::string text = name.string();
    if (!parts.extension.empty()) text += "_" + parts.extension;
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == ',' || c == ' ' || c == '/'; }, '_');
    return text;
}

std::string ImageInList::output(const std::string& pattern) const {
    if (pattern.empty()) return pattern;
    if (pattern.find("{}") != pattern.npos) return replaced(pattern, short_name(name));
    std::error_code none;
    if (std::filesystem::is_directory(pattern, none))
        return (std::filesystem::path(pattern) / (short_name(name) + "_cat.fits")).string();
    if (one_of_many)
        fail(Fault::usage, pattern,
             ": one output for several images: name a folder, or put {} where each one's name "
             "goes");
    return pattern;
}

std::string ImageInList::input(const std::string& pattern) const { return replaced(pattern, short_name(name)); }

int for_each_image(const std::vector<std::string>& given, Console console,
                   const std::function<int(const ImageInList&)>& one) {
    const std::vector<std::string> names = expand_images(given);
    if (names.size() == 1) return one({names[0], false});
    std::map<std::string, std::string> seen;
    for (const std::string& name : names)
        if (const auto [at, is_new] = seen.emplace(short_name(name), name); !is_new)
            fail(Fault::usage, name, " and ", at->second, ": both would be called ", at->first,
                 " in the outputs; run them one by one");
    std::vector<int> failed;
    for (const std::string& name : names) {
        if (interrupt::requested()) return interrupt::exit_code();
        int code = 0;
        try {
            code = one({name, true});
        } catch (const Error& e) {
            if (e.fault == Fault::usage || e.fault == Fault::internal) throw;
            console.warn("{}", e.what());
            code = int(e.fault);
        }
        if (interrupt::requested()) return code;
        if (code) failed.push_back(code);
    }
    if (failed.empty()) return 0;
    console.warn("{} of {} images failed", failed.size(), names.size());
    return failed.size() == names.size() ? failed[0] : exit_partial;
}

}  // namespace star
