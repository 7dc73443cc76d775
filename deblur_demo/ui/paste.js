() => {
  // A picture pasted anywhere on the image screen goes where a dropped one goes.
  document.addEventListener("paste", (event) => {
    const pictures = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    const input = document.querySelector("#photos input[type=file]");
    if (!pictures.length || !input?.closest("#photos").checkVisibility()) return;
    event.preventDefault();
    const transfer = new DataTransfer();
    pictures.forEach((file) => transfer.items.add(file));
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}
