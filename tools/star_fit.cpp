// Options, the fit, its table and its pictures.
#include "tools/star_fit.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "sim/psf_misfit.h"
#include "tools/middle_part.h"

namespace star {
void add_psf_origin_option(CLI::App& app, PsfChoice& psf) {
    app.add_option("--psf-origin", psf.origin,
                   "X,Y: where in a library of PSFs the image's first pixel begins, px (default: as LTV1 and LTV2 say, "
                   "else 0,0)")
        ->delimiter(',')
        ->expected(2)
        ->check(CLI::Range(-1e6, 1e6))
        ->group("Stars");
}

void add_psf_fit_options(CLI::App& app, StarOptions& o) {
    app.add_option("--psf-blur", o.psf_blur,
                   "px: sigma of a Gaussian that the PSF is yet to be blurred with (default: 0, or what isolated stars "
                   "tell where they fit worse than 1 %)")
        ->check([](const std::string& text) -> std::string {
            double v = 0;
            if (!CLI::detail::lexical_cast(text, v)) return "not a number: " + text;
            const bool fine = v == 0 || (v >= Psf::least_blur && v <= Psf::most_blur);
            return fine ? "" : fmt::format("{} is neither 0 nor in {} - {}", text, Psf::least_blur, Psf::most_blur);
        })
        ->group("Stars");
    app.add_option("--psf-error", o.psf_error,
                   "Uncertainty of the PSF: this share of the model counts as noise (default: 0.01, or more where "
                   "isolated stars fit worse)")
        ->check(CLI::Range(0.0, 1.0))
        ->group("Stars");
}

void add_star_options(CLI::App& app, StarOptions& o) {
    const auto group = "Stars";
    app.add_option("--psf", o.psf.what,
                   "PSF of the stars in SOURCES: model (of its training), measured (from this image), a preset, a FITS "
                   "file of one or of a library over the detector, or none (default: model; measured where the pixels "
                   "aren't those of the training)")
        ->group(group);
    add_psf_origin_option(app, o.psf);
    add_psf_fit_options(app, o);
    app.add_option(
           "--min-snr", o.limits.min_snr,
           "FLUX_PSF over its error below which a star is dropped; the error includes what --psf-error leaves of a "
           "neighbour's light")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 1e6))
        ->group(group);
    app.add_option("--second-snr", o.limits.second_snr,
                   "Signal-to-noise from which a peak that the fit leaves is a star too")
        ->capture_default_str()
        ->check(CLI::Range(1.0, 1e6))
        ->group(group);
}

void settle_psf(StarOptions& o, std::optional<KnownPsf>& psf, const Observation& observation, int column, int row,
                Console& console) {
    const auto blur = [&](double sigma) { psf->psf = psf->psf.blurred(sigma), psf->blur = sigma; };
    const bool tell_blur = std::isnan(o.psf_blur), tell_error = std::isnan(o.psf_error);
    if (tell_blur) o.psf_blur = 0;
    if (tell_error) o.psf_error = usual_psf_error;
    if (!psf) return;
    blur(o.psf_blur);
    if (!tell_blur && !tell_error) return;
    const MiddlePart part = middle_part(observation);
    const double saturate = std::isfinite(observation.saturate.value) ? observation.saturate.value : INFINITY;
    const auto in_middle = [&] { return psf->psf.part(column + part.x0, row + part.y0); };
    const double per_unit = observation.noise.electrons_per_unit;
    const std::string& where = observation.image.header.where;
    const char* tell = "fit no better";
    PsfMisfit misfit = psf_misfit(part.image(), saturate, per_unit, in_middle());
    if (tell_blur) {
        const PsfBlur found = psf_blur(part.image(), saturate, per_unit, in_middle(), usual_psf_error);
        if (found.sigma > 0) {
            blur(o.psf_blur = found.sigma);
            misfit = found.blurred;
            // A PSF that was wrong is trusted as far as the stars vouch for it, and what it still leaves is rings, more
            // like a star than noise of that size is.
            tell = 2 * misfit.error >= misfit.limit ? "fit to half of it" : "can't tell it better";
            misfit.error = std::max(2 * misfit.error, misfit.limit);
            console.say(
                "{}: {} stars are broader than the PSF by a Gaussian of sigma {:.2f} px, which it gets; then it fits "
                "them to {}{:.1f} %, not {:.1f} (--psf-blur 0 leaves it as it is)",
                where, misfit.stars, found.sigma, found.blurred.error > 0 ? "" : "less than ",
                100 * std::max(found.blurred.error, found.blurred.limit), 100 * found.sharp.error);
        }
    }
    if (!tell_error || !(misfit.error > usual_psf_error)) return;
    o.psf_error = std::min(misfit.error, 1.0);
    console.say("{}: the PSF's uncertainty is taken to be {:.1f} %: {} isolated stars {} (--psf-error)", where,
                100 * o.psf_error, misfit.stars, tell);
}

void add_picture_options(CLI::App& app, PictureOptions& o) {
    const auto group = "Stars";
    app.add_option("--model-image", o.model, "Also write sky and stars as fitted")->group(group);
    app.add_option("--residual", o.residual, "Also write the image without them")->group(group);
}

Table fitted_table(const std::vector<Source>& sources, const KnownPsf& psf, double psf_error, const CatalogueInfo& info,
                   bool upper_limits) {
    Table t = sources_table(sources, info, upper_limits);
    t.cards.insert(t.cards.end(),
                   {{"PSF", psf.source, "what stars were fitted with"},
                    {"PSF_FWHM", psf.psf.middle().fwhm(), "[pix] azimuthal average, image's middle"},
                    {"PSFNODES", std::int64_t(psf.psf.nodes().size()), "PSFs it is interpolated between"},
                    {"PSFENRGY", psf.psf.middle().energy(), "share of a star's light in the PSF's table"},
                    {"PSFBLUR", psf.blur, "[pix] sigma of the Gaussian it was blurred with"},
                    {"PSFERROR", psf_error, "of the model, counted as noise"}});
    if (psf.origin.size() == 2) {
        t.cards.push_back({"PSFORIGX", psf.origin[0], "[pix] where in the library the image begins"});
        t.cards.push_back({"PSFORIGY", psf.origin[1], "[pix] where in the library the image begins"});
    }
    if (!info.magnitude_system.empty()) t.cards.push_back({"MAGSYS", info.magnitude_system, "of MAG_PSF"});
    return t;
}

std::optional<FittedStars> fit_stars(Stream stream, const StarOptions& o, const std::optional<KnownPsf>& psf,
                                     const StarQuestion& q, Console& console) {
    if (!psf) return std::nullopt;
    FitInput input(q.observation, q.sky, q.model.exposure.drizzle_sigma, o.psf_error);
    FieldFit fit(stream, input.image(), psf->psf.part(q.column, q.row), o.limits);
    FittedStars out{std::move(input), std::move(fit), {}, true};
    out.fit.find(fit_units(q.blends), [&](int stage, int stages) {
        console.progress("fitting stars", stage, stages, "stage");
        out.complete = !interrupt::requested();
        return out.complete;
    });
    out.sources = sources_of(out.fit, out.input, q.observation);
    std::size_t beside = 0, stuck = 0;
    for (const Source& s : out.sources) beside += s.blend == 0, stuck += (s.flags & flag_no_convergence) != 0;
    console.say("{} stars, {} of them in no unit, {} not converged; PSF: {}, FWHM {:.2f} px", out.sources.size(),
                beside, stuck, psf->source, psf->psf.middle().fwhm());
    return out;
}

StarPictures::StarPictures(const PictureOptions& o, bool overwrite)
    : wanted_(!o.model.empty()      ? "--model-image"
              : !o.residual.empty() ? "--residual"
                                    : "") {
    if (!o.model.empty()) model_ = std::make_unique<FitsWriter>(o.model, overwrite);
    if (!o.residual.empty()) residual_ = std::make_unique<FitsWriter>(o.residual, overwrite);
}

void StarPictures::refuse() const {
    if (!wanted_.empty())
        fail(Fault::usage, wanted_, ": no PSF is known, so that no star can be drawn; --psf names one");
}

void StarPictures::refuse_plates(const std::string& image) const {
    if (!wanted_.empty())
        fail(Fault::usage, wanted_, ": ", image, " is too large for a picture of it: it is worked on in plates");
}

void StarPictures::write(const FittedStars& s, const std::vector<Card>& cards) {
    const FitImage& image = s.input.image();
    if (model_) {
        model_->image("", model_picture(s.fit, s.input), image.width, image.height, cards);
        model_->commit();
    }
    if (residual_) {
        residual_->image("", residual_picture(s.fit, s.input), image.width, image.height, cards);
        residual_->commit();
    }
}

}  // namespace star
