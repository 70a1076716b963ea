// Pieces of an image's stars, many at once, fitted where a stream works: on a CPU's threads or on a GPU.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sim/fit_scene.h"

namespace star {

/// What of each piece is asked.
struct PieceQuestion {
    std::span<const FitPiece> pieces;  ///< table: the PSF map's node
    GroupLimits limits;
    double reach;                    ///< px; may be infinite
    bool drawn;                      ///< the scene shows their stars
    std::span<FitStar> stars;        ///< what pieces refer to; become the fit's
    std::span<FitErrors> errors;     ///< as many, of the pieces' own stars, NaN of the others; empty: not wanted
    std::span<GroupResult> results;  ///< as many as pieces
};

/// Fits stars to what a scene's model leaves, and what it has of them (kernels/fit_stars.h): by GroupFit, a piece per
/// thread, or by one kernel. On each device equal bits for any threads and any splitting of the pieces; between devices
/// results agree but for rounding. On a GPU it holds the image and the PSF's tables, and waits for the device.
class PieceFit {
public:
    /// stamp: the map's middle PSF, on the square that stars are cut to.
    PieceFit(Stream stream, const FisherStamp& stamp) : stream_(stream), stamp_(stamp) {}

    /// Always of one scene. Throws Error for a star that isn't finite, (Fault::device) where memory runs out.
    void fit(const FitScene& scene, const PieceQuestion& question);

    /// Of the PSF at a place: `own`, where it isn't the same everywhere.
    const FisherStamp& stamp_at(const PsfMap& map, const LocalPsf& psf, std::optional<FisherStamp>& own) const;

private:
    static void on_host(Stream, PieceFit*, const FitScene*, const PieceQuestion*);
    static void on_device(Stream, PieceFit*, const FitScene*, const PieceQuestion*);
    void upload_scene(const FitScene& scene);
    void upload_psfs(const PsfMap& map);

    struct Worker {
        FitPixels pixels;
        std::optional<FisherStamp> stamp;
        std::optional<GroupFit> fit;
    };
    Stream stream_;
    FisherStamp stamp_;
    std::vector<Worker> workers_;
    FitPlanes planes_;  // of the device
    FitPsfs psfs_;
    Buffer<float> pixels_, sky_, variance_, model_, tables_;
    Buffer<std::uint8_t> usable_;
    Buffer<double> kernel_;
    std::int64_t drawn_ = -1;  // which of the scene's models is there
    Buffer<FitPiece> pieces_;
    Buffer<FitStar> stars_;
    Buffer<FitErrors> errors_;
    Buffer<GroupResult> results_;
    Buffer<std::byte> workspace_;
};

}  // namespace star
