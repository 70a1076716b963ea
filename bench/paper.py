#!/usr/bin/env python3
"""The peers and starblend on the same fields, scored by `starblend evaluate`, with the paper's Figures 6 to 12 beside them.

See bench/README.md. Prints a table; --json and --html write everything.
"""
from __future__ import annotations

import argparse
import concurrent.futures
import datetime
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import paper_m31
from paper_fields import PRESET, SETS, TRUTHS, FieldSet, field_set, simulate
from paper_page import page
from paper_programs import Ours, Program, all_programs, write_psf
from paper_scores import PURITY, evaluate_lists, rates, score_program, score_units
from result_file import cores, for_json, processor, write
from star_list import Catalogue


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="paper.sh", description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=Path, default=Path(__file__).parents[1] / "build/starblend",
                        help="starblend (default: build/starblend)")
    parser.add_argument("--model", default="csst-g", help="a file or the name of one built in (default: csst-g)")
    parser.add_argument("--m31-model", default="hst-acs-f475w", help="the same, for the real image (default: hst-acs-f475w)")
    parser.add_argument("--sets", default=",".join((*SETS, "m31")), help="comma-separated, of " + ", ".join((*SETS, "m31")))
    parser.add_argument("--peers", help="comma-separated, of starblend, sextractor, mexhat, dao, photutils-psf, crowdsource, torchvision (default: all)")
    parser.add_argument("--fields", type=int, default=100, help="of 100x100 px per set; ngc2298: a 25th as many, 128 and 256 px wide (default: 100)")
    parser.add_argument("--slow-fields", type=int, default=3, help="how many of 100x100 px Photutils' PSF photometry gets, at half a minute "
                        "each; crowdsource: 5 times as many (default: 3)")
    parser.add_argument("--torchvision", type=Path, metavar="CHECKPOINT", help="of torchvision_peer.sh (default: torchvision's RetinaNet is left out)")
    parser.add_argument("--seed", type=int, default=20260, help="of the fields (default: 20260)")
    parser.add_argument("--work", type=Path, help="keep fields and our catalogues here, and use what is there (default: a temporary folder)")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--html", type=Path)
    parser.add_argument("--self-test", action="store_true", help="check the scorer on lists of known scores, and end")
    return parser.parse_args()


def versions(program: Path) -> dict[str, str]:
    found = {m: importlib.metadata.version(m) for m in ("numpy", "scipy", "astropy", "photutils", "crowdsourcephoto")}
    if shutil.which("source-extractor"):
        found["source-extractor"] = subprocess.check_output(["source-extractor", "--version"], text=True).split()[3]
    found["starblend"] = subprocess.check_output([program, "--version"], text=True).splitlines()[0]
    return found


def model_key(program: Path, model: str) -> str:
    """The SHA-256 of a model file; of one built in, its name and that of the program's file."""
    path, sha256 = Path(model), lambda p: hashlib.sha256(p.read_bytes()).hexdigest()
    return sha256(path) if path.is_file() else f"built into the program of SHA-256 {sha256(program)}"


def oracle() -> dict[str, Any] | None:
    """What bench/oracle.py recorded for the set paper, if it has run."""
    path = Path(__file__).parent / "results/oracle-paper.json"
    return json.loads(path.read_text()) if path.exists() else None


def score_set(star: Path, programs: list[Program], ours: Ours, fields: FieldSet, slow: int) -> dict[str, Any]:
    """Every program on one set."""
    result: dict[str, Any] = {"fields": fields.count, "side": fields.side, "what": SETS[fields.name][2], "programs": {}}
    for program in programs:
        if program.side not in (0, fields.side):
            print(f"paper.py: {fields.name}: {program.name}: left out, it looks at fields of {program.side} px alone", file=sys.stderr)
            continue
        count = min(program.share * slow * 100**2 // fields.side**2 if program.share else fields.count, fields.count)
        if count == 0:
            print(f"paper.py: {fields.name}: {program.name}: left out, a field of it is more than --slow-fields allow", file=sys.stderr)
            continue
        began = time.monotonic()
        result["programs"][program.key] = score_program(star, program, fields, count)
        print(f"paper.py: {fields.name}: {program.name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    if "starblend" in result["programs"]:
        result["units"] = score_units(star, ours.catalogues(fields), fields)
    return result


def table(result: dict[str, Any]) -> str:
    """One row per program and set."""
    lines = [f"{'set':18}{'program':25}{'fields':>7}{'s/field':>9}   by star, usual setting:                    completeness at",
             f"{'':18}{'':25}{'':7}{'':9}   completeness       purity             purity {PURITY:g} (setting or cut)"]
    cell = lambda f: "n/a".ljust(19) if f["value"] is None else f"{f['value']:.3f} " + (
        "".ljust(13) if f["low"] is None else f"{f['low']:.3f}-{f['high']:.3f}  ")
    for name, part in result["sets"].items():
        for p in part["programs"].values():
            best, usual = p["at_purity"], p["usual"]
            threshold = None if best is None else best["setting"] if best["cut"] is None else best["cut"]
            at = "not reached" if best is None else f"{best['stars']['completeness']['value']:.3f} ({threshold:.3g})"
            rate = f"{cell(usual['completeness'])}{cell(usual['purity'])}"
            lines.append(f"{name:18}{p['name']:25}{p['fields']:7}{usual['seconds_per_field']:9.3f}   {rate}{at}")
    return "\n".join(lines)


def self_test(star: Path, fields: FieldSet) -> None:
    """The true list is perfect, an empty one finds nothing, each star twice is half as pure, a list moved by 3 px is chance."""
    import numpy as np
    from astropy.io import fits
    simulate(star, fields)
    true = []
    for path in fields.truth("stars"):
        t = fits.getdata(path, "UNITS")
        true.append(Catalogue(np.stack([t["X_IMAGE"], t["Y_IMAGE"]], axis=1).astype(float) - 1, t["FLUX"].astype(float)))
    score = lambda lists: {k: v["value"] for k, v in rates(evaluate_lists(star, lists, fields.truth("stars"))).items()}
    empty = Catalogue(np.zeros((0, 2)), np.zeros(0))
    twice = [Catalogue(np.concatenate([c.xy, c.xy]), np.concatenate([c.score, c.score])) for c in true]
    moved = score([c.shifted(np.array([3.0, 0.0])) for c in true])
    assert score(true) == {"completeness": 1.0, "purity": 1.0}, score(true)
    assert score([empty for _ in true]) == {"completeness": 0.0, "purity": None}, score([empty for _ in true])
    assert (s := score(twice))["completeness"] == 1 and 0.5 <= s["purity"] < 0.55, s  # a copy beside an ignored star is left out
    assert max(moved.values()) < 0.3, moved
    print("paper.py: self-test passed")


def run(given: argparse.Namespace, work: Path) -> None:
    star = given.program.resolve()
    if given.self_test:
        return self_test(star, field_set("easy", star, work, 2, given.seed))
    names = given.sets.split(",")
    if unknown := [n for n in names if n not in (*SETS, "m31")]:
        sys.exit(f"paper.py: --sets: {', '.join(unknown)}: there are {', '.join((*SETS, 'm31'))}")
    ours = Ours(star, given.model, model_key(star, given.model), write_psf(star, work))
    result: dict[str, Any] = {
        "schema": "starblend-paper-1", "date": datetime.date.today().isoformat(), "versions": versions(star), "processor": processor(),
        "commit": subprocess.run(["git", "-C", Path(__file__).parent, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip() or None,
        "model": Path(given.model).name, "model_sha256": ours.model_key, "preset": PRESET, "seed": given.seed, "purity": PURITY,
        "truths": TRUTHS, "sets": {}, "m31": None, "oracle": oracle()}
    pictures = {}
    with concurrent.futures.ProcessPoolExecutor(cores()) as pool:
        programs = all_programs(ours, pool, given.torchvision)
        if given.torchvision is None:
            print("paper.py: torchvision's RetinaNet is left out: no --torchvision", file=sys.stderr)
        if given.peers is not None:
            keys = given.peers.split(",")
            if unknown := [k for k in keys if k not in {p.key for p in programs}]:
                sys.exit(f"paper.py: --peers: {', '.join(unknown)}: there are {', '.join(p.key for p in programs)}")
            programs = [p for p in programs if p.key in keys]
        for name in [n for n in names if n != "m31"]:
            simulate(star, fields := field_set(name, star, work, given.fields, given.seed))
            result["sets"][name] = score_set(star, programs, ours, fields, given.slow_fields)
            pictures[name] = fields
    if "m31" in names:
        result["m31"] = paper_m31.score_m31(star, given.m31_model, work)
        if result["m31"] is None:
            print(f"paper.py: Figures 10-12 are left out: no {paper_m31.data_folder()} (STARBLEND_DATA names the folder above it)", file=sys.stderr)
    print(table(result))
    if given.json:
        text = json.dumps(for_json(result), allow_nan=False, separators=(",", ":"))
        write(given.json, text.replace('{"name"', '\n{"name"') + "\n")
    if given.html:
        write(given.html, page(result, pictures, ours))


def main() -> None:
    given = options()
    if not given.program.exists():
        sys.exit(f"paper.py: no {given.program}: build it, or name another with --program")
    if given.torchvision and not given.torchvision.is_file():
        sys.exit(f"paper.py: --torchvision: no {given.torchvision}")
    for path in (p for p in (given.json, given.html) if p):
        if not path.parent.is_dir():
            sys.exit(f"paper.py: {path}: no such folder")
    os.environ["OMP_NUM_THREADS"] = "1"  # of the pool's workers: a field each
    if given.work:
        given.work.mkdir(parents=True, exist_ok=True)
        return run(given, given.work.resolve())
    with tempfile.TemporaryDirectory() as folder:
        run(given, Path(folder))


if __name__ == "__main__":
    main()
