"""Plots, tables and pictures as HTML and SVG text, in the style of the program's own page of scores."""
from __future__ import annotations

import base64
import html
import re
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Sequence

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float | None, float | None]  # x, y, error bar from, to
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 400, 280, 44, 36, 10, 12  # px


def style() -> str:
    """The program's own style sheet, and what these pages need besides."""
    source = (Path(__file__).parents[1] / "tools/report_style.h").read_text()
    own = re.search(r'R"css\((.*)\)css"', source, re.DOTALL)
    if own is None:
        raise SystemExit("page_parts.py: no style sheet in tools/report_style.h")
    return own.group(1) + """
.beside { border: 1px solid var(--line); border-radius: 8px; padding: .6rem .8rem; max-width: 460px; }
.beside h3 { margin-top: 0; } .c6 { stroke: #8c6d46; fill: #8c6d46; } .key.c6 { background: #8c6d46; }
svg .c7 { stroke: #c2569c; fill: #c2569c; } .key.c7 { background: #c2569c; }
figure.field svg text { fill: #ffe08a; font-size: 3.2px; } figure.field .sx { stroke: #6ea8fe; } figure.field .dao { stroke: #5fd068; }
figure.field .ours { stroke: #ff7a7a; } figure.field path { stroke-width: .35; }
.show-ours:not(:checked) ~ svg .ours, .show-sx:not(:checked) ~ svg .sx, .show-dao:not(:checked) ~ svg .dao { display: none; }
.key-ours { border-bottom: 2px solid #ff7a7a; } .key-sx { border-bottom: 2px solid #6ea8fe; } .key-dao { border-bottom: 2px solid #5fd068; }
"""


@dataclass
class Series:
    name: str
    style: str  # c0 ... c7
    points: Sequence[Point]
    dots: bool = False


@dataclass
class Plot:
    x_label: str
    y_label: str
    x_range: tuple[float, float] = (0.0, 1.0)
    series: list[Series] = field(default_factory=list)
    x_step: float = 0.2


def plot_html(plot: Plot) -> str:
    """y goes from 0 to 1."""
    low, high = plot.x_range
    px = lambda x: LEFT + (x - low) / (high - low) * (WIDTH - LEFT - RIGHT)
    py = lambda y: HEIGHT - BOTTOM - y * (HEIGHT - BOTTOM - TOP)
    out = [f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    for y in np.arange(0, 1.01, 0.2):
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py(y):.1f}" y2="{py(y):.1f}"/>'
                   f'<text x="{LEFT - 6}" y="{py(y) + 4:.1f}" text-anchor="end">{y:.1f}</text>')
    for x in np.arange(low, high + plot.x_step / 2, plot.x_step):
        out.append(f'<line class="grid" y1="{TOP}" y2="{HEIGHT - BOTTOM}" x1="{px(x):.1f}" x2="{px(x):.1f}"/>'
                   f'<text x="{px(x):.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{x:g}</text>')
    out.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 4}" text-anchor="middle">{html.escape(plot.x_label)}</text>'
               f'<text transform="translate(11 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{html.escape(plot.y_label)}</text>')
    for s in plot.series:
        inside = [p for p in s.points if p[1] is not None and low <= p[0] <= high]
        path = " ".join(f"{'ML'[i > 0]}{px(x):.1f} {py(y):.1f}" for i, (x, y, *_) in enumerate(inside))
        out.append(f'<g class="{s.style}"><title>{html.escape(s.name)}</title>' + (f'<path d="{path}"/>' if len(inside) > 1 else ""))
        for x, y, a, b in inside:
            if a is not None and b is not None:
                out.append(f'<line class="bar" x1="{px(x):.1f}" x2="{px(x):.1f}" y1="{py(a):.1f}" y2="{py(b):.1f}"/>')
            if s.dots:
                out.append(f'<circle cx="{px(x):.1f}" cy="{py(y):.1f}" r="2.6"/>')
        out.append("</g>")
    keys = " ".join(f'<span><span class="key {s.style}"></span>{html.escape(s.name)}</span>&ensp;' for s in plot.series)
    return "".join(out) + f"</svg><p>{keys}</p>"


def shown(value: Any) -> str:
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return "n/a"
    return f"{value:.3f}" if isinstance(value, float) else html.escape(str(value))


def with_interval(figure: dict[str, Any]) -> str:
    """0.873 (0.861 … 0.884)"""
    if figure["value"] is None:
        return "n/a"
    interval = "" if figure["low"] is None else f" <small>({figure['low']:.3f} … {figure['high']:.3f})</small>"
    return f"{figure['value']:.3f}{interval}"


def table_html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML."""
    line = lambda tag, cells: "<tr>" + "".join(f"<{tag}>{c}</{tag}>" for c in cells) + "</tr>"
    return '<div class="scroll"><table>' + line("th", head) + "".join(line("td", r) for r in rows) + "</table></div>"


def matrix_html(corner: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]]) -> str:
    """Shaded by the share of its row."""
    body = ""
    for name, counts in rows:
        total = max(1, sum(counts))
        cells = "".join(f'<td{" class=right" if columns[k] == name else ""} style="background: rgba(var(--heat), {0.55 * n / total:.2f})">{n}</td>'
                        for k, n in enumerate(counts))
        body += f"<tr><th>{name}</th>{cells}</tr>"
    heads = "".join(f"<th>{c}</th>" for c in (corner, *columns))
    return f'<div class="scroll"><table class="matrix"><tr>{heads}</tr>{body}</table></div>'


def png(pixels: NDArray[np.uint8]) -> bytes:
    """8-bit grey."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def picture_html(pixels: NDArray[np.float64], sigma: float, boxes: Sequence[tuple[Any, ...]], crosses: NDArray[np.float64],
                 pluses: NDArray[np.float64], name: str) -> str:
    """A field, north up. boxes: x0 y0 x1 y1 label; crosses, pluses: (n, 2); all 0-based pixel centres."""
    h, w = pixels.shape
    level = np.arcsinh(np.clip((pixels - np.percentile(pixels, 20)) / (5 * sigma), -0.2, None))
    grey = np.clip(255 * level / np.percentile(level, 99.8), 0, 255).astype(np.uint8)[::-1]
    y = lambda v: h - 0.5 - v
    parts = [f'<image width="{w}" height="{h}" href="data:image/png;base64,{base64.b64encode(png(grey)).decode()}"/>', '<g class="ours">']
    for x0, y0, x1, y1, label in boxes:
        parts.append(f'<rect x="{x0 + .5:.1f}" y="{y(y1):.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}"/>'
                     f'<text x="{x1 + .5:.1f}" y="{y(y1):.1f}" stroke="none">{label}</text>')
    mark = lambda points, strokes: "".join(f"M{x + .5 + a:.1f} {y(v) + b:.1f}l{c} {d}" for x, v in points for a, b, c, d in strokes)
    parts.append(f'</g><g class="sx"><path d="{mark(crosses, ((-1, -1, 2, 2), (1, -1, -2, 2)))}"/></g>')
    parts.append(f'<g class="dao"><path d="{mark(pluses, ((-1.2, 0, 2.4, 0), (0, -1.2, 0, 2.4)))}"/></g>')
    toggles = "".join(f'<input type="checkbox" checked class="show-{k}" id="{k}-{name}"><label for="{k}-{name}">'
                      f'<span class="key-{k}">{t}</span></label>'
                      for k, t in (("ours", "starblend, units"), ("sx", "× SExtractor"), ("dao", "+ DAOStarFinder")))
    return f'<figure class="field"><figcaption>{name}</figcaption>{toggles}<svg viewBox="0 0 {w} {h}">{"".join(parts)}</svg></figure>'
