// Every visible text with its contrast: the end of the body of a function without arguments, behind colours.js.
//
// The contrast is that of the text's colour, laid over what is behind it, to what is behind it. Text of 24 px, or bold
// from 18.66 px, needs 3, other text 4.5; controls that are disabled need none.
const disabled = (element) => element.closest(":disabled, [aria-disabled=true]") || element.closest("label")?.querySelector(":disabled");

function seen(element, box) {
  const shown = element.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true });
  if (!shown || box.width < 2 || box.height < 2 || box.right < 0 || box.bottom + scrollY < 0) return false;
  const style = getComputedStyle(element);
  return !(style.clipPath.startsWith("inset(50%") || style.clip === "rect(0px, 0px, 0px, 0px)");
}

const texts = []; // [element, words, colour, box]
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  if (!node.data.trim() || node.parentElement.closest("script, style, option, noscript, template")) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const style = getComputedStyle(node.parentElement);
  const colour = node.parentElement.closest("svg") ? style.fill : style.color;
  texts.push([node.parentElement, node.data.trim(), colour, range.getBoundingClientRect()]);
}
for (const field of document.querySelectorAll("input, textarea, select")) {
  if (["checkbox", "radio", "range", "file", "hidden", "color"].includes(field.type)) continue;
  const words = field.value || field.placeholder;
  const colour = getComputedStyle(field, field.value ? null : "::placeholder").color;
  if (words) texts.push([field, words, colour, field.getBoundingClientRect()]);
}

return texts
  .filter(([element, , , box]) => seen(element, box) && !disabled(element))
  .map(([element, words, colour, box]) => {
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const found = contrast(element, colour, box.left + box.width / 2, box.top + box.height / 2);
    return { words: words.slice(0, 60), where: element.closest("[id]")?.id ?? "", element: element.tagName + "." + element.className,
             colour, contrast: Math.round(found * 100) / 100, needed: large ? 3 : 4.5 };
  });
