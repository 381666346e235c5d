// Find in the thread: the server looks through all of it; what is loaded is marked here.
import { say } from "./core.js";
import { release, show } from "./reading.js";

const doc = document;
const $ = (id) => doc.getElementById(id);
const panel = $("find"), opener = panel.querySelector("summary"), box = $("find-q"), hits = $("find-hits"), scroller = $("scroller");
let found = [], at = -1, waiting = 0, shown = null, cameFrom = opener;

const links = () => [...hits.querySelectorAll("a")];
/** What the hits are of; the box may say something else by now. */
const query = () => hits.querySelector("[data-q]")?.dataset.q ?? "";
const isCurrent = () => query() === box.value.trim();

// Previous, next, and how far one is, in place of the button that leads to a page of hits.

function button(words, name, act) {
  const made = doc.createElement("button");
  made.type = "button";
  made.className = "btn small";
  made.textContent = words;
  made.title = name;
  if (name) made.ariaLabel = name;
  made.addEventListener("click", act);
  return made;
}
const count = button("", "", () => unfold(panel.dataset.going === ""));
count.id = "find-count";
count.classList.add("quiet", "nowrap");
count.setAttribute("aria-controls", "find-hits");
panel.querySelector("form button").replaceWith(count, button("‹", "Previous hit", () => step(-1)), button("›", "Next hit", () => step(1)));

/** The list of hits would cover what one has gone to. */
function unfold(is) {
  panel.toggleAttribute("data-going", !is);
  count.ariaExpanded = is;
}

function tell() {
  const words = at < 0 ? "" : `${at + 1} of ${links().length}`;
  count.hidden = !words;
  count.textContent = words;
  for (const [number, link] of links().entries()) link.ariaCurrent = number === at ? "true" : null;
  return words;
}

// Marks. What counts as found is what the server says (threads/search.py): words from their beginning, without accents;
// the last one may go on.

const fold = (text) => text.replace(/[A-Z]|\P{ASCII}/gu, (letter) => {
  const bare = letter.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  return bare.length === letter.length ? bare : letter; // a place in the folded text is the same place in the text
});

function pattern() {
  const parts = fold(box.value.normalize("NFC")).split(/\s+/).map((word) => word.split(/[^\p{L}\p{M}\p{N}]+/u).filter(Boolean));
  const words = parts.filter((word) => word.length).map((word) => word.join("[^\\p{L}\\p{N}]+"));
  if (!words.length) return null;
  const last = words.pop(), whole = words.map((word) => `${word}(?![\\p{L}\\p{N}])`);
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${[...whole, `${last}[\\p{L}\\p{N}]*`].join("|")})`, "gu");
}

/** Marks the words without touching the page's nodes. */
function mark() {
  const wanted = panel.open ? pattern() : null;
  found = [];
  for (const part of wanted ? doc.querySelectorAll("#log :is(.prose, .io pre)") : []) {
    const texts = doc.createTreeWalker(part, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const node = texts.currentNode;
      for (const { 0: word, index } of fold(node.data).matchAll(wanted)) {
        found.push(new StaticRange({ startContainer: node, startOffset: index, endContainer: node, endOffset: index + word.length }));
      }
    }
  }
  const marks = globalThis.Highlight && new Highlight();
  for (const range of marks ? found : []) marks.add(range);
  if (marks) CSS.highlights.set("found", marks);
}

/** Shows a message, with its first mark in the middle of the view. */
function reveal(turn) {
  release();
  show(turn);
  const first = found.find(({ startContainer }) => turn.contains(startContainer));
  if (!first) return;
  const around = first.startContainer.parentElement.closest("details");
  if (around) around.open = true;
  requestAnimationFrame(() => { // by then what was out of view has its size
    const range = doc.createRange(), view = scroller.getBoundingClientRect();
    range.setStart(first.startContainer, first.startOffset);
    range.setEnd(first.endContainer, first.endOffset);
    const { top, bottom } = range.getBoundingClientRect();
    if (top < view.top + view.height / 4 || bottom > view.bottom - view.height / 4) scroller.scrollTop += top - view.top - view.height / 2;
  });
}

/** Goes to a hit: on this page where it is loaded, else to the page about it. */
function go(link) {
  const turn = $(link.hash.slice(1));
  at = links().indexOf(link);
  if (!turn) return location.assign(link.href);
  say(tell());
  if (hits.contains(doc.activeElement)) count.focus({ preventScroll: true });
  unfold(false);
  reveal(turn);
}

function step(by) {
  waiting = isCurrent() ? 0 : by;
  if (waiting) return window.htmx.trigger(box, "search");
  const all = links(), from = at < 0 && by < 0 ? all.length : at;
  if (all.length) go(all[(from + by + all.length) % all.length]);
}

hits.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link);
});
box.form.addEventListener("submit", (event) => {
  event.preventDefault();
  step(1);
});
box.addEventListener("input", () => unfold(true));
panel.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Escape") {
    event.stopPropagation(); // it is not the agent that is to stop
    panel.open = false;
    (cameFrom.isConnected ? cameFrom : opener).focus({ preventScroll: true });
  } else if (event.key === "Enter" && event.target === box) {
    event.preventDefault();
    step(event.shiftKey ? -1 : 1);
  }
});

function opened() {
  const before = doc.activeElement;
  if (panel.open) {
    cameFrom = before === doc.body || panel.contains(before) ? opener : before;
    box.focus({ preventScroll: true });
  }
  mark();
}
panel.addEventListener("toggle", opened);

/** Hits have come. Those of an address that leads to one of them are gone to at once. */
function received() {
  if (query() !== shown) at = links().findIndex((link) => link.hash === location.hash);
  const arrives = shown === null && at >= 0 && new URLSearchParams(location.search).has("find");
  const turn = arrives && $(location.hash.slice(1));
  shown = query();
  tell();
  mark();
  if (turn) {
    unfold(false);
    reveal(turn);
  }
  if (waiting && isCurrent()) step(waiting);
}
doc.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
  if (target === hits) received();
  else if (target.matches(".loader")) mark();
});
unfold(true);
tell();
opened(); // window.js fetches this when the panel opens for the first time
if (hits.querySelector("[data-q]")) received();
