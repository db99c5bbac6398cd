// The place where SOS presses are answered: shows a press at once, counts, sounds, and never hides a dead line.

import { follow } from "./stream.js";
import { renewer } from "./region.js";

const PAUSE_MS = 300;
const LOOK_MS = 30000;
const BEEP_MS = 3000;

const queue = document.getElementById("schlange");
const line = document.getElementById("verbindung");
const lost = document.getElementById("verloren");
const announce = document.getElementById("ansage");
const soundButton = document.getElementById("ton");
const speed = Number(document.body.dataset.speed) || 1;
const title = document.title.replace(/^\(\d+\) /, "");
const SHAPES = {
  ok: "M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0zM6.8 11 4 8.3 5.1 7l1.7 1.700L10.9 4.3 12 5.400z",
  warn: "M8 .5 16 15H0z",
};

const LOST_MS = 10000;
const AGAIN_MS = 2000;

let sound = null;
let isLost = false;
let hasLine = null; // null = not yet known
let listFailedAt = 0;
let known = waiting();

function waiting() {
  return new Set([...queue.querySelectorAll(".case--waiting")].map((one) => one.id));
}

function badge(tone, text) {
  const mark = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  mark.setAttribute("viewBox", "0 0 16 16");
  mark.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(mark.namespaceURI, "path");
  path.setAttribute("d", SHAPES[tone]);
  path.setAttribute("fill-rule", "evenodd");
  mark.append(path);
  const made = document.createElement("span");
  made.className = `badge tone-${tone}`;
  made.append(mark, text);
  return made;
}

function state() {
  const trying = ["warn", hasLine === null ? "Verbindung wird aufgebaut" : "Keine Verbindung"];
  const now = hasLine && !listFailedAt ? ["ok", "Verbindung ok"] : trying;
  line.replaceChildren(badge(...now), " ", badge(sound ? "ok" : "warn", sound ? "Ton an" : "Ton aus"));
}

function beep() {
  if (!sound) return;
  const from = sound.currentTime;
  [0, 0.25, 0.5].forEach((after, at) => {
    const tone = sound.createOscillator();
    const loud = sound.createGain();
    tone.frequency.value = at % 2 ? 660 : 880;
    loud.gain.setValueAtTime(0.3, from + after);
    loud.gain.exponentialRampToValueAtTime(0.001, from + after + 0.22);
    tone.connect(loud).connect(sound.destination);
    tone.start(from + after);
    tone.stop(from + after + 0.24);
  });
}

function looked(worked) {
  if (!worked) {
    // A line that lives is worth nothing while the list can't be fetched.
    listFailedAt ||= performance.now();
    setTimeout(renew, AGAIN_MS);
  } else {
    listFailedAt = 0;
  }
  judge();
  if (!worked) return;
  const found = waiting();
  const fresh = [...found].filter((id) => !known.has(id));
  known = found;
  document.title = found.size ? `(${found.size}) ${title}` : title;
  if (!fresh.length) return;
  const where = document.getElementById(fresh[0])?.querySelector("h3")?.textContent || "";
  announce.textContent = `Neuer Notruf: ${where}`;
  beep();
}

function heard(now) {
  if (now === hasLine) return;
  hasLine = now;
  judge();
}

/** Say whether what stands here can be trusted. */
function judge() {
  const now = hasLine === false || (listFailedAt > 0 && performance.now() - listFailedAt >= LOST_MS);
  state();
  if (now === isLost) return;
  isLost = now;
  if (now) {
    lost.showModal();
    beep();
  } else {
    lost.close();
    renew();
  }
}

function short(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} Std. ${Math.floor((seconds % 3600) / 60)} min`;
}

function count() {
  for (const one of queue.querySelectorAll("[data-count-s]")) {
    // A card that was just drawn starts from the server's count, whatever this machine's clock says.
    one.startedAt ??= performance.now();
    one.textContent = short(Number(one.dataset.countS) + ((performance.now() - one.startedAt) / 1000) * speed);
  }
}

const renew = renewer(queue, PAUSE_MS, looked);

lost.addEventListener("cancel", (event) => event.preventDefault()); // it goes when the line is back, not before
document.getElementById("neu-laden")?.remove();
soundButton.hidden = false;
soundButton.addEventListener("click", () => {
  if (sound) {
    sound.close();
    sound = null;
  } else {
    sound = new AudioContext();
    beep();
  }
  soundButton.setAttribute("aria-pressed", String(Boolean(sound)));
  soundButton.querySelector("span").textContent = sound ? "Ton ausschalten" : "Ton einschalten";
  state();
});

state();
count();
follow("sos", { onEvent: renew, onLife: () => heard(true), onSilent: () => heard(false) });
setInterval(count, 1000);
setInterval(renew, LOOK_MS);
setInterval(() => waiting().size && beep(), BEEP_MS);
