"""The peers: each a function from an image to the stars it finds there, the same wrapper wherever they are compared."""
from __future__ import annotations

import contextlib
import io
import itertools
import shutil
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from astropy.io import fits
from astropy.stats import sigma_clipped_stats
from astropy.table import Table

from star_list import Catalogue, Floats


@dataclass(frozen=True)
class Observation:
    """pixels and sigma (its noise, standard deviation): (h, w), sigma infinite where saturated; zeropoint: of one unit of it."""
    pixels: Floats
    sigma: Floats
    zeropoint: float


@dataclass(frozen=True)
class EffectivePsf:
    """samples: (n, n), n odd, the star in the middle, `oversampling` samples per pixel, sum 1; fwhm: px."""
    samples: Floats
    oversampling: int
    fwhm: float


def read_psf(path: Path) -> EffectivePsf:
    header = fits.getheader(path)
    return EffectivePsf(fits.getdata(path).astype(np.float64), int(header["OVERSAMP"]), float(header["PSF_FWHM"]))


def magnitudes(flux: Floats, zeropoint: float) -> Floats:
    """99 for a flux that isn't positive, as SExtractor writes it."""
    return np.where(flux > 0, zeropoint - 2.5 * np.log10(np.maximum(flux, 1e-30)), 99.0)


def sextractor(image: Path, kernel: str, threshold: float, *options: str, zeropoint: float = np.nan) -> list[Catalogue]:
    """A list per image extension of the file, in one run."""
    program = shutil.which("source-extractor") or sys.exit("peers.py: source-extractor is not installed (apt-get install source-extractor)")
    share = Path(program).parents[1] / "share/source-extractor"
    with fits.open(image) as hdus:
        images = sum(hdu.is_image and hdu.header.get("NAXIS", 0) == 2 for hdu in hdus)
    with tempfile.TemporaryDirectory() as folder:
        (columns := Path(folder, "columns")).write_text("X_IMAGE\nY_IMAGE\nFLUX_AUTO\nEXT_NUMBER\n")
        subprocess.run([program, str(image.resolve()), "-c", str(share / "default.sex"), "-FILTER_NAME", str(share / f"{kernel}.conv"),
                        "-PARAMETERS_NAME", str(columns), "-CATALOG_NAME", "rows", "-CATALOG_TYPE", "ASCII",
                        "-DETECT_THRESH", str(threshold), "-ANALYSIS_THRESH", str(threshold), "-VERBOSE_TYPE", "QUIET", *options],
                       check=True, cwd=folder)
        rows = Path(folder, "rows").read_text().split()
    t = np.array(rows, np.float64).reshape(-1, 4)
    everything = Catalogue(t[:, :2] - 1, t[:, 2], mag=magnitudes(t[:, 2], zeropoint) if np.isfinite(zeropoint) else None)
    return [everything.select(t[:, 3] == number) for number in range(1, images + 1)]


def dao_star_finder(pixels: Floats, sigmas: float, fwhm: float, **options: Any) -> Catalogue:
    """Threshold in units of the clipped rms of the image, background its median."""
    from photutils.detection import DAOStarFinder
    _, median, sigma = sigma_clipped_stats(pixels, sigma=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NoDetectionsWarning
        t = DAOStarFinder(threshold=sigmas * sigma, fwhm=fwhm, **options)(pixels - median)
    x, y, flux = ([] if t is None else t[c] for c in ("x_centroid", "y_centroid", "flux"))  # None: nothing found
    return Catalogue(np.stack([x, y], axis=1).astype(np.float64), np.asarray(flux, np.float64))


def psf_photometry(seen: Observation, psf: EffectivePsf, sigmas: float) -> Catalogue:
    """Photutils' IterativePSFPhotometry: DAOStarFinder on the image, then on what three fits of all stars leave. The
    threshold is in units of the noise of the empty sky, which it is told."""
    from photutils.detection import DAOStarFinder
    from photutils.psf import IterativePSFPhotometry, SourceGrouper
    usable = np.isfinite(seen.sigma)
    sky_sigma = float(np.percentile(seen.sigma[usable], 5))
    finder = DAOStarFinder(threshold=sigmas * sky_sigma, fwhm=psf.fwhm, min_separation=0)
    fit = IterativePSFPhotometry(photutils_model(psf), finder=finder, grouper=SourceGrouper(psf.fwhm), mode="all", maxiters=3,
                                 **photutils_settings(psf))
    return photutils_list(fit, seen)


def psf_photometry_at(seen: Observation, psf: EffectivePsf, xy: Floats, grouped: bool) -> Catalogue:
    """The same of given stars, fitted once: no finder adds any. grouped: stars within a FWHM together, else each alone."""
    from photutils.psf import IterativePSFPhotometry, SourceGrouper
    grouping = {"grouper": SourceGrouper(psf.fwhm), "mode": "all"} if grouped else {"mode": "new"}
    fit = IterativePSFPhotometry(photutils_model(psf), finder=lambda *_, **__: None, maxiters=1, **grouping, **photutils_settings(psf))
    return photutils_list(fit, seen, init_params=Table({"x": xy[:, 0], "y": xy[:, 1]}))


def photutils_model(psf: EffectivePsf) -> Any:
    from photutils.psf import ImagePSF
    reach = 12 * psf.oversampling  # samples: the fit sees 5 px, what is subtracted 25 px
    middle = psf.samples.shape[0] // 2
    window = slice(middle - reach, middle + reach + 1)
    return ImagePSF(psf.samples[window, window] * psf.oversampling**2, oversampling=psf.oversampling)


def photutils_settings(psf: EffectivePsf) -> dict[str, Any]:
    return {"fit_shape": (5, 5), "sub_shape": (25, 25), "aperture_radius": psf.fwhm, "xy_bounds": 2.0}


def photutils_list(fit: Any, seen: Observation, **options: Any) -> Catalogue:
    """What the fit makes of the image above its clipped median."""
    usable = np.isfinite(seen.sigma)
    _, background, _ = sigma_clipped_stats(seen.pixels[usable], sigma=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that don't converge: their rows stay
        t = fit(seen.pixels - background, mask=~usable, error=np.where(usable, seen.sigma, 1.0), **options)
    if t is None:
        return Catalogue(np.zeros((0, 2)), np.zeros(0), mag=np.zeros(0))
    x, y, flux, error = (np.asarray(t[c], np.float64) for c in ("x_fit", "y_fit", "flux_fit", "flux_err"))
    real = np.isfinite(x) & np.isfinite(y) & (flux > 0)
    snr = np.nan_to_num(flux / np.where(error > 0, error, np.inf))
    return Catalogue(np.stack([x, y], axis=1), snr, mag=magnitudes(flux, seen.zeropoint)).select(real)


class SampledPsf:
    """A PSF as crowdsource asks for it, drawn from oversampled samples by cubic splines. x is the row there."""

    def __init__(self, psf: EffectivePsf) -> None:
        from scipy.ndimage import spline_filter
        per_pixel, self.step, self.middle = psf.samples * psf.oversampling**2, psf.oversampling, psf.samples.shape[0] // 2
        slopes = [-g * psf.oversampling for g in np.gradient(per_pixel)]  # of the star's place, per px
        self.splines = [spline_filter(a, order=3) for a in (per_pixel, *slopes)]

    def __call__(self, x: Any, y: Any, stampsz: int | None = None, deriv: bool = False) -> Any:
        from scipy.ndimage import map_coordinates
        shape, size = np.broadcast(x, y).shape, 59 if stampsz is None else int(stampsz)
        k = np.arange(size) - size // 2
        place = lambda q: (k - (np.atleast_1d(q) - np.round(np.atleast_1d(q)))[:, None]) * self.step + self.middle
        rows, columns = np.broadcast_arrays(place(x)[:, :, None], place(y)[:, None, :])
        draw = lambda spline: map_coordinates(spline, [rows, columns], order=3, prefilter=False).astype("f4").reshape(*shape, size, size)
        return tuple(draw(s) for s in self.splines) if deriv else draw(self.splines[0])


def crowdsource(seen: Observation, psf: EffectivePsf, sigmas: float, xy: Floats | None = None) -> Catalogue:
    """Schlafly's crowdsource with the PSF as it is (not refitted), threshold in units of a point source's noise. xy: the stars to
    fit, in place of the peaks that it finds."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from crowdsource import crowdsource_base
        weight, look = (1 / seen.sigma).astype("f4"), crowdsource_base.peakfind
        if xy is not None:
            looks = itertools.chain([xy], itertools.repeat(np.zeros((0, 2))))  # in the first pass; nothing new in the others
            look = lambda *_, **__: next(looks).T[::-1].astype("f4")
        with mock.patch.object(crowdsource_base, "peakfind", look):
            t, *_ = crowdsource_base.fit_im(seen.pixels.astype("f4"), SampledPsf(psf), weight=weight, threshold=sigmas)
    row, column, flux, error = (np.asarray(t[c], np.float64) for c in ("x", "y", "flux", "dflux"))
    real = np.isfinite(row) & np.isfinite(column) & (flux > 0) & (error > 0)
    cat = Catalogue(np.stack([column, row], axis=1), np.nan_to_num(flux / np.maximum(error, 1e-30)), mag=magnitudes(flux, seen.zeropoint))
    return cat.select(real)
