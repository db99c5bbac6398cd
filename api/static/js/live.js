// Pages whose content changes: data-live names the kinds of the feed that concern a part.

import { follow } from "./stream.js";
import { renewer } from "./region.js";

const PAUSE_MS = 2000;
const LOOK_MS = 60000;
const SAY_MS = 60000;

const part = document.querySelector("[data-live]");
if (part) {
  const stand = document.getElementById("stand");
  let saidAt = performance.now();
  const renew = renewer(part, PAUSE_MS, (worked) => {
    // A screen reader is told now and then that the page is fresh, not of each car that comes and goes.
    if (!worked || !stand || performance.now() - saidAt < SAY_MS) return;
    saidAt = performance.now();
    stand.textContent = `Aktualisiert, Stand ${part.dataset.stand}`;
  });
  follow(part.dataset.live, { onEvent: renew });
  // Ages grow without any event; and without the feed this is what keeps the page fresh.
  setInterval(() => document.visibilityState === "visible" && renew(), LOOK_MS);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && renew());
}
