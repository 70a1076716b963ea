// The only door to CFITSIO: an owning handle, status codes made Errors, and no file name it could interpret.
// It is used to write, and to decode the rows of tables out of memory; the latter behind a header that is rebuilt from
// cards we checked and know, so that nothing else in a hostile file reaches it. Images never do. Internal to io.
#pragma once
#include <fitsio.h>

#include <mutex>
#include <string>
#include <vector>

#include "io/fits_hdu.h"
#include "kernels/check.h"

namespace star {

/// CFITSIO shares a table of open files and a stack of messages between its handles: one call at a time.
std::mutex& cfitsio_lock();

/// Throws `where`: what CFITSIO says, unless status is 0. CFITSIO doesn't say that an output found no room: errno does,
/// which whoever writes sets to 0 before.
void check_cfitsio(int status, const std::string& where, Fault fault);

/// An open file of CFITSIO, closed when this goes. Hold cfitsio_lock() around every use, this object's end included.
struct CfitsioFile {
    fitsfile* handle = nullptr;
    CfitsioFile() = default;
    CfitsioFile(const CfitsioFile&) = delete;
    CfitsioFile& operator=(const CfitsioFile&) = delete;
    ~CfitsioFile();
};

/// One HDU as a FITS file in memory: an empty primary, the given cards, and data to be filled in by the caller.
struct MemoryHdu {
    std::vector<char> bytes;
    std::int64_t data = 0;  // where the data begin

    /// Room for `hdu`'s data, behind those of its cards whose keyword is in `keys`: "TFORM#" stands for any number.
    /// Each keyword once, as FitsHeader::find() has it.
    MemoryHdu(const Hdu& hdu, const std::vector<std::string>& keys);
    MemoryHdu(const MemoryHdu&) = delete;
    MemoryHdu& operator=(const MemoryHdu&) = delete;
    /// Opens it for reading, at the HDU. This object must outlive the handle.
    void open(CfitsioFile& file, const std::string& where);

private:
    void* buffer_ = nullptr;  // CFITSIO keeps the addresses of these two
    std::size_t size_ = 0;
};

}  // namespace star
