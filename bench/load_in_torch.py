"""Loads a model that starblend trained with --architecture paper into torchvision's RetinaNet: names and shapes must all
match. Then runs it once on noise; outputs must be finite. Needs numpy, torch and torchvision.

    starblend train -o paper.safetensors --architecture paper --preset csst-paper --set training.steps=1 \\
        --set training.warm_up=0 --set training.batch=1 --set training.side=40
    python3 bench/load_in_torch.py paper.safetensors
"""
import argparse
import json
import struct
import sys

import numpy
import torch
import torchvision

DTYPES = {"F16": numpy.float16, "F32": numpy.float32}


def read_safetensors(path):
    """The tensors by name, as float32, and the metadata."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).astype(numpy.float32)
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]))
    return tensors, metadata


def torchvision_network(classes):
    """The paper's network: torchvision's, for images of one channel."""
    net = torchvision.models.detection.retinanet_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=classes, min_size=800, max_size=800,
        image_mean=[0.0], image_std=[1.0])
    net.backbone.body.conv1 = torch.nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    return net


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", help="safetensors file of a paper-architecture model")
    parser.add_argument("--classes", type=int, default=5)
    options = parser.parse_args()

    tensors, metadata = read_safetensors(options.model)
    if metadata.get("schema") != "starblend-model-1":
        sys.exit(f"{options.model}: not a model of starblend")
    net = torchvision_network(options.classes)
    wanted = {name: tuple(t.shape) for name, t in net.state_dict().items() if not name.endswith("num_batches_tracked")}
    ours = {name: tuple(t.shape) for name, t in tensors.items()}
    for name in sorted(wanted.keys() | ours.keys()):
        if wanted.get(name) != ours.get(name):
            print(f"{name}: torchvision has {wanted.get(name)}, the file {ours.get(name)}")
    if wanted != ours:
        sys.exit(f"{options.model}: doesn't fit torchvision's network")
    lost = net.load_state_dict(tensors, strict=False)
    left = [name for name in lost.missing_keys if not name.endswith("num_batches_tracked")]
    assert not left and not lost.unexpected_keys

    net.eval()
    torch.manual_seed(1)
    image = torch.rand(1, 1, 800, 800)
    with torch.no_grad():
        features = list(net.backbone(image).values())
        heads = net.head(features)
        found = net([image[0]])
    for name, output in heads.items():
        assert torch.isfinite(output).all(), name
        print(f"{name} {tuple(output.shape)}: mean {output.mean():.4g}, standard deviation {output.std():.4g}")
    assert all(torch.isfinite(value).all() for value in found[0].values() if value.is_floating_point())
    print(f"{len(tensors)} tensors, {sum(t.numel() for t in tensors.values())} numbers: all names and shapes match")


if __name__ == "__main__":
    main()
