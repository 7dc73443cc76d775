// Colours as WCAG 2.2 sees them, for the scripts beside this one, which are put behind it.
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

function parsed(colour) {
  const numbers = colour.match(/^rgba?\(([^)]+)\)$/)?.[1].split(/[\s,/]+/).map(Number);
  if (numbers) return [numbers[0], numbers[1], numbers[2], numbers[3] ?? 1];
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255];
}

const over = ([r, g, b, a], below) => [r, g, b].map((value, index) => value * a + below[index] * (1 - a));

function luminance(colour) {
  const [red, green, blue] = colour.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function ratio(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

// Whether a place is on what is seen of a picture, whose frame may cut off the rest.
function inside(picture, x, y) {
  for (let part = picture; part; part = part.parentElement) {
    if (part !== picture && getComputedStyle(part).overflowX === "visible") continue;
    const box = part.getBoundingClientRect();
    if (!box.width || x < box.left || x > box.right || y < box.top || y > box.bottom) return false;
  }
  return true;
}

// Layers behind a place: the backgrounds of its ancestors, down to an opaque one. A picture in between may be black or
// white, so both are tried.
function behind(element, x, y) {
  const layers = [];
  let opacity = 1;
  for (let part = element; part; part = part.parentElement) {
    const style = getComputedStyle(part);
    const [red, green, blue, alpha] = parsed(style.backgroundColor);
    if (alpha) layers.push([red, green, blue, alpha]);
    if (style.backgroundImage.includes("url(")) return { layers, opacity, picture: true };
    if (alpha === 1) return { layers, opacity, picture: false };
    opacity *= Number(style.opacity);
    const pictures = [...(part.parentElement?.querySelectorAll("img, video, canvas") ?? [])];
    const below = pictures.some(
      (picture) =>
        !part.contains(picture) && picture.checkVisibility({ visibilityProperty: true }) && inside(picture, x, y),
    );
    if (below) return { layers, opacity, picture: true };
  }
  return { layers: [...layers, [255, 255, 255, 1]], opacity, picture: false };
}

function contrast(element, colour, x, y) {
  const { layers, opacity, picture } = behind(element, x, y);
  const [red, green, blue, alpha] = parsed(colour);
  const grounds = picture ? [[0, 0, 0], [255, 255, 255]] : [[255, 255, 255]];
  const found = grounds.map((ground) => {
    const below = layers.reduceRight((seen, layer) => over(layer, seen), ground);
    return ratio(over([red, green, blue, alpha * opacity], below), below);
  });
  return Math.min(...found);
}

