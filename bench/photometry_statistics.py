"""Statistics of bench/photometry.sh: who is matched with whom, how crowded a star is, what a bin of errors says, and the Cramer-Rao bound."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from peers import EffectivePsf, SampledPsf
from star_list import Catalogue, Floats

Ints = NDArray[np.int64]
Json = dict[str, Any]


@dataclass(frozen=True)
class Stars:
    """Of a field's truth: xy (n, 2), 0-based pixels; mag; flux in the image's unit; unit -1: none; counts: one of its unit's NSTARS."""
    xy: Floats
    mag: Floats
    flux: Floats
    unit: Ints
    counts: NDArray[np.bool_]
    snr: Floats


def matched(stars: Stars, found: Catalogue, radius: float, tolerance: float) -> Ints:
    """Per star the row found for it, or -1: one to one; stars by falling flux, each takes the nearest free row within the radius that
    agrees with it to `tolerance` magnitudes."""
    assert found.mag is not None
    out, free = np.full(len(stars.mag), -1), np.ones(len(found.xy), bool)
    if not len(found.xy):
        return out
    near = cKDTree(found.xy).query_ball_point(stars.xy, radius)
    for i in np.argsort(-stars.flux, kind="stable"):
        rows = [j for j in near[i] if free[j] and abs(found.mag[j] - stars.mag[i]) <= tolerance]
        if rows:
            out[i] = min(rows, key=lambda j: np.hypot(*(found.xy[j] - stars.xy[i])))
            free[out[i]] = False
    return out


def real_rows(stars: Stars, found: Catalogue, score: Floats, radius: float, tolerance: float) -> Ints:
    """Per row the star that it is, or -1: one to one; rows by falling score, each takes the nearest free star as matched() has it."""
    assert found.mag is not None
    out, free = np.full(len(found.xy), -1), np.ones(len(stars.mag), bool)
    near = cKDTree(stars.xy).query_ball_point(found.xy, radius)
    for i in np.argsort(-score, kind="stable"):
        some = [j for j in near[i] if free[j] and abs(found.mag[i] - stars.mag[j]) <= tolerance]
        if some:
            out[i] = min(some, key=lambda j: np.hypot(*(stars.xy[j] - found.xy[i])))
            free[out[i]] = False
    return out


def complete_at(purity: float, score: Floats, real: NDArray[np.bool_], hits: NDArray[np.bool_], stars: int) -> float:
    """Rows of `hits` (each a star that is wanted) over `stars`, in the longest list of highest scores that is so pure; NaN: none is."""
    order = np.argsort(-score, kind="stable")
    pure = np.flatnonzero(np.cumsum(real[order]) >= purity * np.arange(1, len(order) + 1))
    return float(hits[order][:pure[-1] + 1].sum() / stars) if len(pure) else float("nan")


class Overlap:
    """How much of each other's light two stars have: the PSF's autocorrelation by distance, 1 at 0."""

    def __init__(self, psf: EffectivePsf, reach: float) -> None:
        n = 2 * psf.samples.shape[0]
        whole = np.fft.irfft2(np.abs(np.fft.rfft2(psf.samples, (n, n))) ** 2, (n, n))
        y, x = np.meshgrid(*2 * [np.fft.fftfreq(n, 1 / n) / psf.oversampling], indexing="ij")
        r, self.reach = np.hypot(x, y), reach
        ring = np.rint(r * psf.oversampling).astype(int).ravel()
        rings = np.bincount(ring)
        last = int(reach * psf.oversampling) + 2
        self.at, self.values = ((np.bincount(ring, v.ravel()) / rings)[:last] for v in (r, whole / whole[0, 0]))

    def own_share(self, stars: Stars) -> Floats:
        """Of the light in each star's PSF (weighted with it) the part that is its own, all stars of the list shining: 1 if alone."""
        total = stars.flux.copy()
        pairs = cKDTree(stars.xy).query_pairs(self.reach, output_type="ndarray")
        share = np.interp(np.hypot(*(stars.xy[pairs[:, 0]] - stars.xy[pairs[:, 1]]).T), self.at, self.values)
        for a, b in ((0, 1), (1, 0)):
            np.add.at(total, pairs[:, a], share * stars.flux[pairs[:, b]])
        return stars.flux / total


def fitted_per_unit(stars: Stars, found: Catalogue, reach: float, units: int) -> Ints:
    """How many rows were found for each unit: a row belongs to the unit of the nearest star that counts within `reach` px."""
    members = np.flatnonzero(stars.counts & (stars.unit >= 0))
    distance, nearest = cKDTree(stars.xy[members]).query(found.xy, distance_upper_bound=reach)
    return np.bincount(stars.unit[members[nearest[np.isfinite(distance)]]], minlength=units)


def half_width(v: Floats) -> float:
    """Half of what lies between the 15.87th and 84.13th percentiles: the standard deviation of a normal law."""
    low, high = np.percentile(v, [15.865, 84.135])
    return float(high - low) / 2


def deviation(v: Floats) -> tuple[float, float]:
    """Standard deviation and its standard error, whatever the law's tails."""
    d = v - v.mean()
    s = np.sqrt(np.mean(d**2))
    return float(s), float(np.sqrt(max(np.mean(d**4) - s**4, 0) / len(v)) / (2 * s)) if s > 0 else 0.0


def errors_of(true: Floats, flux: Floats, error: Floats | None) -> Json:
    """Of matched stars: magnitudes found minus true, and (flux - true) / error. A median's standard error is that of a normal law."""
    if not len(true):
        return {"stars": 0}
    with np.errstate(all="ignore"):
        mag = -2.5 * np.log10(np.where(flux > 0, flux, np.nan) / true)
    mag = np.where(np.isfinite(mag), mag, 99.0)  # no positive flux: fainter than all others
    out: Json = {"stars": len(true), "bias": float(np.median(mag)), "bias_error": 1.2533 * half_width(mag) / np.sqrt(len(mag)),
                 "scatter": half_width(mag), "mean_relative": float(np.mean(flux / true - 1))}
    if error is not None:
        pull = ((flux - true) / error)[np.isfinite(error) & (error > 0)]
        out |= {"pull": float(np.median(pull)), "pull_width": half_width(pull), "pull_mean": float(pull.mean()), "pull_sd": float(pull.std())}
    return out


def bound(psf: EffectivePsf, xy: Floats, flux: Floats, variance: Floats) -> Floats:
    """Cramer-Rao standard errors of the fluxes of all these stars, places and fluxes of all being free, the sky known. variance: of
    each pixel, the stars' own photons included."""
    stamps, size, (h, w) = SampledPsf(psf), 41, variance.shape
    columns = np.zeros((3 * len(flux), h, w))
    for i, (x, y) in enumerate(xy):
        value, by_row, by_column = (np.asarray(s, float)[0] for s in stamps(np.array([y]), np.array([x]), size, deriv=True))
        top, left = int(np.round(y)) - size // 2, int(np.round(x)) - size // 2
        rows, cols = slice(max(top, 0), min(top + size, h)), slice(max(left, 0), min(left + size, w))
        cut = (slice(rows.start - top, rows.stop - top), slice(cols.start - left, cols.stop - left))
        for k, f in enumerate((by_column * flux[i], by_row * flux[i], value)):
            columns[3 * i + k, rows, cols] = f[cut]
    a = (columns / np.sqrt(variance)).reshape(len(columns), -1)
    return np.sqrt(np.diag(np.linalg.inv(a @ a.T)))[2::3]


def self_test() -> None:
    """Against cases worked out by hand, and a Gaussian PSF, whose overlap and bound are known by formula."""
    r = np.random.default_rng(7)
    stars = Stars(np.array([[10.0, 10], [10.4, 10], [20, 20]]), np.array([20.0, 21, 22]), 10 ** (-0.4 * np.array([20.0, 21, 22])),
                  np.array([0, 0, 1]), np.array([True, True, True]), np.full(3, 50.0))
    found = Catalogue(np.array([[10.3, 10], [10.05, 10], [20.9, 20]]), np.ones(3), mag=np.array([20.1, 21.3, 22.8]))
    assert matched(stars, found, 1, 5).tolist() == [1, 0, 2] and matched(stars, found, 1, 0.75).tolist() == [0, 1, -1]
    assert matched(stars, found, 0.2, 5).tolist() == [1, 0, -1]
    assert fitted_per_unit(stars, found, 1, 3).tolist() == [2, 1, 0]
    assert real_rows(stars, found, np.array([2.0, 1, 3]), 1, 0.75).tolist() == [0, 1, -1]
    assert real_rows(stars, found, np.array([1.0, 2, 3]), 1, 5).tolist() == [1, 0, 2]
    yes = np.array([True, False, True, True, False])
    assert complete_at(0.75, np.array([5.0, 4, 3, 2, 1]), yes, yes, 4) == 0.75 and complete_at(0.9, np.array([5.0, 4, 3, 2, 1]), yes, yes, 4) == 0.25
    assert np.isnan(complete_at(0.9, np.array([1.0, 2, 3, 4, 5]), yes, yes, 4))
    normal = r.normal(0.3, 2, 200000)
    assert abs(half_width(normal) - 2) < 0.03 and abs(deviation(normal)[0] - 2) < 0.02
    assert abs(deviation(normal)[1] / (2 / np.sqrt(2 * len(normal))) - 1) < 0.05
    true = np.full(20000, 100.0)
    said = errors_of(true, true * 10**0.02 + r.normal(0, 5, len(true)), np.full(len(true), 5.0))
    assert abs(said["bias"] + 0.05) < 4 * said["bias_error"] and abs(said["pull_width"] - 1) < 0.03, said
    assert abs(said["bias_error"] - 1.2533 * 1.0857 * 5 / 104.7 / np.sqrt(20000)) < 1e-5 and errors_of(true[:0], true[:0], None) == {"stars": 0}
    assert errors_of(true[:3], np.array([-1.0, -1, 100]), None)["bias"] == 99
    sigma, n = 1.5, 5
    at = (np.arange(201) - 100) / n
    g = np.exp(-at**2 / (2 * sigma**2))
    psf = EffectivePsf(np.outer(g, g) / np.outer(g, g).sum(), n, 2.3548 * sigma)
    share = Overlap(psf, 8).own_share(Stars(np.array([[0.0, 0], [2, 0], [30, 0]]), np.zeros(3), np.array([1.0, 2, 1]), np.zeros(3, int),
                                            np.ones(3, bool), np.ones(3)))
    expected = 1 / (1 + 2 * np.exp(-4 / (4 * sigma**2)))
    assert abs(share[0] - expected) < 2e-3 and share[2] == 1, (share, expected)
    alone = bound(psf, np.array([[20.3, 20.6]]), np.array([1000.0]), np.full((41, 41), 9.0))[0]
    assert abs(alone / (3 * np.sqrt(4 * np.pi) * sigma) - 1) < 1e-3, alone
    pair = bound(psf, np.array([[20.3, 20.6], [21.3, 20.6]]), np.array([1000.0, 1000]), np.full((41, 41), 9.0))[0]
    assert pair > 3 * alone, (pair, alone)
