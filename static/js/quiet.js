// Blocks that ask for themselves again (data-quiet) wait while nobody looks, and never disturb whoever reads in them.

const doc = document;
const quiet = (event) => (event.target.matches?.("[data-quiet]") ? event.target : null);

function isInUse(block) {
  const selection = getSelection();
  const selects = selection && !selection.isCollapsed && block.contains(selection.anchorNode);
  const types = doc.activeElement?.matches?.("input, textarea, select") && block.contains(doc.activeElement);
  return selects || types || block.querySelector("details.menu[open], input:checked");
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
const each = (act) => unfolded.map((id) => doc.getElementById(id)).filter(Boolean).forEach(act);
doc.addEventListener("htmx:afterSwap", () => each((details) => { details.open = true; }));
// What is in them may have to be asked for, and htmx listens only now.
doc.addEventListener("htmx:afterSettle", () => {
  each((details) => details.dispatchEvent(new Event("toggle")));
  unfolded = [];
});

doc.addEventListener("visibilitychange", () => {
  if (!doc.hidden) for (const block of doc.querySelectorAll("[data-quiet]")) globalThis.htmx?.trigger(block, "zerg:look");
});

// The step that the address names is unfolded; one of another stretch of steps is asked for.
function unfoldNamed() {
  const [, number] = /^#step-(\d+)$/.exec(location.hash) ?? [];
  const step = number && doc.getElementById(`step-${number}`);
  if (step) {
    step.open = true;
    step.scrollIntoView({ block: "nearest" });
  } else if (number && !/[?&]step=/.test(location.search)) location.search = `?step=${number}`;
}
addEventListener("hashchange", unfoldNamed);
addEventListener("load", unfoldNamed); // by then htmx listens
