(words) => {
  // A run ends with its page, which the library loads anew by itself when a line that broke is there again. The page
  // that comes after says so.
  const ended = document.querySelector("#ended");
  window.addEventListener("pagehide", () => {
    if (document.querySelector(".status.busy")) sessionStorage.setItem(ended.id, ended.textContent);
  });
  const [line, status] = [sessionStorage.getItem(ended.id), document.querySelector(".status")];
  sessionStorage.removeItem(ended.id);
  if (line) {
    status.className = "status error";
    status.querySelector("p").textContent = line;
  }
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
  // And the library's own handler of any key opens the list again, a moment later: after its field has been left.
  document.addEventListener(
    "keydown",
    (event) => {
      if (!["Tab", "Shift"].includes(event.key)) return; // Shift comes before the Tab that it turns around
      for (const list of document.querySelectorAll("ul[role=listbox]")) list.tabIndex = -1;
      if (event.target.matches("input[role=combobox]")) event.stopImmediatePropagation();
    },
    { capture: true },
  );
  // A TIFF is taken, but no browser shows it: its name stands in its place, until another picture does.
  const photos = ":is(#photos, #truth, #compare-photo, #compare-truth, #lab-photo) img";
  const show = (picture, alt) => {
    picture.alt = alt;
    picture.classList.toggle("unseen", alt !== "");
  };
  const unseen = ({ target }) => {
    if (!(target instanceof Element) || !target.matches(photos)) return;
    const name = decodeURIComponent(target.src.split("/").pop());
    show(target, words.unseen.replace("{name}", () => name));
  };
  const seen = ({ target }) => target instanceof Element && target.matches(".unseen") && show(target, "");
  document.addEventListener("error", unseen, { capture: true });
  document.addEventListener("load", seen, { capture: true });
  // Why a camera does not come is said where it was asked for; the library leaves it to the console.
  let asked = false;
  document.addEventListener("click", ({ target }) => (asked = Boolean(target.closest("#webcam"))), { capture: true });
  window.addEventListener("unhandledrejection", (event) => {
    const line = words.camera[event.reason?.name];
    const place = document.querySelector("#webcam [title='grant webcam access'] .wrap");
    if (!asked || !line || !place) return;
    event.preventDefault();
    place.querySelector(".no-camera")?.remove();
    const note = Object.assign(document.createElement("p"), { className: "no-camera", textContent: line });
    note.setAttribute("role", "alert");
    place.append(note);
  });
}
