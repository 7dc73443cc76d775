() => {
  // Whoever leaves ends the run, and so does the library when a line that broke is there again: it loads the page anew.
  window.addEventListener("beforeunload", (event) => {
    if (document.querySelector(".status.busy")) event.preventDefault();
  });
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
  // A long list of choices scrolls, so the browser would stop there on the way from its field to the next, on a list
  // that closes in that moment: the focus would be nowhere. The arrow keys reach what is in it.
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Tab") return;
      for (const list of document.querySelectorAll("ul[role=listbox]")) list.tabIndex = -1;
    },
    { capture: true },
  );
}
