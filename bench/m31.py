#!/usr/bin/env python3
"""Scores star catalogues on the real Hubble field AP142 in M31 against the deep PHAT catalogue, peers beside ours.

Definitions (bench/README.md has them with the reasons):
  truth         PHAT's RA, DEC through the image's WCS, shifted by (+0.11, -0.22) px; F475W Vega magnitudes; 99 means none.
  region        core r < 41 px, disk 49.5 <= r < 140 px about (151.0, 150.1), 0-based; a detection belongs to the part it lies in.
  match         one to one: detections by falling score, each takes the nearest free truth entry within the radius; where magnitudes
                count, only one that they agree with to 0.75 mag (entries without one agree with any).
  box rule      each box takes its brightest free entries, at most NSTARS; every star it claims beyond those is false.
  completeness  matched / all truth stars of the part that are brighter than 27 (or in a bin of 0.5 mag).
  purity        matched / all claims of the part. Neutral, in neither: claims outside the region (those within 1.5 px of it can
                still take a star inside) and claims that took an entry without a magnitude.
  chance        mean of both over the list shifted by eight offsets of 5-15 px; corrected P' = (P - c) / (1 - c).
"""
from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from peers import EffectivePsf, Observation, crowdsource, dao_star_finder, psf_photometry, read_psf, sextractor
from star_list import Catalogue, Floats, for_json, read_blends, read_sources

CENTRE, CORE, RING, EDGE, MARGIN = np.array([151.0, 150.1]), 41.0, 49.5, 140.0, 1.5  # px; the disk is RING to EDGE
SHIFT_TO_IMAGE, LIMIT, BINS = np.array([0.11, -0.22]), 27.0, np.arange(21.0, 29.0, 0.5)  # px, mag, mag
SHIFTS = [(5 + 10 * k / 7) * np.array([np.cos(k * np.pi / 4), np.sin(k * np.pi / 4)]) for k in range(8)]  # px
RADII, FWHM = (1.0, 1.5), 2.2  # px
RULES = {"1.0 px": (1.0, np.inf), "1.5 px": (1.5, np.inf), "1.0 px, 0.75 mag": (1.0, 0.75)}  # radius, px; magnitudes agree to
VEGA, AB, SECONDS, SKY_SIGMA = 26.16, 26.056, 1720.0, 0.0075  # zero points of 1 e-/s; exposure; noise of the empty sky, e-/s


@dataclass(frozen=True)
class Truth:
    """xy: (n, 2) 0-based pixels; mag: (n,) F475W Vega, NaN where the catalogue has none."""
    xy: Floats
    mag: Floats


def parts(xy: Floats, margin: float = 0.0) -> dict[str, NDArray[np.bool_]]:
    """Which positions lie in the core, the disk and either, each widened by the margin (px)."""
    r = np.hypot(*(xy - CENTRE).T)
    core, disk = r < CORE + margin, (r >= RING - margin) & (r < EDGE + margin)
    return {"all": core | disk, "core": core, "disk": disk}


def match(cat: Catalogue, truth: Truth, radius: float, tolerance: float = np.inf) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Per claim of a star: the row of the catalogue that makes it, and the truth entry that it takes or -1."""
    if not (np.isfinite(cat.xy).all() and np.isfinite(cat.score).all()):
        raise ValueError("a position or score is not finite")
    near_region, free, brightness = parts(cat.xy, MARGIN)["all"], np.ones(len(truth.xy), bool), np.nan_to_num(truth.mag, nan=99.0)
    tree, owner, taken = cKDTree(truth.xy), [], []
    for row in [i for i in np.argsort(-cat.score, kind="stable") if near_region[i]]:
        if cat.boxes is None:
            near = [j for j in tree.query_ball_point(cat.xy[row], radius) if free[j]]
            if np.isfinite(tolerance):
                assert cat.mag is not None
                near = [j for j in near if not abs(cat.mag[row] - truth.mag[j]) > tolerance]
            found, claims = sorted(near, key=lambda j: np.hypot(*(truth.xy[j] - cat.xy[row])))[:1], 1
        else:
            inside = np.flatnonzero(free & ((truth.xy >= cat.boxes[row, :2]) & (truth.xy < cat.boxes[row, 2:])).all(axis=1))
            found = list(inside[np.argsort(brightness[inside], kind="stable")][:(claims := int(cat.stars[row]))])
        free[found] = False
        taken += found + [-1] * (claims - len(found))
        owner += [row] * claims
    return np.array(owner, int), np.array(taken, int)


def rates(cat: Catalogue, truth: Truth, radius: float, tolerance: float = np.inf) -> dict[str, Any]:
    """Completeness and purity per part, and completeness per magnitude bin; NaN where there is nothing to count."""
    owner, taken = match(cat, truth, radius, tolerance)
    got = np.zeros(len(truth.xy), bool)
    got[taken[hit := taken >= 0]] = True
    neutral = hit & np.isnan(truth.mag[taken])
    share = lambda part, whole: float((part & whole).sum() / whole.sum()) if whole.any() else np.nan
    truth_parts, out = parts(truth.xy), {}
    for name, own in parts(cat.xy[owner]).items():
        counted, stars = own & ~neutral, truth_parts[name] & (truth.mag < LIMIT)
        out[name] = {"completeness": share(got, stars), "stars": int(stars.sum()),
                     "purity": share(hit, counted), "claims": int(counted.sum())}
    bins = [(a, truth_parts["all"] & (truth.mag >= a) & (truth.mag < a + 0.5)) for a in BINS]
    out["bins"] = [{"from": float(a), "stars": int(w.sum()), "completeness": share(got, w)} for a, w in bins]
    return out


def score(cat: Catalogue, truth: Truth, radius: float, tolerance: float = np.inf) -> dict[str, Any]:
    """rates() with, beside each figure, its chance level and the corrected value. Knows nothing of who made the list."""
    rows_of = lambda r: [r["all"], r["core"], r["disk"], *r["bins"]]
    out = rates(cat, truth, radius, tolerance)
    by_chance = [rows_of(rates(cat.shifted(d), truth, radius, tolerance)) for d in SHIFTS]
    for k, row in enumerate(rows_of(out)):
        for key in [key for key in ("completeness", "purity") if key in row]:
            known = [rows[k][key] for rows in by_chance if np.isfinite(rows[k][key])]
            c = float(np.mean(known)) if known else np.nan
            row[key + "_chance"], row[key + "_corrected"] = c, (row[key] - c) / (1 - c) if c < 1 else np.nan
    return out


def load_truth(folder: Path) -> Truth:
    wcs = WCS(fits.getheader(folder / "ap142_F475W.fits"))
    tables = [fits.getdata(folder / f"ap142_{name}.fits", 1) for name in ("phot", "sky")]
    ra, dec, mag = (np.concatenate([t[c].astype(np.float64) for t in tables]) for c in ("RA", "DEC", "F475W_VEGA"))
    return Truth(np.stack(wcs.all_world2pix(ra, dec, 0), axis=1) + SHIFT_TO_IMAGE, np.where(mag < 90, mag, np.nan))


def peers(image: Path) -> list[tuple[str, float, list[float], Callable[[float], Catalogue]]]:
    """Name, the setting to quote, the settings of the curve, the run."""
    sigma, hat = [5.0, 3.0, 2.0, 1.5, 1.0, 0.7, 0.5], [1.5, 1.0, 0.7, 0.5, 0.3, 0.2, 0.1]
    one, pixels = ("-DETECT_MINAREA", "1"), fits.getdata(image).astype(np.float64)  # px; default.sex has 3
    rows = [(f"SExtractor default{n}", 1.5, sigma, lambda t, o=o: sextractor(image, "default", t, *o, zeropoint=VEGA)[0])
            for n, o in ((".sex", ()), (", area 1", one))]
    rows += [(f"SExtractor {k}, area 1", 0.5, hat, lambda t, k=k: sextractor(image, k, t, "-CLEAN", "N", *one, zeropoint=VEGA)[0])
             for k in ("mexhat_1.5_5x5", "mexhat_2.0_7x7", "mexhat_2.5_7x7")]
    return rows + [(f"DAOStarFinder {name}", 3.0, [10.0, 5.0, 3.0, 2.0, 1.0, 0.5], lambda t, o=o: dao_star_finder(pixels, t, FWHM, **o))
                   for name, o in (("defaults", {}), ("no min. separation", {"min_separation": 0}),
                                   ("same, unscaled", {"min_separation": 0, "scale_threshold": False}))]


def fitters(image: Path, psf: EffectivePsf) -> list[tuple[str, float, list[float], Callable[[float], Catalogue]]]:
    """The peers that fit a PSF, with ours, and with the noise: the empty sky's and photons'."""
    pixels = fits.getdata(image).astype(np.float64)
    sky = float(np.percentile(pixels, 5))
    seen = Observation(pixels, np.sqrt(SKY_SIGMA**2 + np.maximum(pixels - sky, 0) / SECONDS), VEGA)
    return [("crowdsource", 5.0, [20.0, 10.0, 5.0, 3.0, 2.0], lambda t: crowdsource(seen, psf, t)),
            ("Photutils PSF", 10.0, [40.0, 20.0, 10.0, 5.0], lambda t: psf_photometry(seen, psf, t))]


def self_test(truth: Truth) -> None:
    """A perfect and an empty list against the real truth, and the rules on lists whose scores are known."""
    perfect = Catalogue(truth.xy, -np.nan_to_num(truth.mag, nan=99.0))
    for radius in RADII:
        s, none = rates(perfect, truth, radius), rates(perfect.select(np.zeros(len(truth.xy), bool)), truth, radius)
        for part in ("all", "core", "disk"):
            assert s[part]["completeness"] == 1 and s[part]["purity"] == 1, (radius, part, s[part])
            assert none[part]["completeness"] == 0 and none[part]["claims"] == 0 and np.isnan(none[part]["purity"])
    few = Truth(CENTRE + np.array([[0.0, 0], [0.9, 0], [9, 0], [60, 0], [20, 0]]), np.array([24, 25, 28, 26, np.nan]))
    at = lambda *xs: Catalogue(CENTRE + np.array([[x, 0.0] for x in xs]), -np.arange(len(xs), dtype=float))
    s = rates(at(0.2, 0.3, 0.1, 20, 30, 41.5, 60), few, 1.5)  # two hits, one double, a neutral, a false, a neutral, a hit
    assert s["all"]["completeness"] == 1 and s["core"]["purity"] == 0.5 and s["disk"]["purity"] == 1 and s["all"]["claims"] == 5
    dim = replace(at(0.1, 60), mag=np.array([24.9, 26.2]))  # the first nearer to the star of 25 than to that of 24, and as bright
    assert match(dim, few, 1.0, 0.75)[1].tolist() == [1, 3] and match(dim, few, 1.0, 0.1)[1].tolist() == [-1, -1]
    for stars, share, purity in ((1, 0.5, 1.0), (2, 1.0, 1.0), (4, 1.0, 0.5)):
        box = replace(at(0), boxes=np.concatenate([CENTRE - 2, CENTRE + 2])[None], stars=np.array([stars]))
        s = rates(box, few, 1.5)["core"]
        assert (s["completeness"], s["purity"]) == (share, purity), (stars, s)
    print("m31.py: self-test passed")


def print_table(rows: list[dict[str, Any]], radius: str) -> None:
    runs = [row for row in rows if radius in row]
    print(f"\n{radius}: completeness % (F475W < 27) and corrected, purity and corrected, claims: all | core | disk; * is quoted")
    for row in runs:
        cells = [f"{100 * s['completeness']:5.1f} {100 * s['completeness_corrected']:5.1f}  {s['purity']:.3f} "
                 f"{s['purity_corrected']:6.3f} {s['claims']:5d}" for s in (row[radius][p] for p in ("all", "core", "disk"))]
        print(f"{row['name'] + ' *' * row['quoted']:36} {row['setting']:7.3g}  " + " | ".join(cells))
    print(f"{radius}: completeness % in bins of 0.5 mag from" + " " * 4 + "".join(f"{m:6.1f}" for m in BINS))
    for row in [row for row in runs if row["quoted"]]:
        bins = "".join(f"{100 * b['completeness']:6.1f}" for b in row[radius]["bins"])
        print(f"{row['name']:36} {row['setting']:7.3g}  {bins}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--starblend", type=Path, help="our catalogue of ap142_F475W.fits (FITS, tables BLENDS and, if there, SOURCES)")
    options.add_argument("--json", type=Path, help="also write the scores here")
    options.add_argument("--psf", type=Path, help="its PSF, as `starblend psf` writes it: crowdsource and Photutils fit with it, too (minutes)")
    for flag, does in (("--no-peers", "score our catalogue alone"), ("--self-test", "check the scoring and end")):
        options.add_argument(flag, action="store_true", help=does)
    given = options.parse_args()
    folder = Path(os.environ.get("STARBLEND_DATA", Path(__file__).parents[1] / "../shared/data")) / "m31_phat"
    if not (folder / "ap142_phot.fits").exists():
        sys.exit(f"m31.py: no {folder} (see bench/README.md; STARBLEND_DATA names the folder above it)")
    truth = load_truth(folder)
    if given.self_test:
        return self_test(truth)
    runs = [] if given.no_peers else peers(folder / "ap142_F475W.fits")
    if given.psf and not given.no_peers:
        runs += fitters(folder / "ap142_F475W.fits", read_psf(given.psf))
    if given.starblend:
        tables = {"centres": read_blends(given.starblend, False), "boxes, min(NSTARS, inside)": read_blends(given.starblend, True)}
        if any(hdu.name == "SOURCES" for hdu in fits.open(given.starblend)):
            stars = read_sources(given.starblend)
            tables["stars"] = replace(stars, mag=stars.mag + VEGA - AB)
        for place, (name, ours) in enumerate(tables.items()):
            cuts = np.unique(np.quantile(ours.score, np.linspace(0, 0.9, 10))).tolist() if len(ours.score) else [0.0]
            runs.insert(place, ("starblend " + name, cuts[0], cuts, lambda cut, ours=ours: ours.select(ours.score >= cut)))
    rows = []
    for name, quoted, settings, run in runs:
        for setting in settings:
            cat = run(setting)
            row = {"name": name, "setting": setting, "quoted": setting == quoted, "rows": len(cat.score)}
            for key, rule in RULES.items() if cat.boxes is None else [("box", (0.0, np.inf))]:
                if np.isfinite(rule[1]) and cat.mag is None:
                    continue
                row[key] = score(cat, truth, *rule)
                row[key] = {k: v for k, v in row[key].items() if k != "bins" or row["quoted"]}
            rows.append(row)
    for radius in [*RULES] + ["box"] * bool(given.starblend):
        print_table(rows, radius)
    if given.json:
        versions = {m: importlib.metadata.version(m) for m in ("numpy", "scipy", "astropy", "photutils")}
        if not given.no_peers:
            versions["source-extractor"] = subprocess.check_output(["source-extractor", "--version"], text=True).split()[3]
        result = {"date": datetime.date.today().isoformat(), "versions": versions, "runs": for_json(rows)}
        given.json.write_text(json.dumps(result, allow_nan=False).replace('{"name"', '\n{"name"') + "\n")


if __name__ == "__main__":
    main()
