// What is known of a unit and its stars: numbers, flags in words, cut-outs of image, model and residual.

const element = (tag, attributes = {}, ...children) => {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes))
    if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else e.setAttribute(key, value);
  e.append(...children);
  return e;
};

const shownValue = (column, i) => {
  const v = column.values[i];
  if (!Number.isFinite(v)) return "–";
  const text = column.decimals >= 0 ? v.toFixed(column.decimals) : Math.abs(v) >= 1e5 || Math.abs(v) < 1e-3 ? v.toExponential(4) : v.toPrecision(6);
  return text.replace("-", "−") + (column.unit ? ` ${column.unit}` : "");
};

const flagWords = (flags, meanings) => meanings.filter(([bit]) => flags & bit).map(([, words]) => words);

function numbers(table, row, names) {
  const list = element("dl", { class: "numbers" });
  for (const name of names) {
    const column = table.columns.get(name);
    if (!column) continue;
    list.append(element("dt", { title: column.about }, name), element("dd", {}, shownValue(column, row)));
  }
  return list;
}

// Bars of P1 ... P5.
function chances(table, row) {
  const box = element("div", { class: "chances", role: "img", "aria-label": "probabilities of 1 to 5 stars" });
  for (let k = 0; k < 5; ++k) {
    const p = table.get(`P${k + 1}`)?.[row];
    if (p === undefined) return "";
    const bar = element("i", { style: `height:${(100 * p).toFixed(1)}%;background:${classColours[k]}` });
    box.append(element("span", { title: `P${k + 1} = ${p.toFixed(3)}` }, bar, element("b", {}, k < 4 ? k + 1 : "5+")));
  }
  return box;
}

// The effective PSF: the share of a star's flux in a pixel dx, dy from it; a cubic between the table's samples.
function psfAt(psf, dx, dy) {
  const u = dx * psf.oversampling + psf.half, v = dy * psf.oversampling + psf.half, side = 2 * psf.half + 1;
  const i = Math.floor(u), j = Math.floor(v), a = u - i, b = v - j;
  if (i < 1 || j < 1 || i > side - 3 || j > side - 3) return 0;
  const weights = (t) => [t * (t * (2 - t) - 1) / 2, (t * t * (3 * t - 5) + 2) / 2, t * (t * (4 - 3 * t) + 1) / 2, t * t * (t - 1) / 2];
  const wx = weights(a), wy = weights(b);
  let sum = 0;
  for (let m = 0; m < 4; ++m)
    for (let n = 0; n < 4; ++n) sum += wy[m] * wx[n] * psf.values[(j + m - 1) * side + i + n - 1];
  return sum;
}

// Image, model and residual of a square of pixels; model and residual only with a PSF.
function cutOuts(page, x0, y0, side) {
  const { pixels, sources, psf } = page, n = side * side, reach = psf ? psf.half / psf.oversampling : 0;
  const image = new Float64Array(n), model = new Float64Array(n);
  const flux = sources?.get("FLUX_PSF"), sky = sources?.get("BACKGROUND");
  const with_model = psf && sources && flux && sky && pixels.bin === 1;
  const stars = with_model ? sources.cells.within(x0 - reach, y0 - reach, x0 + side + reach, y0 + side + reach) : [];
  for (let j = 0; j < side; ++j)
    for (let i = 0; i < side; ++i) {
      const k = j * side + i, x = x0 + i + 0.5, y = y0 + j + 0.5;
      image[k] = pixels.at(x0 + i, y0 + j);
      let nearest = Infinity, background = 0;  // the sky of the nearest star's fit
      for (const s of stars) {
        const dx = x - sources.x[s], dy = y - sources.y[s], d = dx * dx + dy * dy;
        if (Number.isFinite(flux[s])) model[k] += flux[s] * psfAt(psf, dx, dy);
        if (d < nearest && Number.isFinite(sky[s])) nearest = d, background = sky[s];
      }
      model[k] += background;
    }
  const pictures = [["image", image, false]];
  if (with_model && stars.length)
    pictures.push(["model", model, false], ["residual", image.map((v, k) => v - model[k]), true]);
  return pictures;
}

// Blue below, white at, red above nothing; full at five times the noise.
function residualColour(v, noise) {
  const t = Math.min(Math.max(v / (5 * noise), -1), 1), fade = Math.round(255 * (1 - Math.abs(t)));
  return t < 0 ? [fade, fade, 255] : [255, fade, fade];
}

function drawCutOut(page, [name, values, signed], side, marks) {
  const zoom = Math.max(2, Math.floor(112 / side)), canvas = element("canvas", { width: side * zoom, height: side * zoom });
  const c = canvas.getContext("2d"), greys = page.view.greyOf();
  for (let j = 0; j < side; ++j)
    for (let i = 0; i < side; ++i) {
      const v = values[j * side + i];
      const grey = Number.isFinite(v) ? greys[Math.min(Math.max(Math.round(page.pixels.codeOf(v)), 1), 65535)] : 60;
      const [r, g, b] = signed && Number.isFinite(v) ? residualColour(v, page.pixels.noise) : [grey, grey, grey];
      c.fillStyle = `rgb(${r},${g},${b})`;
      c.fillRect(i * zoom, (side - 1 - j) * zoom, zoom, zoom);
    }
  c.strokeStyle = signed ? "#000000" : "#ff4fd8", c.lineWidth = 1.2;
  for (const [x, y] of marks) {
    const u = x * zoom, v = (side - y) * zoom;
    c.beginPath(), c.moveTo(u - 4, v), c.lineTo(u + 4, v), c.moveTo(u, v - 4), c.lineTo(u, v + 4), c.stroke();
  }
  return element("figure", {}, canvas, element("figcaption", {}, name));
}

function cutOutRow(page, x, y, half, marks) {
  if (!page.pixels) return "";
  const r = Math.min(Math.max(Math.ceil(half) + 4, 8), 28), x0 = Math.round(x) - r, y0 = Math.round(y) - r, side = 2 * r;
  const own = marks.map(([u, v]) => [u - x0, v - y0]);
  const row = element("div", { class: "cut-outs" });
  for (const picture of cutOuts(page, x0, y0, side)) row.append(drawCutOut(page, picture, side, own));
  return row;
}

function flagList(flags, meanings) {
  const words = flagWords(flags, meanings);
  return words.length ? element("ul", { class: "flags" }, ...words.map((w) => element("li", {}, w))) : "";
}

// Fills the panel; choose(selection) goes on to another row.
function showDetails(panel, page, selection, choose) {
  const { blends, sources } = page;
  panel.replaceChildren();
  if (!selection) return panel.append(element("p", { class: "soft" }, "Click a box or a star, or press n for the next unit."));
  const { unit, star } = selection, members = unit >= 0 && sources ? sources.members.get(unit) ?? [] : [];
  const marks = (members.length ? members : star >= 0 ? [star] : []).map((i) => [sources.x[i], sources.y[i]]);
  if (unit >= 0) {
    const k = blends.label[unit], what = k === 0 ? "1 star" : `${k + 1}${k === 4 ? " or more" : ""} stars`;
    panel.append(element("h2", {}, element("i", { class: "swatch", style: `background:${classColours[k]}` }), `Unit ${blends.id[unit]}: ${what}`));
    const half = Math.max(blends.x1[unit] - blends.x0[unit], blends.y1[unit] - blends.y0[unit]) / 2;
    panel.append(cutOutRow(page, (blends.x0[unit] + blends.x1[unit]) / 2, (blends.y0[unit] + blends.y1[unit]) / 2, half, marks));
    panel.append(chances(blends, unit), flagList(blends.get("FLAGS")?.[unit] ?? 0, page.meanings));
    panel.append(numbers(blends, unit, ["X_IMAGE", "Y_IMAGE", "RA", "DEC", "SCORE", "NSTARS_EXP", "MAG", "MAGERR", "FLUX", "FLUXERR", "SNR", "BACKGROUND"]));
  } else {
    panel.append(element("h2", {}, `Star ${sources.id[star]}, in no unit`));
    panel.append(cutOutRow(page, sources.x[star], sources.y[star], 4, marks));
  }
  if (members.length > 0) {
    const list = element("div", { class: "members" });
    for (const i of members) {
      const mag = sources.columns.get("MAG_PSF") ?? sources.columns.get("FLUX_PSF");
      list.append(element("button", { type: "button", "aria-pressed": i === star, onclick: () => choose({ unit, star: i }) },
        `Star ${sources.id[i]}`, element("span", {}, mag ? shownValue(mag, i) : "")));
    }
    panel.append(element("h3", {}, members.length === 1 ? "Its star" : `Its ${members.length} stars`), list);
  }
  if (star >= 0) {
    if (unit >= 0) panel.append(element("h3", {}, `Star ${sources.id[star]}`));
    panel.append(flagList(sources.get("FLAGS")?.[star] ?? 0, page.meanings));
    panel.append(numbers(sources, star, ["X_IMAGE", "ERRX_IMAGE", "Y_IMAGE", "ERRY_IMAGE", "RA", "DEC", "MAG_PSF", "MAGERR_PSF", "FLUX_PSF", "FLUXERR_PSF", "SNR", "CHI2", "QF", "FRACFLUX", "CROWD", "SHARP"]));
  }
}
