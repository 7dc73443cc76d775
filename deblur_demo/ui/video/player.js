// Source and result of a clip in one place: the body of a function of (element, trigger, props, server, upload, watch).
//
// props.value is null, or {source, result, offset, times, rate, aspect, sound}: two files (result is null before the
// first run), the source's time at which the result begins, the times of the result's frames in seconds (empty where
// only the mean rate is known), and how the picture is shaped. The result leads and is heard, the source follows.
const find = (name) => element.querySelector("." + name);
const [player, frame, source, result, wipe, seek] = ["player", "frame", "source", "result", "wipe", "seek"].map(find);
const [play, loop, sound, speed, note] = ["play", "loop", "sound", "speed", "note"].map(find);
const words = JSON.parse(player.dataset.words);
const icons = { play: "M3 1v14l11-7z", pause: "M3 2h4v12H3zM9 2h4v12H9z" };
const FAR = 0.2; // seconds of drift that are jumped; less is made up by speed
let clip = null; // what is shown
let leader = source;
let follower = null;

const length = () => (Number.isFinite(leader.duration) ? leader.duration : 0);
const is = (button) => button.getAttribute("aria-pressed") === "true";
const start = (video) => video.play().catch(() => {}); // refused where a pause or another clip comes in between
const toggle = (button) => button.setAttribute("aria-pressed", String(!is(button)));
const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;

// Frames by number

function frames() {
  return clip.result && clip.times.length ? clip.times.length : Math.max(1, Math.round(length() * clip.rate));
}

function begins(index) {
  return clip.result && clip.times.length ? clip.times[index] : index / clip.rate;
}

function current() {
  const now = leader.currentTime + 1e-4;
  let [low, high] = [0, frames() - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (begins(middle) <= now) low = middle;
    else high = middle - 1;
  }
  return low;
}

function show(index) {
  const last = frames() - 1;
  const at = Math.min(Math.max(index, 0), last);
  const end = at < last ? begins(at + 1) : length() || begins(at);
  leader.pause();
  leader.currentTime = (begins(at) + Math.max(end, begins(at))) / 2; // in the middle, where rounding does no harm
}

// Two videos as one

function follow(exactly) {
  if (!follower || follower.error) return;
  const wanted = leader.currentTime + clip.offset;
  const drift = follower.currentTime - wanted;
  if (exactly ? Math.abs(drift) > 1e-3 : Math.abs(drift) > FAR && follower.readyState > 2) follower.currentTime = wanted;
  const rate = leader.playbackRate * (exactly ? 1 : 1 - 4 * Math.min(Math.max(drift, -0.1), 0.1));
  if (Math.abs(follower.playbackRate - rate) > 0.004) follower.playbackRate = Math.max(rate, 0.0625);
}

function tell() {
  if (!clip) return;
  const [now, all] = [leader.currentTime, length()];
  seek.max = all || 1;
  seek.value = now;
  seek.setAttribute("aria-valuetext", `${clock(now)} / ${clock(all)}`);
  find("time").value = `${clock(now)} / ${clock(all)}`;
  find("position").textContent = words.frame.replace("{number}", current() + 1).replace("{count}", frames());
  const action = leader.paused ? "play" : "pause";
  play.querySelector("path").setAttribute("d", icons[action]);
  play.title = `${words[action]} (K)`;
  play.setAttribute("aria-label", words[action]);
  const curve = document.querySelector("#video-curve .plot");
  if (curve) curve.style.setProperty("--played", clip.result && all ? Math.min(now / all, 1) : 0);
}

function tick() {
  if (!element.isConnected) return;
  if (!player.checkVisibility()) return leader.pause(); // another tab is open
  follow(false);
  tell();
  if (!leader.paused) requestAnimationFrame(tick);
}

// What a browser has recorded does not say how long it is. Another one knows as soon as it has been to its end.
source.addEventListener("loadedmetadata", () => {
  if (source.duration !== Infinity) return;
  source.addEventListener("seeked", () => (source.currentTime = 0), { once: true });
  source.currentTime = Number.MAX_SAFE_INTEGER;
});

for (const video of [source, result]) {
  video.addEventListener("play", () => {
    if (video !== leader) return;
    follow(true);
    if (follower) start(follower);
    requestAnimationFrame(tick);
  });
  for (const event of ["pause", "seeking", "seeked", "loadedmetadata", "durationchange"])
    video.addEventListener(event, () => {
      if (video === follower) return event === "loadedmetadata" && follow(true);
      if (event === "pause") follower?.pause();
      follow(leader.paused);
      tell();
    });
  video.addEventListener("ended", () => {
    if (video !== leader || !is(loop)) return;
    leader.currentTime = 0;
    start(leader);
  });
  video.addEventListener("error", () => {
    if (!video.getAttribute("src") || !clip) return;
    video.hidden = true;
    if (clip.result && video === source) follower = null;
    note.textContent = words[clip.result ? (video === source ? "unplayable_source" : "unplayable_result") : "unplayable"];
    dress();
  });
}

// Controls

function dress() {
  const both = Boolean(clip?.result && follower);
  for (const part of ["wipe", "handle", "tag.before", "tag.after"])
    element.querySelector("." + part).hidden = !both;
  for (const button of element.querySelectorAll(".only-source")) button.hidden = Boolean(clip?.result);
  frame.style.setProperty("--wipe", both ? wipe.value + "%" : "0%");
  frame.hidden = leader.hidden;
  sound.hidden = !clip?.sound;
  source.muted = leader !== source || !is(sound);
  result.muted = !is(sound);
}

function playOrPause() {
  if (leader.paused) start(leader);
  else leader.pause();
}

// Some phones, and some pages that show this one in a frame, have no full screen.
find("full").hidden = !document.fullscreenEnabled;
function full() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (document.fullscreenEnabled) player.requestFullscreen();
}

function nudge(percent) {
  wipe.value = Number(wipe.value) + percent;
  dress();
}

play.addEventListener("click", playOrPause);
find("back").addEventListener("click", () => show(current() - 1));
find("forward").addEventListener("click", () => show(current() + 1));
find("first").addEventListener("click", () => trigger("first", { seconds: begins(current()) }));
find("last").addEventListener("click", () => trigger("last", { seconds: Math.min(begins(current() + 1), length()) }));
find("full").addEventListener("click", full);
for (const button of [loop, sound])
  button.addEventListener("click", () => {
    toggle(button);
    dress();
  });
wipe.addEventListener("input", dress);
seek.addEventListener("input", () => (leader.currentTime = Number(seek.value)));
speed.addEventListener("change", () => {
  leader.playbackRate = Number(speed.value);
  follow(true);
});
player.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target === speed) return;
  const onButton = event.target.tagName === "BUTTON" && event.key === " ";
  const keys = {
    " ": onButton ? null : playOrPause, k: playOrPause, l: () => loop.click(), m: () => sound.click(),
    f: full, ",": () => show(current() - 1), ".": () => show(current() + 1),
  };
  if (event.target === seek) Object.assign(keys, { ArrowLeft: keys[","], ArrowRight: keys["."] });
  if (event.target === wipe) Object.assign(keys, { ArrowLeft: () => nudge(-2), ArrowRight: () => nudge(2) });
  const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

// What is shown

function load(video, file) {
  video.hidden = !file;
  if (video.getAttribute("src") === (file?.url ?? null)) return;
  if (file) video.src = file.url;
  else video.removeAttribute("src");
  video.load();
}

function update() {
  clip = props.value || null;
  player.hidden = !clip;
  note.textContent = "";
  leader.pause();
  leader = clip?.result ? result : source;
  follower = clip?.result && clip.source ? source : null;
  load(source, clip?.source);
  load(result, clip?.result);
  // The slider with the newest frame takes the same shape.
  if (clip) document.documentElement.style.setProperty("--clip", clip.aspect);
  speed.value = "1";
  source.playbackRate = result.playbackRate = 1;
  wipe.value = 50;
  dress();
  follow(true);
  tell();
}

watch("value", update);
update();
