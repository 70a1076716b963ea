// What is done of a large image, kept beside the output, so that a run that ended before its time can go on.
#pragma once
#include <map>
#include <string>

#include "tools/plate_detection.h"

namespace star {

/// OUTPUT.progress: a line that says what run it belongs to, then a record per finished plate, each with its SHA-256;
/// a last one that is cut short is dropped. Records go to disk before add() returns: SIGKILL costs the plate that was
/// in work. Numbers are kept as they are in memory, so that a resumed run has the bits of an uninterrupted one.
class ProgressFile {
public:
    /// key: all that the rows depend on. resume: go on from what is there, which may be nothing; Error (Fault::input)
    /// if it is another run's. Else whatever is there is replaced.
    ProgressFile(const std::string& output, const std::string& key, bool resume);
    ProgressFile(const ProgressFile&) = delete;
    ProgressFile& operator=(const ProgressFile&) = delete;
    ~ProgressFile();

    /// The plates that are done, by number; without FittedStars.
    std::map<int, PlateFound>& done() { return done_; }
    /// Throws Error (Fault::output) if it can't be written; the file is then gone.
    void add(int plate, const PlateFound& found);
    /// The catalogue is whole.
    void remove();

private:
    void read(const std::string& first_line);

    std::string path_;
    int file_ = -1;
    std::map<int, PlateFound> done_;
};

}  // namespace star
