// A thread's page: where the reader is, and what the writer has written.
import { csrf, refreshSession, say, signedOut, toast } from "./core.js";
import { poll, wake } from "./live.js";

const doc = document;
const $ = (id) => doc.getElementById(id);
const scroller = $("scroller"), log = $("log"), jump = $("jump"), form = $("composer"), box = $("box");
const thread = log.dataset.thread;

// Reading: two states. Pinned: the page never moves by itself. Follow: the end stays in view.
// Only what the reader does changes the state, never a distance.

const INTENT = 400;
let follow = false, intent = -Infinity, dragging = false, touchY = 0, seen = 0;

const distance = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;

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
  jump.hidden = follow || end - view < 12 || (lines < 1 && end - view < scroller.clientHeight / 2);
  const words = lines > 0 ? `${lines} new line${lines > 1 ? "s" : ""}` : "To the end";
  if (jump.lastElementChild.textContent !== words) jump.lastElementChild.textContent = words;
}

function toEnd() {
  follow = true;
  delete scroller.dataset.room;
  update();
}

const release = () => { follow = false; };
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
  if (!follow && (dragging || performance.now() - intent < INTENT) && distance() <= 2) follow = true;
  update();
}, { passive: true });
doc.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select")) return;
  if (event.key === "End") { event.preventDefault(); toEnd(); }
  if (["PageUp", "Home", "ArrowUp"].includes(event.key)) release();
  if (["PageUp", "PageDown", "Home", "ArrowUp", "ArrowDown", " "].includes(event.key)) acted();
});
jump.addEventListener("click", () => { toEnd(); box.focus({ preventScroll: true }); });

const watcher = new ResizeObserver(update);
watcher.observe(log);
watcher.observe(scroller);
doc.addEventListener("zerg:applied", () => {
  for (const row of doc.querySelectorAll(".queue-row[data-c]")) $(`c-${row.dataset.c}`)?.remove();
  update();
});

/** A new turn begins: its question goes to the top once, and there is room below it for the answer. */
function pin(bubble) {
  follow = false;
  scroller.dataset.room = "";
  scroller.scrollTop += bubble.getBoundingClientRect().top - scroller.getBoundingClientRect().top - 12;
  seen = Math.max(seen, wordsEnd());
}

// Earlier messages come in above, and what is being read stays where it is.
let anchor = null, anchorTop = 0;
doc.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "older") return;
  const top = scroller.getBoundingClientRect().top;
  anchor = [...log.querySelectorAll(".turn")].find((turn) => turn.getBoundingClientRect().bottom > top);
  anchorTop = anchor?.getBoundingClientRect().top ?? 0;
});
doc.addEventListener("htmx:afterSwap", (event) => {
  if (!anchor || !event.detail.target.closest?.("#log, #older")) return;
  const moved = anchor.getBoundingClientRect().top - anchorTop;
  scroller.scrollTop += moved;
  seen += moved;
  anchor = null;
});

if (!doc.querySelector(":target")) scroller.scrollTop = scroller.scrollHeight;
seen = wordsEnd();
update();

// Writing. A message waits in the outbox, with its own id, until the server has it; sending it twice makes one message.

const DRAFT = `zerg:draft:${thread}`, OUTBOX = `zerg:outbox:${thread}`;
const coarse = matchMedia("(pointer: coarse)").matches && !matchMedia("(any-pointer: fine)").matches;
const store = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { if (value) localStorage.setItem(key, value); else localStorage.removeItem(key); } catch { /* full or forbidden */ } },
};
let outbox = JSON.parse(store.get(OUTBOX) || "[]"), sending = false, tries = 0, retry = 0, drafting = 0;
const keep = () => store.set(OUTBOX, outbox.length ? JSON.stringify(outbox) : "");

// randomUUID is missing on plain http.
const newId = () => crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function bubble({ c, text }) {
  const node = $("t-you").content.firstElementChild.cloneNode(true);
  node.id = `c-${c}`;
  node.querySelector(".plain").textContent = text;
  if ($("stop")) {
    node.querySelector(".pill").textContent = "Queued";
    $("pending").append(node);
  } else {
    log.append(node);
    pin(node);
  }
}

function mark({ c }, words) {
  const pill = $(`c-${c}`)?.querySelector(".pill");
  if (pill) pill.textContent = words;
}

async function accepted(message, answer) {
  outbox = outbox.filter((other) => other !== message);
  keep();
  tries = 0;
  if (box.value === message.text) {
    box.value = "";
    store.set(DRAFT, "");
  }
  wake();
  poll();
  // Its row takes the bubble's place; should it have been there already, the bubble goes by itself.
  const { message_id: id } = await answer.json().catch(() => ({}));
  if ($(`m-${id}`) || $(`q-${id}`)) $(`c-${message.c}`)?.remove();
  else setTimeout(() => $(`c-${message.c}`)?.remove(), 10000);
}

function refused(message, words) {
  outbox = outbox.filter((other) => other !== message);
  keep();
  $(`c-${message.c}`)?.remove();
  if (!box.value) box.value = message.text;
  toast(words, "error");
}

async function post(message) {
  const fields = new URLSearchParams(new FormData(form));
  fields.set("content", message.text);
  fields.set("client_message_id", message.c);
  return fetch(form.action, { method: "POST", body: fields, redirect: "manual", headers: { "HX-Request": "true", "X-CSRFToken": csrf() } });
}

async function deliver(message) {
  let answer = await post(message);
  if (answer.status === 403 && (await refreshSession())) answer = await post(message);
  if (answer.ok || answer.type === "opaqueredirect") return accepted(message, answer);
  if (answer.status === 401 || answer.status === 403) throw signedOut();
  if (answer.status >= 500 || answer.status === 429) throw new Error("later");
  const words = await answer.json().then((body) => body.error.message).catch(() => "");
  refused(message, words || `The message was refused (${answer.status}). Your text is still here.`);
}

async function pump() {
  clearTimeout(retry);
  if (sending) return;
  sending = true;
  try {
    while (outbox.length) await deliver(outbox[0]);
  } catch {
    for (const message of outbox) mark(message, "Not sent yet");
    retry = setTimeout(pump, Math.min(1000 * 2 ** tries, 15000));
    tries += 1;
  } finally {
    sending = false;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = box.value;
  if (!text.trim()) return;
  if (!outbox.some((message) => message.text === text)) {
    const message = { c: newId(), text };
    outbox.push(message);
    keep();
    bubble(message);
  }
  pump();
});
doc.addEventListener("zerg:ready", pump);
doc.addEventListener("zerg:signedin", pump);
addEventListener("online", pump);

box.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.altKey || event.isComposing || event.keyCode === 229) return;
  if (coarse && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  form.requestSubmit();
});
box.addEventListener("input", () => {
  clearTimeout(drafting);
  drafting = setTimeout(() => store.set(DRAFT, box.value), 250);
});
addEventListener("pagehide", () => { if (box.value) store.set(DRAFT, box.value); });

// Esc twice stops.
let escaped = -Infinity;
doc.addEventListener("keydown", (event) => {
  const stop = $("stop");
  if (event.key !== "Escape" || event.isComposing || !stop) return;
  if (event.timeStamp - escaped < 1000) stop.requestSubmit();
  else say("Press Esc again to stop");
  escaped = event.timeStamp;
});

box.value ||= store.get(DRAFT) ?? "";
for (const message of outbox) {
  bubble(message);
}
pump();
if (!coarse && !location.hash && doc.activeElement === doc.body) box.focus({ preventScroll: true });
