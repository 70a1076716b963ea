// The page's data: from base64 over zlib to pixels, columns and directions.

async function bytesOf(text) {
  const packed = atob(text), raw = new Uint8Array(packed.length);
  for (let i = 0; i < raw.length; ++i) raw[i] = packed.charCodeAt(i);
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Codes row by row from the bottom, and the value that each code stands for.
async function unpackPixels(p) {
  const bytes = await bytesOf(p.data), n = p.width * p.height, codes = new Uint16Array(n);
  for (let i = 0; i < n; ++i) codes[i] = (bytes[i] << 8) | bytes[n + i];
  const valueOf = (code) => (code === 0 ? NaN : p.sky + p.unit * Math.sinh((code - p.middle) / p.per_e));
  const codeOf = (value) => p.middle + Math.asinh((value - p.sky) / p.unit) * p.per_e;
  const at = (x, y) => {  // x, y: pixels of the image, from 0
    const i = Math.floor(x / p.bin), j = Math.floor(y / p.bin);
    return i < 0 || j < 0 || i >= p.width || j >= p.height ? NaN : valueOf(codes[j * p.width + i]);
  };
  return { ...p, codes, valueOf, codeOf, at };
}

async function unpackTable(t) {
  const bytes = await bytesOf(t.data), columns = new Map();
  t.columns.forEach((c, k) => {
    const words = new Uint32Array(t.rows), from = 4 * k * t.rows, values = new Float64Array(t.rows);
    for (let plane = 0; plane < 4; ++plane)
      for (let i = 0; i < t.rows; ++i) words[i] |= bytes[from + plane * t.rows + i] << (8 * plane);
    const singles = new Float32Array(words.buffer), scale = 10 ** Math.max(c.decimals, 0);
    for (let i = 0; i < t.rows; ++i)
      values[i] = c.kind === "float" ? singles[i] : words[i] === 0xffffffff ? NaN : (c.low + words[i]) / scale;
    columns.set(c.name, { ...c, values });
  });
  const get = (name) => columns.get(name)?.values;
  return { name: t.name, rows: t.rows, of: t.of, columns, get };
}

// RA and DEC in degrees at a FITS pixel; null where there are none.
function skyAt(sky, x, y) {
  if (!sky) return null;
  const u = (x - 0.5) / sky.dx, v = (y - 0.5) / sky.dy;
  const i = Math.min(Math.max(Math.floor(u), 0), sky.nx - 1), j = Math.min(Math.max(Math.floor(v), 0), sky.ny - 1);
  const a = u - i, b = v - j, d = [0, 0, 0];
  for (const [di, dj, w] of [[0, 0, (1 - a) * (1 - b)], [1, 0, a * (1 - b)], [0, 1, (1 - a) * b], [1, 1, a * b]])
    for (let k = 0; k < 3; ++k) {
      const node = sky.at[3 * ((j + dj) * (sky.nx + 1) + i + di) + k];
      if (node === null) return null;
      d[k] += w * node;
    }
  const degrees = 180 / Math.PI, ra = Math.atan2(d[1], d[0]) * degrees;
  return { ra: (ra + 360) % 360, dec: Math.atan2(d[2], Math.hypot(d[0], d[1])) * degrees };
}

// "00:42:44.33 +41:16:07.5"
function sexagesimal({ ra, dec }) {
  const parts = (value, digits) => {
    const unit = 10 ** digits, all = Math.round(value * 3600 * unit), s = (all % (60 * unit)) / unit;
    const m = Math.floor(all / (60 * unit)), two = (v) => String(v).padStart(2, "0");
    return `${two(Math.floor(m / 60))}:${two(m % 60)}:${s.toFixed(digits).padStart(digits + 3, "0")}`;
  };
  return `${parts((ra / 15) % 24, 3)} ${dec < 0 ? "−" : "+"}${parts(Math.abs(dec), 2)}`;
}

// Places in cells, to be found by place.
class Cells {
  constructor(xs, ys, side = 32) {
    this.side = side, this.cells = new Map();
    for (let i = 0; i < xs.length; ++i) {
      const key = this.key(Math.floor(xs[i] / side), Math.floor(ys[i] / side));
      const cell = this.cells.get(key);
      if (cell) cell.push(i); else this.cells.set(key, [i]);
    }
  }
  key(i, j) { return j * 65536 + i; }
  // Indices of all that may lie in x0 ... x1, y0 ... y1, in ascending order.
  within(x0, y0, x1, y1) {
    const s = this.side, found = [];
    for (let j = Math.floor(y0 / s); j <= Math.floor(y1 / s); ++j)
      for (let i = Math.floor(x0 / s); i <= Math.floor(x1 / s); ++i) {
        const cell = this.cells.get(this.key(i, j));
        if (cell) for (const k of cell) found.push(k);
      }
    return found.sort((a, b) => a - b);
  }
}
