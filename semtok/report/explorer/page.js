const THUMBNAILS = 48;
const DRAWN = 9; // relations: more arrows hide the image
const parts = new Map();
const waiting = new Map();
const turned = { image: 0, shown: [...contents.images.keys()] };

/** Called by the scripts of data. */
function take(part, number, rows) {
  waiting.get(`${part}-${number}`)(rows);
}

/** The rows of a part of the data; the last ones stay in memory. */
function load(part, number) {
  if (contents.inside) return Promise.resolve(contents.inside[part]);
  const key = `${part}-${number}`;
  if (!parts.has(key)) {
    parts.set(key, new Promise((resolve, reject) => {
      const script = make("script", { src: `data/${key}.js` });
      const end = settle => value => {
        waiting.delete(key);
        script.remove();
        settle(value);
      };
      waiting.set(key, end(resolve));
      // Loaded and still waited for: it is not whole.
      script.onload = script.onerror = () => waiting.has(key) && end(() => {
        parts.delete(key);
        reject(new Error(`data/${key}.js, which belongs beside this page, cannot be read`));
      })();
      document.head.append(script);
    }));
  }
  const rows = parts.get(key);
  parts.delete(key);
  parts.set(key, rows); // the one that was asked for last
  const most = 4 * (1 + contents.variants.length);
  for (const old of [...parts.keys()].slice(0, Math.max(0, parts.size - most))) parts.delete(old);
  return rows;
}

async function rowsOf(image) {
  const number = Math.floor(image / contents.together);
  const wanted = ["images", ...contents.variants.map(variant => variant.part)];
  const rows = await Promise.all(wanted.map(part => load(part, number)));
  return rows.map(each => each[image % contents.together]);
}

const chosen = name => document.querySelector(`input[name=${name}]:checked`)?.value;

/** Show the image whose turn it is. */
async function show() {
  const image = turned.image;
  const [id] = contents.images[image];
  let found;
  try {
    found = await rowsOf(image);
    await offerLayers(image);
  } catch (error) {
    showPlace();
    at("place").textContent = `image ${id}: ${error.message}`;
    return;
  }
  if (image !== turned.image) return; // turned on meanwhile
  const [row, ...views] = found;
  at("heading").textContent = contents.inside && !row.captions.length ? row.name : `Image ${id}`;
  document.title = `${at("heading").textContent} · ${document.querySelector("h1").textContent}`;
  at("file").textContent = `${row.name}, ${row.pixels.join(" × ")} pixels`;
  showImage(row, views);
  at("captions").replaceChildren(...row.captions.map(text => make("li", {}, text)));
  at("aside").replaceChildren(...row.aside.map(told => make("li", {}, told.filter(Boolean).join(": "))));
  at("aside-of").hidden = !row.aside.length;
  at("captions-of").hidden = !row.captions.length;
  const kind = contents.kinds.find(each => each.name === chosen("kind")) ?? contents.kinds[0];
  at("about-kind").textContent = kind.about;
  at("cards").replaceChildren(
    ...contents.variants.map((variant, number) => card(variant, row, views[number], kind)));
  showPlace();
}

/** A score, where it says anything: annotations have 1 throughout. */
const scored = score => score < 1 ? ` ${score.toFixed(2)}` : "";

function showImage(row, views) {
  const picture = at("picture");
  picture.hidden = !row.picture;
  if (row.picture) picture.src = row.picture;
  picture.alt = row.captions[0] ? `${row.name}: ${row.captions[0]}` : row.name;
  at("unreadable").hidden = Boolean(row.picture);
  at("stage").style.aspectRatio = `${row.width} / ${row.height}`;
  const svg = at("overlay");
  svg.setAttribute("viewBox", `0 0 ${row.width} ${row.height}`);
  svg.replaceChildren(at("defs"));
  const [layer, name] = (chosen("layer") ?? "none").split("=");
  const found = layer === "masks" ? row.found[name] : undefined;
  const shown = found ?? row.found[contents.extractions[0]];
  if (found) drawMasks(svg, found.masks);
  if (shown && at("relations").checked) drawRelations(svg, shown.masks, shown.relations.slice(0, DRAWN));
  if (shown && at("names").checked) drawNames(svg, shown.masks);
  const view = layer === "superpixels" && views[contents.variants.findIndex(each => each.name === name)];
  at("borders").hidden = !view;
  if (view) paint(at("borders"), owners(view), null);
  const masks = (shown?.masks ?? []).map(mask =>
    make("li", {}, `${mask.name}${scored(mask.score)}, ${(100 * mask.share).toFixed(1)} %`));
  const relations = (shown?.relations ?? []).map(([s, p, o, score]) =>
    make("li", {}, `${named(shown.masks, s)} ${p} ${named(shown.masks, o)}${scored(score)}`));
  at("masks-of").hidden = at("relations-of").hidden = !shown;
  at("mask-count").textContent = masks.length;
  at("relation-count").textContent = relations.length;
  at("masks").replaceChildren(...masks);
  at("relation-list").replaceChildren(...relations.slice(0, DRAWN));
  at("more-relations").replaceChildren(...relations.slice(DRAWN));
  at("more").hidden = relations.length <= DRAWN;
  at("more-count").textContent = relations.length - DRAWN;
}

/** Where we are, and the thumbnails around. */
function showPlace() {
  const { shown, image } = turned;
  const place = shown.indexOf(image);
  const all = contents.images.length;
  const filtered = shown.length < all ? ` that fit, of ${all.toLocaleString("en")}` : "";
  at("place").textContent = shown.length
    ? `${place < 0 ? "none" : (place + 1).toLocaleString("en")} of ${shown.length.toLocaleString("en")}${filtered}`
    : "no image fits";
  enable("previous", shown.some(each => each < image));
  enable("next", shown.some(each => each > image));
  showThumbnails(Math.max(0, Math.floor(place / THUMBNAILS)));
}

/** Whether a button does anything. One that is `disabled` would lose the focus as it is pressed. */
const enable = (id, does) => at(id).setAttribute("aria-disabled", !does);

function showThumbnails(page) {
  const { shown, image } = turned;
  const pages = Math.max(1, Math.ceil(shown.length / THUMBNAILS));
  const some = shown.slice(page * THUMBNAILS, (page + 1) * THUMBNAILS);
  const followed = at("thumbnails").contains(document.activeElement);
  at("thumbnails").replaceChildren(...some.map(each => {
    const [id, , readable, caption] = contents.images[each];
    const link = make("a", { href: `#${id}`, ...(each === image && { "aria-current": "true" }) });
    if (readable) {
      const source = contents.inside ? contents.inside.images[0].thumbnail : `thumbnails/${id}.jpg`;
      link.append(make("img", { src: source, loading: "lazy", alt: caption, width: 96, height: 72 }));
    }
    link.append(make("span", {}, String(id)));
    return make("li", {}, link);
  }));
  if (followed) at("heading").focus(); // the link that was followed is gone
  at("page").textContent = `page ${page + 1} of ${pages}`;
  for (const [id, other] of [["earlier", page - 1], ["later", page + 1]]) {
    const there = other >= 0 && other < pages;
    enable(id, there);
    at(id).onclick = () => there && showThumbnails(other);
  }
}

function turn(forward) {
  const { shown, image } = turned;
  const next = forward ? shown.find(each => each > image) : shown.findLast(each => each < image);
  if (next !== undefined) location.hash = contents.images[next][0];
}

const placeOf = id => contents.images.findIndex(each => String(each[0]) === id);

const missing = id => at("place").textContent = `no image ${id} here`;

/** The id in the address; nothing where it leads to the heading. */
function addressed() {
  const words = location.hash.slice(1);
  if (words === "heading") return "";
  try {
    return decodeURIComponent(words);
  } catch {
    return words; // people type a % too
  }
}

function follow() {
  const id = addressed();
  const image = placeOf(id);
  if (image < 0) return id && missing(id);
  turned.image = image;
  return show();
}

function jump(id) {
  if (placeOf(id) < 0) return missing(id);
  showPlace(); // in place of what an id before it was told
  location.hash = encodeURIComponent(id);
}

/** Whether an image has a word that was typed: a mark or its id whole, others from their beginning. */
function has([id, text, , , marks], typed) {
  if (String(id) === typed || marks.some(mark => mark.toLowerCase() === typed)) return true;
  if (typed.includes(":") || typed === "set-aside") return false;
  const words = typed.split(/[^\p{L}\p{M}\p{N}]+/u).filter(Boolean);
  const begins = word => new RegExp(`(?<![\\p{L}\\p{M}\\p{N}])${word}`, "u").test(text.toLowerCase());
  return words.length > 0 && words.every(begins);
}

function filter() {
  const typed = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = image => typed.every(word => has(image, word));
  turned.shown = [...contents.images.keys()].filter(image => fits(contents.images[image]));
  if (turned.shown.length && !turned.shown.includes(turned.image)) {
    turned.image = turned.shown[0];
    location.hash = contents.images[turned.image][0];
  }
  showPlace();
}

function choices(name, options, into) {
  options.forEach(([value, label], number) => {
    const input = make("input", { type: "radio", name, value, ...(number === 0 && { checked: "" }) });
    into.append(make("label", {}, input, ` ${label}`));
    input.addEventListener("change", show);
  });
}

/** Offer what can be drawn over images, once: as the images around one have it. */
async function offerLayers(image) {
  const number = Math.floor(image / contents.together);
  const views = await Promise.all(contents.variants.map(each => load(each.part, number)));
  if (at("layers").hasChildNodes()) return;
  const cut = new Map(); // one variant of each way of cutting superpixels
  views.forEach((rows, place) => {
    const view = rows.find(Boolean);
    if (view?.superpixels) cut.set(contents.variants[place].tokenizer, contents.variants[place].name);
  });
  choices("layer", [
    ...contents.extractions.map(name => [`masks=${name}`, `masks of ${name}`]),
    ...[...cut].map(([tokenizer, name]) => [`superpixels=${name}`, `superpixels of ${tokenizer}`]),
    ["none", "none"],
  ], at("layers"));
}

async function start() {
  choices("kind", contents.kinds.map(each => [each.name, each.label]), at("kinds"));
  for (const id of ["names", "relations"]) at(id).addEventListener("change", show);
  at("previous").addEventListener("click", () => turn(false));
  at("next").addEventListener("click", () => turn(true));
  at("filter").addEventListener("input", filter);
  at("jump").addEventListener("submit", event => {
    event.preventDefault();
    jump(at("id").value.trim());
  });
  window.addEventListener("hashchange", follow);
  document.addEventListener("keydown", event => {
    const busy = event.target.closest("input, summary, [tabindex='0']") || event.altKey || event.ctrlKey || event.metaKey;
    if (busy || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    event.preventDefault();
    turn(event.key === "ArrowRight");
  });
  const id = addressed();
  turned.image = Math.max(0, placeOf(id));
  await show();
  if (id && placeOf(id) < 0) missing(id);
}

start();
