// How the page of scores looks: light or dark as the reader's system is, no fonts or scripts of its own.
#pragma once

namespace star {

inline constexpr const char* report_style = R"css(
:root { color-scheme: light dark; --ink: #1d2129; --soft: #667085; --line: #e3e6eb; --page: #ffffff; --panel: #f7f8fa;
  --c0: #1f5fbf; --c1: #2a9d8f; --c2: #b8860b; --c3: #d1495b; --c4: #7b5ea7; --c5: #101418; --heat: 31, 95, 191; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ec; --soft: #98a1b0; --line: #2c323c; --page: #14171c;
  --panel: #1b1f26; --c0: #6ea8fe; --c1: #5fd0c1; --c2: #e0b34c; --c3: #f28b9a; --c4: #b79cec; --c5: #f4f6f8;
  --heat: 110, 168, 254; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 2rem 1.5rem 4rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; font-weight: 600; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; font-weight: 600; margin: 3rem 0 .8rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: .95rem; font-weight: 600; margin: 1.6rem 0 .4rem; }
p, .remark { color: var(--soft); max-width: 75ch; }
nav a { margin-right: 1.2rem; color: var(--c0); }
table { border-collapse: collapse; font-size: .82rem; font-variant-numeric: tabular-nums; }
th, td { padding: .16rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 500; color: var(--soft); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
table.about td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
table.matrix td { min-width: 3.6rem; }
table.matrix td.right { outline: 2px solid var(--c0); outline-offset: -2px; }
.row { display: flex; flex-wrap: wrap; gap: 1.2rem 2rem; align-items: flex-start; margin-bottom: 1.2rem; }
.panel h3 { margin-top: 0; }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: .8rem; }
.scroll { overflow-x: auto; max-width: 100%; }
svg.plot { width: 400px; max-width: 100%; height: auto; display: block; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
svg .grid { stroke: var(--line); } svg .axis { stroke: var(--soft); }
svg .chance, svg g.chance path { stroke: var(--soft); stroke-dasharray: 4 3; fill: none; }
svg path { fill: none; stroke-width: 1.6; } svg .bar { stroke-width: 1.4; }
svg .c0 { stroke: var(--c0); fill: var(--c0); } svg .c1 { stroke: var(--c1); fill: var(--c1); }
svg .c2 { stroke: var(--c2); fill: var(--c2); } svg .c3 { stroke: var(--c3); fill: var(--c3); }
svg .c4 { stroke: var(--c4); fill: var(--c4); } svg .c5 { stroke: var(--c5); fill: var(--c5); }
svg g path { fill: none; } svg g.specks path { stroke-width: 2; stroke-linecap: round; stroke-opacity: .45; }
svg.plot g rect { stroke: none; fill-opacity: .8; }
.key { display: inline-block; width: .8rem; height: .2rem; vertical-align: middle; margin-right: .4rem; }
.key.c0 { background: var(--c0); } .key.c1 { background: var(--c1); } .key.c2 { background: var(--c2); }
.key.c3 { background: var(--c3); } .key.c4 { background: var(--c4); } .key.c5 { background: var(--c5); }
figure.field { margin: 0; width: 540px; max-width: 100%; }
figure.field svg { width: 100%; height: auto; display: block; background: #000; border-radius: 4px; margin-top: .4rem; }
figure.field image { image-rendering: pixelated; }
figure.field rect { fill: none; stroke-width: .5; pointer-events: all; }
figure.field label { margin-right: 1rem; font-size: .85rem; }
.boxes-true { stroke: #6ea8fe; } .boxes-found { stroke: #5fd068; } .boxes-missed { stroke: #ff5c5c; }
.boxes-false { stroke: #ffb020; } .boxes-missed rect, .boxes-false rect { stroke-dasharray: 1.2 .8; stroke-width: .8; }
.key-true, .key-found, .key-missed, .key-false { padding-left: .3rem; border-bottom: 2px solid; }
.key-true { border-color: #6ea8fe; } .key-found { border-color: #5fd068; }
.key-missed { border-color: #ff5c5c; } .key-false { border-color: #ffb020; }
.show-true:not(:checked) ~ svg .boxes-true, .show-found:not(:checked) ~ svg .boxes-found,
.show-missed:not(:checked) ~ svg .boxes-missed, .show-false:not(:checked) ~ svg .boxes-false { display: none; }
)css";

}  // namespace star
