"""The page of bench/paper.sh: every figure of the paper from 6 to 12 as we have it, and what the paper says beside it."""
from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

import paper_reference as paper
import peers
from page_parts import Plot, Series, matrix_html, picture_html, plot_html, shown, style, table_html, with_interval
from paper_fields import FieldSet
from paper_programs import Ours
from paper_scores import Json

STYLES = {"starblend": "c3", "sextractor": "c0", "mexhat": "c1", "dao": "c2", "photutils-psf": "c4", "crowdsource": "c6"}
NOISE, MISSED = "noise", "missed"
Pictures = dict[str, tuple[FieldSet, Json]]


def section(number: str, title: str, ours: str, reference: str, remark: str = "") -> str:
    beside = f'<div class="beside"><h3>The paper</h3>{reference}<p>{html.escape(paper.CAVEAT)}.</p></div>'
    return f'<h2 id="f{number}">Figure {number}: {title}</h2>{f"<p>{remark}</p>" if remark else ""}<div class="row"><div>{ours}</div>{beside}</div>'


def missing(number: str, title: str, why: str) -> str:
    return f'<h2 id="f{number}">Figure {number}: {title}</h2><p>Not in this run: {why}</p>'


def share(pair: tuple[int, int] | None) -> str:
    return "n/a" if pair is None else f"{pair[0] / pair[1]:.3f} <small>({pair[0]:,}/{pair[1]:,})</small>"


def value_of(entry: Any) -> str:
    return "not given" if entry is None else shown(entry)


def classes_found(counts: list[list[int]]) -> str:
    rows = [(name, counts[i]) for i, name in enumerate(paper.CLASSES)] + [(NOISE, counts[5])]
    return matrix_html("truth \\ found", (*paper.CLASSES, MISSED), rows)


def figure_6(result: Json) -> str:
    title = "classes of blending units"
    units = result["sets"].get("paper", {}).get("units")
    if units is None:
        return missing("6", title, "it needs the set <i>paper</i> and our own catalogues.")
    figures = units["by_box"]["figures"]
    names = [f"{kind} of {c}" for kind in ("precision", "recall") for c in paper.CLASSES]
    names += ["missed (MDR)", "false alarms (FAR)", "errors within 1 star", "balanced accuracy", "mean |k found - k true|", "stars found / true"]
    rows = [[name, with_interval(f := figures[name]), shown(f["chance"]), shown(f["corrected"])] for name in names]
    theirs = [[f"precision of {c}", share(p)] for c, p in paper.PRECISION.items()]
    theirs += [["missed (MDR)", f"{paper.MISSED:.3f}"], ["false alarms (FAR)", share(paper.FALSE_ALARMS)], ["errors within 1 star", share(paper.WITHIN_ONE)]]
    ours = classes_found(units["by_box"]["counts"]["matrix"]) + table_html(("set <i>paper</i>, by box, IoU ≥ 0.2", "value (68 %)", "chance", "corrected"), rows)
    if oracle := result.get("oracle"):
        ours += "<h3>The oracle's matrix on the same kind of fields: who knows the PSF, the noise and where each unit's stars are</h3>" + classes_found(oracle["counts"]["matrix"])
    return section("6", title, ours, table_html(("section 3.3", ""), theirs) + "<p>The cells of its matrix are in the picture alone.</p>")


def figure_7(result: Json) -> str:
    title = "precision against recall per class"
    units = result["sets"].get("paper", {}).get("units")
    if units is None:
        return missing("7", title, "it needs the set <i>paper</i> and our own catalogues.")
    part = units["by_box"]
    series = [Series(name, f"c{i}", [(p["recall"], p["precision"], None, None) for p in part["precision_recall"].get(name, [])])
              for i, name in enumerate((*paper.CLASSES, "any"))]
    rows = [[name, with_interval(f := part["figures"][name]), shown(f["chance"])] for name in (f"AP of {c}" for c in ("any", *paper.CLASSES))]
    ours = plot_html(Plot("recall", "precision", series=series)) + table_html(("IoU ≥ 0.2", "value (68 %)", "chance"), rows)
    return section("7", title, ours, f"<p>{paper.FIGURE_7}</p>")


def marked(fields: FieldSet, ours: Ours, name: str) -> str:
    """The set's first field with what three programs find in it."""
    seen, blends = fields.observations[0], fits.getdata(ours.catalogues(fields)[0], "BLENDS")
    box = lambda name: np.asarray(blends[name], np.float64) - 1
    boxes = list(zip(*(box(f"{c}_IMAGE") for c in ("XMIN", "YMIN", "XMAX", "YMAX")), (paper.CLASSES[n - 1] for n in blends["NSTARS"])))
    crosses = peers.sextractor(fields.together, "default", 1.5, "-DETECT_MINAREA", "1")[0].xy
    pluses = peers.dao_star_finder(seen.pixels, 3.0, peers.read_psf(ours.psf).fwhm, min_separation=0).xy
    return picture_html(seen.pixels, float(np.percentile(seen.sigma, 5)), boxes, crosses, pluses, name)


def figure_8(pictures: Pictures, ours: Ours) -> str:
    title = "the cluster NGC 2298, core and outskirts"
    there = [n for n in ("ngc2298-core", "ngc2298-outskirts") if n in pictures and "starblend" in pictures[n][1]["programs"]]
    if not there:
        return missing("8", title, "it needs the ngc2298 sets and our own catalogues.")
    body = "".join(marked(pictures[n][0], ours, n) for n in there)
    return section("8", title, f'<div class="row">{body}</div>', f"<p>{paper.FIGURE_8}</p>", "SExtractor at 1.5 σ, DAOStarFinder at 3 σ.")


def profile(part: Json, figure: str, by: str) -> list[tuple[float, float, float | None, float | None]]:
    bins = next((p["bins"] for p in part["profiles"] if p["figure"] == figure and p["by"] == by), [])
    return [((b["from"] + b["to"]) / 2, b["value"], b["low"], b["high"]) for b in bins if b["to"] is not None]


def pooled(part: Json, low: float, high: float) -> float | None:
    """Completeness of the stars of a range of magnitudes, from the bins that lie in it."""
    bins = [b for p in part["profiles"] if p["figure"] == "completeness" and p["by"] == "magnitude" for b in p["bins"]]
    inside = [b for b in bins if b["from"] >= low and b["to"] is not None and b["to"] <= high and b["n"]]
    total = sum(b["n"] for b in inside)
    return sum(b["n"] * b["value"] for b in inside) / total if total else None


def magnitude_plot(programs: Json, kind: str) -> str:
    series = [Series(p["name"], STYLES[key], profile(p["at_purity"][kind], "completeness", "magnitude"), dots=True)
              for key, p in programs.items() if p["at_purity"]]
    return plot_html(Plot("magnitude (AB)", "completeness", (18.0, 28.0), series, 1.0))


def figure_9(result: Json) -> str:
    title = "completeness against magnitude in the cluster"
    there = [n for n in paper.FIGURE_9 if n in result["sets"]]
    if not there:
        return missing("9", title, "it needs the ngc2298 sets.")
    ours, reference = "", ""
    ranges = {"bright, < 25.5 mag": (0, 25.5), "faint, > 25.5 mag": (25.5, 27), "at mag 25": (24.5, 25.5)}
    for name in there:
        programs = result["sets"][name]["programs"]
        ours += f"<h3>{name}: of the stars that the image can show; of all stars</h3>" + '<div class="row">' + "".join(
            f'<div class="panel">{magnitude_plot(programs, kind)}</div>' for kind in ("stars", "all stars")) + "</div>"
        rows = [[p["name"], *(shown(pooled(p["at_purity"][kind], *r)) for r in ranges.values() for kind in ("stars", "all stars"))]
                for p in programs.values() if p["at_purity"]]
        ours += table_html(("", *(f"{r}: {k}" for r in ("20-25.5", "25.5-27", "24.5-25.5") for k in ("shown", "all"))), rows)
        reference += f"<h3>{name.removeprefix('ngc2298-')}</h3>" + table_html(("", "Astro-RetinaNet", "Photutils", "SExtractor"), [
            [r, *(value_of(row[k]) for k in ("starblend", "dao", "sextractor"))] for r, row in paper.FIGURE_9[name].items()])
    remark = (f"Each program at the threshold at which {result['purity']:.0%} of its stars are real; those that don't reach that aren't drawn. A star is found if a "
              "detection lies within 0.5 FWHM of it. The paper's (i band; we have g) is found if it lies in a box of about 5 px, at no stated purity.")
    return section("9", title, ours, reference, remark)


def figure_10(result: Json) -> str:
    title = "classes of PHAT's units in M31"
    if not result["m31"]:
        return missing("10", title, "it needs the set <i>m31</i> and its data.")
    part = result["m31"]["classes"]["by_box"]
    rows = [[n, shown(f["value"]), shown(f["chance"]), shown(f["corrected"])] for n in ("precision of 1", "precision of 2", "precision of 3", "false alarms (FAR)", "missed (MDR)")
            for f in [part["figures"][n]]]
    theirs = [[mix, share(row["1"]), share(row["2"]), share(row["3"]) if row["3"] else "below 0.10", share(row["spurious"])] for mix, row in paper.FIGURE_10.items()]
    reference = table_html(("trained on", "precision of 1", "of 2", "of 3", "spurious"), theirs)
    return section("10", title, classes_found(part["counts"]["matrix"]) + table_html(("AP142, by box", "value", "chance", "corrected"), rows), reference,
                   f"Model {html.escape(Path(result['m31']['model']).name)}; F475W, one field of 301x301 px; the paper's is F814W and larger. One field: no interval. PHAT merges "
                   "pairs below 1.46 px, so classes are lower limits, and a box that splits such a pair counts as wrong. We have one model for M31, not three class mixes.")


def figure_11(result: Json) -> str:
    title = "the same by flux ratio"
    if not result["m31"]:
        return missing("11", title, "it needs the set <i>m31</i> and its data.")
    ours = "".join(f"<h3>{html.escape(n)}</h3>" + matrix_html("truth \\ found", (*paper.CLASSES, MISSED), [(c, m[i + 1]) for i, c in enumerate(paper.CLASSES[1:])])
                   for n, m in result["m31"]["classes"]["by_flux_ratio"].items())
    theirs = "".join(f"<h3>{html.escape(n)}</h3>" + matrix_html("truth \\ found", paper.CLASSES, list(zip(paper.CLASSES[1:], m))) for n, m in paper.FIGURE_11.items())
    return section("11", title, ours, theirs)


def figure_12(result: Json) -> str:
    title = "completeness against magnitude in M31"
    if not result["m31"]:
        return missing("12", title, "it needs the set <i>m31</i> and its data.")
    found = result["m31"]["completeness"]
    names = {"starblend": "starblend, SOURCES", "sextractor": "SExtractor, 1.5 σ", "mexhat": "SExtractor, Mexican hat, 0.5", "dao": "DAOStarFinder, 3 σ"}
    series = [Series(names[k], STYLES[k], [(b["from"] + 0.25, b["completeness"], None, None) for b in s["bins"]], dots=True) for k, s in found.items()]
    chance = Series("starblend's chance level", "c5", [(b["from"] + 0.25, b["completeness_chance"], None, None) for b in found["starblend"]["bins"]])
    rows = [[names[k], *(shown(s["all"][c]) for c in ("completeness", "completeness_corrected", "purity", "purity_corrected"))] for k, s in found.items()]
    ours = plot_html(Plot("F475W (Vega mag)", "completeness", (21.0, 29.0), [*series, chance], 1.0))
    ours += table_html(("brighter than 27, within 1.0 px", "completeness", "corrected", "purity", "corrected"), rows)
    theirs = [[b, *(value_of(row[k]) for k in ("starblend", "dao", "sextractor"))] for b, row in paper.FIGURE_12.items()]
    return section("12", title, ours, table_html(("F814W", "Astro-RetinaNet", "Photutils", "SExtractor"), theirs),
                   "Purities differ: see the table, and <code>bench/results/m31-peers.json</code> for whole curves.")


def curves(result: Json) -> str:
    out = '<h2 id="curves">Completeness and purity by star, over each program\'s thresholds</h2><p>A star of the truth is one that the image can show; found: a detection within 0.5 FWHM, one to one. Same fields, same PSF, same scorer.</p>'
    for name, part in result["sets"].items():
        series, rows = [], []
        for key, p in part["programs"].items():
            series.append(Series(p["name"], STYLES[key], [(c, pure, None, None) for _, _, c, pure in p["curve"]], dots=len(p["curve"]) < 20))
            usual, best = p["usual"], p["at_purity"]
            rows.append([f'<span class="key {STYLES[key]}"></span>{p["name"]}', str(p["fields"]), f"{usual['seconds_per_field']:.2f}", f"{usual['setting']:g}",
                         with_interval(usual["completeness"]), shown(usual["completeness"]["chance"]), with_interval(usual["purity"]), shown(usual["purity"]["chance"]),
                         with_interval(best["stars"]["completeness"]) if best else "not reached", with_interval(best["units"]["completeness"]) if best else ""])
        heads = ("", "fields", "s/field", "usual", "completeness (68 %)", "chance", "purity (68 %)", "chance", f"completeness at purity {result['purity']:g}", "units noticed there")
        out += f"<h3>{name}: {html.escape(part['what'])}; {part['fields']} fields of {part['side']}×{part['side']} px</h3>"
        out += f'<div class="row"><div class="panel">{plot_html(Plot("completeness", "purity", series=series))}</div>{table_html(heads, rows)}</div>'
    return out


def page(result: Json, pictures: Pictures, ours: Ours) -> str:
    about = {"date": result["date"], "model": f"{result['model']} ({result['model_sha256']})", "preset": result["preset"], "seed": result["seed"],
             "commit": result["commit"], "processor": result["processor"], **result["versions"]}
    rows = "".join(f"<tr><td>{html.escape(k)}</td><td>{html.escape(str(v))}</td></tr>" for k, v in about.items())
    figures = [figure_6(result), figure_7(result), figure_8(pictures, ours), figure_9(result), figure_10(result), figure_11(result), figure_12(result)]
    links = '<a href="#curves">curves</a>' + "".join(f'<a href="#f{n}">Figure {n}</a>' for n in range(6, 13))
    return (f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>starblend and its peers</title><style>{style()}</style></head><body>'
            f'<h1>starblend and its peers on the same fields</h1><nav>{links}</nav><table class="about">{rows}</table>{curves(result)}{"".join(figures)}</body></html>\n')
