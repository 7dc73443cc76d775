// A sheet to draw a camera's path on: the body of a function of (element, trigger, props, server, upload, watch).
//
// props.value is {points, level, drawn, strokes}: the path as [[x, y], ...] in pixels of the photo, evenly spaced in
// time; how many of its 13 frames are exposed, the middle ones; whether the visitor drew it; and how often the visitor
// had drawn when the value was asked for. Events: "lot", when another path by lot is wanted; "drawn", after a stroke.
const find = (name) => element.querySelector("." + name);
const sheet = find("sheet");
const words = JSON.parse(find("pad").dataset.words);
const [WIDTH, HEIGHT, SQUARE] = [96, 54, 8]; // pixels of the photo
const FRAMES = 13;
const MOMENTS = 3 * FRAMES; // instants of a path, as the lab counts them
const KEPT = 61; // points of a drawn path
const SHORTEST = 2; // pixels; anything below is a tap
let strokes = null; // samples {x, y, time} while the visitor draws
let pen = null; // the pointer that draws: another finger or a palm does not
let latest = { strokes: 0 }; // the value after the newest stroke

// The paper

function view() {
  const { points } = path();
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const box = points.length ? [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)] : [0, 0, 0, 0];
  const fits = (zoom, x, y) =>
    box[0] > x - (zoom * WIDTH) / 2 && box[1] < x + (zoom * WIDTH) / 2 && box[2] > y - (zoom * HEIGHT) / 2 && box[3] < y + (zoom * HEIGHT) / 2;
  if (strokes || fits(1, 0, 0)) return { zoom: 1, x: 0, y: 0 };
  const [x, y] = [(box[0] + box[1]) / 2, (box[2] + box[3]) / 2];
  let zoom = 1;
  while (!fits(zoom, x, y)) zoom *= 2;
  return { zoom, x, y };
}

function node(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function rule({ zoom, x, y }) {
  const [width, height] = [zoom * WIDTH, zoom * HEIGHT];
  sheet.setAttribute("viewBox", `${x - width / 2} ${y - height / 2} ${width} ${height}`);
  const lines = [];
  const half = (length) => Math.floor(length / 2 / SQUARE / zoom);
  for (let at = -half(width); at <= half(width); at++)
    lines.push(node("line", { x1: x + at * SQUARE * zoom, x2: x + at * SQUARE * zoom, y1: y - height, y2: y + height }));
  for (let at = -half(height); at <= half(height); at++)
    lines.push(node("line", { y1: y + at * SQUARE * zoom, y2: y + at * SQUARE * zoom, x1: x - width, x2: x + width }));
  find("grid").replaceChildren(...lines);
  find("square").textContent = words.square.replace("{number}", SQUARE * zoom);
  const invite = find("invite");
  invite.setAttribute("x", x);
  invite.setAttribute("y", y + height / 2 - 3 * zoom);
  invite.setAttribute("font-size", 4 * zoom);
}

// The path

function path() {
  const { points = [], level = FRAMES, drawn = false } = props.value || {};
  return { points, level, drawn };
}

function at(points, moment) {
  const place = (moment / (MOMENTS - 1)) * (points.length - 1);
  const before = Math.min(Math.floor(place), points.length - 1);
  const after = Math.min(before + 1, points.length - 1);
  return [0, 1].map((axis) => points[before][axis] + (points[after][axis] - points[before][axis]) * (place - before));
}

const joined = (points) => points.map((point) => point.map((value) => value.toFixed(2)).join()).join(" ");

function show() {
  const { points, level, drawn } = path();
  const seen = view();
  rule(seen);
  const moments = points.length ? [...Array(MOMENTS).keys()].map((moment) => at(points, moment)) : [];
  const [middle, half] = [(FRAMES - 1) / 2, (level - 1) / 2];
  const [first, last] = [3 * (middle - half), 3 * (middle + half) + 2];
  find("whole").setAttribute("points", joined(points));
  find("exposed").setAttribute("points", joined(moments.slice(first, last + 1)));
  const dots = [...Array(FRAMES).keys()].filter(() => moments.length).map((frame) => {
    const [x, y] = moments[3 * frame + 1];
    const name = frame === middle ? "middle" : Math.abs(frame - middle) <= half ? "open" : "closed";
    return node("circle", { cx: x, cy: y, r: (frame === middle ? 1.5 : 0.9) * seen.zoom, class: name });
  });
  find("frames").replaceChildren(...dots);
  const origin = drawn ? words.drawn : words.lucky;
  const [width, height] = [0, 1].map((axis) => {
    const values = points.map((point) => point[axis]);
    return points.length ? Math.round(Math.max(...values) - Math.min(...values)) : 0;
  });
  find("origin").textContent = points.length ? `${origin}, ${width} × ${height} px` : "";
  find("invite").toggleAttribute("hidden", drawn);
  const told = { width, height, origin, level };
  sheet.setAttribute("aria-label", words.words.replace(/\{(\w+)\}/g, (_, name) => told[name]));
}

// Drawing

function sample(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(sheet.getScreenCTM().inverse());
  const clamp = (value, size) => Math.min(Math.max(value, -size / 2), size / 2);
  return { x: clamp(point.x, WIDTH), y: clamp(point.y, HEIGHT), time: event.timeStamp };
}

function evenly(samples) {
  // The pen rests before the first move and after the last; that is no part of the shake.
  const times = samples.map(({ time }, index) => (index ? time : Math.min(time, samples[1].time) + 1e-3 * index));
  if (samples.length > 2) times[0] = Math.max(times[0], 2 * times[1] - times[2]);
  for (let index = 1; index < times.length; index++) times[index] = Math.max(times[index], times[index - 1] + 1e-3);
  const made = [];
  let next = 1;
  for (let index = 0; index < KEPT; index++) {
    const time = times[0] + ((times.at(-1) - times[0]) * index) / (KEPT - 1);
    while (next < times.length - 1 && times[next] < time) next++;
    const share = Math.min((time - times[next - 1]) / (times[next] - times[next - 1]), 1);
    const [from, to] = [samples[next - 1], samples[next]];
    made.push([from.x + (to.x - from.x) * share, from.y + (to.y - from.y) * share].map((value) => Math.round(value * 10) / 10));
  }
  return made;
}

function far(samples) {
  const spread = (axis) => Math.max(...samples.map((one) => one[axis])) - Math.min(...samples.map((one) => one[axis]));
  return samples.length > 1 && Math.max(spread("x"), spread("y")) >= SHORTEST;
}

sheet.addEventListener("pointerdown", (event) => {
  if (event.button || strokes) return;
  event.preventDefault();
  sheet.setPointerCapture((pen = event.pointerId));
  strokes = [];
  rule(view());
  strokes.push(sample(event));
  find("exposed").setAttribute("points", "");
  find("frames").replaceChildren();
  find("invite").toggleAttribute("hidden", true);
});
sheet.addEventListener("pointermove", (event) => {
  if (!strokes || event.pointerId !== pen) return;
  const events = event.getCoalescedEvents?.() ?? [];
  strokes.push(...(events.length ? events : [event]).map(sample));
  find("whole").setAttribute("points", strokes.map(({ x, y }) => `${x},${y}`).join(" "));
});
for (const name of ["pointerup", "pointercancel"])
  sheet.addEventListener(name, (event) => {
    if (event.pointerId !== pen) return;
    const samples = strokes;
    strokes = pen = null;
    if (name === "pointerup" && samples && far(samples)) {
      latest = { ...path(), points: evenly(samples), drawn: true, strokes: latest.strokes + 1 };
      props.value = latest;
      trigger("drawn");
    }
    show();
  });
find("lot").addEventListener("click", () => trigger("lot"));

watch("value", () => {
  // An answer that was asked for before the newest stroke comes too late.
  if ((props.value?.strokes ?? latest.strokes) < latest.strokes) props.value = latest;
  show();
});
show();
