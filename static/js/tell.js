// Has the browser tell, where somebody wants that; and asks for it after the first long run, or in the settings.

const doc = document;
const OFF = "zerg-silent", ASKED = "zerg-asked";

/** Whether this browser can tell anything: not over plain http. */
export const canTell = isSecureContext && "Notification" in window && "locks" in navigator;
export const isOn = () => canTell && Notification.permission === "granted" && !localStorage.getItem(OFF);

export async function turnOn() {
  localStorage.removeItem(OFF);
  localStorage.setItem(ASKED, "1");
  await Notification.requestPermission();
}
export const turnOff = () => localStorage.setItem(OFF, "1");

/** After the first long run, and never before: shall this browser tell? An answer in one of the tabs is one for all. */
export function offer(tabs) {
  if (!canTell || Notification.permission !== "default" || localStorage.getItem(ASKED) || doc.getElementById("offer")) return;
  const bar = doc.createElement("div");
  bar.id = "offer";
  bar.className = "banner offer";
  bar.setAttribute("role", "status");
  bar.append("A long run has finished. Shall this browser tell you, next time?");
  for (const [words, act] of [["Yes, tell me", turnOn], ["No", () => localStorage.setItem(ASKED, "1")]]) {
    const button = doc.createElement("button");
    button.type = "button";
    button.className = "btn small";
    button.textContent = words;
    button.addEventListener("click", () => { bar.remove(); act(); tabs.postMessage(null); });
    bar.append(button);
  }
  doc.body.append(bar);
}

const isLookedAt = async (url) => (await navigator.locks.query()).held.some(({ name }) => name === `zerg-look:${url}`);

export async function tell({ id, title, text, url }, script) {
  if (!isOn() || await isLookedAt(url)) return;
  const worker = await navigator.serviceWorker.register(script);
  const coming = worker.installing ?? worker.waiting;
  if (!worker.active) await new Promise((done) => coming.addEventListener("statechange", () => worker.active && done()));
  await worker.showNotification(title, { body: text, tag: `zerg-${id}`, data: url });
}
