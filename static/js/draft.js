// What is being written is kept: here at once, and by the server for the writer's other browsers. The newest wins.
import { keeper } from "./keep.js";

const box = document.getElementById("box");
const KEY = `zerg:draft:${box.form.dataset.thread}`;
const there = keeper(box.dataset.draft, Number(box.dataset.at), () => ({ content: box.value }));
let here = 0;

function keepHere() {
  clearTimeout(here);
  try { localStorage.setItem(KEY, JSON.stringify({ text: box.value, at: there.at })); } catch { /* full or forbidden */ }
}

/** When the text in the box was last changed. */
export const typedAt = () => there.at;

/** A message has been taken; the server forgets the draft that it was. What was typed since stays. */
export function sent(message) {
  if (box.value !== message.text) return;
  const hasMore = there.at > message.at;
  there.at = Date.now();
  box.value = "";
  keepHere();
  if (hasMore) there.send();
  else there.forget();
}

box.addEventListener("input", () => {
  there.changed();
  clearTimeout(here);
  here = setTimeout(keepHere, 250);
});
addEventListener("pagehide", () => { if (there.at > there.kept) keepHere(); });

// Without script the browser keeps what is typed across a reload; with it the newest of here and the server wins, and
// what was typed before this script came is newer than both.
const [{ type }] = performance.getEntriesByType("navigation");
if (box.value !== box.defaultValue && (type === "navigate" || document.activeElement === box)) {
  box.dispatchEvent(new Event("input"));
} else {
  box.value = box.defaultValue;
  try {
    const mine = JSON.parse(localStorage.getItem(KEY));
    if (mine?.at > there.at && !box.hasAttribute("aria-invalid")) {
      box.value = mine.text;
      there.at = mine.at;
    }
  } catch { /* none, or not ours */ }
}
