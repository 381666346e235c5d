// A thread's page: where the reader is in it.
import { csrf } from "./core.js";

const doc = document;
const $ = (id) => doc.getElementById(id);
const scroller = $("scroller"), log = $("log"), jump = $("jump");

/** Whether the page ends before the thread does: later messages are not loaded. */
export const isCut = () => Boolean($("newer"));

// Two states. Pinned: the page never moves by itself. Follow: the end stays in view.
// Only what the reader does changes the state, never a distance.

const INTENT = 400, END = 12;
const follows = log.dataset.mode === "follow";
let follow = false, intent = -Infinity, dragging = false, touchY = 0, seen = 0;

export const isFollowing = () => follow;
export const distance = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;

/** Where the words end, in the scroller's own coordinates: room below them does not count. */
function wordsEnd() {
  const last = log.lastElementChild;
  if (!last) return 0;
  let end = 0;
  for (const child of last.children) if (child.offsetHeight) end = Math.max(end, child.getBoundingClientRect().bottom);
  return end - scroller.getBoundingClientRect().top + scroller.scrollTop;
}

function update() {
  if (follow) scroller.scrollTop = scroller.scrollHeight;
  const end = wordsEnd(), view = scroller.scrollTop + scroller.clientHeight;
  seen = Math.max(seen, Math.min(end, view));
  const lines = Math.ceil((end - seen) / 24 - 0.3);
  jump.hidden = !isCut() && (follow || end - view < END || (lines < 1 && end - view < scroller.clientHeight / 2));
  const words = isCut() ? "Back to now" : lines > 0 ? `${lines} new line${lines > 1 ? "s" : ""}` : "To the end";
  if (jump.lastElementChild.textContent !== words) jump.lastElementChild.textContent = words;
  attend(end - view < END && !isCut());
}

/** The end as it is now: where it is not loaded, as a page of its own. */
export function toNow() {
  location.href = $("newer").lastElementChild.href;
}

function toEnd() {
  if (isCut()) return toNow();
  follow = true;
  delete scroller.dataset.room;
  update();
}

// Whoever turns up has not come to the end, whatever scrolling of the page's own is reported after it.
export const release = () => { follow = false; intent = -Infinity; };
const acted = () => { intent = performance.now(); };

scroller.addEventListener("wheel", (event) => { acted(); if (event.deltaY < 0) release(); }, { passive: true });
scroller.addEventListener("touchstart", (event) => { touchY = event.touches[0].clientY; }, { passive: true });
scroller.addEventListener("touchmove", (event) => {
  acted();
  if (event.touches[0].clientY > touchY) release();
  touchY = event.touches[0].clientY;
}, { passive: true });
scroller.addEventListener("pointerdown", (event) => {
  if (event.target === scroller && event.offsetX >= scroller.clientWidth) { dragging = true; release(); }
});
addEventListener("pointerup", () => { if (dragging) { dragging = false; acted(); } });
scroller.addEventListener("scroll", () => {
  if (!follow && !isCut() && (dragging || performance.now() - intent < INTENT) && distance() <= 2) follow = true;
  update();
}, { passive: true });
doc.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select")) return;
  if (event.key === "End") { event.preventDefault(); toEnd(); }
  if (["PageDown", "ArrowDown", " "].includes(event.key)) acted();
  if (["PageUp", "Home", "ArrowUp"].includes(event.key) || (event.key === " " && event.shiftKey)) release();
});
jump.addEventListener("click", () => { toEnd(); $("box").focus({ preventScroll: true }); });

const watcher = new ResizeObserver(update);
watcher.observe(log);
watcher.observe(scroller);
doc.addEventListener("zerg:applied", () => {
  for (const row of doc.querySelectorAll(".queue-row[data-c]")) $(`c-${row.dataset.c}`)?.remove();
  update();
});

// What a run that no human started has said can be folded away, below its heading.

function fold(id, is) {
  for (const turn of log.querySelectorAll(`[data-run="${id}"]`)) turn.toggleAttribute("data-folded", is);
  const button = log.querySelector(`[data-fold="${id}"]`);
  if (!button) return;
  button.ariaExpanded = !is;
  button.firstChild.data = is ? "Show" : "Fold";
}
log.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-fold]");
  if (button) fold(button.dataset.fold, button.ariaExpanded === "true");
});

/** To where an element is at the top of the view. */
export function show(element) {
  const folded = element.closest("[data-folded]");
  if (folded) fold(folded.dataset.run, false);
  scroller.scrollTop += element.getBoundingClientRect().top - scroller.getBoundingClientRect().top - END;
}

/** A new turn begins: its question goes to the top once, and there is room below it for the answer. */
export function pin(bubble) {
  if (follows) return toEnd();
  follow = false;
  scroller.dataset.room = "";
  show(bubble);
  seen = Math.max(seen, wordsEnd());
}

/** Notes what is at the top of the view; the function that it gives puts that back to where it was. */
export function hold() {
  const top = scroller.getBoundingClientRect().top;
  const anchor = [...log.querySelectorAll(".turn")].find((turn) => turn.getBoundingClientRect().bottom > top);
  const was = anchor?.getBoundingClientRect().top;
  return () => {
    if (!anchor?.isConnected) return;
    const moved = anchor.getBoundingClientRect().top - was;
    scroller.scrollTop += moved;
    seen += moved;
  };
}

// What was looked at is read: the end in view for a second, on a page that has the focus. Text that still grows is not.

const LOOK = 1000;
let read = Number(log.dataset.read), looking = 0;

const lastSeq = () => Number([...log.children].findLast((turn) => turn.dataset.seq)?.dataset.seq ?? 0);

/** Called whenever something has moved; `there`: the end is in view. */
function attend(there) {
  const isNew = lastSeq() > read && log.lastElementChild.dataset.status !== "streaming";
  if (there && isNew && doc.hasFocus() && !doc.hidden) {
    looking ||= setTimeout(tell, LOOK);
  } else {
    clearTimeout(looking);
    looking = 0;
  }
}

async function tell() {
  looking = 0;
  const seq = lastSeq();
  const request = { method: "POST", body: new URLSearchParams({ seq }), headers: { "X-CSRFToken": csrf() }, keepalive: true };
  const answer = await fetch(log.dataset.seen, request).catch(() => null);
  if (answer?.ok) read = Math.max(read, seq);
}

for (const name of ["focus", "blur"]) addEventListener(name, update);
doc.addEventListener("visibilitychange", update);

// A page opens at what its address names, else where what is new begins, else at the end.
const around = new URLSearchParams(location.search).get("around");
const first = $(location.hash.slice(1)) ?? $(`m-${around}`) ?? (follows ? null : $("new"));
if (first?.matches("details")) first.open = true;
if (first) show(first);
else if (!isCut()) scroller.scrollTop = scroller.scrollHeight;
follow = follows && !first && !isCut();
seen = wordsEnd();
update();
