// One socket for the page: frames are applied in one animation frame, each as often as it comes.
import { keepFocus, restoreFocus, say, signedOut } from "./core.js";

const doc = document;
const $ = (id) => doc.getElementById(id);
const log = doc.querySelector("[data-socket]");
const PING = 20000, DEAD = 45000, POLL = 4000, QUIET = 2000;
const GONE = new Set([4401, 4403, 4404]);

let socket = null, failures = 0, heard = 0, ready = false, over = false, timer = 0, strip = 0, told = false;
let waiting = [], planned = false;
/** How many rows were left out, since the page was loaded. */
export let leftOut = 0;
const asked = new Map();

function parse(html) {
  const box = doc.createElement("template");
  box.innerHTML = html;
  return box.content;
}

/** Makes `old` equal to `fresh` and leaves every node alone that is equal already: hovers and selections survive. */
export function merge(old, fresh) {
  if (old.isEqualNode(fresh)) return old;
  if (old.nodeType !== 1 || fresh.nodeType !== 1 || old.tagName !== fresh.tagName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return fresh;
  }
  const keep = old.tagName === "DETAILS" ? "open" : "";
  for (const { name } of [...old.attributes]) if (name !== keep && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  mergeChildren(old, fresh);
  return old;
}

/** Children with an id are found by it; the others are compared in their order. What is .mine stays. */
function mergeChildren(old, fresh) {
  const ids = new Set([...fresh.children].map((node) => node.id));
  let at = old.firstChild;
  const skip = () => {
    const gone = at;
    at = at.nextSibling;
    if (!gone.matches?.(".mine")) gone.remove();
  };
  for (const node of [...fresh.childNodes]) {
    const twin = node.id ? [...old.children].find((child) => child.id === node.id) : null;
    while (at && at !== twin && (twin || (at.id && !ids.has(at.id)))) skip();
    if (at && (twin || (!at.id && !node.id))) at = merge(at, node).nextSibling;
    else old.insertBefore(node, at);
  }
  while (at) skip();
}

const apply = {
  put({ id, at, h, c }) {
    const fresh = parse(h).firstElementChild;
    const mine = c && $(`c-${c}`);
    let node = $(id);
    // A row from before or after what is loaded: it comes when the reader goes there.
    if (!node && at === "log" && ($("newer") || +fresh.dataset.seq < +log.querySelector("[data-seq]")?.dataset.seq)) {
      leftOut += 1;
      return;
    }
    if (node) node = merge(node, fresh);
    else if (mine && mine.parentNode.id === at) mine.replaceWith(node = fresh);
    else $(at)?.append(node = fresh);
    mine?.remove();
    if (node?.isConnected) window.htmx?.process(node);
    doc.dispatchEvent(new CustomEvent("zerg:put", { detail: { id, c } }));
  },
  drop({ id }) { $(id)?.remove(); },
  tail({ m, from, b = [], h = "" }) {
    const blocks = $(`m-${m}-b`), tail = $(`m-${m}-t`);
    if (!blocks || !tail) return;
    const have = blocks.children.length;
    if (from > have) {
      // Something is missing: ask for it, once in a while.
      if (Date.now() - (asked.get(m) ?? 0) > 500) send({ op: "sync", m, have });
      asked.set(m, Date.now());
      return;
    }
    for (const html of b.slice(have - from)) {
      // The provisional block becomes the final one where it stands: nothing on the screen moves.
      const block = parse(html).firstElementChild, written = tail.firstElementChild;
      if (block) blocks.append(written ? merge(written, block) : block);
    }
    mergeChildren(tail, parse(h));
  },
  // Another branch, or away too long: the log anew; what is equal stays.
  reset({ h }) {
    mergeChildren(log, parse(h));
    window.htmx?.process(log);
  },
  at({ v, leaf }) {
    log.dataset.version = v;
    log.dataset.leaf = leaf ?? "";
  },
  epoch({ e }) { log.dataset.epoch = e; },
  say({ text }) { say(text); },
  ready({ v }) {
    log.dataset.version = v;
    ready = true;
    log.dataset.live = "1";
    failures = 0;
    clearTimeout(strip);
    strip = 0;
    if (told) say("Reconnected");
    told = false;
    if ($("strip")) $("strip").hidden = true;
    doc.dispatchEvent(new Event("zerg:ready"));
  },
};

function flush() {
  planned = false;
  const frames = waiting;
  waiting = [];
  keepFocus();
  for (const frame of frames) apply[frame.t]?.(frame);
  restoreFocus();
  doc.dispatchEvent(new Event("zerg:applied"));
}

export function take(frames) {
  waiting.push(...frames);
  if (planned) return;
  planned = true;
  // A hidden tab has no animation frames.
  if (doc.hidden) setTimeout(flush);
  else requestAnimationFrame(flush);
}

/** What the page has. */
function place() {
  const have = {};
  for (const turn of log.querySelectorAll("[data-status=streaming]")) {
    const id = turn.id.slice(2);
    have[id] = $(`m-${id}-b`)?.children.length ?? 0;
  }
  const { epoch: e, version, leaf, via } = log.dataset;
  return { e, v: +version, leaf: +leaf, have, ...(via && { via }) };
}

/** Goes back to where the page was, to be told once more what came since. */
export function resume(version, leaf) {
  Object.assign(log.dataset, { version, leaf });
  again();
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function worry() {
  strip ||= setTimeout(() => {
    told = true;
    const box = $("strip");
    if (box) {
      box.textContent = "Reconnecting. Your text is safe.";
      box.hidden = false;
    }
    say("Reconnecting. Your text is safe.");
  }, QUIET);
}

function connect() {
  clearTimeout(timer);
  if (over || socket) return;
  const url = new URL(log.dataset.socket, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const mine = socket = new WebSocket(url);
  heard = Date.now();
  mine.onopen = () => send({ op: "sub", ...place() });
  mine.onmessage = (event) => {
    heard = Date.now();
    if (socket === mine) take([JSON.parse(event.data)]);
  };
  mine.onclose = (event) => { if (socket === mine) lost(event.code); };
}

function lost(code) {
  socket = null;
  ready = false;
  delete log.dataset.live;
  if (over) return;
  if (code === 4401) signedOut();
  if (GONE.has(code)) { over = true; return; }
  worry();
  failures += 1;
  const pause = failures === 1 ? 300 : Math.min(1000 * 2 ** (failures - 2), 15000);
  timer = setTimeout(connect, pause * (0.8 + Math.random() * 0.4));
}

export function again() {
  leave();
  connect();
}

function leave() {
  const old = socket;
  socket = null;
  ready = false;
  clearTimeout(timer);
  old?.close();
}

/** Now is a good moment to be connected. */
export function wake() {
  if (over || doc.visibilityState === "hidden") return;
  if (socket?.readyState === WebSocket.OPEN && Date.now() - heard < PING + 5000) return;
  again();
}

/** The frames over HTTP, while there is no socket. */
export async function poll() {
  if (ready || over || !log.dataset.sync) return;
  try {
    const at = place();
    at.have = JSON.stringify(at.have);
    const answer = await fetch(`${log.dataset.sync}?${new URLSearchParams(at)}`, { headers: { "HX-Request": "true" } });
    if (answer.status === 401) signedOut();
    else if (answer.ok && !ready) take((await answer.json()).frames.filter((frame) => frame.t !== "ready"));
  } catch { /* no server either: the strip says so */ }
}

if (log) {
  connect();
  worry();
  setInterval(() => {
    if (socket && Date.now() - heard > DEAD) { leave(); lost(); }
    send({ op: "ping" });
  }, PING);
  setInterval(() => { if (failures >= 2 && !doc.hidden) poll(); }, POLL);
  doc.addEventListener("visibilitychange", wake);
  doc.addEventListener("zerg:signedin", () => { over = false; again(); });
  addEventListener("online", wake);
  addEventListener("pageshow", (event) => { if (event.persisted) wake(); });
  addEventListener("pagehide", leave);
}
