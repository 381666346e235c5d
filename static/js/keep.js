// What is being typed is kept by the server, for another day and the writer's other browsers. The newest wins.
import { csrf, signedOut } from "./core.js";

/** Keeps what `fields` gives by posting it to `url`. `at` is when it was changed last, in milliseconds since 1970. */
export function keeper(url, at, fields, onKept) {
  let later = 0;
  const it = {
    at,
    kept: at,
    changed() {
      it.at = Date.now();
      clearTimeout(later);
      later = setTimeout(it.send, 1500);
    },
    async send() {
      clearTimeout(later);
      if (it.at <= it.kept) return;
      const mine = it.at, body = new URLSearchParams(fields());
      body.set("at", mine);
      try {
        const answer = await fetch(url, {
          method: "POST",
          body,
          headers: { "HX-Request": "true", "X-CSRFToken": csrf() },
          keepalive: `${body}`.length < 60000, // browsers let only a little outlive its page
        });
        if (answer.ok) {
          it.kept = Math.max(it.kept, mine);
          onKept?.(await answer.text());
        } else if (answer.status === 401) signedOut();
      } catch { /* it goes there when the server is back */ }
    },
    /** What was kept is wanted no more, and what is on its way comes too late. */
    forget() {
      clearTimeout(later);
      it.kept = it.at;
    },
  };
  addEventListener("pagehide", it.send);
  for (const name of ["zerg:ready", "zerg:signedin"]) document.addEventListener(name, it.send);
  return it;
}
