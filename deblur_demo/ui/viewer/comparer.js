// Many versions of one picture: the body of a function of (element, trigger, props, server, upload, watch).
//
// props.value is null, or {width, height, best, pictures: [{name, note, file}]}: all pictures have that size in pixels,
// file is null while one is still to come, best is the index of the one to show first or null. Two of them lie over each
// other, parted by a line; all share one zoom and one place, and the crops show what is inside the frame ("lens").
const find = (name) => element.querySelector("." + name);
const [comparer, view, lens, wipe, crops] = ["comparer", "view", "lens", "wipe", "crops"].map(find);
const [left, right] = [find("left"), find("right")];
const layers = [element.querySelector(".layer.before img"), element.querySelector(".layer.after img")];
const words = JSON.parse(comparer.dataset.words);
const CLOSEST = 32; // screen pixels a picture pixel
const STEP = 1.25; // of one press of + or -
let shown = null; // the pictures
let chosen = false; // whether the visitor has picked a side
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

function dress() {
  [left, right].forEach((list, side) => {
    const picture = shown.pictures[list.value];
    if (layers[side].getAttribute("src") !== picture.file.url) layers[side].src = picture.file.url;
    layers[side].alt = picture.name;
    element.querySelectorAll(".tag")[side].textContent = picture.name;
  });
  view.classList.toggle("same", left.value === right.value);
  [...crops.children].forEach((cell, index) => cell.setAttribute("aria-pressed", String(index === Number(right.value))));
}

function pick(list, index) {
  chosen = true;
  list.value = index;
  dress();
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

function update() {
  const first = props.value?.pictures[0].file.url;
  const another = !shown || shown.pictures[0].file.url !== first;
  shown = props.value || null;
  comparer.hidden = !shown;
  if (!shown) return;
  view.style.setProperty("--shape", shown.width / shown.height);
  const kept = [left.value, right.value];
  for (const list of [left, right]) {
    list.replaceChildren();
    shown.pictures.forEach((picture, index) => {
      const option = new Option(picture.name, index);
      option.disabled = !picture.file;
      list.add(option);
    });
  }
  while (crops.children.length > shown.pictures.length) crops.lastChild.remove();
  shown.pictures.forEach((picture, index) => {
    const cell = crops.children[index] || crop();
    const image = cell.querySelector("img");
    cell.disabled = !picture.file;
    cell.title = picture.file ? words.pick.replace("{name}", picture.name) : words.waiting;
    cell.querySelector("b").textContent = picture.name;
    cell.querySelector("i").textContent = picture.note;
    if (picture.file && image.getAttribute("src") !== picture.file.url) image.src = picture.file.url;
    if (!picture.file) image.removeAttribute("src");
  });
  if (another) {
    [chosen, scale, line] = [false, 0, 0.5];
    middle = spot = whole().map((side) => side / 2);
  }
  const results = shown.pictures.flatMap((picture, index) => (picture.file && index && picture.note ? [index] : []));
  const newest = shown.best ?? results.at(-1) ?? 0;
  [left.value, right.value] = chosen ? kept : [0, newest];
  dress();
  place();
}

// Hands: one finger or the mouse drags, two fingers zoom, a click places the frame

const fingers = new Map();
let began = null;

function inside(event) {
  const box = view.getBoundingClientRect();
  return [event.clientX - box.left - view.clientLeft, event.clientY - box.top - view.clientTop];
}

view.addEventListener("pointerdown", (event) => {
  if (event.target === wipe || event.button > 0) return;
  view.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, inside(event));
  began = fingers.size === 1 ? inside(event) : null;
});

view.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const now = inside(event);
  const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
  fingers.set(event.pointerId, now);
  if (!other) {
    if (began && Math.hypot(now[0] - began[0], now[1] - began[1]) > 4) began = null;
    if (!began) move(now[0] - before[0], now[1] - before[1]);
    return;
  }
  const span = (point) => Math.max(8, Math.hypot(point[0] - other[0], point[1] - other[1]));
  move((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  zoom(span(now) / span(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
});

for (const end of ["pointerup", "pointercancel"])
  view.addEventListener(end, (event) => {
    if (!fingers.delete(event.pointerId) || end === "pointercancel" || !began) return;
    spot = at(...began);
    began = null;
    place();
  });
view.addEventListener("touchmove", (event) => event.touches.length > 1 && event.preventDefault(), { passive: false });
view.addEventListener("dblclick", (event) => {
  if (event.target === wipe) return;
  if (scale) fit();
  else zoom(Math.max(real(), 2 * fitting()) / current(), ...inside(event));
});

// A page that is being scrolled goes on scrolling when it brings the picture under the mouse.
window.addEventListener("scroll", () => (scrolled = performance.now()), { capture: true, passive: true });
view.addEventListener(
  "wheel",
  (event) => {
    const out = event.deltaY > 0;
    if (!event.ctrlKey && ((out && !scale) || performance.now() - scrolled < 400)) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 33 : event.deltaMode === 2 ? 300 : 1);
    zoom(Math.exp(-between(pixels, -200, 200) * (event.ctrlKey ? 0.01 : 0.002)), ...inside(event));
  },
  { passive: false },
);

wipe.addEventListener("pointerdown", (event) => wipe.setPointerCapture(event.pointerId));
wipe.addEventListener("pointermove", (event) => {
  if (!wipe.hasPointerCapture(event.pointerId)) return;
  line = between(inside(event)[0] / size()[0], 0, 1);
  place();
});

// Buttons and keys

function fit() {
  scale = 0;
  place();
}

function full() {
  if (document.fullscreenElement) document.exitFullscreen();
  else comparer.requestFullscreen?.();
}

function swap() {
  chosen = true;
  [left.value, right.value] = [right.value, left.value];
  dress();
}

const actions = {
  closer: () => zoom(STEP), farther: () => zoom(1 / STEP), fit, whole: () => zoom(real() / current()), swap, full,
};
for (const [name, action] of Object.entries(actions)) find(name).addEventListener("click", action);
left.addEventListener("change", () => pick(left, left.value));
right.addEventListener("change", () => pick(right, right.value));

comparer.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
  const keys = {
    "+": actions.closer, "=": actions.closer, "-": actions.farther, 0: fit, 1: actions.whole, x: swap, f: full,
  };
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const arrow = arrows[event.key];
  if (arrow && event.target === view) keys[event.key] = () => step(...arrow);
  if (event.target === wipe) {
    const slide = (to) => () => {
      line = between(to, 0, 1);
      place();
    };
    if (arrow) keys[event.key] = slide(line + (arrow[0] - arrow[1]) * (event.shiftKey ? 0.1 : 0.01));
    Object.assign(keys, { Home: slide(0), End: slide(1) });
  }
  const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

new ResizeObserver(place).observe(view);
watch("value", update);
update();
