// Copying: a message as markdown and rich text together, a table for spreadsheets, code as it is.
import { say } from "./core.js";

const doc = document;

/** What a message or a table looks like elsewhere: without our buttons. */
function rich(element) {
  const copy = element.cloneNode(true);
  for (const button of copy.querySelectorAll("button")) button.remove();
  return copy.innerHTML;
}

async function source(element) {
  const answer = await fetch(`/messages/${element.id.split("-")[1]}.md`);
  return answer.ok ? answer.text() : element.innerText;
}

const cell = ({ innerText }) => innerText.replace(/\s+/g, " ").trim();
const values = (table) => [...table.rows].map((row) => [...row.cells].map(cell).join("\t")).join("\n");

/** What a Copy button is for: plain text, perhaps still on its way, and what it looks like. */
function wanted(button) {
  const code = button.closest(".code"), table = button.closest(".table-box"), message = doc.getElementById(button.dataset.copy);
  if (code) return [code.querySelector("pre").textContent.replace(/\n$/, "")];
  if (table) return [values(table.querySelector("table")), rich(table)];
  return message ? [source(message), rich(message)] : [button.dataset.text];
}

async function put(texts) {
  const kinds = texts.map((text, index) => [index ? "text/html" : "text/plain", text]);
  try {
    const blobs = kinds.map(([type, text]) => [type, Promise.resolve(text).then((ready) => new Blob([ready], { type }))]);
    await navigator.clipboard.write([new ClipboardItem(Object.fromEntries(blobs))]);
  } catch {
    // Plain http has no clipboard of its own: something is selected, and what is to be copied is put in its place.
    const ready = await Promise.all(texts), back = doc.activeElement, area = doc.createElement("textarea");
    area.value = " ";
    area.className = "sr";
    doc.body.append(area);
    area.select();
    area.addEventListener("copy", (event) => {
      event.preventDefault();
      kinds.forEach(([type], index) => event.clipboardData.setData(type, ready[index]));
    });
    const done = doc.execCommand("copy");
    area.remove();
    back.focus({ preventScroll: true });
    if (!done) throw new Error("refused");
  }
}

const labels = new WeakMap();
export async function copy(button) {
  const done = await put(wanted(button)).then(() => "Copied", () => "Copy failed");
  if (!labels.has(button)) labels.set(button, button.textContent);
  button.textContent = done;
  say(done);
  setTimeout(() => { button.textContent = labels.get(button); }, 1600);
}
