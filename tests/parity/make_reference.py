#!/usr/bin/env python3
"""Writes tests/parity/*.json: what torchvision's RetinaNet says, for tests/nn_parity.cpp.

Weights and images are given by a formula that both sides share, so only outputs are stored. Run by hand, with torch
and torchvision installed; the tests themselves need neither.
"""
import json
import pathlib

import numpy
import torch
import torchvision

here = pathlib.Path(__file__).parent
MASK = (1 << 64) - 1


def fnv1a(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def formula(name, count):
    """count numbers in (-1, 1), multiples of 2^-23: splitmix64 of the name's hash and the index."""
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(fnv1a(name)) + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return (z >> numpy.uint64(40)).astype(numpy.float64) * 2.0**-23 - 1 + 2.0**-24


def weights(name, shape):
    """Float32 values that keep signals of order one through the network."""
    count = int(numpy.prod(shape))
    u = formula(name, count)
    if name.endswith("running_var"):
        v = 1 + 0.3 * u
    elif len(shape) == 1 and ".bn3." in name and name.endswith("weight"):
        v = 0.4 + 0.1 * u
    elif len(shape) == 1 and name.endswith("weight"):
        v = 1 + 0.2 * u
    elif len(shape) == 1:
        v = 0.1 * u
    else:
        v = numpy.sqrt(6.0 / (shape[1] * shape[2] * shape[3])) * u  # Kaiming's uniform over inputs
    return torch.from_numpy(v.astype(numpy.float32).reshape(shape))


def main():
    torch.set_num_threads(2)
    net = torchvision.models.detection.retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=5)
    state = net.state_dict()
    for name, value in state.items():
        if value.is_floating_point():
            state[name] = weights(name, tuple(value.shape))
    net.load_state_dict(state)
    net.eval()

    n, h, w = 2, 160, 192
    image = torch.from_numpy(formula("image", n * 3 * h * w).astype(numpy.float32).reshape(n, 3, h, w))

    def heads(dtype):
        with torch.no_grad():
            features = list(net.to(dtype).backbone(image.to(dtype)).values())
            out = net.head(features)
            return [f.shape[-2:] for f in features], {k: v.double() for k, v in out.items()}

    sizes, exact = heads(torch.float64)
    _, single = heads(torch.float32)
    anchors = net.anchor_generator(torchvision.models.detection.image_list.ImageList(image, [(h, w)] * n),
                                   [torch.zeros(n, 1, *s) for s in sizes])[0]
    reference = {"torch": torch.__version__, "torchvision": torchvision.__version__, "shape": [n, h, w], "levels": []}
    first = 0
    for level, (lh, lw) in enumerate(sizes):
        count = int(lh * lw * 9)
        entry = {"h": int(lh), "w": int(lw), "first_anchor": anchors[first].tolist(), "last_anchor": anchors[first + count - 1].tolist()}
        for key in ("cls_logits", "bbox_regression"):
            e = exact[key][:, first:first + count].reshape(-1)
            s = single[key][:, first:first + count].reshape(-1)
            at = (numpy.arange(200) * 7919 + 13) % len(e)
            entry[key] = {"at": at.tolist(), "value": [round(v, 12) for v in e[at].tolist()],
                          "float_error": float((s - e).abs().max()), "rms": float(e.square().mean().sqrt())}
        reference["levels"].append(entry)
        first += count
    (here / "heads.json").write_text(json.dumps(reference) + "\n")

    # Post-processing on head outputs given by the formula: an image of 96 x 128 pixels.
    h, w = 96, 128
    sizes = [(12, 16), (6, 8), (3, 4), (2, 2), (1, 1)]
    total = sum(a * b * 9 for a, b in sizes)
    logits = torch.from_numpy((formula("logits", total * 5) * 4 - 3).astype(numpy.float32).reshape(1, total, 5))
    deltas = torch.from_numpy((formula("deltas", total * 4) * 0.5).astype(numpy.float32).reshape(1, total, 4))
    anchors = net.anchor_generator(torchvision.models.detection.image_list.ImageList(torch.zeros(1, 3, h, w), [(h, w)]),
                                   [torch.zeros(1, 1, *s) for s in sizes])
    split = [a * b * 9 for a, b in sizes]
    net.float()
    net.topk_candidates, net.score_thresh, net.nms_thresh, net.detections_per_img = 300, 0.05, 0.5, 10000
    result = net.postprocess_detections({"cls_logits": list(logits.split(split, 1)), "bbox_regression": list(deltas.split(split, 1))},
                                        [list(anchors[0].split(split))], [(h, w)])[0]
    (here / "postprocess.json").write_text(json.dumps({
        "torchvision": torchvision.__version__, "image": [h, w], "sizes": sizes, "top_k": 300,
        "boxes": [[round(v, 5) for v in b] for b in result["boxes"].tolist()],
        "scores": [round(v, 8) for v in result["scores"].tolist()], "labels": result["labels"].tolist()}) + "\n")
    print(len(result["labels"]), "detections kept of", total * 5)


main()
