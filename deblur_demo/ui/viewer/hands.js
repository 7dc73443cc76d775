// Hands on the viewer: one finger or the mouse drags, two fingers zoom, a click places the frame; then buttons and keys.
// The second part of comparer.js, whose names it uses.

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

// Some phones, and some pages that show this one in a frame, have no full screen.
find("full").hidden = !document.fullscreenEnabled;
function full() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (document.fullscreenEnabled) comparer.requestFullscreen();
}

function swap() {
  chosen = [true, true];
  [left.value, right.value] = [right.value, left.value];
  dress();
  tell();
}

function difference() {
  apart = !apart;
  dress();
}

const actions = {
  closer: () => zoom(STEP), farther: () => zoom(1 / STEP), fit, whole: () => zoom(real() / current()), swap, full,
  differ: difference,
};
for (const [name, action] of Object.entries(actions)) find(name).addEventListener("click", action);
crops.addEventListener("focusin", (event) => reveal(event.target));
left.addEventListener("change", () => pick(left, left.value));
right.addEventListener("change", () => pick(right, right.value));
through.addEventListener("input", () => go(Number(through.value)));

comparer.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
  const keys = {
    "+": actions.closer, "=": actions.closer, "-": actions.farther, 0: fit, 1: actions.whole, x: swap, f: full,
    d: () => !differ.disabled && difference(), ",": () => go(Number(through.value) - 1), ".": () => go(Number(through.value) + 1),
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
