// What `detect` does once it has units: fits the stars in them, and those beside them.
#pragma once
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/fits_writer.h"
#include "tools/catalogue.h"
#include "tools/command.h"
#include "tools/known_psf.h"
#include "tools/sources.h"

namespace star {

inline constexpr double usual_psf_error = 0.01;

struct StarOptions {
    PsfChoice psf;
    double psf_blur = NAN;   ///< px: sigma of a Gaussian that the PSF lacks; NAN: settle_psf() finds it
    double psf_error = NAN;  ///< of the model: the PSF's own uncertainty; NAN: settle_psf() finds it
    FieldFitLimits limits;
};
void add_psf_origin_option(CLI::App& app, PsfChoice& psf);
void add_psf_fit_options(CLI::App& app, StarOptions& options);
void add_star_options(CLI::App& app, StarOptions& options);

/// Numbers for psf_blur and psf_error where the options leave them to the image, and the PSF with that blur. The
/// isolated stars of the observation, which begins at (column, row) of the image, tell (sim/psf_misfit.h, in its middle
/// 1024 x 1024 px): the error is usual_psf_error, or what misfit a blur leaves where it is more; after a blur it is
/// twice that, and at least what the stars can vouch for. Then it is said.
void settle_psf(StarOptions& options, std::optional<KnownPsf>& psf, const Observation& observation, int column, int row,
                Console& console);

struct PictureOptions {
    std::string model, residual;  ///< files to write; empty: none
};
void add_picture_options(CLI::App& app, PictureOptions& options);

/// What stars are fitted to, all of the caller's.
struct StarQuestion {
    const Observation& observation;
    const PreparedSky& sky;
    const Model& model;
    const std::vector<Blend>& blends;
    int column = 0, row = 0;  ///< px of the image: where the observation begins
};

struct FittedStars {
    FitInput input;
    FieldFit fit;
    std::vector<Source> sources;
    bool complete = true;  ///< false: interrupted
};

/// SOURCES of stars fitted with this PSF, with cards that say so. upper_limits: as sources_table().
Table fitted_table(const std::vector<Source>& sources, const KnownPsf& psf, double psf_error, const CatalogueInfo& info,
                   bool upper_limits = false);

/// nullopt without a PSF. An image without a usable pixel has no stars. Says on the console what was found.
std::optional<FittedStars> fit_stars(Stream stream, const StarOptions& options, const std::optional<KnownPsf>& psf,
                                     const StarQuestion& question, Console& console);

/// --model-image and --residual, which are known to be writable before the work.
class StarPictures {
public:
    StarPictures(const PictureOptions& options, bool overwrite);
    /// Throws Error (Fault::usage) if a picture is wanted that no PSF can draw.
    void refuse() const;
    /// The same of an image in several plates, which is never held whole.
    void refuse_plates(const std::string& image) const;
    void write(const FittedStars& stars, const std::vector<Card>& cards);

private:
    std::string wanted_;
    std::unique_ptr<FitsWriter> model_, residual_;
};

}  // namespace star
