"""A list of stars that a program found, wherever it came from."""
from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Catalogue:
    """xy: (n, 2) 0-based pixels; score: (n,), higher first; mag: (n,). Boxes (n, 4: x0 y0 x1 y1) come with stars (n,)."""
    xy: Floats
    score: Floats
    boxes: Floats | None = None
    stars: NDArray[np.int64] | None = None
    mag: Floats | None = None

    def shifted(self, d: Floats) -> Catalogue:
        return replace(self, xy=self.xy + d, boxes=None if self.boxes is None else self.boxes + np.tile(d, 2))

    def select(self, rows: NDArray[Any]) -> Catalogue:
        columns = (getattr(self, field.name) for field in fields(self))
        return Catalogue(*(None if column is None else column[rows] for column in columns))

    def write_csv(self, path: Path) -> None:
        """For `starblend evaluate --first-pixel 0`."""
        columns = {"x": self.xy[:, 0], "y": self.xy[:, 1], "score": self.score} | ({} if self.mag is None else {"mag": self.mag})
        if self.boxes is not None and self.stars is not None:
            columns |= dict(zip(("xmin", "ymin", "xmax", "ymax"), self.boxes.T)) | {"nstars": self.stars}
        rows = [",".join(repr(float(v)) for v in row) for row in zip(*columns.values())]
        path.write_text("\n".join([",".join(columns), *rows]) + "\n")


def read_csv(path: Path) -> Catalogue:
    """What write_csv() wrote, but for magnitudes."""
    names, *rows = (line.split(",") for line in path.read_text().splitlines())
    t = dict(zip(names, np.array(rows, np.float64).reshape(len(rows), len(names)).T))
    columns = lambda *wanted: np.stack([t[name] for name in wanted], axis=1)
    box = (columns("xmin", "ymin", "xmax", "ymax"), t["nstars"].astype(int)) if "nstars" in t else ()
    return Catalogue(columns("x", "y"), t["score"], *box)


def read_blends(path: Path, boxes: bool) -> Catalogue:
    """Our BLENDS table; FITS pixels are 1-based, so 1 is subtracted from centres and box edges alike."""
    t = fits.getdata(path, "BLENDS")
    columns = lambda *names: np.stack([np.asarray(t[n], np.float64) for n in names], axis=1)
    box = (columns("XMIN_IMAGE", "YMIN_IMAGE", "XMAX_IMAGE", "YMAX_IMAGE") - 1, t["NSTARS"].astype(int)) if boxes else ()
    return Catalogue(columns("X_IMAGE", "Y_IMAGE") - 1, t["SCORE"].astype(np.float64), *box)


def read_sources(path: Path) -> Catalogue:
    """Our SOURCES table: the stars of the PSF fit, by signal-to-noise."""
    t = fits.getdata(path, "SOURCES")
    column = lambda name: np.asarray(t[name], np.float64)
    snr = np.nan_to_num(column("FLUX_PSF") / column("FLUXERR_PSF"))
    return Catalogue(np.stack([column("X_IMAGE"), column("Y_IMAGE")], axis=1) - 1, snr, mag=column("MAG_PSF"))


def for_json(value: Any) -> Any:
    """NaN is not JSON: null; four decimals."""
    if isinstance(value, (dict, list)):
        return {k: for_json(v) for k, v in value.items()} if isinstance(value, dict) else [for_json(v) for v in value]
    return (round(value, 4) if np.isfinite(value) else None) if isinstance(value, float) else value
