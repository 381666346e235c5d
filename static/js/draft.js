// What is being written is kept: here at once, and by the server for the writer's other browsers. The newest wins.
import { csrf, signedOut } from "./core.js";

const box = document.getElementById("box");
const KEY = `zerg:draft:${box.form.dataset.thread}`;
let at = Number(box.dataset.at), kept = at, here = 0, there = 0;

function keepHere() {
  clearTimeout(here);
  try { localStorage.setItem(KEY, JSON.stringify({ text: box.value, at })); } catch { /* full or forbidden */ }
}

async function keepThere() {
  clearTimeout(there);
  if (at <= kept) return;
  const mine = at, text = box.value;
  try {
    const answer = await fetch(box.dataset.draft, {
      method: "POST",
      body: new URLSearchParams({ content: text, at: mine }),
      headers: { "HX-Request": "true", "X-CSRFToken": csrf() },
      keepalive: text.length < 10000, // browsers let only a little outlive its page
    });
    if (answer.ok) kept = Math.max(kept, mine);
    else if (answer.status === 401) signedOut();
  } catch { /* it is kept here, and goes there when the server is back */ }
}

/** When the text in the box was last changed. */
export const typedAt = () => at;

/** A message has been taken; the server forgets the draft that it was. What was typed since stays. */
export function sent(message) {
  if (box.value !== message.text) return;
  const hasMore = at > message.at;
  at = Date.now();
  box.value = "";
  keepHere();
  if (hasMore) keepThere();
  else {
    clearTimeout(there);
    kept = at;
  }
}

box.addEventListener("input", () => {
  at = Date.now();
  clearTimeout(here);
  here = setTimeout(keepHere, 250);
  clearTimeout(there);
  there = setTimeout(keepThere, 1500);
});
addEventListener("pagehide", () => {
  if (at > kept) keepHere();
  keepThere();
});
document.addEventListener("zerg:ready", keepThere);
document.addEventListener("zerg:signedin", keepThere);

// Without script the browser keeps what is typed across a reload; with it the newest of here and the server wins, and
// what was typed before this script came is newer than both.
const [{ type }] = performance.getEntriesByType("navigation");
if (box.value !== box.defaultValue && (type === "navigate" || document.activeElement === box)) {
  box.dispatchEvent(new Event("input"));
} else {
  box.value = box.defaultValue;
  try {
    const mine = JSON.parse(localStorage.getItem(KEY));
    if (mine?.at > at && !box.hasAttribute("aria-invalid")) {
      box.value = mine.text;
      at = mine.at;
    }
  } catch { /* none, or not ours */ }
}
