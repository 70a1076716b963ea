// Several images in one call: names, lists of names, all images of a file; and a name of its own for every output.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "tools/console.h"

namespace star {

/// "@list": the names in a text file, one a line, blank lines and those that begin with # left out. "file.fits[*]": all
/// images of that file but planes of noise, weights, masks and the like. Anything else as it is. Throws Error
/// (Fault::input) naming a list that can't be read or names nothing.
std::vector<std::string> expand_images(const std::vector<std::string>& given);

/// What stands for {}: the file's name without folder and .fits, .fit, .fts, .fz, .gz, and the extension:
/// "a/b.fits.gz[SCI,2]" is b_SCI_2.
std::string short_name(const std::string& image);

/// Exit code of a program that did some of what it was asked for: of several images, say, one can't be read.
inline constexpr int exit_partial = 6;

struct ImageInList {
    std::string name;
    bool one_of_many = false;

    /// {} in an output's name becomes short_name(); a folder becomes FOLDER/NAME_cat.fits. Throws Error (Fault::usage)
    /// for one of many whose output isn't its own. Empty and "-" (of one image) stay.
    std::string output(const std::string& pattern) const;
    /// {} likewise; without, all images share that input.
    std::string input(const std::string& pattern) const;
};

/// Calls `one` for each. A single image: its result. Of several, one that fails is reported and the others are still
/// done; then exit_partial, or the first one's code if all failed. An interruption ends the list. Throws Error
/// (Fault::usage) before the first if two images have one short name.
int for_each_image(const std::vector<std::string>& given, Console console,
                   const std::function<int(const ImageInList&)>& one);

}  // namespace star
