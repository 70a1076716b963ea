"""The paper's Figures 10 to 12 on the Hubble image AP142 in M31: classes and completeness against the deep PHAT catalogue.

The truth of units is PHAT's list through `starblend simulate` (scene.stars = "list"), which links its stars as it links
any scene's; only the tables of that file are used. PHAT merges pairs below 1.46 px, so that classes are lower limits.
"""
from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

import m31
from peers import dao_star_finder, sextractor
from paper_scores import Json, evaluate
from star_list import Catalogue, read_sources

PRESET, SKY, AB_MINUS_VEGA = "hst-acs-f475w-drz", 0.09, -0.10  # e-/s/px, as in m31_scene.py; mag in F475W
IGNORED = -2  # LABEL of a unit that is neither asked for nor punished
QUOTED = {"sextractor": "SExtractor", "mexhat": "SExtractor, Mexican hat", "dao": "DAOStarFinder", "starblend": "starblend, SOURCES"}


def data_folder() -> Path:
    return Path(os.environ.get("STARBLEND_DATA", Path(__file__).parents[1] / "../shared/data")) / "m31_phat"


def phat_units(star: Path, truth: m31.Truth, work: Path) -> Path:
    """PHAT's stars as a truth file: UNITS and STARS."""
    known = np.isfinite(truth.mag)
    columns = {"X_IMAGE": truth.xy[known, 0] + 1, "Y_IMAGE": truth.xy[known, 1] + 1, "MAG": truth.mag[known] + AB_MINUS_VEGA}
    table = fits.BinTableHDU.from_columns([fits.Column(name, "D", array=values) for name, values in columns.items()])
    table.writeto(listed := work / "phat.fits", overwrite=True)
    settings = ("scene.stars=list", f"scene.list={listed}", f"exposure.sky={SKY}", "truth.units=linked")
    subprocess.run([star, "simulate", "-q", "--overwrite", "-o", out := work / "phat-units.fits", "--preset", PRESET, "--width", "301",
                    *(a for s in settings for a in ("--set", s))], check=True)
    return out


def only_in_region(catalogue: Path, out: Path) -> Path:
    """The catalogue's BLENDS where PHAT's list reaches; elsewhere there is no truth."""
    with fits.open(catalogue) as hdus:
        table = hdus["BLENDS"]
        inside = m31.parts(np.stack([table.data["X_IMAGE"], table.data["Y_IMAGE"]], axis=1).astype(float) - 1)["all"]
        fits.HDUList([hdus[0], fits.BinTableHDU(table.data[inside], header=table.header, name="BLENDS")]).writeto(out, overwrite=True)
    return out


def flux_ratios(truth: Path) -> np.ndarray:
    """Of each unit, its brightest counting star to its faintest."""
    units, stars = fits.getdata(truth, "UNITS"), fits.getdata(truth, "STARS")
    counts = stars[stars["COUNTS"] == 1]
    ends = [counts["FLUX"][counts["UNIT_ID"] == u] for u in units["UNIT_ID"]]
    return np.array([f.max() / f.min() if len(f) else np.nan for f in ends])


def with_units(truth: Path, keep: np.ndarray, out: Path) -> Path:
    """The truth with all other units ignored."""
    with fits.open(truth) as hdus:
        hdus["UNITS"].data["LABEL"][~keep] = IGNORED
        hdus.writeto(out, overwrite=True)
    return out


def classes(star: Path, catalogue: Path, truth: m31.Truth, work: Path) -> Json:
    """Figures 10 and 11."""
    units, ours = phat_units(star, truth, work), only_in_region(catalogue, work / "region.fits")
    fwhm = ("--fwhm", str(m31.FWHM))
    ratio = flux_ratios(units)
    parts = {"flux ratio <= 5": ratio <= 5, "flux ratio > 5": ratio > 5}
    by_ratio = {name: evaluate(star, [ours], [with_units(units, keep, work / "part.fits")], *fwhm)["by_box"]["counts"]["matrix"]
                for name, keep in parts.items()}
    whole = evaluate(star, [ours], [units], *fwhm)
    return {"by_box": {k: whole["by_box"][k] for k in ("counts", "figures")},
            "by_centre": {k: whole["by_centre"][k] for k in ("counts", "figures")}, "by_flux_ratio": by_ratio}


def completeness(catalogue: Path, image: Path, truth: m31.Truth) -> Json:
    """Figure 12: with the settings quoted in README.md, within 1.0 px; and how many stars are found in all."""
    pixels = fits.getdata(image).astype(np.float64)
    one = ("-DETECT_MINAREA", "1")
    lists: dict[str, Catalogue] = {
        "starblend": read_sources(catalogue), "sextractor": sextractor(image, "default", 1.5, *one)[0],
        "mexhat": sextractor(image, "mexhat_1.5_5x5", 0.5, "-CLEAN", "N", *one)[0],
        "dao": dao_star_finder(pixels, 3.0, m31.FWHM, min_separation=0)}
    scores: dict[str, Any] = {key: m31.score(found, truth, 1.0) for key, found in lists.items()}
    return {key: {"all": s["all"], "bins": s["bins"]} for key, s in scores.items()}


def score_m31(star: Path, model: str, work: Path) -> Json | None:
    """None where the data isn't at hand."""
    folder = data_folder()
    if not (folder / "ap142_phot.fits").exists():
        return None
    image, truth = folder / "ap142_F475W.fits", m31.load_truth(folder)
    subprocess.run([star, "detect", "-q", "--overwrite", image, "-o", catalogue := work / "ap142.fits", "--model", model], check=True)
    return {"model": model, "classes": classes(star, catalogue, truth, work),
            "completeness": m31.for_json(completeness(catalogue, image, truth))}
