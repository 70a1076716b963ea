// A catalogue as one HTML page that needs nothing else: the image to move about in, units and stars over it, numbers on
// a click, plots below.
#pragma once
#include <string>

#include "io/fits_image.h"
#include "sim/psf.h"
#include "tools/catalogue_file.h"

namespace star {

struct PageQuestion {
    std::string title;
    const Catalogue& catalogue;
    const FitsImage* image = nullptr;  ///< null: boxes and stars on a blank sheet
    const Wcs* wcs = nullptr;
    const Psf* psf = nullptr;  ///< null: cut-outs without model and residual
    bool psf_varies = false;   ///< it is that of the image's middle, which the page then says
    std::string unit;          ///< of the image
    std::size_t most_bytes = 10'000'000;
};

struct CataloguePage {
    std::string html;
    std::string words;  ///< how deep the pixels are, and what had to be left out
};

/// At most `most_bytes` long: the image gets up to three quarters (page_pixels.h), BLENDS and SOURCES what is left
/// (page_table.h). Tables are known by their columns' names; others aren't shown. Works from a file, without a network.
CataloguePage catalogue_page(const PageQuestion& question);

}  // namespace star
