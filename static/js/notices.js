// What happens while one looks elsewhere: one tab of a browser asks for it, and all of them count it.

const doc = document;
const rail = doc.querySelector("[data-news]");
const FIRST = 3000, EVERY = 10000;
const MARK = /^(◆ Needs you · |\(\d+\+?\) )/;
const TOLD = "zerg-told";
let shown;
const tabs = new BroadcastChannel("zerg"), locks = navigator.locks; // there are none over plain http

function show({ mark, count, news, working }) {
  doc.title = mark + doc.title.replace(MARK, "");
  for (const box of doc.querySelectorAll("[data-inbox]")) box.textContent = count;
  // What works stands still under somebody's focus; it catches up the next time.
  const work = doc.getElementById("rail-work");
  if (work && shown !== working && !work.contains(doc.activeElement)) {
    work.innerHTML = shown = working;
    doc.dispatchEvent(new Event("zerg:applied")); // its seconds
  }
  const icon = doc.getElementById("icon");
  icon.setAttribute("href", count ? icon.dataset.dot : icon.dataset.plain);
  if (news.some(({ strength }) => strength === "finished")) import("./tell.js").then(({ offer }) => offer(tabs));
}

// Somebody looks at a thread as long as its tab has the focus; the lock is gone with the tab, however that ends.
let lookAway = null;
function look() {
  lookAway?.();
  lookAway = null;
  if (locks && doc.hasFocus() && doc.getElementById("log")) {
    locks.request(`zerg-look:${location.pathname}`, { mode: "shared" }, () => doc.hasFocus() && new Promise((done) => { lookAway = done; }));
  }
}

async function ask() {
  const told = localStorage.getItem(TOLD) ?? rail.dataset.newest;
  const answer = await fetch(`${rail.dataset.news}?after=${told}`, { headers: { "HX-Request": "true" } });
  if (!answer.ok) return;
  const found = await answer.json();
  // Before anything is told: should this tab end here, no other tells it once more.
  localStorage.setItem(TOLD, Math.max(told, found.newest));
  show(found);
  tabs.postMessage(found);
  if (found.news[0]) for (const notice of found.news) await (await import("./tell.js")).tell(notice, rail.dataset.worker);
}

async function lead() {
  for (let pause = FIRST; ; pause = EVERY) {
    await new Promise((done) => setTimeout(done, pause));
    await ask().catch(() => {}); // no server just now: the next time
  }
}

if (rail) {
  tabs.onmessage = ({ data }) => (data ? show(data) : doc.getElementById("offer")?.remove());
  for (const name of ["focus", "blur"]) addEventListener(name, look);
  look();
  if (locks) locks.request("zerg-lead", lead);
  else lead();
}
