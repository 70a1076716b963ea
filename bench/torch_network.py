#!/usr/bin/env python3
"""torchvision's RetinaNet at the paper's setting, timed as bench_network times ours: fields of 100 px enlarged to 800.

  torch_network.py [--device cpu|cuda] [--batch N] [--threads N] [--compile] [--ours FILE] [--json FILE]

channels_last; bf16 autocast on a GPU, float on a CPU; five classes, one channel repeated three times as torchvision wants
it (0.8 % more work than ours, in the first layer). The step is forward, loss, backward and fused Adam, batch norm live;
detection goes from pixels on the device to what its suppression leaves. Its weights are as they start, all scores near 0.01, so
that each level's best thousand are suppressed in every image; ours is a trained model and includes the way to the device, the sky
and the tiles' halos: two different amounts of work, for a rough comparison.
--ours: a result of bench_network on the same machine; prints how many times as fast it is, `paper` per image, `native` per
sky pixel (800x800 pixels are 100x100 of the sky). On a CPU also in processor time, which others on the machine change least.
"""
import argparse
import contextlib
import json
import statistics
import time

import torch
import torchvision


def compare(ours, theirs):
    """How many times as fast ours is: per image, and for `native` per sky pixel."""
    ratios = []
    for row in ours:
        peer = next((t for t in theirs if t["what"].split()[0] == row.get("what", "").split(" ")[0]), None)
        if not peer:
            continue
        amount = lambda r, side: r["batch"] * side * side  # sky pixels
        per = {"network": row["network"], "what": row["what"]}
        for key in ("median_s", "least_processor_s"):
            per[key] = (peer[key] / amount(peer, 100)) / (row[key] / amount(row, row["side"]))
        ratios.append(per)
        print(f"{row['network']}, {row['what']}: {per['median_s']:.2f} times as fast per sky pixel, {per['least_processor_s']:.2f} in processor time")
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--compile", action="store_true", help="torch.compile the backbone and the heads")
    parser.add_argument("--ours")
    parser.add_argument("--json")
    o = parser.parse_args()
    if o.threads:
        torch.set_num_threads(o.threads)
    gpu = o.device == "cuda"
    batch = o.batch or (16 if gpu else 1)
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(1)
    net = torchvision.models.detection.retinanet_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=5, trainable_backbone_layers=5, min_size=800, max_size=800,
        image_mean=[0, 0, 0], image_std=[1, 1, 1], score_thresh=0.005)
    for module in net.modules():  # torchvision freezes batch norm unless it starts from scratch; ours is live
        if isinstance(module, torchvision.ops.FrozenBatchNorm2d):
            raise SystemExit("torch_network: batch norm is frozen in this torchvision; the comparison wants it live")
    net = net.to(o.device, memory_format=torch.channels_last)
    if o.compile:
        net.backbone = torch.compile(net.backbone)
        net.head = torch.compile(net.head)
    adam = torch.optim.Adam(net.parameters(), lr=1e-4, fused=True)
    images = list(torch.randn(batch, 3, 800, 800, device=o.device).to(memory_format=torch.channels_last))
    targets = []
    for _ in range(batch):
        corner = torch.rand(100, 2, device=o.device) * 750
        targets.append({"boxes": torch.cat([corner, corner + 48], 1), "labels": torch.randint(0, 5, (100,), device=o.device)})
    cast = torch.autocast("cuda", torch.bfloat16) if gpu else contextlib.nullcontext()
    wait = torch.cuda.synchronize if gpu else lambda: None

    def step():
        adam.zero_grad(set_to_none=True)
        with cast:
            loss = sum(net(images, targets).values())
        loss.backward()
        adam.step()

    def forward():  # backbone and heads alone: what our forward does before the loss
        with torch.no_grad(), cast:
            x = net.transform(images)[0].tensors.contiguous(memory_format=torch.channels_last)
            net.head(list(net.backbone(x).values()))

    def detection():
        with torch.no_grad(), cast:
            net(images)

    rows = []
    name = torch.cuda.get_device_name() if gpu else f"cpu, {torch.get_num_threads()} threads"
    print(f"torchvision {torchvision.__version__}, PyTorch {torch.__version__}, {name}, compiled: {o.compile}")
    for what, work in (("training step", step), ("forward", forward), ("detection", detection)):
        net.train(what == "training step")
        for _ in range(3 if gpu else 1):
            work()
        wait()
        times, processor = [], []
        while sum(times) < o.seconds or len(times) < (5 if gpu else 3):
            start, busy = time.perf_counter(), time.process_time()
            work()
            wait()
            times.append(time.perf_counter() - start)
            processor.append(time.process_time() - busy)
        median = statistics.median(times)
        rows.append({"network": "torchvision", "what": what, "batch": batch, "median_s": median, "least_processor_s": min(processor)})
        print(f"{what}: batch {batch} of 800x800: {1e3 * median:.1f} ms, {batch / median:.2f} images/s; {1e3 * min(processor):.1f} ms of processors", flush=True)
    ratios = compare(json.load(open(o.ours))["rows"], rows) if o.ours else []
    if o.json:
        with open(o.json, "w") as out:
            json.dump({"torch": torch.__version__, "torchvision": torchvision.__version__, "device": name, "compiled": o.compile,
                       "date": time.strftime("%Y-%m-%d", time.gmtime()), "rows": rows, "ratios": ratios}, out, indent=1)


if __name__ == "__main__":
    main()
