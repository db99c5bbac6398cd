// Renews a part of the page from the server's own HTML without disturbing who is reading or typing in it.

const FIELDS = "input:not([type=hidden]), textarea, select";

/** Fetch the page (or the part at data-live-url) and put the new content of `part` in its place; true = it worked. */
export async function renew(part) {
  const answer = await fetch(part.dataset.liveUrl || location.href, { cache: "no-store" });
  if (!answer.ok || answer.redirected) return false;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
  if (!fresh) return false;
  const before = new Set(keyed(part).keys());
  exchange(part, fresh);
  Object.assign(part.dataset, fresh.dataset);
  for (const [key, node] of keyed(part)) if (!before.has(key)) node.classList.add("is-new");
  return true;
}

function keyed(part) {
  return new Map([...part.children].filter((one) => one.dataset.key).map((one) => [one.dataset.key, one]));
}

function exchange(part, fresh) {
  const old = keyed(part);
  const next = [...fresh.children].map((one) => {
    const known = one.dataset.key && old.get(one.dataset.key);
    if (!known) return document.importNode(one, true);
    const same = one.dataset.version ? one.dataset.version === known.dataset.version : known.isEqualNode(one);
    return same ? known : carried(known, document.importNode(one, true));
  });
  const focus = document.activeElement;
  const wasIn = part.contains(focus);
  const caret = wasIn && "selectionStart" in focus ? [focus.selectionStart, focus.selectionEnd] : null;
  // Only what changed moves: a node that stays keeps its focus, its open folds and its scroll position.
  const staying = new Set(next);
  [...part.children].filter((one) => !staying.has(one)).forEach((one) => one.remove());
  next.forEach((one, at) => {
    if (part.children[at] !== one) part.insertBefore(one, part.children[at] || null);
  });
  if (wasIn && !part.contains(document.activeElement)) {
    const same = focus.id && document.getElementById(focus.id);
    (same || part.querySelector("a, button") || part).focus({ preventScroll: true });
    if (same && caret) same.setSelectionRange(...caret);
  }
}

/** What somebody typed, ticked and opened in `old` goes over to `fresh`, where the same things are still there. */
function carried(old, fresh) {
  for (const field of old.querySelectorAll(FIELDS)) {
    const same = field.id && fresh.querySelector(`#${CSS.escape(field.id)}`);
    if (!same) continue;
    if (field.type === "radio" || field.type === "checkbox") same.checked = field.checked;
    else if (field.value) same.value = field.value;
  }
  for (const fold of old.querySelectorAll("details[open][id]")) {
    fresh.querySelector(`#${CSS.escape(fold.id)}`)?.setAttribute("open", "");
  }
  return fresh;
}

/** A function that renews `part` at once, and then not more often than each `pauseMs`, always with a last time. */
export function renewer(part, pauseMs, onDone = () => {}) {
  let isRunning = false;
  let isWanted = false;
  return async function run() {
    isWanted = true;
    if (isRunning) return;
    isRunning = true;
    while (isWanted) {
      isWanted = false;
      let worked = false;
      try {
        worked = await renew(part);
      } catch {
        // Away for a moment; the next change or the regular look brings it.
      }
      onDone(worked);
      await new Promise((resume) => setTimeout(resume, pauseMs));
    }
    isRunning = false;
  };
}
