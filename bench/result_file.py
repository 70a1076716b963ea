"""Results as files: what JSON can hold, written whole or not at all, and on which processor they were measured."""
from __future__ import annotations

import math
import os
import platform
import re
from pathlib import Path
from typing import Any


def cores() -> int:
    return len(os.sched_getaffinity(0))


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.*)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return f"{found.group(1) if found else platform.machine()}, {cores()} cores"


def for_json(value: Any) -> Any:
    """NaN and infinity aren't JSON: null; five digits."""
    if isinstance(value, dict):
        return {str(k): for_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [for_json(v) for v in value]
    return (float(f"{value:.5g}") if math.isfinite(value) else None) if isinstance(value, float) else value


def write(path: Path, text: str) -> None:
    """Whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)
