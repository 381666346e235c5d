// Replies read by paragraph: each block of an answer is said once, when it is finished, which is for good.

const doc = document;
const voice = doc.getElementById("say-text");
const KEPT = 20;
const said = new Map();
const blocks = (id) => doc.getElementById(`${id}-b`)?.children ?? [];

function speak(block) {
  const line = doc.createElement("p");
  line.textContent = (block.querySelector("pre") ?? block).innerText;
  voice.append(line);
  if (voice.children.length > KEPT) voice.firstElementChild.remove();
}

// What was there before, or came by scrolling, is not news.
function pass() {
  for (const turn of doc.querySelectorAll("#log > [data-role=assistant]")) if (!said.has(turn.id)) said.set(turn.id, blocks(turn.id).length);
}

doc.addEventListener("zerg:put", ({ detail: { id } }) => {
  if (!said.has(id) && doc.getElementById(id)?.dataset.role === "assistant") said.set(id, 0);
});
doc.addEventListener("zerg:applied", () => {
  for (const [id, count] of said) {
    const all = [...blocks(id)];
    all.slice(count).forEach(speak);
    if (all.length > count) said.set(id, all.length);
  }
  pass();
});
doc.addEventListener("htmx:afterSettle", pass);
pass();
