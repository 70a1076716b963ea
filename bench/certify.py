#!/usr/bin/env python3
"""What `starblend certify` says about a simulated field, beside what is true there: completeness by magnitude and surface brightness, purity.

A star of the field counts as found as an artificial one does: one to one, within MATCHRAD and MATCHMAG of COMPLETE's header. Needs numpy and astropy.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

HERE = Path(__file__).resolve().parent
CELL, REACH = 8, 2  # tools/surface_brightness.cpp, for stars of less than 3.2 px FWHM


def match(a, b, radius, most_mag):
    """Masks of the rows (x, y, mag) of a and b that have a partner: one to one, nearest first."""
    pairs = []
    for i in range(len(a[0])):
        apart = np.hypot(b[0] - a[0][i], b[1] - a[1][i])
        pairs += [(apart[j], i, j) for j in np.where((apart <= radius) & (abs(b[2] - a[2][i]) <= most_mag))[0]]
    of_a, of_b = np.zeros(len(a[0]), bool), np.zeros(len(b[0]), bool)
    for _, i, j in sorted(pairs):
        if not of_a[i] and not of_b[j]:
            of_a[i] = of_b[j] = True
    return of_a, of_b


def around(image, x, y, light):
    """Mean pixel around places (FITS coordinates), without light that stands there."""
    rows, columns = image.shape
    out = []
    for px, py, own in zip(x, y, light):
        i, j = int(np.clip(px - 0.5, 0, columns - 1)) // CELL, int(np.clip(py - 0.5, 0, rows - 1)) // CELL
        box = image[max(j - REACH, 0) * CELL:(j + REACH + 1) * CELL, max(i - REACH, 0) * CELL:(i + REACH + 1) * CELL]
        out.append((box.sum(dtype=float) - own) / box.size)
    return np.array(out)


def compared(rows, magnitude, found):
    """COMPLETE's rows beside the true shares of a list's stars, and chi squared of the bins."""
    bins = []
    for row in rows:
        inside = (magnitude >= row["MAG_MIN"]) & (magnitude < row["MAG_MAX"])
        n, hits = int(inside.sum()), int(found[inside].sum())
        if n == 0 or row["NPLACED"] == 0:
            continue
        p = hits / n
        error = np.hypot(np.sqrt(max(p * (1 - p), 0.25 / n) / n), (row["COMPL_HI"] - row["COMPL_LO"]) / 2)
        bins.append({"from": float(row["MAG_MIN"]), "stars": n, "true": p, "placed": int(row["NPLACED"]), "certified": float(row["COMPL"]),
                     "low": float(row["COMPL_LO"]), "high": float(row["COMPL_HI"]), "pull": float((row["COMPL"] - p) / error)})
    return bins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=Path, default=HERE.parent / "build/starblend", help="starblend (default: build/starblend)")
    parser.add_argument("--model", default="hst-acs-f475w", help="a file or the name of one built in (default: hst-acs-f475w)")
    parser.add_argument("--stars", type=int, default=3000, help="artificial ones (default: 3000)")
    parser.add_argument("--width", type=int, default=256, help="of the field, px (default: 256)")
    parser.add_argument("--seed", type=int, default=5, help="of the field (default: 5)")
    parser.add_argument("--output", type=Path, default=HERE / "results/certify.json", help="default: bench/results/certify.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        field, catalogue = Path(folder) / "field.fits", Path(folder) / "certified.fits"
        simulate = ["simulate", "-q", "-o", field, "--preset", "hst-acs-f475w-drz", "--config", HERE.parent / "weights/hst-acs-f475w.toml",
                    "--set", "psf.kind=optical", "--width", str(given.width), "--seed", str(given.seed)]
        certify = ["certify", field, "-o", catalogue, "--model", given.model, "--stars", str(given.stars)]
        for command in (simulate, certify):
            subprocess.run([given.program, *command], check=True)
        with fits.open(field) as f, fits.open(catalogue) as c:
            image, zero = f[0].data, f[0].header["MAGZERO"]
            stars, sources, complete, header = f["STARS"].data, c["SOURCES"].data, c["COMPLETE"].data, c["COMPLETE"].header
            x, y, magnitude = (np.array(stars[name], float) for name in ("X_IMAGE", "Y_IMAGE", "MAG"))
            inside = (x > 0.5) & (x < image.shape[1] + 0.5) & (y > 0.5) & (y < image.shape[0] + 0.5)
            x, y, magnitude = x[inside], y[inside], magnitude[inside]
            rows = tuple(np.array(sources[name], float) for name in ("X_IMAGE", "Y_IMAGE", "MAG_PSF"))
            found, real = match((x, y, magnitude), rows, header["MATCHRAD"], header["MATCHMAG"])
            level = 1 + np.searchsorted([header["SBEDGE1"], header["SBEDGE2"]],
                                        around(image, x, y, 10 ** (-0.4 * (magnitude - zero))), side="right")
            out = {"schema": "starblend-certify-1", "command": " ".join(str(a) for a in certify[:1] + certify[4:]), "stars": len(x),
                   "whole": compared(complete[complete["LEVEL"] == 0], magnitude, found)}
            parts = [b for k in (1, 2, 3) for b in compared(complete[complete["LEVEL"] == k], magnitude[level == k], found[level == k])]
            out["chi2_by_level"], out["bins_by_level"] = sum(b["pull"] ** 2 for b in parts), len(parts)
            out["m50"] = [header[k] for k in ("M50", "M50_LO", "M50_HI")]
            out["purity"] = []
            for row in complete[complete["LEVEL"] == 0]:
                within = (rows[2] >= row["MAG_MIN"]) & (rows[2] < row["MAG_MAX"])
                if within.any() and row["NROWS"] > 0:
                    out["purity"].append({"from": float(row["MAG_MIN"]), "rows": int(within.sum()), "true": float(real[within].mean()),
                                          "certified": float(row["PURITY"])})
    print("mag     stars  true   placed  certified             pull")
    for b in out["whole"]:
        print(f"{b['from']:5.1f} {b['stars']:7d}  {b['true']:.3f} {b['placed']:7d}  {b['certified']:.3f} ({b['low']:.3f}-{b['high']:.3f}) {b['pull']:6.1f}")
    print(f"by surface brightness too: chi squared {out['chi2_by_level']:.1f} for {out['bins_by_level']} bins; M50 {out['m50']}")
    for b in out["purity"]:
        print(f"{b['from']:5.1f} purity {b['certified']:.3f}, true {b['true']:.3f} of {b['rows']}")
    given.output.write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
