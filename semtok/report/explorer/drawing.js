"use strict";
const at = id => document.getElementById(id);
const contents = JSON.parse(at("contents").textContent);
const space = at("overlay").namespaceURI;

/** An element with attributes; children are elements or words, never markup. */
function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function draw(tag, attributes, ...children) {
  return fill(document.createElementNS(space, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A colour each: of shares from 0 to the largest, apart from 0, or within 2.5 standard deviations. */
function coloured(values, kind) {
  const stops = contents.colours[kind.colours];
  const largest = Math.max(...values.map(Math.abs)) || 1;
  const place = {
    share: value => Math.sqrt(Math.max(0, value) / largest),
    signed: value => 0.5 + value / largest / 2,
    apart: value => Math.min(1, Math.max(0, 0.5 + value / 5)),
  }[kind.colours];
  return values.map(value => stops[Math.round(place(value) * (stops.length - 1))]);
}

/** The owner of each pixel of a square, and how many of them a side has. */
function owners(view) {
  if (view.patches) return [Int32Array.from({ length: view.patches ** 2 }, (_, n) => n), view.patches];
  const map = new Int32Array(view.size ** 2);
  for (let run = 0, place = 0; run < view.superpixels.length; run += 2) {
    map.fill(view.superpixels[run], place, place += view.superpixels[run + 1]);
  }
  return [map, view.size];
}

/** Paint each owner's pixels; without colours the borders between owners alone. */
function paint(canvas, [map, side], colours) {
  const zoom = colours ? 1 : 3;
  const wide = side * zoom;
  canvas.width = canvas.height = wide;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(wide, wide);
  const owner = (x, y) => map[Math.floor(y / zoom) * side + Math.floor(x / zoom)];
  for (let y = 0, place = 0; y < wide; y++) {
    for (let x = 0; x < wide; x++, place += 4) {
      const own = owner(x, y);
      const border = (x && owner(x - 1, y) !== own) || (y && owner(x, y - 1) !== own);
      if (!colours && !border) continue;
      const hex = colours ? parseInt(colours[own].slice(1), 16) : 0xffffff;
      pixels.data.set([hex >> 16, (hex >> 8) & 255, hex & 255, 255], place);
    }
  }
  context.putImageData(pixels, 0, 0);
}

const named = (masks, id) => masks.find(mask => mask.id === id)?.name ?? `mask ${id}`;

/** Masks in colours. */
function drawMasks(svg, masks) {
  masks.forEach((mask, number) => {
    const shade = contents.palette[number % contents.palette.length];
    svg.append(draw("path", { d: mask.d, class: "mask", fill: shade, stroke: shade }));
  });
}

/** The names of masks that are not too small for one. */
function drawNames(svg, masks) {
  for (const mask of masks) {
    if (mask.share >= 0.005) svg.append(draw("text", { x: mask.at[0], y: mask.at[1] }, mask.name));
  }
}

/** Relations as bent arrows, so that both directions of a pair are seen, each with its number. */
function drawRelations(svg, masks, relations) {
  relations.forEach(([subject, , object], number) => {
    const ends = [subject, object].map(id => masks.find(mask => mask.id === id)?.at);
    if (!ends[0] || !ends[1]) return;
    const [[x, y], [to, low]] = ends;
    const apart = Math.max(1, Math.hypot(to - x, low - y));
    const short = 1 - Math.min(14, apart / 3) / apart; // the head stands before the object's name
    const [u, v] = [x + short * (to - x), y + short * (low - y)];
    const bend = [(x + u) / 2 - (v - y) / 5, (y + v) / 2 + (u - x) / 5];
    const d = `M${x} ${y}Q${bend[0]} ${bend[1]} ${u} ${v}`;
    for (const kind of ["halo", "arrow"]) svg.append(draw("path", { d, class: kind }));
    const [cx, cy] = [(x + 2 * bend[0] + u) / 4, (y + 2 * bend[1] + v) / 4];
    svg.append(
      draw("circle", { cx, cy, r: 9, class: "badge" }),
      draw("text", { x: cx, y: cy, class: "number" }, String(number + 1)));
  });
}

/** What the tokens of a view are called, in their order. */
function tokenNames(view, masks) {
  const region = place => {
    const known = view.regions[place];
    return typeof known === "number" ? named(masks, known) : `region ${place + 1}`;
  };
  const relations = (view.relations ?? []).map(([s, p, o]) => `${region(s)} ${p} ${region(o)}`);
  if (view.patches) {
    const place = number => `row ${Math.floor(number / view.patches) + 1}, column ${number % view.patches + 1}`;
    return [...Array(view.patches ** 2).keys()].map(place).concat(relations);
  }
  if (view.superpixels) return [...new Set(owners(view)[0])].map((_, number) => `superpixel ${number + 1}`);
  return view.regions.map((_, place) => region(place)).concat(relations);
}

/** A variant's tokens over the image, in the colours of what they count for. */
function heat(row, view, masks, kind, label) {
  const values = view.values[kind.name];
  const colours = coloured(values, kind);
  const stage = make("div", { class: "stage heat", role: "img", "aria-label": label });
  if (row.picture) stage.append(make("img", { src: row.picture, alt: "", width: row.width, height: row.height }));
  if (view.patches || view.superpixels) {
    const canvas = make("canvas");
    paint(canvas, owners(view), colours);
    stage.append(canvas);
  } else {
    const svg = draw("svg", { viewBox: `0 0 ${row.width} ${row.height}` });
    view.regions.forEach((known, place) => {
      const d = typeof known === "number" ? masks.find(mask => mask.id === known)?.d : known;
      svg.append(draw("path", { d: d ?? "", fill: colours[place] }));
    });
    stage.append(svg);
  }
  return stage;
}

/** A variant's card: where it looks, its strongest tokens, and what it says of the image. */
function card(variant, row, view, wanted) {
  const article = make("article", { "aria-label": variant.name }, make("h3", {}, variant.name));
  if (!view) {
    article.append(make("p", { class: "mean" }, "no tokens of this image"));
    return article;
  }
  const masks = row.found[variant.reads]?.masks ?? [];
  // Some encoders do not tell their attention.
  const kind = view.values[wanted.name] ? wanted : contents.kinds.find(each => view.values[each.name]);
  const values = kind && view.values[kind.name];
  if (values) {
    const names = tokenNames(view, masks);
    const order = [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, 4);
    const strongest = order.map(number => `${names[number]} ${values[number]}`);
    article.append(
      heat(row, view, masks, kind, `${kind.label} of ${variant.name}; most: ${strongest[0]}`),
      make("p", { class: "mean" }, `Most of ${values.length} tokens: ${strongest.join("; ")}`));
    if (kind !== wanted) article.append(make("p", { class: "mean" },
      `The ${kind.label}, since the attention of its encoder is not read: ${kind.about}.`));
  }
  const list = make("ol", { class: "captions" });
  for (const [text, cosine, mark] of view.near) {
    const word = { own: "own", true: "true", "": "wrong" }[row.captions.length ? mark : "none"] ?? "";
    const sign = make("span", { class: word === "wrong" ? "worse" : "better" },
      word && `${word === "wrong" ? "✗" : "✓"} ${word} `);
    list.append(make("li", {}, make("span", { class: "cosine" }, cosine.toFixed(3)), " ", sign, text));
  }
  article.append(make("h4", {}, "Nearest captions"), list);
  if (view.rank) {
    article.append(make("p", { class: "mean" },
      `The nearest right one is at rank ${view.rank} of ${contents.texts}.`));
  }
  if (view.relations?.length) {
    const region = tokenNames({ ...view, patches: 0, superpixels: null, relations: [] }, masks);
    const told = view.relations.map(([s, p, o]) => make("li", {}, `${region[s]} ${p} ${region[o]}`));
    article.append(make("details", {},
      make("summary", {}, `Relations that it is told: ${told.length}`), make("ul", {}, ...told)));
  }
  return article;
}
