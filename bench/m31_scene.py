#!/usr/bin/env python3
"""Whether a simulated scene measures like the real Hubble field AP142 in M31: the same figures of both, side by side.

Disk (r > 60 px from the cluster): percentiles of the pixels, power spectrum of its lowest 100 rows (pixels above 0.5 e/s
clipped), what SExtractor finds with a Mexican-hat filter (sigma 1 px) above 0.03 e/s and how much of it above more.
Cluster: mean and rms of the pixels in rings. The simulation's figures are means over a few seeds.
"""
from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SIDE, CENTRE = 301, (151.0, 150.1)  # px; 0-based
PERCENTILES = (1, 5, 25, 50, 75, 90, 95, 99, 99.9)
WAVES = ((0.02, 0.05), (0.05, 0.1), (0.1, 0.15), (0.15, 0.2), (0.2, 0.3), (0.3, 0.45))  # cycles per px
PEAKS = (0.03, 0.05, 0.1, 0.2, 0.4)  # e/s above the background
RINGS = ((0, 4), (4, 8), (8, 15), (15, 25), (25, 40), (60, 140))  # px


def radius(centre: tuple[float, float]) -> Floats:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.hypot(x - centre[0], y - centre[1])


def power(image: Floats) -> list[float]:
    piece = np.minimum(image[:100, :300], 0.5)
    spectrum = np.abs(np.fft.fft2(piece - piece.mean())) ** 2 / piece.size
    k = np.hypot(np.fft.fftfreq(100)[:, None], np.fft.fftfreq(300)[None])
    return [float(spectrum[(k > low) & (k < high)].mean()) for low, high in WAVES]


def sextractor(path: Path, away: Floats) -> list[float]:
    program = shutil.which("source-extractor") or shutil.which("sex")
    if program is None:
        return [float("nan")] * len(PEAKS)
    y, x = np.mgrid[-4:5, -4:5]
    q = (x * x + y * y) / 2.0
    hat = (1 - q) * np.exp(-q)
    hat -= hat.mean()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rows = "\n".join(" ".join(f"{v:.5f}" for v in row) for row in hat)
        (place / "hat.conv").write_text(f"CONV NONORM\n{rows}\n")
        (place / "columns").write_text("X_IMAGE\nY_IMAGE\nFLUX_MAX\n")
        options = {"CATALOG_NAME": "found", "CATALOG_TYPE": "ASCII_HEAD", "PARAMETERS_NAME": "columns",
                   "FILTER": "Y", "FILTER_NAME": "hat.conv", "THRESH_TYPE": "ABSOLUTE", "DETECT_THRESH": str(PEAKS[0]),
                   "ANALYSIS_THRESH": str(PEAKS[0]), "DETECT_MINAREA": "1", "CLEAN": "N", "BACK_SIZE": "32",
                   "DEBLEND_MINCONT": "0.0", "VERBOSE_TYPE": "QUIET"}
        (place / "settings").write_text("".join(f"{k} {v}\n" for k, v in options.items()))
        subprocess.run([program, str(path), "-c", "settings"], cwd=folder, check=True, stderr=subprocess.DEVNULL)
        found = np.loadtxt(place / "found", ndmin=2)
    column, row = (np.clip(np.rint(found[:, i] - 1).astype(int), 0, SIDE - 1) for i in (0, 1))
    outside = away[row, column] > 60
    return [float((outside & (found[:, 2] > peak)).sum()) for peak in PEAKS]


def figures(path: Path, centre: tuple[float, float]) -> dict[str, list[float]]:
    image = fits.getdata(path).astype(float)
    r = radius(centre)
    rings = [image[(r >= low) & (r < high)] for low, high in RINGS]
    return {"percentiles": [float(v) for v in np.percentile(image[r > 60], PERCENTILES)], "power": power(image),
            "sextractor": sextractor(path, r), "ring means": [float(v.mean()) for v in rings],
            "ring rms": [float(v.std()) for v in rings]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = Path(__file__).resolve().parent
    parser.add_argument("--program", type=Path, default=here.parent / "build/starblend")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("STARBLEND_DATA", here.parent / "../shared/data")))
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the scene")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    real = figures((options.data / "m31_phat/ap142_F475W.fits").resolve(), CENTRE)
    drawn = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, options.seeds + 1):
            path = Path(folder) / "scene.fits"
            settings = ["scene.stars=m31-cluster", "exposure.sky=0.09", "truth.labels=paper", *options.set]
            subprocess.run([options.program, "simulate", "--preset", "hst-acs-f475w-drz", "--width", str(SIDE), "--seed",
                            str(seed), "-q", "--overwrite", "-o", path, *(a for s in settings for a in ("--set", s))],
                           check=True)
            drawn.append(figures(path, (SIDE / 2 - 0.5, SIDE / 2 - 0.5)))
    scene = {key: np.mean([d[key] for d in drawn], axis=0).tolist() for key in real}
    labels = {"percentiles": [f"{p:g} %" for p in PERCENTILES], "power": [f"{a:g}-{b:g} /px" for a, b in WAVES],
              "sextractor": [f"above {p:g}" for p in PEAKS], "ring means": [f"{a}-{b} px" for a, b in RINGS],
              "ring rms": [f"{a}-{b} px" for a, b in RINGS]}
    for key, names in labels.items():
        print(f"{key:<24}{'real':>10}{'scene':>10}{'ratio':>8}")
        for name, a, b in zip(names, real[key], scene[key]):
            print(f"  {name:<22}{a:>10.4g}{b:>10.4g}{b / a:>8.2f}")
    if options.json:
        options.json.write_text(json.dumps({"schema": "starblend-m31-scene-1", "labels": labels, "real": real,
                                            "scene": scene, "seeds": options.seeds}, indent=1) + "\n")


if __name__ == "__main__":
    main()
