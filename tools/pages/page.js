// Puts the page together: data, view, panel, controls, keys, address.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

// BLENDS as boxes in pixel edges: FITS puts the centre of the first pixel at 1.
function withBoxes(t) {
  const edge = (name) => Float64Array.from(t.get(name), (v) => v - 0.5);
  const boxes = { x0: edge("XMIN_IMAGE"), y0: edge("YMIN_IMAGE"), x1: edge("XMAX_IMAGE"), y1: edge("YMAX_IMAGE") };
  const middle = (a, b) => a.map((v, i) => (v + b[i]) / 2), id = t.get("BLEND_ID");
  return {
    ...t, ...boxes, id,
    label: Uint8Array.from(t.get("NSTARS"), (n) => Math.min(Math.max(n, 1), 5) - 1),
    row: new Map(Array.from(id, (v, i) => [v, i])),
    cells: new Cells(middle(boxes.x0, boxes.x1), middle(boxes.y0, boxes.y1)),
  };
}
// SOURCES with the row of each star's unit (-1: none) and its class (5: none).
function withUnits(t, blends) {
  const x = Float64Array.from(t.get("X_IMAGE"), (v) => v - 0.5), y = Float64Array.from(t.get("Y_IMAGE"), (v) => v - 0.5);
  const blend = t.get("BLEND_ID"), members = new Map();
  const unit = Int32Array.from({ length: t.rows }, (_, i) => blends?.row.get(blend?.[i]) ?? -1);
  unit.forEach((u, i) => u >= 0 && (members.get(u)?.push(i) ?? members.set(u, [i])));
  return {
    ...t, x, y, unit, members,
    id: t.get("SOURCE_ID") ?? Float64Array.from({ length: t.rows }, (_, i) => i + 1),
    label: Uint8Array.from(unit, (u) => (u >= 0 ? blends.label[u] : 5)),
    cells: new Cells(x, y),
  };
}

async function unpackPsf(p) {
  const bytes = await bytesOf(p.data), floats = new Float32Array(bytes.buffer);
  return { ...p, values: floats };
}

function firstLook(view) {
  const p = view.pixels, slider = (v) => Math.min(Math.max(p.codeOf(v), 1), 65535);
  const range = [slider(p.sky - 6 * p.noise), slider(p.sky + (p.top - p.sky) * 20 + 20 * p.noise)];
  const set = (id, value) => Object.assign($(id), { min: range[0], max: range[1], step: 1, value });
  set("black", slider(p.sky - 1.5 * p.noise)), set("white", slider(Math.max(p.top, p.sky + 5 * p.noise)));
  const apply = () => {
    const black = +$("black").value, white = Math.max(+$("white").value, black + 1);
    view.setLook({ black, white, inverted: $("invert").checked, stretch: document.querySelector("[name=stretch]:checked").value });
  };
  for (const e of document.querySelectorAll("[name=stretch], #black, #white, #invert")) e.addEventListener("input", apply);
  apply();
}

function readout(page, u, v) {
  const [x, y] = page.view.toImage(u, v), p = page.pixels, parts = [`X ${(x + 0.5).toFixed(2)}  Y ${(y + 0.5).toFixed(2)}`];
  const value = p ? p.at(Math.floor(x), Math.floor(y)) : NaN;
  if (Number.isFinite(value)) parts.push(`${value.toPrecision(5).replace("-", "−")} ${page.data.unit}`);
  else if (p && x >= 0 && y >= 0 && x < page.view.size.width && y < page.view.size.height) parts.push("no value");
  const sky = skyAt(page.data.sky, x + 0.5, y + 0.5);
  if (sky) parts.push(`${sexagesimal(sky)}  (${sky.ra.toFixed(6)}, ${sky.dec.toFixed(6)}) ${page.data.sky.frame}`);
  $("readout").textContent = parts.join("   ·   ");
}

function choose(page, selection) {
  page.view.selected = selection;
  page.view.draw();
  showDetails($("details"), page, selection, (s) => choose(page, s));
  const { unit, star } = selection ?? { unit: -1, star: -1 };
  const hash = star >= 0 ? `#star=${page.sources.id[star]}` : unit >= 0 ? `#unit=${page.blends.id[unit]}` : " ";
  history.replaceState(null, "", hash === " " ? location.pathname + location.search : hash);
}
function goTo(page, selection) {
  const { unit, star } = selection, b = page.blends, s = page.sources;
  if (star >= 0) page.view.centre(s.x[star], s.y[star], 8);
  else page.view.centre((b.x0[unit] + b.x1[unit]) / 2, (b.y0[unit] + b.y1[unit]) / 2, 8);
  choose(page, selection);
}
function followAddress(page, address) {
  const [, kind, id] = /^#(unit|star)=(\d+)$/.exec(address) ?? [];
  const unit = kind === "unit" ? page.blends?.row.get(+id) ?? -1 : -1;
  const star = kind === "star" && page.sources ? page.sources.id.indexOf(+id) : -1;
  if (unit >= 0) goTo(page, { unit, star: -1 });
  if (star >= 0) goTo(page, { unit: page.sources.unit[star], star });
}
function step(page, by) {
  const now = page.view.selected?.unit ?? -1, n = page.blends?.rows ?? 0;
  if (n) goTo(page, { unit: now < 0 ? (by > 0 ? 0 : n - 1) : (now + by + n) % n, star: -1 });
}

function listenToPointer(page, canvas) {
  const view = page.view, at = (e) => [e.offsetX, e.offsetY], fingers = new Map();
  let moved = 0;
  canvas.addEventListener("pointerdown", (e) => {
    canvas.setPointerCapture(e.pointerId), fingers.set(e.pointerId, at(e)), moved = 0;
  });
  canvas.addEventListener("pointermove", (e) => {
    readout(page, ...at(e));
    const before = fingers.get(e.pointerId);
    if (!before) return;
    const [u, v] = at(e), other = [...fingers].find(([id]) => id !== e.pointerId)?.[1];
    moved += Math.hypot(u - before[0], v - before[1]);
    fingers.set(e.pointerId, [u, v]);
    if (other) view.zoom(Math.hypot(u - other[0], v - other[1]) / Math.max(Math.hypot(before[0] - other[0], before[1] - other[1]), 1), ...other);
    else if (moved > 3) view.pan(u - before[0], v - before[1]);
  });
  const lift = (e) => fingers.delete(e.pointerId);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("pointerup", (e) => {
    lift(e);
    if (moved <= 3) choose(page, view.pick(...at(e)));
  });
  canvas.addEventListener("wheel", (e) => {
    e.preventDefault();
    view.zoom(Math.exp(-Math.min(Math.max(e.deltaY, -120), 120) / 300), ...at(e));
  }, { passive: false });
  canvas.addEventListener("dblclick", (e) => view.zoom(2, ...at(e)));
}

function listenToKeys(page) {
  const view = page.view, toggle = (id) => $(id)?.click();
  const keys = {
    ArrowLeft: () => view.pan(60, 0), ArrowRight: () => view.pan(-60, 0), ArrowUp: () => view.pan(0, 60), ArrowDown: () => view.pan(0, -60),
    "+": () => view.zoom(1.5), "=": () => view.zoom(1.5), "-": () => view.zoom(1 / 1.5), 0: () => view.fit(),
    n: () => step(page, 1), p: () => step(page, -1), b: () => toggle("boxes"), s: () => toggle("stars"), i: () => toggle("invert"),
    1: () => toggle("linear"), 2: () => toggle("asinh"), 3: () => toggle("log"), Escape: () => choose(page, null),
  };
  document.addEventListener("keydown", (e) => {
    const writing = e.target.matches("input[type=range], input[type=radio]") && e.key.startsWith("Arrow");
    const elsewhere = e.key.startsWith("Arrow") && e.target !== view.canvas && e.target !== document.body;
    if (e.ctrlKey || e.metaKey || e.altKey || writing || elsewhere || !Object.hasOwn(keys, e.key)) return;
    if (e.target === document.body && e.key.startsWith("Arrow") && window.scrollY > 40) return;  // the reader is below
    e.preventDefault();
    keys[e.key]();
  });
}

function listenToLayers(page) {
  const view = page.view;
  for (const id of ["boxes", "stars"])
    $(id)?.addEventListener("input", (e) => { view.shown[id] = e.target.checked, view.draw(); });
  document.querySelectorAll("[data-class]").forEach((e) =>
    e.addEventListener("input", () => { view.shown.classes[+e.dataset.class] = e.checked, view.draw(); }));
  $("in").addEventListener("click", () => view.zoom(1.5));
  $("out").addEventListener("click", () => view.zoom(1 / 1.5));
  $("fit").addEventListener("click", () => view.fit());
  window.addEventListener("hashchange", () => followAddress(page, location.hash));
}

async function start() {
  const named = new Map(await Promise.all(data.tables.map(async (t) => [t.name, await unpackTable(t)])));
  const blends = named.has("BLENDS") ? withBoxes(named.get("BLENDS")) : null;
  const sources = named.has("SOURCES") ? withUnits(named.get("SOURCES"), blends) : null;
  const pixels = data.pixels ? await unpackPixels(data.pixels) : null, psf = data.psf ? await unpackPsf(data.psf) : null;
  const view = new View($("view"), pixels, data.size, { blends, sources });
  const page = { data, view, pixels, blends, sources, psf, meanings: data.flags };
  if (pixels) firstLook(view);
  listenToPointer(page, $("view")), listenToKeys(page), listenToLayers(page);
  const address = location.hash;
  choose(page, null);
  followAddress(page, address);
  document.body.dataset.ready = "yes";
}

start().catch((error) => {
  $("readout").textContent = `This page needs a newer browser: ${error.message}`;
  throw error;
});
