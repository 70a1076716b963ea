#!/usr/bin/env python3
"""The oracle on the sets easy, paper and deep: its part of what `starblend evaluate --oracle` says, and what it cost.

The oracle knows the PSF, the noise, everything around a unit and where its stars are (sim/oracle.h), so its matrix is a
reference for classes, not for detection. It doesn't depend on the model, which evaluate asks for. Needs Python alone.
"""
import argparse
import datetime
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SETS = ("easy", "paper", "deep")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=Path, default=HERE.parent / "build/starblend", help="starblend (default: build/starblend)")
    parser.add_argument("--model", default="csst-g", help="a file or the name of one built in (default: csst-g)")
    parser.add_argument("--preset", default="csst-g", help="instrument of the fields (default: csst-g)")
    parser.add_argument("--fields", type=int, default=50, help="per set, 100x100 px (default: 50)")
    parser.add_argument("--sets", default=",".join(SETS), help="comma-separated (default: all three)")
    parser.add_argument("--output", type=Path, default=HERE / "results", help="folder of oracle-SET.json (default: bench/results)")
    given = parser.parse_args()
    if unknown := [s for s in given.sets.split(",") if s not in SETS]:
        sys.exit(f"oracle.py: --sets: {', '.join(unknown)}: there are {', '.join(SETS)}")
    version = subprocess.check_output([given.program, "--version"], text=True).splitlines()[0]
    for name in given.sets.split(","):
        out, part = given.output / f"oracle-{name}.json", given.output / f"oracle-{name}.json.part"
        used = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        before, began = used(), time.monotonic()
        subprocess.run([given.program, "evaluate", "--model", given.model, "--preset", given.preset, "--config", HERE / f"fields/{name}.toml",
                        "--fields", str(given.fields), "--oracle", "--json", part, "--overwrite"], check=True)
        scores = json.loads(part.read_text())
        kept = {"schema": scores["schema"], "about": [a for a in scores["about"] if a["name"] not in ("model", "threshold")],
                "oracle": {k: scores["oracle"][k] for k in ("rule", "counts", "figures")},
                "run": {"date": datetime.date.today().isoformat(), "starblend": version, "set": name, "fields": given.fields,
                        "processor_seconds": round(used() - before, 1), "seconds": round(time.monotonic() - began, 1)}}
        part.write_text(json.dumps(kept, indent=1) + "\n")
        part.replace(out)


if __name__ == "__main__":
    main()
