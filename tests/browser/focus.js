// What has the focus, and how it is ringed: the end of the body of a function without arguments, behind colours.js.
const focused = document.activeElement;
if (!focused || focused === document.body) return null;

// A control that is not drawn itself has its ring on what stands for it: its handle, or the one behind it.
function ringed() {
  const drawn = [[focused, ""], [focused, "::after"], [focused.nextElementSibling, ""], [focused.nextElementSibling, "::after"]];
  for (const [element, pseudo] of drawn) {
    if (!element || (element === focused && !pseudo && Number(getComputedStyle(focused).opacity) < 1)) continue;
    const style = getComputedStyle(element, pseudo);
    if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth)) return { element, pseudo, style };
  }
  return null;
}

// How many pixels of the ring the parts around it cut off.
function cut(element, reach) {
  const box = element.getBoundingClientRect();
  let most = 0;
  for (let part = element.parentElement; part && part !== document.body; part = part.parentElement) {
    if (getComputedStyle(part).overflow === "visible") continue;
    const frame = part.getBoundingClientRect();
    const [left, top] = [frame.left + part.clientLeft, frame.top + part.clientTop];
    const outside = [left - box.left, box.right - left - part.clientWidth, top - box.top, box.bottom - top - part.clientHeight];
    most = Math.max(most, ...outside.map((pixels) => pixels + reach));
  }
  return Math.round(most);
}

// The ring's width, its contrast to what is around it, and how much of it is cut off.
function measured() {
  const ring = ringed();
  if (!ring) return null;
  const [offset, width] = [parseFloat(ring.style.outlineOffset), parseFloat(ring.style.outlineWidth)];
  const base = ring.pseudo || offset < 0 ? ring.element : ring.element.parentElement;
  const around = ring.style.boxShadow.match(/^(rgba?\([^)]+\)) 0px 0px 0px \d+px$/)?.[1]; // over pictures, a ring of two colours
  const place = ring.element.getBoundingClientRect();
  const two = around && ratio(parsed(ring.style.outlineColor), parsed(around));
  const middle = place.left + place.width / 2;
  const found = Math.max(two || 0, contrast(base, ring.style.outlineColor, middle, place.top - Math.max(offset, -1)));
  return { width, contrast: Math.round(100 * found) / 100, cut: ring.pseudo ? 0 : cut(ring.element, offset + width) };
}

const box = focused.getBoundingClientRect();
const light = measured();
document.body.classList.add("dark");
const dark = measured();
document.body.classList.remove("dark");
return {
  where: focused.closest("[id]:not([id^=html-]):not([id^=component-]):not([id^=range_])")?.id ?? "",
  name: focused.ariaLabel || focused.labels?.[0]?.textContent.trim() || focused.textContent.trim() || focused.title,
  seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
  rings: [light, dark],
};
