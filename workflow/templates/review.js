"use strict";
// The page of efface review. The server draws every picture; here is what is asked for, and what was decided.

const byId = (id) => document.getElementById(id);
const meta = (name) => document.querySelector(`meta[name=${name}]`).content;
const SIGNS = {
  pilot: "The pilot went well: the images were looked at, and what was wrong is mended.",
  dpo: "The data protection officer agrees that this dataset is published.",
};
const AXES = [[1, 2], [0, 2], [0, 1]]; // of a plane: to its right, and up
const FRONT = { turn: 25, tilt: 0 };

let rows = [];
let anyAsked = false;
let filter = "open";
let current = null; // the item on the page
let about = null; // what the server says of it
let view = null; // where it is looked at
const undone = []; // what to put back, the latest last

// One element of a page, with its attributes and children.
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function say(text) {
  byId("alert").textContent = text;
  byId("alert").hidden = !text;
}

async function ask(path, body) {
  const options = body && {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF": meta("csrf") },
    body: JSON.stringify(body),
  };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("efface review has ended: nothing was written. Start it again.");
  }
  if (answer.ok) return answer.json();
  const told = answer.status === 409 ? (await answer.json()).error : await answer.text();
  throw new Error(told.replace(/<[^>]*>/g, " ").trim().slice(0, 300));
}

// A picture that follows what is wanted: while one is on its way, only the latest wish is kept.
class Picture {
  constructor(image) {
    this.image = image;
    this.busy = null;
    image.onload = () => this.done();
    image.onerror = () => {
      if (byId("alert").hidden) say("A picture could not be drawn: the image may have changed. Load the page again.");
      this.done();
    };
  }
  show(address) {
    this.wanted = address;
    if (!this.busy) this.load();
    return new Promise((resolve) => { this.resolve = resolve; });
  }
  load() {
    this.busy = this.wanted;
    this.image.parentElement.setAttribute("aria-busy", "true");
    this.image.src = this.busy;
  }
  done() {
    const more = this.wanted !== this.busy;
    this.busy = null;
    if (more) return this.load();
    this.image.parentElement.setAttribute("aria-busy", "false");
    this.resolve?.();
  }
}

const signing = (row) => row.item in SIGNS;
const images = () => rows.filter((row) => !signing(row));
const asked = () => images().filter((row) => row.why || !anyAsked); // without a mode, whoever wants may look
const gone = () => new Set(images().filter((row) => row.decision === "reject" && row.series).map((row) => row.series));
const isOpen = (row, series = gone()) => !row.decision && (row.why || !anyAsked) && !series.has(row.series);
const rowOf = (item) => rows.find((row) => row.item === item);

function drawList() {
  const series = gone();
  const wanted = asked();
  const open = wanted.filter((row) => isOpen(row, series));
  const rejected = images().filter((row) => row.decision === "reject").length;
  byId("progress").textContent =
    `${wanted.length - open.length} of ${wanted.length} decided, ${rejected} rejected` + (open.length ? "" : " – none is open");
  const shown = images().filter((row) => filter === "all" || isOpen(row, series) || row.item === current);
  const signs = rows.filter(signing);
  byId("list").replaceChildren(
    ...shown.map((row) => entry(row.item, row.item, row.flags || (series.has(row.series) && !row.decision ? "its series is rejected" : row.why), row.decision)),
    ...(signs.length ? [entry("sign-off", "Sign-off", `${signs.filter((row) => row.decision === "accept").length} of ${signs.length} signed`, signs.every((row) => row.decision === "accept") ? "accept" : "")] : []),
  );
  byId("list").querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
}

function entry(item, name, note, decision) {
  const said = { accept: ["✓", "accepted"], reject: ["✗", "rejected"] }[decision] || ["○", "open"];
  const mark = make("span", { className: `mark ${decision ? `${decision}-mark` : ""}`, title: said[1] }, said[0]);
  mark.setAttribute("role", "img");
  mark.setAttribute("aria-label", said[1]);
  const button = make("button", { type: "button", onclick: () => choose(item) }, mark, make("span", {}, ...parts(name)), make("small", {}, note));
  button.setAttribute("aria-current", String(item === current));
  button.dataset.item = item;
  return make("li", {}, button);
}

// A name with places to break it.
const parts = (name) => name.split(/(?<=_)/).flatMap((part) => [part, make("wbr")]);

function drawState() {
  const row = rowOf(current);
  const word = { accept: "accepted", reject: "rejected" }[row.decision] || "open";
  byId("state").textContent = word + (row.flags ? `: ${row.flags}` : "") + (row.by ? `, by ${row.by}` : "");
  byId("state").className = `is-${row.decision || "open"}`;
  byId("note").value = row.note;
  for (const button of document.querySelectorAll("[data-flag]")) {
    button.setAttribute("aria-pressed", String(row.flags.split(", ").includes(button.dataset.flag)));
  }
}

// The views: a head and three planes, before and after, both following the same sliders.
const pictures = {};

function drawViews() {
  for (const [place, name] of ["head", "sagittal", "coronal", "axial"].entries()) {
    const plane = place - 1;
    const pair = make("div", { className: "pair" });
    pictures[name] = {};
    for (const side of ["before", "after"]) {
      const image = make("img", { alt: `${name}, ${side}`, draggable: false });
      const frame = make("div", { className: "frame" }, image, make("span", { className: "side" }, side), make("span", { className: "none", hidden: true }));
      if (plane >= 0) frame.append(...["l", "r", "t", "b"].map((at) => make("span", { className: at })));
      frame.dataset.side = side;
      pictures[name][side] = new Picture(image);
      if (plane < 0) turning(frame);
      else slicing(frame, image, plane);
      pair.append(frame);
    }
    const large = make("button", { type: "button", onclick: () => enlarge(name) }, "large");
    large.setAttribute("aria-pressed", "false");
    large.setAttribute("aria-label", `${name} large, side by side`);
    const under = make("div", { className: "under" });
    if (plane < 0) {
      under.append(slider("turn", "Turn", -180, 180, 5, (value) => { view.turn = value; drawHead(); }));
      under.append(slider("level", "Surface", 0, 1, "any", (value) => { view.level = value; drawHead(); }));
    } else {
      under.append(slider(name, "Slice", 0, 1, 1, (value) => { view.at[plane] = value; drawPlane(plane); }));
    }
    const box = make("section", { className: `view ${plane < 0 ? "head" : "slice"}` }, make("div", {}, make("h3", {}, name[0].toUpperCase() + name.slice(1)), large), pair, under);
    box.dataset.view = name;
    byId("views").append(box);
  }
}

function slider(id, label, min, max, step, moved) {
  const input = make("input", { type: "range", id: `at-${id}`, min, max, step });
  const output = make("output", {});
  input.oninput = () => moved(Number(input.value));
  return make("label", {}, label, input, output);
}

function set(id, value, text) {
  const input = byId(`at-${id}`);
  input.value = value;
  input.nextElementSibling.textContent = text;
}

function turning(frame) {
  let from = null;
  frame.onpointerdown = (event) => {
    frame.setPointerCapture(event.pointerId);
    from = [event.clientX, event.clientY, view.turn, view.tilt];
  };
  frame.onpointermove = (event) => {
    if (!from) return;
    const degrees = 180 / frame.clientWidth;
    turn(from[2] + (event.clientX - from[0]) * degrees, from[3] + (event.clientY - from[1]) * degrees);
  };
  frame.onpointerup = frame.onpointercancel = () => { from = null; };
}

function turn(about_z, tilt) {
  view.turn = Math.round(((((about_z + 180) % 360) + 360) % 360) - 180);
  view.tilt = Math.round(Math.max(-80, Math.min(80, tilt)));
  drawHead();
}

function slicing(frame, image, plane) {
  let rolled = 0;
  frame.addEventListener("wheel", (event) => {
    event.preventDefault();
    rolled += event.deltaMode ? 40 * event.deltaY : event.deltaY;
    const steps = Math.trunc(rolled / 40);
    rolled -= 40 * steps;
    if (steps) go(plane, view.at[plane] - steps);
  }, { passive: false });
  const point = (event) => {
    const box = image.getBoundingClientRect();
    const shares = [1 - (event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
    AXES[plane].forEach((axis, place) => go(axis, Math.floor(shares[place] * about.planes[axis].count)));
  };
  frame.onpointerdown = (event) => { frame.setPointerCapture(event.pointerId); point(event); };
  frame.onpointermove = (event) => { if (event.buttons & 1) point(event); };
}

function go(plane, index) {
  view.at[plane] = Math.max(0, Math.min(about.planes[plane].count - 1, index));
  drawPlane(plane);
}

function drawHead() {
  set("turn", view.turn, `${view.turn}°${view.tilt ? ` / ${view.tilt}°` : ""}`);
  set("level", view.level, rounded(view.level));
  const asks = new URLSearchParams({ turn: view.turn, tilt: view.tilt, level: view.level });
  return Promise.all(about.sides.map((side) => pictures.head[side].show(`/image/${about.item}/${about.sha256}/${side}/head?${asks}`)));
}

function drawPlane(plane) {
  const { name, count } = about.planes[plane];
  set(name, view.at[plane], `${view.at[plane] + 1} of ${count}`);
  const asks = new URLSearchParams({ low: view.low, high: view.high });
  if (view.volume) asks.set("volume", view.volume - 1);
  return Promise.all(about.sides.map((side) => pictures[name][side].show(`/image/${about.item}/${about.sha256}/${side}/${name}/${view.at[plane]}?${asks}`)));
}

const drawPlanes = () => Promise.all([0, 1, 2].map(drawPlane));
const rounded = (value) => Number(value.toPrecision(3)).toString();

function drawWindow() {
  const [low, high] = about.range;
  for (const [id, value, least, most] of [
    ["centre", (view.low + view.high) / 2, low, high],
    ["width", view.high - view.low, (high - low) / 200, 1.5 * (high - low)],
  ]) {
    Object.assign(byId(id), { min: least, max: most });
    byId(id).value = value;
  }
  for (const button of byId("windows").children) {
    const [from, to] = about.windows[button.dataset.window];
    button.setAttribute("aria-pressed", String(from === view.low && to === view.high));
  }
}

function enlarge(name) {
  const all = [...byId("views").children];
  const now = all.find((box) => box.classList.contains("large"))?.dataset.view;
  for (const box of all) {
    const large = box.dataset.view === name && now !== name;
    box.classList.toggle("large", large);
    box.querySelector("button").setAttribute("aria-pressed", String(large));
  }
  byId("views").classList.toggle("one", Boolean(name) && now !== name);
}

function nextLarge() {
  const names = [...byId("views").children].map((box) => box.dataset.view);
  const now = byId("views").querySelector(".large")?.dataset.view;
  enlarge(now ? names[names.indexOf(now) + 1] : names[0]);
}

function fill(table, lines) {
  byId(table).tBodies[0].replaceChildren(...lines.map((line) => make("tr", {}, ...line.map((cell) => make("td", {}, cell)))));
}

// From a name in the list to the first view of it.
async function choose(item) {
  const began = performance.now();
  current = item;
  delete document.body.dataset.ready;
  say("");
  drawList();
  byId("signing").hidden = item !== "sign-off";
  byId("image").hidden = byId("decide").hidden = item === "sign-off";
  if (item === "sign-off") {
    drawSigns();
    document.body.dataset.ready = item;
    return;
  }
  byId("name").textContent = item;
  drawState();
  let found;
  try {
    found = await ask(`/image/${item}`);
  } catch (error) {
    if (item === current) { about = null; byId("views").hidden = true; say(error.message); }
    return;
  }
  if (item !== current) return; // another one was chosen meanwhile
  about = found;
  byId("views").hidden = false;
  const row = rowOf(item);
  if (row.image_sha256 !== found.row.image_sha256 || row.decision !== found.row.decision) { // listed or decided elsewhere
    Object.assign(row, found.row);
    drawState();
    drawList();
  }
  const [low, high] = Object.values(about.windows)[0];
  view = { at: about.start.slice(), ...FRONT, level: about.level, low, high, volume: 0 };
  if (about.changed) say("This image is not the one that was listed. Run efface run again, then look again.");
  prepare();
  await Promise.all([drawPlanes(), drawHead()]);
  if (item !== current) return;
  document.body.dataset.ready = item;
  document.body.dataset.took = Math.round(performance.now() - began);
  ahead();
}

function prepare() {
  for (const side of ["before", "after"]) {
    for (const frame of document.querySelectorAll(`.frame[data-side=${side}]`)) {
      const has = about.sides.includes(side);
      frame.querySelector("img").hidden = !has;
      const none = frame.querySelector(".none");
      none.hidden = has;
      none.textContent = about.decision === "no_face" ? "No face is in view: nothing was removed." : "The volume before was not kept.";
    }
  }
  for (const [plane, { name, mm, labels }] of about.planes.entries()) {
    Object.assign(byId(`at-${name}`), { max: about.planes[plane].count - 1 });
    for (const frame of document.querySelectorAll(`[data-view=${name}] .frame`)) {
      const image = frame.querySelector("img");
      image.style.width = `${(100 * mm[0]) / Math.max(...mm)}cqw`;
      image.style.height = `${(100 * mm[1]) / Math.max(...mm)}cqw`;
      ["l", "r", "t", "b"].forEach((at, place) => { frame.querySelector(`.${at}`).textContent = labels[place]; });
    }
  }
  const [low, high] = about.range;
  Object.assign(byId("at-level"), { min: low, max: high });
  byId("windows").replaceChildren(...Object.entries(about.windows).map(([name, [from, to]]) => {
    const button = make("button", { type: "button", onclick: () => { view.low = from; view.high = to; drawWindow(); drawPlanes(); } }, name);
    button.dataset.window = name;
    return button;
  }));
  byId("volumes").hidden = about.volumes < 2;
  byId("volume").max = about.volumes;
  drawVolume();
  drawWindow();
  fill("measures", [...about.measures, ...about.proof]);
  fill("sidecar", about.sidecar);
}

function drawVolume() {
  byId("volume").value = view.volume;
  byId("volume").nextElementSibling.textContent = view.volume ? `${view.volume} of ${about.volumes}` : "mean";
}

// The next open image is read while this one is looked at.
async function ahead() {
  const next = nextOpen();
  if (!next || next === current) return;
  try {
    const found = await ask(`/image/${next}`);
    const asks = new URLSearchParams({ ...FRONT, level: found.level });
    await Promise.all(found.sides.map((side) => fetch(`/image/${next}/${found.sha256}/${side}/head?${asks}`)));
  } catch { /* it will be told when that image is chosen */ }
}

function nextOpen() {
  const all = images();
  const place = all.findIndex((row) => row.item === current);
  const series = gone();
  return [...all.slice(place + 1), ...all.slice(0, place)].find((row) => isOpen(row, series))?.item;
}

function step(by) {
  const names = [...byId("list").querySelectorAll("button")].map((button) => button.dataset.item);
  const place = names.indexOf(current) + by;
  if (names[place]) choose(names[place]);
}

async function write(item, decision, flags, note, by, digest) {
  const row = await ask("/decision", { item, image_sha256: digest, decision, flags, note, by });
  Object.assign(rowOf(item), row);
  say("");
}

let writing = false;

async function decide(decision, flag) {
  if (!about || about.item !== current || about.changed || writing) return;
  writing = true;
  const row = { ...rowOf(current) };
  const flags = new Set(flag && row.decision === "reject" ? row.flags.split(", ").filter(Boolean) : []);
  if (flag) flags.has(flag) ? flags.delete(flag) : flags.add(flag);
  try {
    await write(current, decision, [...flags].join(", "), byId("note").value, meta("by"), about.sha256);
    undone.push(row);
    drawState();
    const next = nextOpen();
    if (next) await choose(next);
    else if (rows.some(signing) && !row.decision) await choose("sign-off");
    else drawList();
  } catch (error) {
    say(error.message);
  } finally {
    writing = false;
  }
}

async function undo() {
  const row = undone.pop();
  if (!row || writing) return;
  try {
    await write(row.item, row.decision, row.flags, row.note, row.by, row.image_sha256);
    await choose(row.item);
  } catch (error) {
    say(error.message);
  }
}

function drawSigns() {
  const open = asked().filter((row) => isOpen(row)).length;
  byId("left").textContent = open ? `${open} image${open > 1 ? "s are" : " is"} still open.` : "Every image is decided.";
  byId("signs").replaceChildren(...rows.filter(signing).map((row) => {
    const name = make("input", { type: "text", value: row.by || (row.item === "pilot" ? meta("by") : ""), autocomplete: "off", required: true });
    const tick = make("input", { type: "checkbox", checked: row.decision === "accept" });
    tick.onchange = async () => {
      if (tick.checked && !name.value.trim()) {
        tick.checked = false;
        say("A sign-off needs a name.");
        name.focus();
        return;
      }
      try {
        await write(row.item, tick.checked ? "accept" : "", "", "", name.value, "");
      } catch (error) {
        tick.checked = !tick.checked;
        say(error.message);
      }
      drawList();
    };
    const box = make("fieldset", {}, make("legend", {}, row.item === "dpo" ? "Data protection officer" : "Pilot"), make("label", {}, "Name", name), make("label", {}, tick, SIGNS[row.item]));
    box.dataset.sign = row.item;
    return box;
  }));
}

const KEYS = {
  a: () => decide("accept"),
  r: () => decide("reject"),
  n: () => byId("note").focus(),
  j: () => step(1),
  k: () => step(-1),
  u: undo,
  h: () => view && turn(FRONT.turn, FRONT.tilt),
  z: nextLarge,
  "?": () => byId("keys").showModal(),
  ArrowLeft: () => view && turn(view.turn - 15, view.tilt),
  ArrowRight: () => view && turn(view.turn + 15, view.tilt),
  ArrowUp: () => view && turn(view.turn, view.tilt - 15),
  ArrowDown: () => view && turn(view.turn, view.tilt + 15),
};
for (const button of document.querySelectorAll("[data-flag]")) KEYS[button.dataset.key] = () => decide("reject", button.dataset.flag);

document.addEventListener("keydown", (event) => {
  const at = event.target;
  const typing = at.matches("input[type=text]");
  if (typing && (event.key === "Enter" || event.key === "Escape")) at.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || byId("keys").open || event.repeat && !event.key.startsWith("Arrow")) return;
  if (event.key.startsWith("Arrow") && (at.matches("input") || byId("image").hidden)) return;
  const act = KEYS[event.key];
  if (!act || (current === "sign-off" && !"jku?".includes(event.key))) return;
  event.preventDefault();
  act();
});
for (const button of document.querySelectorAll("footer [data-key]")) button.onclick = () => KEYS[button.dataset.key]();
byId("help").onclick = KEYS["?"];
for (const button of document.querySelectorAll("[data-filter]")) {
  button.onclick = () => {
    filter = button.dataset.filter;
    for (const one of document.querySelectorAll("[data-filter]")) one.setAttribute("aria-pressed", String(one === button));
    drawList();
  };
}
byId("centre").oninput = byId("width").oninput = () => {
  const [centre, width] = [Number(byId("centre").value), Number(byId("width").value)];
  [view.low, view.high] = [centre - width / 2, centre + width / 2];
  drawWindow();
  drawPlanes();
};
byId("volume").oninput = () => {
  view.volume = Number(byId("volume").value);
  drawVolume();
  drawPlanes();
};

(async () => {
  drawViews();
  try {
    rows = await ask("/items");
    anyAsked = images().some((row) => row.why);
    drawList();
    const first = nextOpen() || (rows.some(signing) ? "sign-off" : images()[0]?.item);
    if (first) await choose(first);
    else byId("progress").textContent = "There is no image to look at.";
  } catch (error) {
    say(error.message);
  }
})();
