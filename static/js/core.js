// Manners of every page: tokens on requests, signing out noticed, toasts, times, menus, focus.

const doc = document;
const $ = (id) => doc.getElementById(id);
const csrfMeta = doc.querySelector("meta[name=csrf-token]");

export const csrf = () => csrfMeta?.content ?? "";

/** Says something to readers of the screen, once. */
export function say(text) {
  const box = $("say");
  if (!box) return;
  box.textContent = "";
  requestAnimationFrame(() => { box.textContent = text; });
}

/** A note in the corner; errors stay until they are closed. */
export function toast(text, level = "info") {
  const note = doc.createElement("p");
  note.className = "toast";
  note.dataset.level = level;
  note.setAttribute("role", level === "error" ? "alert" : "status");
  note.textContent = text;
  $("toasts")?.append(note);
  tend(note);
}

function tend(note) {
  const close = doc.createElement("button");
  close.type = "button";
  close.className = "btn quiet small";
  close.textContent = "Close";
  close.addEventListener("click", () => note.remove());
  note.append(close);
  if (note.dataset.level === "error") return;
  let timer;
  const start = () => { timer = setTimeout(() => note.remove(), 10000); };
  note.addEventListener("pointerenter", () => clearTimeout(timer));
  note.addEventListener("pointerleave", start);
  start();
}

/** The session is over: what was typed stays, and signing in happens in another tab. */
export function signedOut() {
  if ($("signed-out")) return;
  const bar = doc.createElement("div");
  bar.id = "signed-out";
  bar.className = "banner";
  bar.setAttribute("role", "alert");
  bar.append("You were signed out. Your text is safe. ");
  const link = doc.createElement("a");
  link.href = $("toasts")?.dataset.signIn ?? "/sign-in/";
  link.target = "_blank";
  link.rel = "noopener";
  link.textContent = "Sign in in a new tab";
  bar.append(link);
  doc.body.append(bar);
}

/** After signing in elsewhere the page's token is old: take a fresh one. False when there is no session. */
export async function refreshSession() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok || !page.querySelector(".rail") || !csrfMeta) return false;
  csrfMeta.content = page.querySelector("meta[name=csrf-token]")?.content ?? "";
  for (const input of doc.querySelectorAll("input[name=csrfmiddlewaretoken]")) input.value = csrfMeta.content;
  $("signed-out")?.remove();
  doc.dispatchEvent(new Event("zerg:signedin"));
  return true;
}

async function comeBack() {
  if ($("signed-out") && doc.visibilityState === "visible") await refreshSession().catch(() => {});
}
doc.addEventListener("visibilitychange", comeBack);
addEventListener("focus", comeBack);
doc.addEventListener("zerg:signedout", signedOut);
doc.addEventListener("zerg:toast", (event) => toast(event.detail.text ?? event.detail.value, event.detail.level));

// htmx

doc.addEventListener("htmx:configRequest", (event) => { event.detail.headers["X-CSRFToken"] = csrf(); });
doc.addEventListener("htmx:sendError", () => toast("Zerg did not answer. Try again in a moment.", "error"));
doc.addEventListener("htmx:responseError", (event) => {
  const { xhr } = event.detail;
  if (xhr.status === 401) return signedOut();
  let words = "";
  try { words = JSON.parse(xhr.responseText).error.message; } catch { /* a page, not words */ }
  toast(words || `That did not work (${xhr.status}).`, "error");
});

// What replaces itself keeps the focus; of what is gone or hidden (a Retry that has begun) its message has it, or else the
// conversation. Browsers take it from what is hidden a moment later.
const isShown = (it) => it?.checkVisibility?.() ?? Boolean(it);
let focused = [];
export const keepFocus = () => {
  const it = doc.activeElement;
  focused = [it, it?.closest(".turn"), it?.closest("#scroller")].map((one) => one?.id).filter(Boolean);
};
export function restoreFocus() {
  if (doc.activeElement === doc.body || !isShown(doc.activeElement)) focused.map($).find(isShown)?.focus({ preventScroll: true });
  focused = [];
}
doc.addEventListener("htmx:beforeSwap", keepFocus);
doc.addEventListener("htmx:afterSettle", () => { restoreFocus(); focusSummary(); tickSeconds(); });
const focusSummary = () => doc.querySelector("[data-focus]")?.focus();

// Clicks and keys, delegated. How to copy is fetched when somebody is about to.

const copier = (event) => (event.target.closest?.(".copy") ? import("./copy.js").catch(() => ({ copy: () => toast("Zerg did not answer. Try again in a moment.", "error") })) : null);
doc.addEventListener("pointerover", copier, { passive: true });
doc.addEventListener("focusin", copier);
doc.addEventListener("click", (event) => {
  copier(event)?.then(({ copy }) => copy(event.target.closest(".copy")));
  for (const menu of doc.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
doc.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = doc.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
  event.stopImmediatePropagation();
});
doc.addEventListener("change", (event) => {
  const { name, value } = event.target;
  if (value && (name === "theme" || name === "density")) doc.documentElement.dataset[name] = value;
});

// Times

const MINUTE = 60, HOUR = 3600, DAY = 86400;
function words(seconds) {
  if (seconds < MINUTE) return `${Math.floor(seconds)} s`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`;
  if (seconds < 2 * DAY) return `${Math.floor(seconds / HOUR)} h`;
  return `${Math.floor(seconds / DAY)} days`;
}
function tick() {
  const now = Date.now();
  for (const time of doc.querySelectorAll("time.ago")) {
    const past = (now - Date.parse(time.dateTime)) / 1000;
    const text = Math.abs(past) < 5 ? "just now" : past > 0 ? `${words(past)} ago` : `in ${words(-past)}`;
    if (time.textContent !== text) time.textContent = text;
  }
}
function tickSeconds() {
  if (doc.hidden) return;
  for (const span of doc.querySelectorAll("[data-since]")) {
    const past = (Date.now() - Date.parse(span.dataset.since)) / 1000;
    span.textContent = past >= 2 ? words(past) : "";
  }
  for (const span of doc.querySelectorAll("[data-until]")) {
    const left = (Date.parse(span.dataset.until) - Date.now()) / 1000;
    span.textContent = left > 0 ? `again in ${words(left + 1)}` : "";
  }
}
setInterval(tick, 20000);
setInterval(tickSeconds, 1000);
tickSeconds();
doc.addEventListener("zerg:applied", tickSeconds);

for (const note of doc.querySelectorAll(".toast")) tend(note);
focusSummary();
