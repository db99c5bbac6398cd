// The live feed, read by fetch: unlike EventSource it sees the comment lines that say the line is alive.

const RETRY_MS = 2000;
const SILENT_MS = 10000;

/**
 * Follow the feed. `onEvent(kind, data)` for each object; `onLife()` for whatever arrives; `onSilent()` once when
 * nothing came for ten seconds. Connects again by itself and asks for what it missed. Returns a function that ends it.
 */
export function follow(kinds, { onEvent = () => {}, onLife = () => {}, onSilent = () => {} }) {
  let lastId = "";
  let timer = 0;
  let stopped = false;
  const ending = new AbortController();

  function alive() {
    clearTimeout(timer);
    timer = setTimeout(onSilent, SILENT_MS);
    onLife();
  }

  async function once() {
    const headers = { Accept: "text/event-stream" };
    if (lastId) headers["Last-Event-ID"] = lastId;
    const answer = await fetch(`/api/v1/events?kinds=${kinds}`, { headers, cache: "no-store", signal: ending.signal });
    if (!answer.ok || !answer.body) throw new Error(`the feed answered ${answer.status}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      alive();
      const blocks = (rest + value).replaceAll("\r", "").split("\n\n");
      rest = blocks.pop();
      blocks.forEach(deliver);
    }
  }

  function deliver(block) {
    let kind = "message";
    const data = [];
    for (const line of block.split("\n")) {
      if (line.startsWith("event:")) kind = line.slice(6).trim();
      else if (line.startsWith("data:")) data.push(line.slice(5).trim());
      else if (line.startsWith("id:")) lastId = line.slice(3).trim();
    }
    if (!data.length) return;
    try {
      onEvent(kind, JSON.parse(data.join("\n")));
    } catch {
      onEvent(kind, null); // the page looks for itself what is the case
    }
  }

  async function forever() {
    while (!stopped) {
      try {
        await once();
      } catch {
        // The line is gone; `onSilent` says so when it stays away.
      }
      if (!stopped) await new Promise((resume) => setTimeout(resume, RETRY_MS));
    }
  }

  timer = setTimeout(onSilent, SILENT_MS);
  forever();
  return () => {
    stopped = true;
    clearTimeout(timer);
    ending.abort();
  };
}
