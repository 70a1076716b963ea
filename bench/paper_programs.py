"""Who looks for stars in the fields of bench/paper.sh, with which settings."""
from __future__ import annotations

import concurrent.futures
import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import peers
from paper_fields import PRESET, FieldSet, digest
from star_list import Catalogue, read_csv, read_sources

# fields, setting, how many of them: a list per field, and the processor time of all (s)
Run = Callable[[FieldSet, float, int], tuple[list[Catalogue], float]]


@dataclass(frozen=True)
class Program:
    """settings: thresholds, each a run, a point of the curve; one setting: the curve is the cut in the list's own score."""
    name: str
    key: str
    settings: tuple[float, ...]
    usual: float  # the setting of its manual, or ours
    what: str
    run: Run
    share: int = 0  # looks at the first fields only: this many times --slow-fields; 0: at all
    side: int = 0  # px: only at fields of this width; 0: at any


@dataclass(frozen=True)
class Ours:
    """The program under test, and its catalogues of a set, kept in the set's folder under the name of what made them."""
    program: Path
    model: str
    model_key: str
    psf: Path

    def catalogues(self, fields: FieldSet) -> list[Path]:
        folder = fields.folder / f"detect-{digest(self.model_key.encode(), self.psf.read_bytes())[:12]}"
        return [folder / f"{image.stem}.fits" for image in fields.images]

    def detect(self, fields: FieldSet) -> float:
        """Makes the catalogues that aren't there; the processor time of all, those kept included."""
        paths = self.catalogues(fields)
        (folder := paths[0].parent).mkdir(exist_ok=True)
        for image, catalogue in zip(fields.images, paths):
            if not (cost := catalogue.with_suffix(".seconds")).exists():
                before = time_of_children()
                subprocess.run([self.program, "detect", "-q", "--overwrite", image, "-o", catalogue, "--model", self.model, "--psf", self.psf],
                               check=True)
                cost.write_text(repr(time_of_children() - before))
        return sum(float(cost.read_text()) for cost in folder.glob("*.seconds"))

    def sources(self, fields: FieldSet, _: float, count: int) -> tuple[list[Catalogue], float]:
        seconds = self.detect(fields)
        return [read_sources(path) for path in self.catalogues(fields)[:count]], seconds * count / fields.count


def time_of_children() -> float:
    """s of processor time, of the programs that have run so far."""
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def write_psf(program: Path, work: Path) -> Path:
    path = work / f"psf-{digest(program.read_bytes(), PRESET.encode())[:12]}.fits"
    if not path.exists():
        subprocess.run([program, "psf", "-q", "--preset", PRESET, "-o", path], check=True)
    return path


def timed(find: Callable[..., Catalogue], *arguments: object) -> tuple[Catalogue, float]:
    before = time.process_time()
    return find(*arguments), time.process_time() - before


def per_field(pool: concurrent.futures.Executor, find: Callable[..., Catalogue], *same: object) -> Run:
    """A run that hands the fields out to the pool. find(observation, *same, setting)."""
    def run(fields: FieldSet, setting: float, count: int) -> tuple[list[Catalogue], float]:
        jobs = [pool.submit(timed, find, seen, *same, setting) for seen in fields.observations[:count]]
        lists, seconds = zip(*(job.result() for job in jobs))
        return list(lists), sum(seconds)
    return run


def dao(seen: peers.Observation, fwhm: float, sigmas: float) -> Catalogue:
    return peers.dao_star_finder(seen.pixels, sigmas, fwhm, min_separation=0)


def sextractor(kernel: str, *options: str) -> Run:
    def run(fields: FieldSet, setting: float, count: int) -> tuple[list[Catalogue], float]:
        before, zeropoint = time_of_children(), fields.observations[0].zeropoint
        lists = peers.sextractor(fields.together, kernel, setting, "-DETECT_MINAREA", "1", *options, zeropoint=zeropoint)
        return lists[:count], (time_of_children() - before) * count / fields.count
    return run


def torchvision(checkpoint: Path) -> Run:
    """In a process of its own, with a Python that has torch; its start-up counts."""
    def run(fields: FieldSet, setting: float, count: int) -> tuple[list[Catalogue], float]:
        before, images = time_of_children(), fields.images[:count]
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([Path(__file__).parent / "torchvision_peer.sh", "detect", checkpoint, *images, "-o", folder], check=True)
            return [read_csv(Path(folder, f"{image.stem}.csv")) for image in images], time_of_children() - before
    return run


def all_programs(ours: Ours, pool: concurrent.futures.Executor, checkpoint: Path | None) -> list[Program]:
    """checkpoint: of torchvision_peer.py; None: without that peer."""
    psf = peers.read_psf(ours.psf)
    trained = [] if checkpoint is None else [
        Program("torchvision RetinaNet", "torchvision", (0.0,), 0.0, "trained by torchvision_peer.sh: a row per unit, its centre, by score",
                torchvision(checkpoint.resolve()), side=100)]
    return [
        Program("starblend, SOURCES", "starblend", (0.0,), 0.0, "every star fitted, by signal-to-noise", ours.sources),
        Program("SExtractor", "sextractor", (10.0, 5.0, 3.0, 2.0, 1.5, 1.0, 0.7, 0.5), 1.5,
                "default.sex and its filter, minimum area 1 px; threshold in its rms", sextractor("default")),
        Program("SExtractor, Mexican hat", "mexhat", (3.0, 1.5, 1.0, 0.7, 0.5, 0.3, 0.2, 0.1), 0.5,
                "mexhat_1.5_5x5, minimum area 1 px, no cleaning", sextractor("mexhat_1.5_5x5", "-CLEAN", "N")),
        Program("DAOStarFinder", "dao", (20.0, 10.0, 5.0, 3.0, 2.0, 1.0, 0.5, 0.2), 3.0,
                "Photutils, the PSF's FWHM, no minimum separation; threshold in the clipped rms", per_field(pool, dao, psf.fwhm)),
        Program("Photutils PSF", "photutils-psf", (20.0, 10.0, 5.0), 5.0,
                "IterativePSFPhotometry with the true PSF and noise; threshold in the empty sky's noise",
                per_field(pool, peers.psf_photometry, psf), share=1),
        Program("crowdsource", "crowdsource", (20.0, 10.0, 5.0, 3.0, 2.0), 5.0,
                "with the true PSF and noise; threshold in a point source's noise", per_field(pool, peers.crowdsource, psf), share=5),
        *trained,
    ]
