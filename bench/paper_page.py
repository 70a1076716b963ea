"""The page of bench/paper.sh: the curves, then every figure of the paper from 6 to 12 as we have it, the paper's beside it."""
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

STYLES = {"starblend": "c3", "sextractor": "c0", "mexhat": "c1", "dao": "c2", "photutils-psf": "c4", "crowdsource": "c6",
          "torchvision": "c7"}
NO_UNITS, NO_M31 = "it needs the set <i>paper</i> and our own catalogues", "it needs the set <i>m31</i> and its data"
Pictures = dict[str, FieldSet]


def section(number: int, title: str, ours: str, reference: str, remark: str = "") -> str:
    beside = f'<div class="beside"><h3>The paper</h3>{reference}<p>{html.escape(paper.CAVEAT)}.</p></div>'
    note = f"<p>{remark}</p>" if remark else ""
    return f'<h2 id="f{number}">Figure {number}: {title}</h2>{note}<div class="row"><div>{ours}</div>{beside}</div>'


def missing(number: int, title: str, why: str) -> str:
    return f'<h2 id="f{number}">Figure {number}: {title}</h2><p>Not in this run: {why}.</p>'


def share(pair: tuple[int, int] | None) -> str:
    return "below 0.10" if pair is None else f"{pair[0] / pair[1]:.3f} <small>({pair[0]:,}/{pair[1]:,})</small>"


def value_of(entry: Any) -> str:
    return "not given" if entry is None else shown(entry)


def classes_found(counts: list[list[int]]) -> str:
    rows = [(name, counts[i]) for i, name in enumerate(paper.CLASSES)] + [("noise", counts[5])]
    return matrix_html("truth \\ found", (*paper.CLASSES, "missed"), rows)


def figure_6(result: Json) -> str:
    title = "classes of blending units"
    units = result["sets"].get("paper", {}).get("units")
    if units is None:
        return missing(6, title, NO_UNITS)
    names = [f"{kind} of {c}" for kind in ("precision", "recall") for c in paper.CLASSES]
    names += ["missed (MDR)", "false alarms (FAR)", "errors within 1 star", "balanced accuracy", "mean |k found - k true|", "stars found / true"]
    figures = units["by_box"]["figures"]
    rows = [[name, with_interval(f := figures[name]), shown(f["chance"]), shown(f["corrected"])] for name in names]
    ours = classes_found(units["by_box"]["counts"]["matrix"])
    ours += table_html(("set <i>paper</i>, by box, IoU ≥ 0.2", "value (68 %)", "chance", "corrected"), rows)
    if oracle := result["oracle"]:
        words = next((a["value"] for a in oracle["about"] if a["name"] == "oracle"), "")
        ours += "<h3>The oracle: who knows the PSF, the noise and where each unit's stars are; no detector</h3>"
        ours += classes_found(oracle["oracle"]["counts"]["matrix"])
        ours += f'<p>{oracle["run"]["fields"]} other fields of the set. {html.escape(words)}</p>'
    theirs = [[f"precision of {c}", share(p)] for c, p in paper.PRECISION.items()]
    theirs += [["missed (MDR)", f"{paper.MISSED:.3f}"], ["false alarms (FAR)", share(paper.FALSE_ALARMS)],
               ["errors within 1 star", share(paper.WITHIN_ONE)]]
    return section(6, title, ours, table_html(("section 3.3", ""), theirs) + "<p>The cells of its matrix are in the picture alone.</p>")


def figure_7(result: Json) -> str:
    title = "precision against recall per class"
    units = result["sets"].get("paper", {}).get("units")
    if units is None:
        return missing(7, title, NO_UNITS)
    curves, figures = units["by_box"]["precision_recall"], units["by_box"]["figures"]
    series = [Series(name, f"c{i}", [(p["recall"], p["precision"], None, None) for p in curves.get(name, [])])
              for i, name in enumerate((*paper.CLASSES, "any"))]
    rows = [[f"AP of {c}", with_interval(f := figures[f"AP of {c}"]), shown(f["chance"])] for c in ("any", *paper.CLASSES)]
    ours = plot_html(Plot("recall", "precision", series=series)) + table_html(("IoU ≥ 0.2", "value (68 %)", "chance"), rows)
    return section(7, title, ours, f"<p>{paper.FIGURE_7}</p>")


def marked(fields: FieldSet, ours: Ours) -> str:
    """The set's first field with what three programs find in it."""
    seen, blends = fields.observations[0], fits.getdata(ours.catalogues(fields)[0], "BLENDS")
    edges = [np.asarray(blends[f"{c}_IMAGE"], np.float64) - 1 for c in ("XMIN", "YMIN", "XMAX", "YMAX")]
    boxes = list(zip(*edges, (paper.CLASSES[n - 1] for n in blends["NSTARS"])))
    crosses = peers.sextractor(fields.together, "default", 1.5, "-DETECT_MINAREA", "1")[0].xy
    pluses = peers.dao_star_finder(seen.pixels, 3.0, peers.read_psf(ours.psf).fwhm, min_separation=0).xy
    return picture_html(seen.pixels, float(np.percentile(seen.sigma, 5)), boxes, crosses, pluses, fields.name)


def figure_8(result: Json, pictures: Pictures, ours: Ours) -> str:
    title = "the cluster NGC 2298, core and outskirts"
    there = [n for n in paper.FIGURE_9 if n in pictures and "starblend" in result["sets"][n]["programs"]]
    if not there:
        return missing(8, title, "it needs the ngc2298 sets and our own catalogues")
    body = "".join(marked(pictures[n], ours) for n in there)
    return section(8, title, f'<div class="row">{body}</div>', f"<p>{paper.FIGURE_8}</p>", "SExtractor at 1.5 σ, DAOStarFinder at 3 σ.")


def magnitude_bins(part: Json, figure: str = "completeness") -> list[Json]:
    """A figure by magnitude; the bin without an end left out."""
    bins = [p["bins"] for p in part["profiles"] if p["figure"] == figure and p["by"] == "magnitude"]
    return [b for b in sum(bins, []) if b["to"] is not None]


def pooled(part: Json, low: float, high: float) -> float | None:
    """Completeness of the stars of a range of magnitudes, from the bins that lie in it."""
    inside = [b for b in magnitude_bins(part) if b["from"] >= low and b["to"] <= high]
    total = sum(b["n"] for b in inside)
    return sum(b["n"] * b["value"] for b in inside) / total if total else None


def magnitude_plot(programs: Json, kind: str, figure: str = "completeness") -> str:
    points = lambda part: [((b["from"] + b["to"]) / 2, b["value"], b["low"], b["high"]) for b in magnitude_bins(part, figure)]
    pure = {key: (p, points(p["at_purity"][kind])) for key, p in programs.items() if p["at_purity"]}
    series = [Series(p["name"], STYLES[key], line, dots=True) for key, (p, line) in pure.items() if line]
    return plot_html(Plot("magnitude (AB)", figure, (18.0, 28.0), series, 1.0))


def figure_9(result: Json) -> str:
    title = "completeness against magnitude in the cluster"
    there = [n for n in paper.FIGURE_9 if n in result["sets"]]
    if not there:
        return missing(9, title, "it needs the ngc2298 sets")
    kinds, ranges = {"stars": "shown", "all stars": "all"}, {"below 25.5": (-99, 25.5), "25.5-27": (25.5, 27), "24.5-25.5": (24.5, 25.5)}
    ours, reference = "", ""
    for name in there:
        programs = result["sets"][name]["programs"]
        ours += f'<h3>{name}: of the stars that the image can show (left) and of all (right)</h3><div class="row">'
        ours += "".join(f'<div class="panel">{magnitude_plot(programs, kind)}</div>' for kind in kinds) + "</div>"
        rows = [[p["name"], *(shown(pooled(p["at_purity"][kind], *r)) for r in ranges.values() for kind in kinds)]
                for p in programs.values() if p["at_purity"]]
        ours += table_html(("magnitude", *(f"{r}: {k}" for r in ranges for k in kinds.values())), rows)
        reference += f"<h3>{name.removeprefix('ngc2298-')}</h3>" + table_html(("", "Astro-RetinaNet", "Photutils", "SExtractor"), [
            [r, *(value_of(row[k]) for k in ("starblend", "dao", "sextractor"))] for r, row in paper.FIGURE_9[name].items()])
    remark = (f"Each program at the threshold at which {result['purity']:.0%} of its stars are real; those that don't reach that aren't "
              "drawn. A star is found if a detection lies within 0.5 FWHM of it. The paper's (i band; here it is g) is found if it lies in a "
              "box of about 5 px, at no stated purity.")
    return section(9, title, ours, reference, remark)


def figure_10(result: Json) -> str:
    title = "classes of PHAT's units in M31"
    if not result["m31"]:
        return missing(10, title, NO_M31)
    part = result["m31"]["classes"]["by_box"]
    names = ("precision of 1", "precision of 2", "precision of 3", "false alarms (FAR)", "missed (MDR)")
    rows = [[n, *(shown(part["figures"][n][c]) for c in ("value", "chance", "corrected"))] for n in names]
    ours = classes_found(part["counts"]["matrix"]) + table_html(("AP142, by box", "value", "chance", "corrected"), rows)
    theirs = [[mix, *(share(row[c]) for c in ("1", "2", "3", "spurious"))] for mix, row in paper.FIGURE_10.items()]
    remark = (f"Model {html.escape(Path(result['m31']['model']).name)}; F475W, one field of 301x301 px, so no interval; the paper's is F814W "
              "and larger. PHAT merges pairs below 1.46 px: classes are lower limits, and a box that splits such a pair counts as wrong. We "
              "have one model for M31, not three class mixes.")
    return section(10, title, ours, table_html(("trained on", "precision of 1", "of 2", "of 3", "spurious"), theirs), remark)


def figure_11(result: Json) -> str:
    title = "the same by flux ratio"
    if not result["m31"]:
        return missing(11, title, NO_M31)
    table = lambda heads, parts: "".join(f"<h3>{html.escape(name)}</h3>" + matrix_html("truth \\ found", heads, list(zip(paper.CLASSES[1:], rows)))
                                         for name, rows in parts.items())
    ours = {name: matrix[1:5] for name, matrix in result["m31"]["classes"]["by_flux_ratio"].items()}
    return section(11, title, table((*paper.CLASSES, "missed"), ours), table(paper.CLASSES, paper.FIGURE_11))


def figure_12(result: Json) -> str:
    title = "completeness against magnitude in M31"
    if not result["m31"]:
        return missing(12, title, NO_M31)
    found = result["m31"]["completeness"]
    names = {"starblend": "starblend, SOURCES", "sextractor": "SExtractor, 1.5 σ, area 1", "mexhat": "SExtractor, Mexican hat, 0.5",
             "dao": "DAOStarFinder, 3 σ"}
    line = lambda bins, key: [(b["from"] + 0.25, b[key], None, None) for b in bins]
    series = [Series(names[k], STYLES[k], line(s["bins"], "completeness"), dots=True) for k, s in found.items()]
    series.append(Series("chance level of starblend's", "c5", line(found["starblend"]["bins"], "completeness_chance")))
    columns = ("completeness", "completeness_corrected", "purity", "purity_corrected")
    rows = [[names[k], *(shown(s["all"][c]) for c in columns)] for k, s in found.items()]
    ours = plot_html(Plot("F475W (Vega mag)", "completeness", (21.0, 29.0), series, 1.0))
    ours += table_html(("brighter than 27, within 1.0 px", "completeness", "corrected", "purity", "corrected"), rows)
    theirs = [[b, *(value_of(row[k]) for k in ("starblend", "dao", "sextractor"))] for b, row in paper.FIGURE_12.items()]
    return section(12, title, ours, table_html(("F814W", "Astro-RetinaNet", "Photutils", "SExtractor"), theirs),
                   "At each program's usual threshold, so purities differ: see the table. <code>bench/m31.sh</code> gives whole curves.")


def curves(result: Json) -> str:
    heads = ("", "fields", "s/field", "usual", "completeness (68 %)", "chance", "purity (68 %)", "chance",
             f"completeness at purity {result['purity']:g}")
    out = ('<h2 id="curves">Completeness and purity by star, over each program\'s thresholds</h2><p>A star of the truth is one that the image '
           "can show. It is found if a detection lies within 0.5 FWHM, one to one. Same fields, same PSF, same scorer; s/field is processor "
           "time at the usual setting. Against magnitude: at the threshold at which nine in ten are real; purity by the program's own "
           "magnitudes, of which DAOStarFinder has none.</p>")
    for name, part in result["sets"].items():
        series, rows = [], []
        for key, p in part["programs"].items():
            series.append(Series(p["name"], STYLES[key], [(c, pure, None, None) for _, _, c, pure in p["curve"]], dots=len(p["curve"]) < 20))
            usual, best = p["usual"], p["at_purity"]
            figures = [cell for k in ("completeness", "purity") for cell in (with_interval(usual[k]), shown(usual[k]["chance"]))]
            pure = with_interval(best["stars"]["completeness"]) if best else "not reached"
            label = f'<span class="key {STYLES[key]}"></span><span title="{html.escape(p["what"])}">{p["name"]}</span>'
            rows.append([label, str(p["fields"]), f"{usual['seconds_per_field']:.2f}", f"{usual['setting']:g}", *figures, pure])
        out += f"<h3>{name}: {html.escape(part['what'])}; {part['fields']} fields of {part['side']}×{part['side']} px</h3>"
        plot = plot_html(Plot("completeness", "purity", series=series))
        out += f'<div class="row"><div class="panel">{plot}</div>' + "".join(
            f'<div class="panel">{magnitude_plot(part["programs"], "stars", figure)}</div>' for figure in ("completeness", "purity"))
        out += f"</div>{table_html(heads, rows)}"
    return out


def page(result: Json, pictures: Pictures, ours: Ours) -> str:
    about = {"date": result["date"], "model": f"{result['model']} ({result['model_sha256']})",
             **{key: result[key] for key in ("preset", "seed", "commit", "processor")}, **result["versions"]}
    rows = "".join(f"<tr><td>{html.escape(k)}</td><td>{html.escape(str(v))}</td></tr>" for k, v in about.items())
    figures = "".join((figure_6(result), figure_7(result), figure_8(result, pictures, ours), figure_9(result), figure_10(result), figure_11(result),
                       figure_12(result)))
    links = '<a href="#curves">curves</a>' + "".join(f'<a href="#f{n}">Figure {n}</a>' for n in range(6, 13))
    head = f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>starblend and its peers</title><style>{style()}</style></head>'
    return (f"{head}<body><h1>starblend and its peers on the same fields</h1><nav>{links}</nav>"
            f'<table class="about">{rows}</table>{curves(result)}{figures}</body></html>\n')
