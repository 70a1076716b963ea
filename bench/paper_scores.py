"""Scores of bench/paper.sh. They are all `starblend evaluate`'s; here they are only asked for and put in order."""
from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paper_fields import FieldSet
from paper_programs import Program
from star_list import Catalogue

Json = dict[str, Any]
PURITY = 0.9  # at which completeness is compared


def evaluate(program: Path, catalogues: list[Path], truths: list[Path], *options: str) -> Json:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "scores.json")
        arguments = [*catalogues, "--truth", *truths, "--json", out, *options]
        subprocess.run([program, "evaluate", "-q", *arguments], check=True, stdout=subprocess.DEVNULL)
        return json.loads(out.read_text())


def evaluate_lists(program: Path, lists: list[Catalogue], truths: list[Path], part: str = "by_centre") -> Json:
    """By centre the radius is the same for everyone; by_box needs lists with boxes."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{i:06d}.csv") for i in range(len(lists))]
        for path, rows in zip(paths, lists):
            rows.write_csv(path)
        return evaluate(program, paths, truths[:len(lists)], "--first-pixel", "0")[part]


def complement(figure: Json) -> Json:
    """Of a share: one minus it, interval, chance and corrected value with it."""
    other = lambda key: None if figure[key] is None else 1 - figure[key]
    return {"value": other("value"), "low": other("high"), "high": other("low"), "chance": other("chance"),
            "corrected": other("corrected"), "corrected_low": other("corrected_high"), "corrected_high": other("corrected_low")}


def rates(scores: Json) -> Json:
    figures = scores["figures"]
    return {"completeness": complement(figures["missed (MDR)"]), "purity": complement(figures["false alarms (FAR)"])}


@dataclass(frozen=True)
class Point:
    """Of a curve: how to get it (a threshold of the run, a cut of the score) and what it is."""
    setting: float
    cut: float
    completeness: float
    purity: float


def curve_of(program: Program, runs: dict[float, Json]) -> list[Point]:
    """A point per run; or, of a program with one run, a point per cut of its score."""
    if len(program.settings) == 1:
        points = runs[program.settings[0]]["precision_recall"].get("any", [])
        return [Point(program.settings[0], p["score"], p["recall"], p["precision"]) for p in points]
    values = {s: rates(r) for s, r in runs.items()}
    return [Point(s, -np.inf, v["completeness"]["value"], v["purity"]["value"]) for s, v in values.items()
            if v["purity"]["value"] is not None and v["completeness"]["value"] is not None]


def at_purity(curve: list[Point], purity: float = PURITY) -> Point | None:
    """The most complete point that is pure enough; None: there is none."""
    return max((p for p in curve if p.purity >= purity), key=lambda p: (p.completeness, p.purity), default=None)


def score_program(star: Path, program: Program, fields: FieldSet, count: int) -> Json:
    """Everything about a program on a set: its curve by star, its figures with the usual setting and at PURITY."""
    lists: dict[float, list[Catalogue]] = {}
    seconds: dict[float, float] = {}
    for setting in program.settings:
        lists[setting], seconds[setting] = program.run(fields, setting, count)
    runs = {s: evaluate_lists(star, found, fields.truth("stars")) for s, found in lists.items()}
    curve = curve_of(program, runs)
    result = {"name": program.name, "what": program.what, "fields": count,
              "usual": {"setting": program.usual, "seconds_per_field": seconds[program.usual] / count,
                        "stars_found": sum(len(c.score) for c in lists[program.usual]), **rates(runs[program.usual])},
              "curve": [[p.setting, p.cut if np.isfinite(p.cut) else None, p.completeness, p.purity] for p in thinned(curve)],
              "seconds_per_field": {str(s): t / count for s, t in seconds.items()}, "at_purity": None}
    if best := at_purity(curve):
        kept = [c.select(c.score >= best.cut) for c in lists[best.setting]]
        result["at_purity"] = {"setting": best.setting, "cut": best.cut if np.isfinite(best.cut) else None}
        for kind in ("stars", "all stars"):
            scores = evaluate_lists(star, kept, fields.truth(kind))
            result["at_purity"][kind] = {**rates(scores), "profiles": scores["profiles"]}
    return result


def thinned(curve: list[Any], most: int = 200) -> list[Any]:
    """Enough of a curve to draw it."""
    return curve if len(curve) <= most else [curve[i] for i in np.linspace(0, len(curve) - 1, most).astype(int)]


def score_units(star: Path, catalogues: list[Path], fields: FieldSet) -> Json:
    """Our BLENDS against the blending units: by box and by centre."""
    scores = evaluate(star, catalogues, fields.truth("units"))
    for part in scores.values():
        if isinstance(part, dict) and "precision_recall" in part:
            part["precision_recall"] = {k: v if len(v) <= 200 else [v[i] for i in np.linspace(0, len(v) - 1, 200).astype(int)]
                                        for k, v in part["precision_recall"].items()}
    return scores
