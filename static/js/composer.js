// A thread's page: what the writer has written. A message waits in the outbox, with its own id, until the server has it;
// sending it twice makes one message.
import { csrf, refreshSession, say, signedOut, toast } from "./core.js";
import { sent, typedAt } from "./draft.js";
import { poll, wake } from "./live.js";
import { isCut, pin, toNow } from "./reading.js";
import { toMain } from "./turns.js";

const doc = document;
const $ = (id) => doc.getElementById(id);
const log = $("log"), form = $("composer"), box = $("box"), thread = log.dataset.thread;

const OUTBOX = `zerg:outbox:${thread}`;
const coarse = matchMedia("(pointer: coarse)").matches && !matchMedia("(any-pointer: fine)").matches;
const store = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { if (value) localStorage.setItem(key, value); else localStorage.removeItem(key); } catch { /* full or forbidden */ } },
};
let outbox = JSON.parse(store.get(OUTBOX) || "[]"), sending = false, tries = 0, retry = 0;
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

/** Where on another branch it is sent from: its end, or the message where a new one begins. */
function branch() {
  const { via, leaf } = log.dataset;
  return !via ? {} : via === "0" ? { start: leaf } : { leaf };
}

async function accepted(message, answer) {
  if (message.start) toMain();
  outbox = outbox.filter((other) => other !== message);
  keep();
  tries = 0;
  sent(message);
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
  if (!box.value) {
    box.value = message.text;
    box.dispatchEvent(new Event("input"));
  }
  toast(words, "error");
}

async function post(message) {
  const fields = new URLSearchParams(new FormData(form));
  fields.set("content", message.text);
  fields.set("client_message_id", message.c);
  fields.set("typed_at", message.at ?? "");
  fields.set("leaf", message.leaf ?? "");
  fields.set("start", message.start ?? "");
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
    const message = { c: newId(), text, at: typedAt(), ...branch() };
    outbox.push(message);
    keep();
    if (isCut()) return toNow(); // the page of the thread's end sends what it finds in the outbox
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
// A box as high as its text is laid out twice; where much comes at once its height is what it would end up at anyway.
const MUCH = 20000;
const fit = (length) => box.classList.toggle("much", length > MUCH);
box.addEventListener("paste", ({ clipboardData }) => fit(box.value.length + (clipboardData?.getData("text").length ?? 0)));
box.addEventListener("input", () => fit(box.value.length));
fit(box.value.length);

// Esc twice stops.
let escaped = -Infinity;
doc.addEventListener("keydown", (event) => {
  const stop = $("stop");
  if (event.key !== "Escape" || event.isComposing || !stop) return;
  if (event.timeStamp - escaped < 1000) stop.requestSubmit();
  else say("Press Esc again to stop");
  escaped = event.timeStamp;
});

for (const message of isCut() ? [] : outbox) bubble(message);
pump();
if (!coarse && !location.hash && doc.activeElement === doc.body) box.focus({ preventScroll: true });
