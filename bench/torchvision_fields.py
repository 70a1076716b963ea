"""The fields that torchvision's RetinaNet learns from: an endless stream of `starblend simulate`, prepared as our network's are."""
from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

FIELD = 100  # px, each way


@dataclass(frozen=True)
class Scene:
    """What a field is drawn from; with its number, all that it depends on."""
    program: Path
    preset: str
    config: Path
    seed: int

    def simulate(self, folder: Path, first: int, count: int) -> list[Path]:
        subprocess.run([self.program, "simulate", "-q", "-o", folder, "--index", str(first), "--count", str(count), "--width", str(FIELD),
                        "--preset", self.preset, "--config", self.config, "--seed", str(self.seed), "--threads", "1"], check=True)
        return sorted(folder.glob("field-*.fits"))


@dataclass(frozen=True)
class Field:
    """pixels (H, W): the network's input. boxes (n, 4): x0 y0 x1 y1 in px from the image's lower left corner; labels (n,): 0 to 4."""
    pixels: NDArray[np.float32]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]


def clipped_mode(pixels: NDArray[np.float64]) -> float:
    """The sky's level as SExtractor estimates it (Bertin & Arnouts 1996, section 3), of the whole image."""
    kept = pixels[np.isfinite(pixels)]
    while True:
        median, sigma = np.median(kept), kept.std()
        left = kept[np.abs(kept - median) <= 3 * sigma]
        if len(left) == len(kept):
            break
        kept = left
    mean = kept.mean()
    return float(2.5 * median - 1.5 * mean if abs(mean - median) < 0.3 * sigma else median)


def prepared(path: Path) -> NDArray[np.float32]:
    """asinh((F - sky) / noise of the sky): what ours does by default (nn/sky.h), with one sky for the image."""
    with fits.open(path) as hdus:
        header, image = hdus[0].header, hdus[0].data.astype(np.float64)
    sky, gain, read_noise = clipped_mode(image), header["GAIN"], header["RDNOISE"] * np.sqrt(header["NCOMBINE"])
    noise = np.sqrt(max(sky, 0) * gain + read_noise**2) / gain
    return np.nan_to_num(np.arcsinh((image - sky) / noise)).astype(np.float32)


def read_field(path: Path) -> Field:
    """FITS counts pixels from 1 at their centres: half a pixel less is the distance from the corner."""
    units = fits.getdata(path, "UNITS")
    if (units["LABEL"] < 0).any():
        raise SystemExit(f"torchvision_peer.py: {path}: units that are to be ignored; torchvision's network knows none: truth.labels = \"paper\"")
    edges = [np.asarray(units[f"{edge}_IMAGE"], np.float32) - 0.5 for edge in ("XMIN", "YMIN", "XMAX", "YMAX")]
    return Field(prepared(path), np.stack(edges, axis=1), np.asarray(units["LABEL"], np.int64))


def stream(scene: Scene, first: int, at_once: int = 64) -> Iterator[Field]:
    """All fields of the scene from number `first` on."""
    start = first // at_once * at_once
    while True:
        with tempfile.TemporaryDirectory() as folder:
            fields = [read_field(path) for path in scene.simulate(Path(folder), start, at_once)]
        yield from fields[max(first - start, 0):]
        start += at_once
