// What one can do with a message: say it in other words, read its other versions.
import { toast } from "./core.js";
import { again } from "./live.js";

const doc = document;
const $ = (id) => doc.getElementById(id);
const log = $("log"), scroller = $("scroller"), box = $("box");
const BRANCHES = `zerg:branches:${log.dataset.thread}`, BACK = `${BRANCHES}:back`;
const recall = (key) => JSON.parse(sessionStorage.getItem(key));
const keep = (key, value) => sessionStorage.setItem(key, JSON.stringify(value));

// Versions. Each branch is come back to where one was in it: its end, and what stood at the top.

const topOf = (turn) => turn.getBoundingClientRect().top - scroller.getBoundingClientRect().top;

doc.addEventListener("click", (event) => {
  const link = event.target.closest?.(".siblings a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const known = recall(BRANCHES) ?? {};
  const first = [...log.querySelectorAll(".turn")].find((turn) => turn.getBoundingClientRect().bottom > scroller.getBoundingClientRect().top);
  for (const turn of log.querySelectorAll(".turn:has(.siblings)")) known[turn.id] = { leaf: log.dataset.leaf, id: first.id, top: topOf(first) };
  keep(BRANCHES, known);
  const id = link.hash.slice(1), place = known[id];
  const turn = link.closest(".turn");
  keep(BACK, place ?? { id: link.closest(".tools") ? turn.id : id, top: topOf(turn) });
  link.search = `?leaf=${place?.leaf ?? id.slice(2)}`;
  link.hash = "";
});

const back = recall(BACK), turn = $(back?.id);
sessionStorage.removeItem(BACK);
if (turn && log.dataset.via) scroller.scrollTop += topOf(turn) - back.top;

/** From a branch at its own address to what the thread goes on with. */
export function toMain() {
  if (!log.dataset.via) return;
  delete log.dataset.via;
  history.pushState(null, "", location.pathname);
  again();
}

// What is sent from the log moves the thread: whoever reads another branch goes along.
doc.addEventListener("htmx:afterRequest", (event) => {
  const { successful, elt, requestConfig } = event.detail;
  if (!successful || requestConfig.verb !== "post") return;
  if (elt.closest("#log")) toMain();
  if (elt.matches(".edit-form")) closeEditor(elt);
  const row = elt.closest(".queue-edit");
  if (row) {
    row.open = false;
    typing = null;
  }
});

// A queued message that is being edited, and changed or sent meanwhile: what is typed stays.

let typing = null, said = "";
doc.addEventListener("input", ({ target }) => {
  if (!target.matches(".queue-edit textarea")) return;
  if (typing !== target) said = target.defaultValue;
  typing = target;
});
doc.addEventListener("zerg:applied", () => {
  if (!typing || (typing.isConnected && typing.defaultValue === said)) return;
  if (typing.isConnected) {
    said = typing.defaultValue;
    toast("It was changed in another tab. Saving replaces that.");
  } else {
    box.value ||= typing.value;
    box.dispatchEvent(new Event("input"));
    typing = null;
    toast("Its turn came before you saved. What you typed is in the box below.");
  }
});

// Editing in place

function closeEditor(form) {
  const turn = form.closest(".turn");
  form.remove();
  (turn?.querySelector(".foot a[hx-get]") ?? box).focus({ preventScroll: true });
}

doc.addEventListener("click", (event) => {
  const cancel = event.target.closest?.("[data-cancel]");
  if (!cancel) return;
  event.preventDefault();
  closeEditor(cancel.closest("form"));
});
doc.addEventListener("keydown", (event) => {
  const form = event.key === "Escape" && event.target.closest?.(".edit-form");
  if (!form) return;
  event.stopImmediatePropagation();
  closeEditor(form);
}, { capture: true });
doc.addEventListener("htmx:afterSettle", () => {
  const text = doc.activeElement;
  if (text?.matches?.(".edit-form textarea")) text.setSelectionRange(text.value.length, text.value.length);
});
