// Whether this very browser tells notices: it asks the person, and only here or where they were offered it.
import { canTell, isOn, turnOff, turnOn } from "./tell.js";

const box = document.getElementById("this-browser");

function show() {
  const words = document.createElement("p");
  box.replaceChildren(words);
  if (!canTell) words.textContent = box.dataset.why;
  else if (Notification.permission === "denied") {
    words.textContent = "This browser was told to refuse notices from this address. Allow them in its settings for the site.";
  } else {
    words.textContent = isOn() ? "This browser tells you." : "This browser tells you nothing yet.";
    const button = document.createElement("button");
    button.type = "button";
    button.id = "tell";
    button.className = "btn";
    button.textContent = isOn() ? "Turn off" : "Turn on";
    button.addEventListener("click", async () => {
      await (isOn() ? turnOff() : turnOn());
      show();
      document.getElementById("tell")?.focus();
    });
    box.append(button);
  }
}
if (box) show();
