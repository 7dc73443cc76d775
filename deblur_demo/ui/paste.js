() => {
  // A picture pasted anywhere on a screen goes where a dropped one goes.
  document.addEventListener("paste", (event) => {
    const pictures = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    const place = [...document.querySelectorAll("#photos, #compare-photo, #lab-photo")].find((part) => part.checkVisibility());
    const input = place?.querySelector("input[type=file]");
    if (!pictures.length || !input) return;
    event.preventDefault();
    const transfer = new DataTransfer();
    pictures.slice(0, input.multiple ? pictures.length : 1).forEach((file) => transfer.items.add(file));
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}
