// The palette (go, find, do from one box) and keys that are pressed alone. Without script the box is the search page.

const doc = document;
const dialog = doc.getElementById("palette"), box = doc.getElementById("palette-box"), hits = doc.getElementById("hits");
const alone = doc.documentElement.dataset.keys !== "off";

function open(text) {
  if (!dialog.open) dialog.showModal();
  box.value = text;
  box.focus();
  globalThis.htmx.trigger(box, "zerg:look");
}

const offers = () => [...hits.querySelectorAll("[role=option]")];
const chosen = () => hits.querySelector("[aria-selected=true]");

function choose(offer) {
  chosen()?.setAttribute("aria-selected", "false");
  box.setAttribute("aria-expanded", Boolean(offer));
  if (!offer) return box.removeAttribute("aria-activedescendant");
  offer.setAttribute("aria-selected", "true");
  box.setAttribute("aria-activedescendant", offer.id);
  offer.scrollIntoView({ block: "nearest" });
}

doc.addEventListener("htmx:afterSwap", (event) => { if (event.target === hits) choose(offers()[0]); });
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => box.blur()); // browsers leave the focus in there for a moment
dialog.addEventListener("keydown", (event) => {
  if (!dialog.open) return;
  event.stopPropagation(); // keys of the page below stay silent
  if (event.target !== box || event.isComposing) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    const all = offers();
    choose(all.at((all.indexOf(chosen()) + step) % all.length));
    event.preventDefault();
  } else if (event.key === "Enter" && hits.querySelector("[data-q]")?.dataset.q === box.value.trim() && chosen()) {
    chosen().click();
    event.preventDefault(); // what is still on its way is looked for on the search page
  }
});

/** The row that keys act on: the one with the focus, or the one that an address or a deed led to. */
const current = () => doc.activeElement.closest("[data-row]") ?? doc.querySelector("[data-row]:target");

function step(by) {
  const rows = [...doc.querySelectorAll("[data-row]")], row = current();
  (row ? rows[rows.indexOf(row) + by] : rows[0])?.querySelector("a").focus();
}

function act(key) {
  const row = current();
  const deed = row?.querySelector(`[data-key="${key}"]`);
  const at = deed?.form?.elements.at;
  if (at) at.value = (row.nextElementSibling ?? row.previousElementSibling ?? row).id.slice(4);
  deed?.click();
}

function find() {
  const panel = doc.getElementById("find");
  panel?.querySelector(panel.open ? "input" : "summary")[panel.open ? "focus" : "click"]();
}

doc.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    return open("");
  }
  const typing = event.target.closest("input:not([type=checkbox]), textarea, select");
  if (!alone || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const deeds = { "/": () => open(""), "?": () => open("?"), f: find, j: () => step(1), k: () => step(-1) };
  if (!deeds[event.key] && !["e", "u", "x"].includes(event.key)) return;
  event.preventDefault();
  (deeds[event.key] ?? (() => act(event.key)))();
});
doc.addEventListener("click", (event) => {
  if (!event.target.closest("[data-palette]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open("");
});
