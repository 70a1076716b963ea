"""torchvision's RetinaNet beside ours: the same stream, the same processor time or the same number of fields, one scorer."""
from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from paper_programs import time_of_children
from paper_scores import evaluate_lists, thinned
from result_file import for_json, processor, write
from star_list import Catalogue, read_blends
from torchvision_fields import FIELD, Scene

Json = dict[str, Any]
OVERLAPS = (0.2, 0.35, 0.5)  # of torchvision's rows; the best on the validation fields is taken
CUTS = 25  # scores tried as thresholds, at even shares of the rows
CLASSES = ("1", "2", "3", "4", "5+")
BATCH = 2
# As weights/csst-g-paper.toml: plain cross-entropy, no band of ignored anchors
OURS = (f"batch={BATCH}", f"fields={BATCH}", f"side={FIELD}", "rate=1e-3", "foreground=0.5", "background=0.5", "gamma=0", "alpha=-1",
        "validate_every=100")


def add_options(jobs: Any) -> None:
    here = Path(__file__).parent
    o = jobs.add_parser("ours", help="train ours (native, from scratch, one thread) beside a checkpoint of torchvision's, on the same stream")
    o.add_argument("checkpoint", type=Path, help="of torchvision's: which scene, how long, how many fields")
    o.add_argument("-o", "--output", type=Path, required=True, help="our model; OUTPUT.json says what it cost")
    o.add_argument("--equal", choices=("time", "fields"), required=True)
    o.add_argument("--steps", type=int, help="of ours (default: as many as the fields; for the time, as a short trial of its speed allows)")
    o.add_argument("--precision", choices=("bf16", "float"), default="bf16")
    c = jobs.add_parser("compare", help="score both on test fields that neither saw, thresholds chosen on validation fields")
    c.add_argument("checkpoint", type=Path)
    c.add_argument("--ours", type=Path, nargs="+", required=True, metavar="MODEL", help="what `ours` wrote")
    c.add_argument("--program", type=Path, default=here.parent / "build/starblend", help="starblend (default: build/starblend)")
    c.add_argument("--work", type=Path, required=True, help="folder for fields and lists")
    c.add_argument("--validation", type=int, default=40, help="fields (default: 40)")
    c.add_argument("--test", type=int, default=100, help="fields (default: 100)")
    c.add_argument("--seed", type=int, default=20260, help="of the test fields; validation: the next (default: 20260, as paper.sh)")
    c.add_argument("--json", type=Path, help="such as bench/results/torchvision-peer.json")


def scene_of(state: Json) -> Scene:
    s = state["scene"]
    return Scene(Path(s["program"]), s["preset"], Path(s["config"]), int(s["seed"]))


def ours_command(scene: Scene, output: Path, steps: int, precision: str) -> list[str]:
    settings = [*OURS, f"steps={steps}", f"norm_steps={3 * steps // 5}", f"warm_up={min(50, steps // 4)}", f"average={max(1 - 20 / steps, 0):.5g}"]
    return [str(scene.program), "train", "-q", "--overwrite", "-o", str(output), "--architecture", "native", "--preset", scene.preset,
            "--config", str(scene.config), "--seed", str(scene.seed), "--threads", "1", "--device", "cpu", "--precision", precision,
            *(a for s in settings for a in ("--set", f"training.{s}"))]


def cost_of(scene: Scene, output: Path, steps: int, precision: str) -> float:
    before = time_of_children()
    subprocess.run(ours_command(scene, output, steps, precision), check=True)
    return time_of_children() - before


def steps_within(scene: Scene, output: Path, precision: str, seconds: float) -> int:
    """By two short trainings; what isn't a step, such as the choice of a threshold at the end, takes its share too."""
    few = cost_of(scene, output, 4, precision)
    step = (cost_of(scene, output, 44, precision) - few) / 40
    return max(int((seconds - few) / step), 1)


def train_ours(given: argparse.Namespace, state: Json) -> None:
    """As many steps as the processor time of theirs allows, our choice of a threshold at the end included; or as many fields."""
    scene, fields, seconds = scene_of(state), state["step"] * state["settings"]["batch"], state["seconds"]
    if state["config"] != scene.config.read_text():
        sys.exit(f"torchvision_peer.py: {scene.config} isn't what the checkpoint was trained on any more")
    trial = given.output.with_name(given.output.name + ".trial")
    steps = given.steps or (fields // BATCH if given.equal == "fields" else steps_within(scene, trial, given.precision, seconds))
    cost = cost_of(scene, given.output, steps, given.precision)
    command = ["starblend", *ours_command(scene, Path("ours.safetensors"), steps, given.precision)[1:]]
    command[command.index("--config") + 1] = scene.config.name
    said = {"equal": given.equal, "steps": steps, "fields": BATCH * steps, "seconds": cost, "precision": given.precision,
            "command": " ".join(command)}
    given.output.with_name(given.output.name + ".json").write_text(json.dumps(said, indent=1) + "\n")
    print(json.dumps(said, indent=1))


# --- scores


def mean_f1(scores: Json) -> float:
    """Over the classes; what a class lacks for want of rows counts as nothing."""
    return float(np.mean([scores["figures"][f"F1 of {c}"]["value"] or 0 for c in CLASSES]))


def cut(lists: list[Catalogue], least: float) -> list[Catalogue]:
    return [rows.select(rows.score >= least) for rows in lists]


def best_cut(program: Path, lists: list[Catalogue], truths: list[Path]) -> tuple[float, float]:
    """The score with the highest mean F1 of the classes, and that."""
    scores = np.concatenate([rows.score for rows in lists])
    tried = np.unique(np.quantile(scores, np.linspace(0, 0.98, CUTS)))
    return max(((mean_f1(evaluate_lists(program, cut(lists, c), truths, "by_box")), float(c)) for c in tried))[::-1]


def ours(program: Path, model: Path, images: list[Path], folder: Path, precision: str) -> list[Catalogue]:
    """Every row from a score of 0.01 on, with boxes and the likeliest class."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([program, "detect", "-q", "--overwrite", *images, "-o", folder, "--model", model, "--psf", "none", "--threshold", "0.01",
                    "--threads", "1", "--device", "cpu", "--precision", precision], check=True)
    return [read_blends(folder / f"{path.stem}_cat.fits", boxes=True) for path in images]


def scored(program: Path, validation: list[Catalogue], test: list[Catalogue], truths: list[list[Path]]) -> Json:
    """The threshold from the validation fields, figures and whole curves on the test fields."""
    threshold, f1 = best_cut(program, validation, truths[0])
    kept, whole = (evaluate_lists(program, lists, truths[1], "by_box") for lists in (cut(test, threshold), test))
    return {"threshold": threshold, "validation_mean_F1": f1, "mean_F1": mean_f1(kept),
            "matrix": kept["counts"]["matrix"], "figures": kept["figures"],
            "curves": {k: [[p["score"], p["recall"], p["precision"]] for p in thinned(v)] for k, v in whole["precision_recall"].items()},
            "AP": {k: whole["figures"][f"AP of {k}"]["value"] for k in ("any", *CLASSES)}}


def table(rows: list[Json]) -> str:
    names = [*(f"{what} of {c}" for what in ("precision", "recall", "F1") for c in CLASSES), "balanced accuracy",
             "missed (MDR)", "false alarms (FAR)"]
    cell = lambda v: "n/a" if v is None else f"{v:.3f}"
    lines = [" " * 20 + "".join(f"{r['short']:>22}" for r in rows)]
    for key in ("fields", "seconds"):
        lines.append(f"{key:20}" + "".join(f"{r[key]:22.0f}" for r in rows))
    lines.append(f"{'threshold':20}" + "".join(f"{r['scores']['threshold']:22.3f}" for r in rows))
    for name in names:
        lines.append(f"{name:20}" + "".join(f"{cell(r['scores']['figures'][name]['value']):>22}" for r in rows))
    for key in ("any", *CLASSES):
        lines.append(f"{'AP of ' + key:20}" + "".join(f"{cell(r['scores']['AP'][key]):>22}" for r in rows))
    return "\n".join(lines)


def compare(given: argparse.Namespace, state: Json, candidates: Callable[[Path], Catalogue],
            one_each: Callable[[Catalogue, float], Catalogue]) -> None:
    """candidates: torchvision's rows of an image; one_each: those left when rows that overlap are one unit."""
    program, scene = given.program.resolve(), scene_of(state)
    given.work.mkdir(parents=True, exist_ok=True)
    if given.seed in (scene.seed, scene.seed - 1):
        sys.exit(f"torchvision_peer.py: --seed {given.seed}: test and validation fields aren't to be those of the training")
    images = []
    for i, (name, count) in enumerate((("validation", given.validation), ("test", given.test))):
        folder = given.work / f"{name}-{(seed := given.seed + 1 - i)}-{count}"
        images.append(sorted(folder.glob("field-*.fits")))
        if len(images[-1]) != count:
            images[-1] = Scene(program, scene.preset, scene.config, seed).simulate(folder, 0, count)
    raw = [[candidates(path) for path in part] for part in images]
    theirs = lambda part, overlap: [one_each(rows, overlap) for rows in raw[part]]
    by_overlap = {o: best_cut(program, theirs(0, o), images[0])[1] for o in OVERLAPS}
    overlap = max(by_overlap, key=lambda o: by_overlap[o])
    settings = state["settings"]
    rows = [{"name": "torchvision's RetinaNet", "short": "torchvision", "fields": state["step"] * settings["batch"], "seconds": state["seconds"],
             "settings": settings, "overlap": overlap, "log": state["log"], "ends": state["ends"],
             "scores": scored(program, theirs(0, overlap), theirs(1, overlap), images)}]
    for model in given.ours:
        said = json.loads(model.with_name(model.name + ".json").read_text())
        spent = "seconds" if said["equal"] == "time" else "fields"
        if said[spent] > rows[0][spent]:
            print(f"torchvision_peer.py: {model}: {said[spent]:.0f} {spent}, more than torchvision's {rows[0][spent]:.0f}", file=sys.stderr)
        lists = [ours(program, model, part, given.work / f"ours-{said['equal']}-{i}", said["precision"]) for i, part in enumerate(images)]
        rows.append({"name": f"starblend, equal {said['equal']}", "short": f"ours, equal {said['equal']}", **said,
                     "scores": scored(program, lists[0], lists[1], images)})
    print(table(rows))
    result = {"schema": "starblend-torchvision-peer-1", "date": datetime.date.today().isoformat(), "processor": processor(),
              "versions": {m: importlib.metadata.version(m) for m in ("torch", "torchvision", "numpy")}
              | {"starblend": subprocess.check_output([program, "--version"], text=True).splitlines()[0]},
              "scene": {"preset": scene.preset, "config": scene.config.name, "seed": scene.seed, "side": FIELD},
              "test": {"fields": given.test, "seed": given.seed}, "validation": {"fields": given.validation, "seed": given.seed + 1}, "rows": rows}
    if given.json:
        write(given.json, json.dumps(for_json(result), allow_nan=False, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
