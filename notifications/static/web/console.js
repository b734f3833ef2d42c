// Keeps the panels of the console up to date, as long as somebody looks at the page.
"use strict";

(() => {
  const panels = document.getElementById("panels");
  const live = document.getElementById("console-live");
  const AGAIN_MS = 2000;
  let stream;

  function say(state) {
    live.hidden = false;
    live.dataset.state = state;
    live.textContent = globalThis.word(state);
  }

  // The focus stays on what is still there.
  function show({ id, html }) {
    const box = document.createElement("template");
    box.innerHTML = html;
    const focused = document.activeElement?.id;
    document.getElementById(id).replaceWith(box.content);
    if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
    document.dispatchEvent(new Event("panel"));
  }

  function open() {
    if (document.hidden || stream) return;
    const have = [...panels.children].map((panel) => `have=${panel.dataset.digest}`).join("&");
    stream = new EventSource(`${panels.dataset.stream}?${have}`);
    stream.addEventListener("panel", (event) => show(JSON.parse(event.data)));
    stream.addEventListener("open", () => say("live"));
    stream.addEventListener("error", () => {
      say("lost");
      // The browser connects again by itself, but for an answer that is none: a proxy's 502, or the log-in.
      if (stream.readyState !== EventSource.CLOSED) return;
      close();
      setTimeout(open, AGAIN_MS);
    });
  }

  function close() {
    stream?.close();
    stream = undefined;
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
})();
