#!/usr/bin/env python3
"""What the truth makes of realistic scenes: how large their units are, and how many were split from larger ones.

A field of each scene is simulated and its UNITS counted: units by class (1, 2, 3, 4, 5 stars or more), those too faint to
ask for, and the share flagged PERCOLATED (sim/truth_units.h). Needs Python alone.
"""
import argparse
import datetime
import json
import re
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCENES = {  # name: preset and what else simulate is told
    "ngc2298, core": ("csst-g", ["--config", HERE / "fields/ngc2298-core.toml"]),
    "ngc2298, 2 arcmin away": ("csst-g", ["--config", HERE / "fields/ngc2298-outskirts.toml"]),
    "m31-disk": ("hst-acs-f475w-drz", ["--set", "scene.stars=m31-disk"]),
    "m31-cluster": ("hst-acs-f475w-drz", ["--set", "scene.stars=m31-cluster"]),
}
SUMMARY = re.compile(r"([\d,]+)x[\d,]+ px, (\d+) units: (\d+) / (\d+) / (\d+) / (\d+) / (\d+) of 1 / 2 / 3 / 4 / 5\+ stars, (\d+) too faint to "
                     r"ask for \((\d+) with a star that may or may not count, (\d+) split from larger ones\); (\d+) stars of which (\d+) count")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=Path, default=HERE.parent / "build/starblend", help="starblend (default: build/starblend)")
    parser.add_argument("--side", type=int, default=1024, help="of each field, px (default: 1024)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    given = parser.parse_args()
    version = subprocess.check_output([given.program, "--version"], text=True).splitlines()[0]
    rows = []
    print(f"{'scene':24}{'units':>8}   share of 1 / 2 / 3 / 4 / 5+ stars, of those asked for   too faint   split   stars per unit")
    for name, (preset, how) in SCENES.items():
        with tempfile.TemporaryDirectory() as folder:
            said = subprocess.run([given.program, "simulate", "--preset", preset, "--width", str(given.side), "--seed", str(given.seed),
                                   *how, "-o", Path(folder) / "field.fits"], check=True, capture_output=True, text=True).stderr
        found = SUMMARY.search(said)
        if not found:
            raise SystemExit(f"scenes.py: {name}: simulate said something else: {said}")
        units, *sizes, faint, soft, split, stars, counting = (int(n) for n in found.groups()[1:])
        asked = sum(sizes)
        rows.append({"scene": name, "preset": preset, "side": given.side, "units": units, "sizes": sizes, "too_faint": faint, "soft": soft,
                     "split": split, "stars": stars, "stars_that_count": counting})
        shares = " / ".join(f"{n / asked:.3f}" for n in sizes)
        print(f"{name:24}{units:8}   {shares:56} {faint / units:11.3f} {split / units:7.3f} {counting / units:16.2f}")
    if given.json:
        given.json.write_text(json.dumps({"date": datetime.date.today().isoformat(), "starblend": version, "seed": given.seed,
                                          "scenes": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
