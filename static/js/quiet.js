// Blocks that ask for themselves again (data-quiet) wait while nobody looks, and never disturb whoever reads in them.

const doc = document;
const quiet = (event) => (event.target.matches?.("[data-quiet]") ? event.target : null);

function isInUse(block) {
  const selection = getSelection();
  const selects = selection && !selection.isCollapsed && block.contains(selection.anchorNode);
  const types = doc.activeElement?.matches?.("input, textarea, select") && block.contains(doc.activeElement);
  return selects || types || block.querySelector("details.menu[open]");
}

doc.addEventListener("htmx:beforeRequest", (event) => {
  const block = quiet(event);
  if (block && (doc.hidden || isInUse(block))) event.preventDefault();
});

// A refresh that fails is no news: the next one comes in seconds.
for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  doc.addEventListener(name, (event) => {
    if (quiet(event) && event.detail.xhr?.status !== 401) event.stopImmediatePropagation();
  }, { capture: true });
}

// What was unfolded stays unfolded.
let unfolded = [];
doc.addEventListener("htmx:beforeSwap", (event) => {
  const block = quiet(event);
  if (block) unfolded = [...block.querySelectorAll("details[id][open]")].map((details) => details.id);
});
doc.addEventListener("htmx:afterSwap", () => {
  for (const id of unfolded.splice(0)) {
    const details = doc.getElementById(id);
    if (details) details.open = true;
  }
});

doc.addEventListener("visibilitychange", () => {
  if (!doc.hidden) for (const block of doc.querySelectorAll("[data-quiet]")) globalThis.htmx?.trigger(block, "zerg:look");
});
