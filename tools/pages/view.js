// The image on a canvas: pan, zoom, stretch, and what was found drawn over it.
// Coordinates are pixel edges: the first pixel reaches from 0 to 1, y grows upwards.

const classColours = ["#5fd068", "#4cc9f0", "#ffd23f", "#ff9f1c", "#ff5c5c"];
const tileSide = 512;

// What a stretch makes of a value's place between black (0) and white (1).
const stretches = {
  linear: (t) => t,
  asinh: (t) => Math.asinh(12 * t) / Math.asinh(12),
  log: (t) => Math.log1p(400 * t) / Math.log1p(400),
};

class View {
  constructor(canvas, pixels, size, catalogue) {
    Object.assign(this, { canvas, pixels, size, catalogue });
    this.context = canvas.getContext("2d");
    this.look = { stretch: "asinh", black: 0, white: 1, inverted: false };
    this.shown = { boxes: true, stars: true, classes: [true, true, true, true, true] };
    this.selected = null;  // {unit, star}: rows, or -1
    this.tiles = new Map(), this.asked = false;
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
    this.fit();
  }

  resize() {
    const ratio = window.devicePixelRatio || 1, box = this.canvas.getBoundingClientRect();
    this.ratio = ratio, this.width = box.width, this.height = box.height;
    this.canvas.width = Math.round(box.width * ratio), this.canvas.height = Math.round(box.height * ratio);
    this.draw();
  }
  fit() {
    this.scale = Math.min(this.width / this.size.width, this.height / this.size.height) * 0.98 || 1;
    this.x = this.size.width / 2, this.y = this.size.height / 2;
    this.draw();
  }
  toScreen(x, y) { return [(x - this.x) * this.scale + this.width / 2, this.height / 2 - (y - this.y) * this.scale]; }
  toImage(u, v) { return [(u - this.width / 2) / this.scale + this.x, (this.height / 2 - v) / this.scale + this.y]; }

  // Zooms by a factor, the point under u, v staying where it is.
  zoom(factor, u = this.width / 2, v = this.height / 2) {
    const [x, y] = this.toImage(u, v);
    this.scale = Math.min(Math.max(this.scale * factor, 0.02), 80);
    this.x = x - (u - this.width / 2) / this.scale, this.y = y - (this.height / 2 - v) / this.scale;
    this.keepInSight();
  }
  pan(du, dv) {
    this.x -= du / this.scale, this.y += dv / this.scale;
    this.keepInSight();
  }
  centre(x, y, scale) {
    this.x = x, this.y = y, this.scale = Math.max(this.scale, scale);
    this.draw();
  }
  keepInSight() {
    this.x = Math.min(Math.max(this.x, 0), this.size.width), this.y = Math.min(Math.max(this.y, 0), this.size.height);
    this.draw();
  }

  setLook(look) {
    Object.assign(this.look, look);
    this.tiles.clear(), this.greys = null;
    this.draw();
  }
  // The grey of every code.
  greyOf() {
    if (this.greys) return this.greys;
    const { stretch, black, white, inverted } = this.look, p = this.pixels;
    const low = p.valueOf(black), high = p.valueOf(white), f = stretches[stretch];
    this.greys = new Uint8Array(65536);
    for (let code = 1; code < 65536; ++code) {
      const t = Math.min(Math.max((p.valueOf(code) - low) / (high - low), 0), 1), grey = Math.round(255 * f(t));
      this.greys[code] = inverted ? 255 - grey : grey;
    }
    return this.greys;
  }
  tile(i, j) {
    const key = j * 4096 + i;
    if (this.tiles.has(key)) return this.tiles.get(key);
    const p = this.pixels, x0 = i * tileSide, y0 = j * tileSide, greys = this.greyOf();
    const w = Math.min(tileSide, p.width - x0), h = Math.min(tileSide, p.height - y0);
    const canvas = document.createElement("canvas");
    canvas.width = w, canvas.height = h;
    const context = canvas.getContext("2d"), data = context.createImageData(w, h), words = new Uint32Array(data.data.buffer);
    for (let y = 0; y < h; ++y)
      for (let x = 0; x < w; ++x) {
        const code = p.codes[(y0 + h - 1 - y) * p.width + x0 + x], g = greys[code];
        words[y * w + x] = code === 0 ? 0xff5a2a3c : 0xff000000 | (g << 16) | (g << 8) | g;  // no value: violet
      }
    context.putImageData(data, 0, 0);
    const tile = { canvas, x0, y0, w, h };
    this.tiles.set(key, tile);
    return tile;
  }

  draw() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.paint();
    });
  }
  paint() {
    const c = this.context;
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.fillStyle = "#0b0d11";
    c.fillRect(0, 0, this.width, this.height);
    if (this.pixels) this.paintImage(c);
    else {
      const [u, v] = this.toScreen(0, this.size.height);
      c.strokeStyle = "#39404d", c.strokeRect(u, v, this.size.width * this.scale, this.size.height * this.scale);
    }
    if (this.shown.boxes && this.catalogue.blends) this.paintBoxes(c);
    if (this.shown.stars && this.catalogue.sources) this.paintStars(c);
    if (this.selected) this.paintSelected(c);
  }
  paintImage(c) {
    const side = tileSide * this.pixels.bin, [x0, y1] = this.toImage(0, 0), [x1, y0] = this.toImage(this.width, this.height);
    const last = (n) => Math.ceil(n / tileSide) - 1;
    c.imageSmoothingEnabled = this.scale * this.pixels.bin < 1;
    c.imageSmoothingQuality = "medium";
    for (let j = Math.max(0, Math.floor(y0 / side)); j <= Math.min(last(this.pixels.height), Math.floor(y1 / side)); ++j)
      for (let i = Math.max(0, Math.floor(x0 / side)); i <= Math.min(last(this.pixels.width), Math.floor(x1 / side)); ++i) {
        const t = this.tile(i, j), b = this.pixels.bin;
        const [u, v] = this.toScreen(t.x0 * b, (t.y0 + t.h) * b), s = this.scale * b;
        c.drawImage(t.canvas, u, v, t.w * s + 0.5, t.h * s + 0.5);
      }
  }
  sight(margin) {
    const [x0, y1] = this.toImage(0, 0), [x1, y0] = this.toImage(this.width, this.height);
    return [x0 - margin, y0 - margin, x1 + margin, y1 + margin];
  }
  paintBoxes(c) {
    const b = this.catalogue.blends;
    c.lineWidth = this.scale > 4 ? 1.5 : 1, c.globalAlpha = this.scale < 1 ? 0.6 : 0.9;
    const paths = classColours.map(() => new Path2D());
    for (const i of b.cells.within(...this.sight(64))) {
      if (!this.shown.classes[b.label[i]]) continue;
      const [u, v] = this.toScreen(b.x0[i], b.y1[i]);
      paths[b.label[i]].rect(u, v, (b.x1[i] - b.x0[i]) * this.scale, (b.y1[i] - b.y0[i]) * this.scale);
    }
    paths.forEach((path, k) => {
      c.strokeStyle = classColours[k];
      c.stroke(path);
    });
    c.globalAlpha = 1;
  }
  paintStars(c) {
    const s = this.catalogue.sources, r = Math.min(Math.max(this.scale * 0.6, 1.5), 6);
    const paths = [...classColours, "#ffffff"].map(() => new Path2D());
    if (this.scale < 0.5) return;  // nothing but a haze
    for (const i of s.cells.within(...this.sight(2))) {
      if (s.label[i] < 5 && !this.shown.classes[s.label[i]]) continue;
      const [u, v] = this.toScreen(s.x[i], s.y[i]), path = paths[s.label[i]];
      path.moveTo(u - r, v), path.lineTo(u + r, v), path.moveTo(u, v - r), path.lineTo(u, v + r);
    }
    c.lineWidth = this.scale > 6 ? 1.6 : 1;
    paths.forEach((path, k) => {
      c.strokeStyle = k < 5 ? classColours[k] : "#ffffff";
      c.stroke(path);
    });
  }
  paintSelected(c) {
    const { unit, star } = this.selected, b = this.catalogue.blends, s = this.catalogue.sources;
    c.strokeStyle = "#ffffff", c.lineWidth = 2.5;
    if (unit >= 0) {
      const [u, v] = this.toScreen(b.x0[unit], b.y1[unit]);
      c.strokeRect(u - 2, v - 2, (b.x1[unit] - b.x0[unit]) * this.scale + 4, (b.y1[unit] - b.y0[unit]) * this.scale + 4);
    }
    if (star >= 0) {
      const [u, v] = this.toScreen(s.x[star], s.y[star]);
      c.beginPath(), c.arc(u, v, 9, 0, 2 * Math.PI), c.stroke();
    }
  }

  // What lies under a point of the screen: the nearest star within 7 px of it and its unit, else the smallest box around.
  pick(u, v) {
    const [x, y] = this.toImage(u, v), { blends: b, sources: s } = this.catalogue, reach = 7 / this.scale;
    let star = -1, least = reach, unit = -1, area = Infinity;
    if (s && this.shown.stars && this.scale >= 0.5)
      for (const i of s.cells.within(x - reach, y - reach, x + reach, y + reach)) {
        const d = Math.hypot(s.x[i] - x, s.y[i] - y);
        if (d < least) least = d, star = i;
      }
    if (b)
      for (const i of b.cells.within(x - 64, y - 64, x + 64, y + 64)) {
        const size = (b.x1[i] - b.x0[i]) * (b.y1[i] - b.y0[i]);
        const in_it = x >= b.x0[i] && x <= b.x1[i] && y >= b.y0[i] && y <= b.y1[i];
        if (in_it && this.shown.classes[b.label[i]] && size < area) area = size, unit = i;
      }
    if (star >= 0 && s.unit[star] >= 0) unit = s.unit[star];
    return unit < 0 && star < 0 ? null : { unit, star };
  }
}
