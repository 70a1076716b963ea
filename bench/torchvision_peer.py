#!/usr/bin/env python3
"""torchvision's RetinaNet, trained from scratch on our simulator's stream, as a peer: trains it, detects with it, and sets it beside ours.

See bench/README.md.
"""
from __future__ import annotations

import argparse
import dataclasses
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision.models.detection import RetinaNet, retinanet_resnet50_fpn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import nms

import torchvision_compare
from paper_programs import time_of_children
from paper_scores import evaluate_lists
from star_list import Catalogue
from torchvision_fields import FIELD, Field, Scene, prepared, read_field, stream

CLASSES = 5
LEVELS = 5  # P3 to P7
ANCHORS = (5.0, 6.0, 7.2)  # sky px, squares, of the finest level: units are 5 (one star) to 8 px wide. Each further level's: twice as large
ENOUGH = 400  # rows per field at most; 110 units are usual
LEAST = 0.01  # the score of the least certain row


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that the weights depend on, besides the fields."""
    side: int  # of the enlarged field
    batch: int
    steps: int
    warm_up: int
    rate: float
    bf16: bool
    compiled: bool
    foreground: float
    background: float
    seed: int


def network(settings: Settings) -> RetinaNet:
    """torchvision's own, with live batch norm, one channel, and anchors as large as our units."""
    torch.manual_seed(settings.seed)
    sizes = tuple(tuple(a * settings.side / FIELD * 2**level for a in ANCHORS) for level in range(LEVELS))
    net = retinanet_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=CLASSES, min_size=settings.side, max_size=settings.side, image_mean=[0.0], image_std=[1.0],
        anchor_generator=AnchorGenerator(sizes, ((1.0,),) * LEVELS), fg_iou_thresh=settings.foreground, bg_iou_thresh=settings.background)
    net.backbone.body.conv1 = torch.nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    torch.nn.init.kaiming_normal_(net.backbone.body.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision starts it
    return net.to(memory_format=torch.channels_last)


def rate(settings: Settings, step: int) -> float:
    """Of step `step`, counted from 1: the schedule of `starblend train` (nn/trainer.h)."""
    if step <= settings.warm_up:
        return settings.rate * step / settings.warm_up
    t = (step - settings.warm_up) / max(settings.steps - settings.warm_up, 1)
    return settings.rate * (0.01 + 0.99 * (1 + math.cos(math.pi * t)) / 2)


def processor_seconds() -> float:
    """Of this process and of the simulator's, which it has waited for."""
    return time.process_time() + time_of_children()


class Training:
    def __init__(self, settings: Settings, scene: Scene) -> None:
        self.settings, self.scene = settings, scene
        self.net = network(settings).train()
        self.adam = torch.optim.AdamW(self.net.parameters(), lr=settings.rate, weight_decay=1e-4, fused=True)
        if settings.compiled:
            self.net.backbone.compile()
        self.step, self.seconds, self.log = 0, 0.0, []
        self.ends = []  # until which step the schedule had another end, and which
        self.fields = stream(scene, 0)

    def state(self) -> dict[str, Any]:
        return {"schema": "starblend-torchvision-peer-1", "settings": dataclasses.asdict(self.settings), "step": self.step,
                "scene": {k: str(v) for k, v in dataclasses.asdict(self.scene).items()}, "config": self.scene.config.read_text(),
                "seconds": self.seconds, "log": self.log, "ends": self.ends, "net": self.net.state_dict(), "adam": self.adam.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.adam.load_state_dict(state["adam"])
        self.step, self.seconds, self.log, self.ends = state["step"], state["seconds"], state["log"], state["ends"]
        self.fields = stream(self.scene, self.step * self.settings.batch)

    def one_step(self) -> dict[str, float]:
        fields = [next(self.fields) for _ in range(self.settings.batch)]
        self.step += 1
        for group in self.adam.param_groups:
            group["lr"] = rate(self.settings, self.step)
        self.adam.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bf16):
            losses = self.net([torch.from_numpy(f.pixels)[None] for f in fields], [targets(f) for f in fields])
        sum(losses.values()).backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10.0, error_if_nonfinite=True)
        self.adam.step()
        return {k: float(v.detach()) for k, v in losses.items()}


def targets(field: Field) -> dict[str, torch.Tensor]:
    return {"boxes": torch.from_numpy(field.boxes), "labels": torch.from_numpy(field.labels)}


def save(path: Path, state: dict[str, Any]) -> None:
    """Whole or not at all."""
    part = path.with_name(path.name + ".part")
    torch.save(state, part)
    part.replace(path)


def load(path: Path) -> dict[str, Any]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state.get("schema") != "starblend-torchvision-peer-1":
        sys.exit(f"torchvision_peer.py: {path}: not a checkpoint of torchvision_peer.py")
    return state


def steps_within(settings: Settings, scene: Scene, minutes: float) -> int:
    """How many steps this much processor time allows, by three steps of a network that is then forgotten."""
    trial = Training(settings, scene)
    trial.one_step()  # the first one allocates, and compiles
    times = []
    for _ in range(3):
        before = time.process_time()
        trial.one_step()
        times.append(time.process_time() - before)
    return max(int(60 * minutes / sorted(times)[1]), 1)


def train(given: argparse.Namespace) -> None:
    """Goes on from the checkpoint where it ended, with the bits of one run, or begins."""
    scene = Scene(given.program.resolve(), given.preset, given.config.resolve(), given.seed)
    settings = Settings(given.side, given.batch, given.steps or 1, given.warm_up, given.rate, given.precision == "bf16", given.compile,
                        given.foreground, given.background, seed=1)
    if given.resume:
        state = load(given.checkpoint)
        settings = Settings(**state["settings"])
        if given.steps and given.steps != settings.steps:
            state["ends"].append([state["step"], settings.steps])
            settings = dataclasses.replace(settings, steps=given.steps)
        training = Training(settings, scene)
        if state["config"] != scene.config.read_text() or state["scene"]["seed"] != str(scene.seed) or state["scene"]["preset"] != scene.preset:
            sys.exit("torchvision_peer.py: --resume: the checkpoint comes from another scene")
        training.restore(state)
    elif given.checkpoint.exists() and not given.overwrite:
        sys.exit(f"torchvision_peer.py: {given.checkpoint} exists: --resume or --overwrite")
    else:
        if not given.steps:
            settings = dataclasses.replace(settings, steps=steps_within(settings, scene, given.minutes))
        training = Training(settings, scene)
    if settings.compiled and training.step < settings.steps:  # compiling isn't charged: a longer run wouldn't notice it
        compile_once(training)
    before, saved = processor_seconds() - training.seconds, time.monotonic()
    while training.step < settings.steps:
        losses = training.one_step()
        training.seconds = processor_seconds() - before
        if not all(math.isfinite(v) for v in losses.values()):
            sys.exit(f"torchvision_peer.py: step {training.step}: the loss isn't finite: {losses}")
        if training.step % given.log_every == 0 or training.step == settings.steps:
            training.log.append([training.step, training.seconds, losses["classification"], losses["bbox_regression"]])
            print(f"step {training.step} of {settings.steps}, {training.step * settings.batch} fields, {training.seconds:.0f} s: "
                  f"classes {losses['classification']:.4f}, boxes {losses['bbox_regression']:.4f}", flush=True)
        if training.step == settings.steps or time.monotonic() - saved > 60 * given.checkpoint_minutes:
            save(given.checkpoint, training.state())
            saved = time.monotonic()


def compile_once(training: Training) -> None:
    """Compiles the backbone for this shape: a forward and a backward pass, whose statistics are taken back."""
    kept = {k: v.clone() for k, v in training.net.state_dict().items()}
    field = Field(np.zeros((FIELD, FIELD), np.float32), np.array([[10, 10, 15, 15]], np.float32), np.zeros(1, np.int64))
    with torch.autocast("cpu", torch.bfloat16, enabled=training.settings.bf16):
        batch = range(training.settings.batch)
        losses = training.net([torch.from_numpy(field.pixels)[None] for _ in batch], [targets(field) for _ in batch])
    sum(losses.values()).backward()
    training.net.load_state_dict(kept)


def detector(state: dict[str, Any]) -> RetinaNet:
    net = network(Settings(**state["settings"]))
    net.load_state_dict(state["net"])
    return net.eval()


def candidates(net: RetinaNet, path: Path, bf16: bool) -> Catalogue:
    """Of each anchor a row with its likeliest class; its score is that it is a unit: the sum over the classes, 1 at the most."""
    pixels = prepared(path)
    if pixels.shape != (FIELD, FIELD):
        sys.exit(f"torchvision_peer.py: {path}: {pixels.shape}: it has learnt fields of {FIELD}x{FIELD} px")
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        images, _ = net.transform([torch.from_numpy(pixels)[None]])
        features = list(net.backbone(images.tensors.contiguous(memory_format=torch.channels_last)).values())
        heads, anchors = net.head(features), net.anchor_generator(images, features)[0]
    chances = torch.sigmoid(heads["cls_logits"][0].float())
    box = net.box_coder.decode_single(heads["bbox_regression"][0].float(), anchors).numpy().astype(np.float64) * FIELD / net.transform.min_size[0]
    found = Catalogue((box[:, :2] + box[:, 2:]) / 2 - 0.5, chances.sum(dim=1).clamp(max=1.0).numpy().astype(np.float64), box - 0.5,
                      chances.argmax(dim=1).numpy() + 1)
    return found.select(found.score >= LEAST)


def one_each(rows: Catalogue, overlap: float) -> Catalogue:
    """Of rows that overlap the one with the highest score: torchvision's own post-processing would keep a unit once per class."""
    return rows.select(nms(torch.from_numpy(rows.boxes), torch.from_numpy(rows.score), overlap)[:ENOUGH].numpy())


def detect(given: argparse.Namespace) -> None:
    """A CSV per image: 0-based pixels."""
    state = load(given.checkpoint)
    net = detector(state)
    given.output.mkdir(parents=True, exist_ok=True)
    for path in given.images:
        one_each(candidates(net, path, state["settings"]["bf16"]), given.overlap).write_csv(given.output / f"{path.stem}.csv")


def ours(given: argparse.Namespace) -> None:
    torchvision_compare.train_ours(given, load(given.checkpoint))


def compare(given: argparse.Namespace) -> None:
    state = load(given.checkpoint)
    net = detector(state)
    torchvision_compare.compare(given, state, lambda path: candidates(net, path, state["settings"]["bf16"]), one_each)


def self_test(given: argparse.Namespace) -> None:
    """A run that goes on from a checkpoint has the bits of one that never stopped; the truth, through our files, scores perfectly."""
    scene = Scene(given.program.resolve(), "csst-g", Path(__file__).parent / "fields/easy.toml", 7)
    settings = Settings(side=128, batch=2, steps=4, warm_up=1, rate=3e-4, bf16=True, compiled=False, foreground=0.5, background=0.4, seed=1)
    whole, first, second = (Training(settings, scene) for _ in range(3))
    losses = [whole.one_step() for _ in range(3)]
    first.one_step()
    with tempfile.TemporaryDirectory() as folder:
        save(path := Path(folder, "checkpoint"), first.state())
        second.restore(load(path))
        assert [second.one_step() for _ in range(2)] == losses[1:], "the losses after a checkpoint differ"
        same = all(torch.equal(v, second.net.state_dict()[k]) for k, v in whole.net.state_dict().items())
        assert same, "the weights after a checkpoint differ"
        paths = scene.simulate(Path(folder), 0, 2)
        true = []
        for field in map(read_field, paths):
            box = field.boxes.astype(np.float64)
            true.append(Catalogue((box[:, :2] + box[:, 2:]) / 2 - 0.5, np.linspace(1, 0.5, len(box)), box - 0.5, field.labels + 1))
        again = [one_each(Catalogue(*(np.concatenate([c, c]) for c in (t.xy, t.score, t.boxes, t.stars))), 0.9) for t in true]
        for lists in (true, again):
            scores = evaluate_lists(scene.program, lists, paths, "by_box")
            figures = {k: v["value"] for k, v in scores["figures"].items()}
            assert torchvision_compare.mean_f1(scores) == figures["balanced accuracy"] == 1, figures
    print("torchvision_peer.py: self-test passed")


def options() -> argparse.Namespace:
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(prog="torchvision_peer.sh", description=__doc__.splitlines()[0])
    jobs = parser.add_subparsers(dest="job", required=True)
    t = jobs.add_parser("train", help="from scratch, on the simulator's stream, one thread; or on from CHECKPOINT")
    t.add_argument("checkpoint", type=Path)
    t.add_argument("--program", type=Path, default=here.parent / "build/starblend", help="starblend (default: build/starblend)")
    t.add_argument("--preset", default="csst-g")
    t.add_argument("--config", type=Path, default=here / "fields/easy.toml", help="of the fields (default: bench/fields/easy.toml)")
    t.add_argument("--seed", type=int, default=7100, help="of the fields (default: 7100)")
    t.add_argument("--minutes", type=float, default=40, help="of processor time (default: 40)")
    t.add_argument("--steps", type=int, help="instead of --minutes; with --resume another end of the schedule, which is recorded")
    t.add_argument("--side", type=int, default=320, help="px that a field is enlarged to (default: 320)")
    t.add_argument("--batch", type=int, default=4)
    t.add_argument("--rate", type=float, default=3e-4, help="of AdamW, at the top of the schedule (default: 3e-4)")
    t.add_argument("--warm-up", type=int, default=50, help="steps (default: 50)")
    t.add_argument("--foreground", type=float, default=0.5, help="IoU from which an anchor is a unit (default: 0.5)")
    t.add_argument("--background", type=float, default=0.4, help="IoU below which it is sky (default: 0.4)")
    t.add_argument("--precision", choices=("bf16", "float"), default="bf16")
    t.add_argument("--compile", action="store_true", help="torch.compile the backbone")
    t.add_argument("--resume", action="store_true")
    t.add_argument("--overwrite", action="store_true")
    t.add_argument("--log-every", type=int, default=20)
    t.add_argument("--checkpoint-minutes", type=float, default=3)
    d = jobs.add_parser("detect", help="find units in fields of 100x100 px: a CSV each")
    d.add_argument("checkpoint", type=Path)
    d.add_argument("images", type=Path, nargs="+")
    d.add_argument("-o", "--output", type=Path, required=True, help="folder")
    d.add_argument("--overlap", type=float, default=0.35, help="IoU from which two rows are one unit (default: 0.35)")
    torchvision_compare.add_options(jobs)
    s = jobs.add_parser("self-test", help="check checkpoints and the road to the scorer")
    s.add_argument("--program", type=Path, default=here.parent / "build/starblend", help="starblend (default: build/starblend)")
    return parser.parse_args()


def main() -> None:
    given = options()
    torch.set_num_threads(1)
    {"train": train, "detect": detect, "ours": ours, "compare": compare, "self-test": self_test}[given.job](given)


if __name__ == "__main__":
    main()
