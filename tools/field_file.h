// A simulated field as files: FITS with everything there is to know about it, and a picture for a quick look.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/fits_header.h"
#include "sim/field.h"
#include "tools/setup.h"

namespace star {

/// Writes the image (primary HDU, with `cards` and those of the instrument), VARIANCE, MASK (saturated: 4), UNITS,
/// STARS, and GALAXIES if the scene may hold some. Atomic. Throws Error (Fault::output).
void write_field(const std::string& path, bool overwrite, const Field& field, const Setup& setup,
                 const std::vector<Card>& cards);

/// Many fields in one file: the same, but image, VARIANCE and MASK have a third axis, a plane per field, and tables a
/// first column FIELD, the field's number. Memory doesn't grow with their number: rows of STARS and GALAXIES wait in a
/// temporary file. Atomic. Throws Error (Fault::output).
class FieldCube {
public:
    struct Extent {
        int width, height, count;  ///< px; fields
        std::uint64_t first;       ///< number of the first; the others' follow
    };
    FieldCube(const std::string& path, bool overwrite, const Setup& setup, const std::vector<Card>& cards,
              const Extent& extent);
    ~FieldCube();
    void add(const Field& field);  ///< The next one.
    void commit();                 ///< After the last.

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// A grey PNG of the image, north (the last row) up: asinh of the sky-subtracted signal in units of 5 sigma of the
/// empty sky, from -1 sigma to the 99.9th percentile.
std::string field_png(const Field& field, const Exposure& exposure);

/// For the person who asked: "512x512 px, 1,234 units ...".
std::string field_summary(const Field& field, const Exposure& exposure, double fwhm);

}  // namespace star
