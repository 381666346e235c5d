// The agent's form: words are counted, starters ask before they replace what was written, and the agent is tried as it stands.
// What is typed is kept as a draft.
import { keeper } from "./keep.js";

const doc = document;
const $ = (id) => doc.getElementById(id);
const box = $("try-box"), form = $("agent-form");
const coarse = matchMedia("(pointer: coarse)").matches && !matchMedia("(any-pointer: fine)").matches;

function count(area) {
  const out = doc.querySelector(`[data-words="${area.id}"]`);
  const words = area.value.match(/\S+/g)?.length ?? 0;
  if (out) out.textContent = `${words.toLocaleString("en")} word${words === 1 ? "" : "s"}`;
}
doc.addEventListener("input", ({ target }) => count(target));

const draft = keeper(form.dataset.draft, Number(form.dataset.at), () => new FormData(form), (said) => { $("kept").innerHTML = said; });
function changed() {
  // What was typed another day is not written over before somebody has said what is to become of it.
  if ($("draft-offer")) $("kept").textContent = "Not kept: restore or discard your earlier changes first.";
  else draft.changed();
  form.elements.typed_at.value = draft.at || "";
}
form.addEventListener("input", changed);

// What somebody wrote is not replaced unasked; what a starter put there is.
const isOwn = (area) => area.value.trim() && (area.value !== area.defaultValue || !("filled" in $("words").dataset));
doc.addEventListener("htmx:confirm", (event) => {
  if (!event.target.matches("[data-starter]") || ![...doc.querySelectorAll("#words textarea")].some(isOwn)) return;
  if (!confirm("Replace the instructions and the task that you wrote?")) event.preventDefault();
});

// The message of a field says whether the field is wrong.
doc.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
  if (target.id === "trial") import("./live.js");
  if (target.id === "draft-offer") changed();
  if (!target.matches(".msg")) return;
  const field = target.parentNode.querySelector("input, textarea, select");
  field?.setAttribute("aria-invalid", Boolean(target.querySelector("p:not(.muted)")));
});

// Trying it. The box keeps its text until the server has it.
let sent = "";
doc.addEventListener("htmx:beforeRequest", ({ target }) => { if (target.id === "try-send") sent = box.value; });
doc.addEventListener("htmx:afterRequest", ({ target, detail }) => {
  if (target.id !== "try-send" || !(detail.xhr.status < 300 && detail.xhr.status >= 200)) return;
  if (box.value === sent) box.value = "";
  $("try-msg").textContent = "";
});
box.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.altKey || event.isComposing || event.keyCode === 229) return;
  if (coarse && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  $("try-send").click();
});

// As in a thread: a question goes to the top, and there it stays.
doc.addEventListener("zerg:put", ({ detail }) => {
  const turn = $(detail.id), scroller = $("scroller");
  if (turn?.dataset.role !== "user" || turn !== $("log").lastElementChild) return;
  scroller.dataset.room = "";
  scroller.scrollTop += turn.getBoundingClientRect().top - scroller.getBoundingClientRect().top - 12;
});
