#!/usr/bin/env python3
"""The convolutions of a result of bench_kernels, timed with PyTorch (cuDNN on a GPU, oneDNN on a CPU) beside ours.

  torch_layers.py kernels.json [--threads N] [--json FILE]

Each row is timed on the device type that kernels.json names, channels_last, in its type; printed is ours / theirs.
Times come from two programs one after the other on one machine: run both when nothing else runs.
"""
import argparse
import json
import math
import re
import statistics
import time

import torch
import torch.nn.functional as F


def median_seconds(work, wait, least):
    work()
    wait()
    start = time.perf_counter()
    work()
    wait()
    at_once = max(1, int(0.02 / max(time.perf_counter() - start, 1e-9)))
    times, total = [], 0.0
    while total < least or len(times) < 5:
        start = time.perf_counter()
        for _ in range(at_once):
            work()
        wait()
        took = time.perf_counter() - start
        times.append(took / at_once)
        total += took
    return statistics.median(times)


def operation(row, device, dtype):
    """What one run of the row does."""
    n, h, w, c, k, r, s, stride = map(int, re.match(r"(\d+)x(\d+)x(\d+) (\d+)->(\d+) (\d+)x(\d+)/(\d+)", row["shape"]).groups())
    like = dict(device=device, dtype=dtype)
    layout = torch.channels_last
    x = torch.randn(n, c, h, w, **like).to(memory_format=layout)
    weight = torch.randn(k, c, r, s, **like).to(memory_format=layout)
    pad = r // 2
    if row["operation"] == "forward":
        return lambda: F.conv2d(x, weight, stride=stride, padding=pad)
    y = F.conv2d(x, weight, stride=stride, padding=pad)
    dy = torch.randn_like(y)
    wanted = (row["operation"] == "input gradient", row["operation"] == "weight gradient", False)
    return lambda: torch.ops.aten.convolution_backward(dy, x, weight, None, (stride, stride), (pad, pad), (1, 1), False, (0, 0), 1, wanted)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ours")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--json")
    options = parser.parse_args()
    ours = json.load(open(options.ours))
    device = "cuda" if ours["device"].startswith("cuda") else "cpu"
    dtype = torch.bfloat16 if ours["type"] == "bf16" else torch.float32
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = True  # cuDNN's best algorithm for each shape
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    name = torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    print(f"PyTorch {torch.__version__}, {name}; ours: {ours['device']}; {ours['type']}")
    logs, rows = {}, []
    for row in ours["rows"]:
        theirs = median_seconds(operation(row, device, dtype), wait, options.seconds)
        ratio = theirs / row["median_s"]
        rows.append({key: row[key] for key in ("network", "operation", "layer", "shape")} | {"torch_s": theirs, "ours_s": row["median_s"], "speed": ratio})
        logs.setdefault((row["network"], row["operation"]), []).append(math.log(ratio))
        print(f"{row['network']:8} {row['operation']:15} {row['layer']:10} {row['shape']:26} torch {1e3 * theirs:9.3f} ms, ours {1e3 * row['median_s']:9.3f} ms: {ratio:.2f}x")
    print("\nour speed over PyTorch's, geometric mean over the layers:")
    for (network, what), values in logs.items():
        print(f"  {network}, {what}: {math.exp(sum(values) / len(values)):.2f}x")
    if options.json:
        with open(options.json, "w") as out:
            json.dump({"torch": torch.__version__, "device": name, "rows": rows}, out, indent=1)


if __name__ == "__main__":
    main()
