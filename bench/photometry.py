#!/usr/bin/env python3
"""How good and how fast PSF photometry is: ours beside the Cramer-Rao bound, crowdsource, and Photutils.

mock   Mock units of 1 to 5 stars (csst-g, class mix P2, base stars by Eq. 1 in 20-24.5 mag, members to 26, none fainter), k given:
       `measure` starts 0.2 px (uniform in both axes) beside each star's place and may move it by 1 px. Scatter is in units of the
       bound of the truth table (fluxes and places of all stars within 3 FWHM free, the sky known), a sample of which is computed
       here once more. `shown`: units each of whose stars the image can show (a bound of at least 3 sigma); `other`: the rest, in
       which a star that nobody could tell from its neighbour is fitted beside it.
disk   M31's disk (hst-acs-f475w-drz, scene m31-disk at its own density, stars to 3 mag below the limit): `detect` and crowdsource,
       both with the true PSF and noise. A star is found if a row lies within 0.5 FWHM and, in the table that says so, 0.75 mag;
       magnitudes are F475W Vega, found minus true. Crowding is the share of the light in a star's PSF that is its own (1: alone),
       from the truth, stars too faint to be found included. `right k`: as many rows lie at a unit (its nearest star that counts
       within a FWHM) as it has stars. Last, what `measure` finds of all stars that count: their number being known, what is left is
       the light of the others.
rank   By which column a list is best cut: completeness of the stars above 27 mag at a purity, other fields of the same disk, the truth
       ending at 27.25, 27.5 and 28 mag; crowdsource's list of 2 sigma beside ours.
speed  The same list of stars (ours of that image) fitted by all, places free, one thread, processor time. Ours is a whole run of the
       program less one with a single star, the median of 15 pairs; crowdsource's is its own loop with the list in place of its peak finder; Photutils' is
       IterativePSFPhotometry with the list as init_params, groups within a FWHM, and without groups.
"""
from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib.metadata
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

import peers
from paper_fields import observation
from peers import EffectivePsf, read_psf
from photometry_statistics import (Ints, Json, Overlap, Stars, bound, complete_at, deviation, errors_of, fitted_per_unit, half_width,
                                   matched, real_rows, self_test)
from star_list import Floats, for_json, read_sources

VEGA_MINUS_AB = 26.16 - 26.056  # F475W
MOCK = ("mock.mix=P2", "mock.slope=0.3", "mock.mag_max=24.5", "mock.mag_limit=26", "truth.min_snr=0.1", "truth.hopeless_snr=0.1",
        "truth.certain_snr=0.2", "truth.psf_error=0")
DISK = ("scene.stars=m31-disk", "exposure.sky=0.09")  # e-/s/px; with the unresolved stars, the 0.11 seen between M31's stars
BRIGHT, SHOWN, EDGE = 10.0, 3.0, 8  # signal-to-noise asked about, and of a star that can be shown; px left out at the edges
SNR_BINS = ((5.0, 10.0), (10.0, 20.0), (20.0, 50.0), (50.0, np.inf))
MAG_BINS = np.arange(23.0, 28.0, 0.5)
SHARES = ((0.8, 1.01), (0.6, 0.8), (0.4, 0.6), (0.0, 0.4))
ASKED = (26.0, 26.5)  # mag
WANTED, LIST_ENDS, PURITIES = 27.0, (27.25, 27.5, 28.0), (0.85, 0.9, 0.95)  # mag, mag
GIVEN = {"at their true places": 0.0, "from there, free to move by 0.7 px": 0.7}  # px


class Program:
    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self.folder = path, folder

    def run(self, *arguments: object) -> float:
        """Its processor time, s."""
        spent = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        before = spent()
        subprocess.run([self.path, *map(str, arguments), "--threads", "1", "-q", "--overwrite"], check=True)
        return spent() - before

    def simulate(self, name: str, preset: str, width: int, seed: int, settings: tuple[str, ...]) -> Path:
        path = self.folder / f"{name}-{seed}.fits"
        self.run("simulate", "-o", path, "--preset", preset, "--width", width, "--seed", seed, *(a for s in settings for a in ("--set", s)))
        return path

    def psf(self, preset: str) -> EffectivePsf:
        self.run("psf", "--preset", preset, "-o", path := self.folder / f"{preset}.fits")
        return read_psf(path)

    def measure(self, image: Path, xy: Floats, *options: object) -> tuple[fits.FITS_rec, float]:
        """A row per place (0-based), and the processor time."""
        columns = [fits.Column(n, "D", array=v) for n, v in zip(("X_IMAGE", "Y_IMAGE"), (xy + 1).T)]
        places, out = self.folder / "places.fits", self.folder / "measured.fits"
        fits.BinTableHDU.from_columns([fits.Column("SOURCE_ID", "J", array=np.arange(1, len(xy) + 1)), *columns],
                                      name="SOURCES").writeto(places, overwrite=True)
        seconds = self.run("measure", image, "--positions", places, "-o", out, *options)
        return fits.getdata(out, "SOURCES"), seconds


def read_truth(path: Path) -> tuple[Stars, Ints]:
    """And NSTARS of its units."""
    with fits.open(path) as hdus:
        t, zero = hdus["STARS"].data, hdus[0].header["MAGZERO"]
        column = lambda name: np.array(t[name], np.float64)
        stars = Stars(np.stack([column("X_IMAGE"), column("Y_IMAGE")], axis=1) - 1, column("MAG"), 10 ** (-0.4 * (column("MAG") - zero)),
                      np.array(t["UNIT_ID"], int), np.array(t["COUNTS"]) > 0, np.nan_to_num(column("SNR")))
        return stars, np.array(hdus["UNITS"].data["NSTARS"], int)


def inside(xy: Floats, side: int) -> np.ndarray:
    return ((xy > EDGE - 0.5) & (xy < side - EDGE - 0.5)).all(axis=1)


# ---- mock

def bounds_again(psf: EffectivePsf, stars: Stars, which: Ints, sky_variance: float) -> Floats:
    """Signal-to-noise of these stars, from the PSF's samples alone."""
    out = []
    for i in which:
        apart = np.hypot(*(stars.xy - stars.xy[i]).T)
        corner = np.round(stars.xy[i]) - 30
        shining = np.flatnonzero(apart < 40)
        stamps, light = peers.SampledPsf(psf), np.zeros((61, 61))
        for j in shining:
            (x, y), half = stars.xy[j] - corner, 20
            stamp = np.asarray(stamps(np.array([y]), np.array([x]), 2 * half + 1), float)[0]
            top, left = int(np.round(y)) - half, int(np.round(x)) - half
            rows, columns = slice(max(top, 0), min(top + 41, 61)), slice(max(left, 0), min(left + 41, 61))
            if rows.start < rows.stop and columns.start < columns.stop:
                light[rows, columns] += stars.flux[j] * stamp[rows.start - top:rows.stop - top, columns.start - left:columns.stop - left]
        free = np.flatnonzero(apart < 3 * psf.fwhm)
        errors = bound(psf, stars.xy[free] - corner, stars.flux[free], sky_variance + np.maximum(light, 0))
        out.append(stars.flux[i] / errors[free == i][0])
    return np.array(out)


def mock_row(k: str, low: float, high: float, d: dict[str, Floats], rows: np.ndarray) -> Json:
    z, (scatter, uncertain) = d["z"][rows], deviation(d["z"][rows])
    return {"k": k, "snr": [low, high], "over_bound": scatter, "over_bound_error": uncertain, "half_width": half_width(z),
            "beyond_5": float(np.mean(np.abs(z) > 5)), "error_over_bound": float(np.median(d["error"][rows] / d["bound"][rows])),
            "unconverged": float(np.mean(d["unconverged"][rows])), **errors_of(d["true"][rows], d["flux"][rows], d["error"][rows])}


def mock(program: Program, fields: int) -> Json:
    side, psf, parts, again = 384, program.psf("csst-g"), [], []
    for seed in range(1, fields + 1):
        image = program.simulate("mock", "csst-g", side, seed, MOCK)
        stars, _ = read_truth(image)
        beside = np.random.default_rng(seed).uniform(-0.2, 0.2, stars.xy.shape)
        t, _ = program.measure(image, stars.xy + beside, "--moves", 1, "--psf", "csst-g", "--psf-error", 0)
        _, unit, members = np.unique(stars.unit, return_inverse=True, return_counts=True)
        faintest = np.full(len(members), np.inf)
        np.minimum.at(faintest, unit, stars.snr)
        limit = stars.flux / np.maximum(stars.snr, 1e-9)
        keep = inside(stars.xy, side) & (stars.unit >= 0)
        if seed == 1:
            header = fits.getheader(image)
            sky = (header["RDNOISE"]**2 + 150 * (0.29 + 0.02))  # e-^2: the preset's exposure, sky and dark
            sample = np.flatnonzero(keep & (faintest[unit] >= SHOWN) & inside(stars.xy, side - 40))[::29]
            again = (bounds_again(psf, stars, sample, sky) / stars.snr[sample]).tolist()
        parts.append({"k": members[unit][keep], "snr": stars.snr[keep], "shown": faintest[unit][keep] >= SHOWN, "true": stars.flux[keep],
                      "flux": np.array(t["FLUX_PSF"], float)[keep], "error": np.array(t["FLUXERR_PSF"], float)[keep], "bound": limit[keep],
                      "unconverged": (np.array(t["FLAGS"])[keep] & 8192) > 0})
    d = {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
    d["z"] = (d["flux"] - d["true"]) / d["bound"]
    out: Json = {"fields": fields, "side": side, "bound_again": {"stars": len(again), "median": float(np.median(again)), "least": min(again),
                                                                 "most": max(again)}}
    for name, some in (("shown", d["shown"]), ("other", ~d["shown"])):
        rows = [(str(k), low, high, some & (d["k"] == k) & (d["snr"] >= low) & (d["snr"] < high)) for k in range(1, 6) for low, high in SNR_BINS]
        rows += [("1-5", low, high, some & (d["snr"] >= low) & (d["snr"] < high)) for low, high in (*SNR_BINS, (BRIGHT, np.inf))]
        out[name] = [mock_row(k, low, high, d, which) for k, low, high, which in rows if which.sum() >= 25]
    return out


def print_mock(m: Json) -> None:
    a = m["bound_again"]
    print(f"mock: {m['fields']} fields of {m['side']} px; the bound's signal-to-noise computed again for {a['stars']} stars: "
          f"{a['median']:.4f} ({a['least']:.4f} to {a['most']:.4f}) of the truth table's")
    for name in ("shown", "other"):
        print(f"{name + ' units':12}  k  SNR from    stars  scatter / bound    half width  beyond 5  bias, mag          pull, width    "
              "FLUXERR / bound  unconverged")
        for r in m[name]:
            print(f"{'':11} {r['k']:>3}  {r['snr'][0]:8g} {r['stars']:8d}  {r['over_bound']:7.3f} +- {r['over_bound_error']:.3f} {r['half_width']:12.3f}"
                  f" {r['beyond_5']:9.4f}  {r['bias']:+.4f} +- {r['bias_error']:.4f}  {r['pull']:+.2f} {r['pull_width']:6.2f} "
                  f"{r['error_over_bound']:15.3f} {r['unconverged']:12.3f}")


# ---- disk

def disk(program: Program, fields: int) -> Json:
    side, psf = 256, program.psf("hst-acs-f475w-drz")
    overlap, tables, given = Overlap(psf, 10), {}, {}
    seconds = {"starblend": 0.0, "crowdsource": 0.0}
    for seed in range(101, 101 + fields):
        image = program.simulate("disk", "hst-acs-f475w-drz", side, seed, DISK)
        stars, in_units = read_truth(image)
        share, use = overlap.own_share(stars), inside(stars.xy, side)
        for name, moves in GIVEN.items():
            t, _ = program.measure(image, stars.xy[stars.counts], "--moves", moves, "--model", "hst-acs-f475w")
            given.setdefault(name, []).append(np.stack([stars.mag[stars.counts] + VEGA_MINUS_AB, stars.flux[stars.counts], t["FLUX_PSF"],
                                                        t["FLUXERR_PSF"]])[:, use[stars.counts]])
        catalogue = program.folder / "catalogue.fits"
        seconds["starblend"] += program.run("detect", image, "-o", catalogue, "--model", "hst-acs-f475w")
        ours, our_errors = read_sources(catalogue), np.array(fits.getdata(catalogue, "SOURCES")["FLUXERR_PSF"], np.float64)
        before = time.process_time()
        theirs = peers.crowdsource(observation(image), psf, 5.0)
        seconds["crowdsource"] += time.process_time() - before
        for name, found, error in (("starblend", ours, our_errors), ("crowdsource", theirs, None)):
            flux = 10 ** (-0.4 * (found.mag - fits.getheader(image)["MAGZERO"]))
            error = flux / found.score if error is None else error
            right = fitted_per_unit(stars, found, psf.fwhm, len(in_units)) == in_units
            in_unit = stars.counts & (stars.unit >= 0)
            for rule, tolerance in (("0.75 mag", 0.75), ("place alone", np.inf)):
                row = matched(stars, found, 0.5 * psf.fwhm, tolerance)
                tables.setdefault((name, rule), []).append(np.stack([
                    stars.mag + VEGA_MINUS_AB, stars.flux, np.where(row >= 0, flux[row], np.nan), np.where(row >= 0, error[row], np.nan),
                    share, np.where(in_unit, in_units[stars.unit], 0), np.where(in_unit, right[stars.unit], False)])[:, use])
    out: Json = {"fields": fields, "side": side, "seconds": seconds, "magnitudes": "F475W Vega", "programs": {}}
    for (name, rule), parts in tables.items():
        mag, true, flux, error, share, k, right = np.concatenate(parts, axis=1)

        def row(what: str, some: np.ndarray) -> Json:
            hit = some & np.isfinite(flux)
            return {"what": what, "true": int(some.sum()), "found": float(hit.sum() / max(some.sum(), 1)), **errors_of(true[hit], flux[hit], error[hit])}
        asked = (mag >= ASKED[0]) & (mag < ASKED[1])
        rows = [row(f"{low:.1f} - {low + 0.5:.1f} mag", (mag >= low) & (mag < low + 0.5)) for low in MAG_BINS]
        for low, high in ((24.0, 25.5), (25.5, 26.0), ASKED, (26.5, 27.0)):
            part = (mag >= low) & (mag < high)
            rows += [row(f"{low:.1f} - {high:.1f} mag, own share {a:.1f} - {min(b, 1):.1f}", part & (share >= a) & (share < b)) for a, b in SHARES]
            rows += [row(f"{low:.1f} - {high:.1f} mag, {word} k", part & (k > 0) & (right == yes)) for word, yes in (("right", 1), ("wrong", 0))]
        rows += [row(f"{ASKED[0]} - {ASKED[1]} mag, {text}, {word} k", asked & (k >= a) & (k <= b) & (right == yes))
                 for text, a, b in (("single", 1, 1), ("of 2", 2, 2), ("of 3", 3, 3), ("of 4 and more", 4, 99))
                 for word, yes in (("right", 1), ("wrong", 0))]
        out["programs"].setdefault(name, {})[rule] = rows
    out["given"] = {}
    for name, parts in given.items():
        mag, true, flux, error = np.concatenate(parts, axis=1)
        bins = [(low, (mag >= low) & (mag < low + 0.5) & (error > 0)) for low in MAG_BINS]
        out["given"][name] = [{"what": f"{low:.1f} - {low + 0.5:.1f} mag", **errors_of(true[b], flux[b], error[b])} for low, b in bins]
    return out


def print_disk(d: Json) -> None:
    print(f"\ndisk: {d['fields']} fields of {d['side']} px, F475W Vega; processor time of all: "
          + ", ".join(f"{k} {v:.1f} s" for k, v in d["seconds"].items()))
    for rule in ("0.75 mag", "place alone"):
        print(f"matched by {rule + ' too' if rule != 'place alone' else rule}:")
        print(f"{'':44} {'starblend: found  bias, mag        scatter   pull  width':62}crowdsource: found  bias, mag        scatter   pull  width")
        for ours, theirs in zip(*(d["programs"][name][rule] for name in ("starblend", "crowdsource"))):
            cells = [f"{r['found']:.3f}  {r['bias']:+.4f} +- {r['bias_error']:.4f}  {r['scatter']:.3f}  {r['pull']:+6.2f} {r['pull_width']:6.2f}"
                     if r["stars"] > 9 else f"{'too few':46}" for r in (ours, theirs)]
            print(f"{ours['what']:36} {ours['true']:6d}            {cells[0]:62} {cells[1]}")
    for name, rows in d["given"].items():
        print(f"the stars that count, {name}:")
        for r in [r for r in rows if r["stars"] > 9]:
            print(f"{r['what']:36} {r['stars']:6d}  {r['bias']:+.4f} +- {r['bias_error']:.4f}  {r['scatter']:.3f}  {r['pull']:+6.2f} {r['pull_width']:6.2f}"
                  f"  mean of flux / true - 1 {r['mean_relative']:+.4f}")


# ---- rank

def rank(program: Program, fields: int) -> Json:
    side, psf, lists = 256, program.psf("hst-acs-f475w-drz"), {}
    for seed in range(201, 201 + fields):
        image, catalogue = program.simulate("rank", "hst-acs-f475w-drz", side, seed, DISK), program.folder / "catalogue.fits"
        stars, _ = read_truth(image)
        program.run("detect", image, "-o", catalogue, "--model", "hst-acs-f475w")
        ours, theirs = read_sources(catalogue), peers.crowdsource(observation(image), psf, 2.0)
        snr = np.nan_to_num(np.array(fits.getdata(catalogue, "SOURCES")["SNR"], np.float64))
        for name, found, score in (("starblend, FLUX_PSF / FLUXERR_PSF", ours, ours.score), ("starblend, SNR", ours, snr),
                                   ("starblend, FLUX_PSF", ours, -ours.mag), ("crowdsource 2 sigma, flux / dflux", theirs, theirs.score),
                                   ("crowdsource 2 sigma, flux", theirs, -theirs.mag)):
            for end in LIST_ENDS:
                known = stars.mag + VEGA_MINUS_AB < end
                some = Stars(*(getattr(stars, f.name)[known] for f in dataclasses.fields(stars)))
                which, use = real_rows(some, found, score, 1.0, 0.75), inside(found.xy, side)
                wanted = inside(some.xy, side) & (some.mag + VEGA_MINUS_AB < WANTED)
                hit = np.where(which >= 0, wanted[which], False)
                lists.setdefault((name, end), []).append((score[use], which[use] >= 0, hit[use], int(wanted.sum())))
    rows = []
    for (name, end), parts in lists.items():
        score, real, hit = (np.concatenate(p) for p in list(zip(*parts))[:3])
        stars = sum(p[3] for p in parts)
        rows.append({"what": name, "truth_to": end, "stars": stars, "rows": len(score), "purity_of_all": float(real.mean()),
                     "complete": {f"{p:g}": complete_at(p, score, real, hit, stars) for p in PURITIES}})
    return {"fields": fields, "side": side, "rows": rows}


def print_rank(r: Json) -> None:
    print(f"\nrank: {r['fields']} fields of {r['side']} px: share of the stars above {WANTED:g} mag in the longest list of each purity; a row is real "
          "if a star lies within 1.0 px and 0.75 mag")
    for row in sorted(r["rows"], key=lambda row: row["truth_to"]):
        print(f"  stars to {row['truth_to']:5.2f}  {row['what']:36} {row['rows']:6d} rows, purity {row['purity_of_all']:.3f}   "
              + "  ".join(f"at {p} {v:.4f}" for p, v in row["complete"].items()))


# ---- speed

def least_seconds(runs: int, work: Callable[[], object]) -> float:
    def once() -> float:
        before = time.process_time()
        work()
        return time.process_time() - before
    return min(once() for _ in range(runs))


def speed(program: Program) -> Json:
    psf, rows = program.psf("hst-acs-f475w-drz"), []

    def listed(side: int) -> tuple[Path, Floats]:
        image, catalogue = program.simulate(f"speed{side}", "hst-acs-f475w-drz", side, 7, DISK), program.folder / "listed.fits"
        program.run("detect", image, "-o", catalogue, "--model", "hst-acs-f475w")
        xy = read_sources(catalogue).xy
        return image, xy[((xy > -0.5) & (xy < side - 0.5)).all(axis=1)]  # crowdsource takes no others

    def add(name: str, side: int, stars: int, seconds: float) -> None:
        rows.append({"name": name, "side": side, "stars": stars, "seconds": seconds, "stars_per_second": stars / seconds})

    options = ("--moves", 1, "--model", "hst-acs-f475w")
    for side in (192, 256):
        image, xy = listed(side)
        middle = xy[[np.argmin(np.hypot(*(xy - side / 2).T))]]
        runs = [(program.measure(image, xy, *options)[1], program.measure(image, middle, *options)[1]) for _ in range(15)]
        all_of_it, fit = min(a for a, _ in runs), float(np.median([a - start for a, start in runs]))
        add("starblend, all of the program's time", side, len(xy), all_of_it)
        add("starblend", side, len(xy) - 1, fit)
        seen = observation(image)
        add("crowdsource", side, len(xy), least_seconds(3, lambda: peers.crowdsource(seen, psf, 5.0, xy)))
        if side < 200:
            for grouped in (True, False):
                add("Photutils" if grouped else "Photutils, without groups", side, len(xy),
                    least_seconds(1, lambda: peers.psf_photometry_at(seen, psf, xy, grouped)))
    return {"rows": rows}


def print_speed(s: Json) -> None:
    print("\nspeed: the same stars in the same image, one thread, processor time")
    for r in s["rows"]:
        ours = next(o for o in s["rows"] if o["name"] == "starblend" and o["side"] == r["side"])
        print(f"  {r['side']:4d} px  {r['name']:38} {r['stars']:6d} stars {r['seconds']:9.3f} s {r['stars_per_second']:10.1f} stars/s"
              f"   ours / it {ours['stars_per_second'] / r['stars_per_second']:8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = Path(__file__).resolve().parent
    parser.add_argument("--program", type=Path, default=here.parent / "build/starblend", help="starblend (default: build/starblend)")
    parser.add_argument("--parts", default="mock,disk,rank,speed", help="which of them (default: mock,disk,rank,speed)")
    parser.add_argument("--mock-fields", type=int, default=12, help="of 384 px (default: 12)")
    parser.add_argument("--disk-fields", type=int, default=6, help="of 256 px (default: 6)")
    parser.add_argument("--rank-fields", type=int, default=3, help="of 256 px (default: 3)")
    parser.add_argument("--json", type=Path, help="also write everything here")
    parser.add_argument("--self-test", action="store_true", help="check the statistics and end")
    given = parser.parse_args()
    if given.self_test:
        self_test()
        print("photometry.py: self-test passed")
        return
    program = given.program.resolve()
    out: Json = {"schema": "starblend-photometry-1", "date": datetime.date.today().isoformat(),
                 "versions": {m: importlib.metadata.version(m) for m in ("numpy", "scipy", "astropy", "photutils", "crowdsourcephoto")}}
    parts = {"mock": (lambda p: mock(p, given.mock_fields), print_mock), "disk": (lambda p: disk(p, given.disk_fields), print_disk),
             "rank": (lambda p: rank(p, given.rank_fields), print_rank), "speed": (speed, print_speed)}
    if unknown := set(given.parts.split(",")) - set(parts):
        sys.exit(f"photometry.py: --parts: {', '.join(sorted(unknown))} is none of {', '.join(parts)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in given.parts.split(","):
            version = subprocess.check_output([program, "--version"], text=True).splitlines()[0]
            out[name] = {"program": version, **parts[name][0](Program(program, Path(folder)))}
            parts[name][1](out[name])
    if given.json:
        given.json.write_text(json.dumps(for_json(out), indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
