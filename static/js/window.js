// The window on a long thread: what comes in at one end, and goes at the other.
import { leftOut, resume } from "./live.js";
import { distance, hold, isFollowing, release, show } from "./reading.js";

const doc = document;
const $ = (id) => doc.getElementById(id);
const scroller = $("scroller"), log = $("log");
const MOST = 300, LOADED = 50;
const turns = () => [...log.querySelectorAll(":scope > .turn")];

/** Leaves ``most`` messages; those at the other end from the reader go, and the way to them takes their place. */
function trim(most, side = isFollowing() || scroller.scrollTop > distance() ? "older" : "newer") {
  const all = turns(), extra = all.length - most;
  if (extra <= 0) return;
  const back = hold();
  for (const turn of side === "older" ? all.slice(0, extra) : all.slice(-extra)) turn.remove();
  $(side)?.remove();
  const loader = $(`t-${side}`).content.firstElementChild.cloneNode(true), { via, leaf } = log.dataset;
  const branch = new URLSearchParams(via === "0" ? { from: leaf } : via ? { leaf: via } : {});
  const [more, now] = loader.querySelectorAll("a");
  if (now) now.search = branch;
  branch.set(side === "older" ? "before" : "after", all.at(side === "older" ? extra : -extra - 1).dataset.seq);
  loader.setAttribute("hx-get", `${loader.getAttribute("hx-get")}${branch}`);
  more.search = branch;
  if (side === "older") log.prepend(loader);
  else log.append(loader);
  window.htmx?.process(loader);
  back();
}

// What is being read stays where it is. What the socket told meanwhile of rows that were on their way is told once more.
const loading = {};
const loaded = ({ detail }) => loading[detail.target?.id];
doc.addEventListener("htmx:beforeRequest", ({ detail: { target } }) => {
  if (target.matches(".loader")) loading[target.id] = { version: log.dataset.version, leaf: log.dataset.leaf, out: leftOut };
});
doc.addEventListener("htmx:beforeSwap", (event) => {
  const request = loaded(event);
  if (!request) return;
  trim(MOST - LOADED, event.detail.target.id === "older" ? "newer" : "older");
  request.back = hold();
});
doc.addEventListener("htmx:afterSwap", (event) => {
  const request = loaded(event);
  if (!request?.back) return;
  delete loading[event.detail.target.id];
  request.back();
  if (leftOut !== request.out) resume(request.version, request.leaf);
});

// The line above what was new when the page was loaded stays, whatever comes.
const line = $("new"), below = line?.nextElementSibling;
doc.addEventListener("zerg:applied", () => {
  trim(MOST);
  if (line && !line.isConnected && below.isConnected) below.before(line);
});

// How to find is fetched when somebody is about to.
const find = $("find"), fetchFind = () => import("./find.js").catch(() => {});
if (find.open) fetchFind();
else find.addEventListener("toggle", fetchFind, { once: true });

// Alt and the arrows walk from message to message, and back to the box; Alt+L goes to the last reply.
const walk = {
  ArrowUp: (all, at) => all[at < 0 ? all.length - 1 : Math.max(at - 1, 0)],
  ArrowDown: (all, at) => (at < 0 ? null : all[at + 1] ?? $("box")),
  KeyL: (all) => all.findLast((turn) => turn.dataset.role === "assistant"),
};
doc.addEventListener("keydown", (event) => {
  const { altKey, ctrlKey, metaKey, shiftKey, target } = event;
  if (!altKey || ctrlKey || metaKey || shiftKey || !walk[event.code]) return;
  if (target.value?.includes("\n")) return; // a Mac moves by paragraphs with these
  const all = turns(), to = walk[event.code](all, all.indexOf(target.closest(".turn")));
  event.preventDefault();
  if (!to) return;
  release();
  if (to.matches(".turn")) show(to);
  to.focus({ preventScroll: true });
});
