#!/usr/bin/env python3
"""Memory of `starblend detect` on an image of 30,000 x 30,000 px: mostly blank (a sparse file), with crowded fields at corners, edges
and where plates meet. Prints and records the peak, which must stay below --mem-limit; a killed run must go on to the same tables.

usage: large.py [STARBLEND: build/starblend] [FOLDER for 14 MB that look like 1.8 GB: a temporary one]
"""
import array
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

SIDE, FIELD, LIMIT = 30000, 448, "2G"
PLACES = [(0, 0), (1568, 1568), (15000, 14000), (SIDE - FIELD, SIDE - FIELD), (28000, 100), (8760, 20000)]
CARDS = ["SIMPLE  =                    T", "BITPIX  =                   16", "NAXIS   =                    2",
         f"NAXIS1  = {SIDE:20d}", f"NAXIS2  = {SIDE:20d}", "BLANK   =                    0",
         "EXPTIME =                150.0", "GAIN    =                  1.0", "RDNOISE =                  5.2",
         "PIXSCALE=                0.074", "END"]


def field(program, folder):
    """Pixels of a simulated field, row by row, as 16-bit integers of the byte order that FITS has; 0 is blank."""
    path = folder / "field.fits"
    subprocess.run([program, "simulate", "-q", "-o", path, "--width", str(FIELD), "--overwrite"], check=True)
    data = path.read_bytes()
    end = data.index(b"END" + b" " * 77)
    start = (end // 2880 + 1) * 2880
    pixels = array.array("f", data[start:start + 4 * FIELD * FIELD])
    pixels.byteswap()
    counts = array.array("h", (min(max(round(v), 1), 32000) for v in pixels))
    counts.byteswap()
    return [counts[i * FIELD:(i + 1) * FIELD].tobytes() for i in range(FIELD)]


def image(path, rows):
    with open(path, "wb") as out:
        header = "".join(c.ljust(80) for c in CARDS)
        header = header.ljust(-(-len(header) // 2880) * 2880).encode()
        out.write(header)
        size = 2 * SIDE * SIDE
        out.truncate(len(header) + -(-size // 2880) * 2880)
        for x, y in PLACES:
            for i, row in enumerate(rows):
                out.seek(len(header) + 2 * ((y + i) * SIDE + x))
                out.write(row)


def tables(path):
    data = path.read_bytes()
    return data[data.index(b"XTENSION= 'BINTABLE'"):]


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "build/starblend"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[2] if len(sys.argv) > 2 else temporary)
        image(folder / "large.fits", field(program, folder))
        detect = [program, "detect", "-q", folder / "large.fits", "--model", "csst-g", "--mem-limit", LIMIT]
        start = time.monotonic()
        subprocess.run([*detect, "-o", folder / "whole.fits", "--overwrite"], check=True)
        seconds = time.monotonic() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        killed = subprocess.Popen([*detect, "-o", folder / "killed.fits", "--overwrite"])
        time.sleep(0.6 * seconds)
        if killed.poll() is not None:
            sys.exit("the second run ended before it was killed")
        killed.kill()
        killed.wait()
        left = (folder / "killed.fits.progress").stat().st_size
        subprocess.run([*detect, "-o", folder / "killed.fits", "--resume"], check=True)
        same = tables(folder / "whole.fits") == tables(folder / "killed.fits")
        version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()
        result = {"program": version, "date": str(date.today()), "image": [SIDE, SIDE], "mem_limit": LIMIT,
                  "peak_mib": round(peak), "threads": os.cpu_count(), "catalogue_bytes": (folder / "whole.fits").stat().st_size,
                  "killed_with_progress_bytes": left, "same_tables_after_resume": same}
        print(json.dumps(result, indent=1))
        Path(__file__).with_name("results").joinpath("large.json").write_text(json.dumps(result, indent=1) + "\n")
        if not same or peak > 2048:
            sys.exit(1)


main()
