// Writes a FITS file of images and tables: atomic, checksummed, the same bytes for the same content.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/fits_table.h"

namespace star {

/// Usage: construct, primary() once, any number of image() and table(), commit(). Nothing appears under `path` before
/// commit(); without it nothing remains. Every HDU gets CHECKSUM and DATASUM. Cards that FITS itself needs (BITPIX,
/// NAXIS, TFORMn, BSCALE, CHECKSUM...) are left out of the caller's, so that a whole input header may be passed on.
/// Fault::output, naming the file, if anything can't be written.
class FitsWriter {
public:
    FitsWriter(const std::string& path, bool overwrite);
    ~FitsWriter();

    /// The primary HDU without data.
    void primary(const std::vector<Card>& cards);
    /// A float image, row 0 first, NaN kept; pixels.size() = width × height. The primary HDU if it is the first call
    /// and `name` is empty, else an extension of that name.
    void image(const std::string& name, std::span<const float> pixels, int width, int height,
               const std::vector<Card>& cards);
    /// The same with a third axis: planes of width × height, one after the other.
    void cube(const std::string& name, std::span<const float> pixels, int width, int height, int planes,
              const std::vector<Card>& cards);
    /// An extension of bytes: a mask.
    void mask(const std::string& name, std::span<const std::uint8_t> pixels, int width, int height,
              const std::vector<Card>& cards);
    /// A binary table; all columns have equal length, which may be 0.
    void table(const Table& table);

    /// For what doesn't fit into memory: as cube() and mask() with a third axis, but the pixels come later, in any
    /// order; those that never come are 0. Returns the number of the HDU.
    enum class Pixels { real, bytes };
    int planes(const std::string& name, Pixels pixels, int width, int height, int planes,
               const std::vector<Card>& cards);
    /// Plane `index`, from 0, of such an HDU.
    void plane(int hdu, int index, std::span<const float> pixels);
    void plane(int hdu, int index, std::span<const std::uint8_t> pixels);
    /// More rows of the table that was written last, which has the same columns, of numbers alone. No other HDU may
    /// have been begun since.
    void append(const Table& more);

    void commit();

private:
    /// Creates the HDU and writes its cards but for checksums.
    void begin_image(const std::string& name, Pixels type, const std::vector<long>& axes,
                     const std::vector<Card>& cards);
    template <class T>
    void pixels(const std::string& name, std::span<const T> pixels, const std::vector<long>& axes,
                const std::vector<Card>& cards);
    template <class T>
    void write_plane(int hdu, int index, std::span<const T> pixels);

    struct State;
    std::unique_ptr<State> state_;
};

/// One image in the primary HDU.
void write_image(const std::string& path, std::span<const float> pixels, int width, int height,
                 const std::vector<Card>& cards, bool overwrite);

/// A primary HDU with `primary` (provenance), then the tables in order.
void write_tables(const std::string& path, const std::vector<Card>& primary, const std::vector<Table>& tables,
                  bool overwrite);

}  // namespace star
