"""The test fields of bench/paper.sh: simulated once, each with several truths of the very same pixels."""
from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from astropy.io import fits

from peers import Observation

PRESET = "csst-g"
# What counts as a thing to be found. `units`: blends, as the set's own file labels them. `stars`: each star that the image
# can show is a unit of its own: linking needs a contrast below 0 mag; stars within 0.5 px are one. `all stars`: the same
# with those that it can't show.
TRUTHS = {"units": (), "stars": ("truth.units=linked", "truth.contrast=0", "truth.labels=detectable"),
          "all stars": ("truth.units=linked", "truth.contrast=0", "truth.labels=paper")}
SETS = {  # of every set: width in px, share of --fields, what it is
    "easy": (100, 1.0, "P3, base stars uniform in 20-23.5 mag, the paper's labels"),
    "paper": (100, 1.0, "P3, base stars by Eq. 1 in 20-24.5 mag, members to 26, the paper's labels"),
    "deep": (100, 1.0, "P3, base stars by Eq. 1 in 20-26 mag, detectable labels"),
    "ngc2298-core": (128, 0.04, "the cluster's core, detectable labels"),
    "ngc2298-outskirts": (256, 0.04, "2 arcmin from the cluster's centre, detectable labels"),
}


@dataclass(frozen=True)
class FieldSet:
    name: str
    folder: Path
    count: int
    side: int
    seed: int

    def truth(self, kind: str) -> list[Path]:
        return [self.folder / kind.replace(" ", "-") / f"field-{i:06d}.fits" for i in range(self.count)]

    @property
    def images(self) -> list[Path]:
        return self.truth("units")

    @property
    def together(self) -> Path:
        """All images as extensions of one file, for programs that take long to start."""
        return self.folder / "images.fits"

    @cached_property
    def observations(self) -> list[Observation]:
        return [observation(path) for path in self.images]


def observation(path: Path) -> Observation:
    with fits.open(path) as hdus:
        header, pixels, variance = hdus[0].header, hdus[0].data.astype(np.float64), hdus["VARIANCE"].data.astype(np.float64)
        sigma = np.where(hdus["MASK"].data == 0, np.sqrt(variance), np.inf)
    return Observation(pixels, sigma, float(header["MAGZERO"]))


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def config_of(name: str) -> Path:
    return Path(__file__).parent / "fields" / f"{name}.toml"


def field_set(name: str, program: Path, work: Path, fields: int, seed: int) -> FieldSet:
    """Its folder bears a hash of all that the fields depend on, so that a kept one is never another's."""
    side, share, _ = SETS[name]
    count = max(2, round(fields * share))  # intervals need two
    key = digest(program.read_bytes(), config_of(name).read_bytes(), repr((TRUTHS, PRESET, side, count, seed)).encode())
    return FieldSet(name, work / f"{name}-{key[:12]}", count, side, seed)


def simulate(program: Path, fields: FieldSet) -> None:
    """Writes what isn't there yet. Fails if the truths aren't of the same pixels."""
    for kind, settings in TRUTHS.items():
        subprocess.run([program, "simulate", "-q", "--resume", "-o", fields.truth(kind)[0].parent, "--count", str(fields.count),
                        "--width", str(fields.side), "--preset", PRESET, "--config", config_of(fields.name), "--seed", str(fields.seed),
                        *(a for s in settings for a in ("--set", s))], check=True)
    for i, image in enumerate(fields.images):
        sums = {kind: fits.getheader(fields.truth(kind)[i])["DATASUM"] for kind in TRUTHS}
        if len(set(sums.values())) != 1:
            raise SystemExit(f"paper.py: {image}: its truths belong to different pixels: {sums}")
    fits.HDUList([fits.PrimaryHDU(), *(fits.ImageHDU(fits.getdata(p)) for p in fields.images)]).writeto(fields.together, overwrite=True)
