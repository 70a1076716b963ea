#!/usr/bin/env python3
"""How `starblend detect` grows with the image and with threads: one crowded field of 512 x 512 px, cut or repeated to squares of 256 to
8,192 px. Prints and records the least time on the clock and on processors, per pixel, the rows per pixel and the peak memory;
the bits of a table mustn't depend on the threads. Needs Python alone.

usage: growth.py [--program build/starblend] [--sides 256,512,...] [--threads 1,2] [--json bench/results/growth.json] [-- options of detect]
"""
import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from result_file import processor, write

FIELD, CARD = 512, 80


def simulated(program, folder):
    """Header without its size, and pixels row by row, of one simulated field."""
    path = folder / "field.fits"
    subprocess.run([program, "simulate", "-q", "-o", path, "--width", str(FIELD), "--overwrite"], check=True)
    data = path.read_bytes()
    cards = [data[i:i + CARD] for i in range(0, len(data), CARD)]
    cards = cards[:next(i for i, c in enumerate(cards) if c[:8] == b"END     ")]
    start = -(-(len(cards) + 1) * CARD // 2880) * 2880
    row = 4 * FIELD
    kept = [c for c in cards if c[:8].strip() not in (b"NAXIS1", b"NAXIS2", b"CHECKSUM", b"DATASUM")]
    return kept, [data[start + i * row:start + (i + 1) * row] for i in range(FIELD)]


def square(path, cards, rows, side):
    sized = [f"{key:8s}= {side:20d}".ljust(CARD).encode() for key in ("NAXIS1", "NAXIS2")]
    header = b"".join(cards[:3] + sized + cards[3:] + [b"END".ljust(CARD)])
    with open(path, "wb") as out:
        out.write(header.ljust(-(-len(header) // 2880) * 2880))
        for y in range(side):
            out.write((rows[y % FIELD] * -(-side // FIELD))[:4 * side])
        out.write(b"\0" * (-(4 * side * side) % 2880))


def run(command):
    """Seconds on the clock and of processors, peak in MiB."""
    began = time.monotonic()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    if status:
        sys.exit(f"growth.py: {' '.join(map(str, command))}: exit {os.waitstatus_to_exitcode(status)}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def tables(path):
    data = path.read_bytes()
    return data[data.index(b"XTENSION= 'BINTABLE'"):]


def rows_of(path):
    data = tables(path)
    at = data.index(b"NAXIS2  =")
    return int(data[at + 10:at + 30])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = Path(__file__).resolve().parent
    parser.add_argument("--program", type=Path, default=here.parent / "build/starblend")
    parser.add_argument("--sides", default="256,512,1024,2048,4096,8192", help="px (default: 256 to 8192)")
    parser.add_argument("--threads", default=f"1,{os.cpu_count()}", help="(default: 1 and all)")
    parser.add_argument("--runs", type=int, default=2, help="of which the shortest counts (default: 2; from 2,048 px on 1)")
    parser.add_argument("--most", type=int, default=2048, help="px: the largest side for which all of --threads are tried (default: 2048)")
    parser.add_argument("--json", type=Path, default=here / "results/growth.json")
    parser.add_argument("options", nargs="*", help="of detect, after --")
    given = parser.parse_args()
    threads = sorted({int(t) for t in given.threads.split(",")})
    version = subprocess.check_output([given.program, "--version"], text=True).strip()
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        cards, rows = simulated(given.program, folder)
        for side in map(int, given.sides.split(",")):
            square(folder / "image.fits", cards, rows, side)
            same = None
            for n in threads if side <= given.most else threads[-1:]:
                command = [given.program, "detect", "-q", folder / "image.fits", "--threads", str(n), "-o", folder / "found.fits", "--overwrite",
                           *given.options]
                tries = [run(command) for _ in range(given.runs if side < 2048 else 1)]
                seconds, used, peak = (min(t[i] for t in tries) for i in range(3))
                line = {"side": side, "threads": n, "seconds": seconds, "processor_seconds": used, "us_per_px": 1e6 * seconds / side**2,
                        "processor_us_per_px": 1e6 * used / side**2, "units": rows_of(folder / "found.fits"), "peak_mib": peak}
                print(f"{side:5d}^2 px, {n} threads: {seconds:8.2f} s, {line['us_per_px']:6.2f} us/px; of processors {used:8.2f} s, "
                      f"{line['processor_us_per_px']:6.2f} us/px; {line['units']} units; {peak:.0f} MiB", flush=True)
                lines.append(line)
                found = tables(folder / "found.fits")
                if same not in (None, found):
                    sys.exit(f"growth.py: {side} px: {n} threads give other tables")
                same = found
    per = lambda n: [line for line in lines if line["threads"] == n]
    result = {"program": version, "date": str(datetime.date.today()), "processor": processor(), "options": given.options, "rows": lines}
    most = per(threads[-1])
    result["processor_time_per_px_largest_over_1024"] = next(
        (most[-1]["processor_us_per_px"] / line["processor_us_per_px"] for line in most if line["side"] == 1024), None)
    result["speedup"] = {line["side"]: other["seconds"] / line["seconds"] for line in most for other in per(threads[0])
                         if other["side"] == line["side"] and len(threads) > 1}
    print(json.dumps({k: result[k] for k in ("processor_time_per_px_largest_over_1024", "speedup")}))
    write(given.json, json.dumps(result, indent=1) + "\n")


main()
