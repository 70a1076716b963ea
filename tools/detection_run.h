// One image and one model, opened for detection: what `detect` does once, and `certify` again and again.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tools/catalogue_file.h"
#include "tools/command.h"
#include "tools/cosmic_rays.h"
#include "tools/domain.h"
#include "tools/known_psf.h"
#include "tools/plate_run.h"
#include "tools/star_fit.h"

namespace star {

struct DetectionOptions {
    ObservationOptions image;
    std::string model;  ///< a file, or the name of one built in; empty: choose_model()
    double threshold = std::numeric_limits<double>::quiet_NaN();
    int orientations = 0;  ///< 1 or 8; 0: as the model says
    StarOptions stars;
    CosmicRaySetting cosmic_rays = CosmicRaySetting::automatic;
    std::string memory = "1500M";
};
void add_detection_options(CLI::App& app, DetectionOptions& options);

/// The model that the options name, with their threshold; else of those built in the one whose pixels are nearest to
/// the image's, which is then said.
Model choose_model(const DetectionOptions& options, const FitsPlane& image, Console& console);

/// T: float or bf16, the activations. Throws Error, naming the file, wherever something can't be opened.
template <class T>
class DetectionRun {
public:
    /// All the caller's, and outlive this. image: describe_image() of the options'.
    DetectionRun(const DetectionOptions& options, const FitsPlane& image, const Model& model, const Common& common,
                 Console& console);

    /// Detects in every plate. progress: null for none. alter: what is done to each plate's observation before anyone
    /// looks at it; the files' own where it is empty. Says on `console` what happens.
    ImageFound detect(ProgressFile* progress, Console& console, const DetectionPlan::Alter& alter = {});

    /// Calls with each plate's observation as the files have it.
    void for_each_plate(const std::function<void(const Observation&, const Plate&)>& call);

    /// Warns of what in the image is unlike the model's training, and flags the rows of the tiles where it is, all if
    /// it is the whole image.
    void flag_departures(ImageFound& found, Console& console);

    /// Where the rows come from: files, model, noise, device.
    std::vector<Card> cards(const ImageFound& found) const;
    /// BLENDS, with a PSF SOURCES, and CONFIG.
    Catalogue catalogue(const ImageFound& found) const;
    CatalogueImage catalogue_image() const;
    /// All that the rows depend on; not threads, nor memory.
    std::string key() const;

    bool in_plates() const { return plates_.size() > 1; }
    const std::optional<KnownPsf>& psf() const { return psf_; }
    /// The image, or its middle plate, which has no pixels any more once detect() was called.
    const Observation& observation() const { return observation_; }
    ThreadPool& pool() { return pool_; }
    Stream stream() const { return stream_; }

private:
    CatalogueInfo info() const;

    const DetectionOptions& options_;
    const FitsPlane& image_;
    const Model& model_;
    const Common& common_;
    std::int64_t memory_;
    std::vector<Plate> plates_;
    ObservationOptions opened_;  // what observation_ was read with
    Observation observation_;
    ThreadPool pool_;
    TrainingDomain training_;
    ImageDomain domain_;
    std::optional<KnownPsf> psf_;
    StarOptions stars_;  // settled, as psf_ is
    StreamOwner stream_;
    Detector<T> detector_;
    DetectionPlan plan_;
};

/// One line for the reader: how many units of each kind, how many stars, the sky.
std::string found_words(const std::string& image, const FitsPlane& plane, const ImageFound& found);
/// Warns of what is missing in `output`, and of a sky that is unknown or only estimated.
void warn_of_gaps(const std::string& image, const FitsPlane& plane, const std::string& output, const ImageFound& found,
                  Console& console);

}  // namespace star
