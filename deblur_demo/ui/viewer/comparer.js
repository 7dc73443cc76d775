// Many versions of one picture: the body of a function of (element, trigger, props, server, upload, watch), with hands.js.
//
// props.value is null, or {width, height, right, steps, told, pictures: [{name, note, file, legend}]}, see comparer.py: all
// pictures have that size in pixels, file is null while one is still to come. Two of them lie over each other, parted by a
// line, or as the difference between them; all share one zoom and one place, and the crops show what is inside the frame
// ("lens"). The first `steps` pictures are those of one run, and a slider goes through them. Event: "picked", with the
// index of what the visitor put on the right.
const find = (name) => element.querySelector("." + name);
const [comparer, view, both, lens, wipe, crops, legend] = ["comparer", "view", "both", "lens", "wipe", "crops", "legend"].map(find);
const [left, right, differ, through] = [find("left"), find("right"), find("differ"), element.querySelector(".steps input")];
const layers = [element.querySelector(".layer.before img"), element.querySelector(".layer.after img")];
const tags = [...element.querySelectorAll(".tag")];
const words = JSON.parse(comparer.dataset.words);
const fill = (sentence, told) => sentence.replace(/\{(\w+)\}/g, (_, name) => told[name]);
const CLOSEST = 32; // screen pixels a picture pixel
const STEP = 1.25; // of one press of + or -
const ROOM = 4; // CSS pixels around a crop for the ring that says it has the focus
const SETTLED = 200; // ms without another choice until the server is told
let shown = null; // the pictures
let seen = ["", ""]; // names of the two that the browser has got
let chosen = [false, false]; // which sides the visitor has picked
let apart = false; // whether the difference is shown
let telling = 0; // the timer for the server
let line = 0.5; // where the line is, as a part of the width
let scale = 0; // CSS pixels a picture pixel; 0: as large as fits
let middle = [0, 0]; // what is in the middle of the view, in picture pixels
let spot = [0, 0]; // what is in the middle of the frame
let scrolled = -1e9; // when the page last scrolled, in ms

// Geometry

const size = () => [view.clientWidth || 1, view.clientHeight || 1];
const whole = () => [shown.width, shown.height];
const fitting = () => Math.min(...size().map((side, axis) => side / whole()[axis]));
const real = () => 1 / window.devicePixelRatio; // one picture pixel on one screen pixel
const current = () => scale || fitting();
const between = (value, low, high) => Math.min(Math.max(value, Math.min(low, high)), Math.max(low, high));

// The middle, so that no side shows what is outside while something inside is hidden.
function held(point) {
  return point.map((value, axis) => {
    const half = size()[axis] / 2 / current();
    return 2 * half >= whole()[axis] ? whole()[axis] / 2 : between(value, half, whole()[axis] - half);
  });
}

const at = (x, y) => [x - size()[0] / 2, y - size()[1] / 2].map((from, axis) => middle[axis] + from / current());

function zoom(factor, x = size()[0] / 2, y = size()[1] / 2) {
  const under = at(x, y);
  const wanted = between(current() * factor, Math.min(fitting(), real()), CLOSEST * real());
  scale = Math.abs(wanted / fitting() - 1) < 0.02 ? 0 : wanted;
  const from = [x - size()[0] / 2, y - size()[1] / 2];
  middle = held(under.map((value, axis) => value - from[axis] / current()));
  place();
}

function move(dx, dy) {
  const before = middle;
  middle = held([middle[0] - dx / current(), middle[1] - dy / current()]);
  spot = spot.map((value, axis) => value + middle[axis] - before[axis]);
  place();
}

// Arrow keys move the frame, and the picture below it when the frame would leave the view.
function step(x, y) {
  const [from, by] = [spot, [x, y].map((sign, axis) => (sign * size()[axis]) / current() / 10)];
  spot = spot.map((value, axis) => between(value + by[axis], 0, whole()[axis]));
  middle = held(middle.map((value, axis) => value + (scale ? spot[axis] - from[axis] : 0)));
  place();
}

// What is on screen

function lay(image, width, height, point, zoomed) {
  const ratio = window.devicePixelRatio;
  const [x, y] = [width / 2 - point[0] * zoomed, height / 2 - point[1] * zoomed];
  image.style.width = shown.width + "px";
  image.style.height = shown.height + "px";
  image.style.transform = `translate(${Math.round(x * ratio) / ratio}px, ${Math.round(y * ratio) / ratio}px) scale(${zoomed})`;
  image.style.imageRendering = zoomed >= real() * 0.999 ? "pixelated" : "auto";
}

function place() {
  if (!shown || !view.clientWidth) return;
  const [width, height] = size();
  middle = held(middle);
  const seen = [width, height].map((side) => side / 2 / current());
  spot = spot.map((value, axis) => between(between(value, middle[axis] - seen[axis], middle[axis] + seen[axis]), 0, whole()[axis]));
  for (const image of layers) lay(image, width, height, middle, current());
  view.style.setProperty("--line", line * 100 + "%");
  view.style.touchAction = scale ? "none" : "pan-y"; // a picture that is all there leaves the finger to the page
  wipe.setAttribute("aria-valuenow", Math.round(line * 100));
  find("percent").value = Math.round((current() / real()) * 100) + " %";

  const closer = Math.max(current(), real());
  const frames = [...crops.querySelectorAll(".crop:not([disabled]) .window")];
  for (const frame of frames) lay(frame.firstChild, frame.clientWidth, frame.clientHeight, spot, closer);
  const [wide, high] = frames.length ? [frames[0].clientWidth, frames[0].clientHeight] : [0, 0];
  const box = [wide, high].map((side) => (side / closer) * current());
  const corner = spot.map((value, axis) => size()[axis] / 2 + (value - middle[axis]) * current() - box[axis] / 2);
  lens.style.cssText = `left:${corner[0]}px;top:${corner[1]}px;width:${box[0]}px;height:${box[1]}px`;
}

// What is shown of the two pictures, and what the colours mean.
function dress() {
  const sides = [left, right].map((list) => shown.pictures[list.value]);
  sides.forEach((picture, side) => {
    if (layers[side].getAttribute("src") !== picture.file.url) layers[side].src = picture.file.url;
    layers[side].alt = picture.name;
  });
  const coloured = sides.find((picture) => picture.legend); // its difference to a photo would say nothing
  const difference = apart && !coloured;
  differ.disabled = Boolean(coloured);
  differ.setAttribute("aria-pressed", String(difference));
  both.style.filter = difference ? `url(#${both.dataset.filter})` : "";
  view.classList.toggle("apart", difference);
  tag();
  legend.hidden = !difference && !coloured;
  if (!legend.hidden) {
    const high = fill(words.most, { levels: legend.dataset.brightest });
    const [title, ...ends] = difference ? [words.difference, "0", high] : coloured.legend;
    legend.querySelectorAll("span").forEach((end, index) => (end.textContent = ends[index]));
    legend.setAttribute("aria-label", fill(words.legend, { title, low: ends[0], high: ends[1] }));
  }
  const index = Number(right.value);
  if (index < shown.steps) through.value = index;
  through.setAttribute("aria-valuetext", sides[1].name);
  find("steps").querySelector("output").value = sides[1].name;
  [...crops.children].forEach((cell, number) => cell.setAttribute("aria-pressed", String(number === index)));
  reveal(crops.children[index]);
}

// The names over the pictures. A picture stays until the next one has come, and so does its name.
function tag() {
  layers.forEach((image, side) => {
    if (image.complete) seen[side] = image.alt;
    image.style.visibility = seen[side] ? "" : "hidden"; // one of another size would be stretched
  });
  view.classList.toggle("same", seen[0] === seen[1]);
  tags.forEach((place, side) => (place.textContent = seen[side]));
  if (view.classList.contains("apart")) tags[0].textContent = fill(words.apart, { left: seen[0], right: seen[1] });
  // The line goes where nothing is parted; whoever held it by keys goes on with the picture.
  if (document.activeElement === wipe && !wipe.offsetParent) view.focus({ preventScroll: true });
}
for (const image of layers) image.addEventListener("load", tag);

// A crop of a row that scrolls, all of it, without the page moving.
function reveal(cell) {
  const room = [cell.offsetLeft + cell.offsetWidth + ROOM - crops.clientWidth, cell.offsetLeft - ROOM];
  crops.scrollLeft = between(crops.scrollLeft, ...room);
}

function tell() {
  clearTimeout(telling);
  telling = setTimeout(() => trigger("picked", { index: Number(right.value) }), SETTLED);
}

function pick(side, index) {
  chosen[[left, right].indexOf(side)] = true;
  side.value = index;
  dress();
  if (side === right) tell();
}

// One of the steps that are there.
function go(index) {
  const there = shown.pictures.slice(0, shown.steps).filter((picture) => picture.file).length;
  if (there) pick(right, between(index, 0, there - 1));
}

function crop() {
  const cell = document.createElement("button");
  cell.type = "button";
  cell.className = "crop";
  cell.innerHTML = '<span class="window"><img alt="" draggable="false"></span><b></b><i></i>';
  cell.addEventListener("click", () => pick(right, [...crops.children].indexOf(cell)));
  crops.append(cell);
  return cell;
}

function list(side) {
  side.replaceChildren();
  shown.pictures.forEach((picture, index) => {
    const option = new Option(picture.name, index);
    option.disabled = !picture.file;
    side.add(option);
  });
}

function fillCrops(another) {
  while (crops.children.length > shown.pictures.length) crops.lastChild.remove();
  shown.pictures.forEach((picture, index) => {
    const cell = crops.children[index] || crop();
    const [old, name] = ["img", "b"].map((part) => cell.querySelector(part));
    const image = another || name.textContent !== picture.name ? Object.assign(new Image(), { alt: "", draggable: false }) : old;
    if (image !== old) old.replaceWith(image); // it would stay below the new name until the new picture has come
    cell.disabled = !picture.file;
    cell.title = picture.file ? fill(words.pick, picture) : words.waiting;
    name.textContent = picture.name;
    cell.querySelector("i").textContent = picture.note;
    if (picture.file && image.getAttribute("src") !== picture.file.url) image.src = picture.file.url;
    if (!picture.file) image.removeAttribute("src");
  });
}

function update() {
  const before = [left, right].map((side) => shown?.pictures[side.value]?.name);
  const told = props.value?.pictures ? props.value : null; // right after the page has made it, it is an update to come
  const another = !shown || shown.pictures[0].file.url !== told?.pictures[0].file.url;
  if (told && (told.width !== shown?.width || told.height !== shown?.height)) seen = ["", ""];
  shown = told;
  comparer.hidden = !shown;
  if (!shown) {
    for (const image of layers) image.removeAttribute("src"); // the files go in a moment
    return crops.replaceChildren();
  }
  view.style.setProperty("--shape", shown.width / shown.height);
  comparer.classList.toggle("run", shown.steps > 0);
  find("steps").hidden = shown.steps < 2;
  through.max = Math.max(shown.steps - 1, 1);
  find("told").textContent = shown.told;
  [left, right].forEach(list);
  fillCrops(another);
  if (another) {
    [chosen, apart, scale, line] = [[false, false], false, 0, 0.5];
    middle = spot = whole().map((side) => side / 2);
  }
  const results = shown.pictures.flatMap((picture, index) => (picture.file && index && picture.note ? [index] : []));
  const first = [0, shown.right ?? results.at(-1) ?? 0];
  // What the visitor chose is known by its name: its place may be another once it is clear how many there are.
  const kept = before.map((name) => shown.pictures.findIndex((picture) => picture.name === name && picture.file));
  [left.value, right.value] = first.map((index, side) => (chosen[side] && kept[side] >= 0 ? kept[side] : index));
  dress();
  place();
}

