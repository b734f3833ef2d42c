// What moves on an evening's pages: the countdown, what has opened, and what a screen reader is told.
// The pages work without it.
"use strict";

(() => {
  const { word } = globalThis;
  const said = document.getElementById("said");
  const heading = () => document.querySelector("[data-say]")?.textContent.trim() ?? "";
  let last = heading();

  // --- The countdown ------------------------------------------------------------------------------------

  // By the server's clock: people's own are often minutes off.
  const offsets = new WeakMap();

  function offset(element) {
    if (!offsets.has(element)) offsets.set(element, Date.now() - Number(element.dataset.now) * 1000);
    return offsets.get(element);
  }

  const inDays = new Intl.RelativeTimeFormat(document.documentElement.lang);

  function words(seconds) {
    const days = Math.floor(seconds / 86400);
    if (days) return inDays.format(days, "day");
    const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((each) => String(each).padStart(2, "0"));
    const hours = Math.floor(seconds / 3600);
    return word("in", { span: `${hours ? `${hours}:` : ""}${parts.join(":")}` });
  }

  function tick() {
    for (const element of document.querySelectorAll("[data-until]")) {
      const left = Math.ceil(Number(element.dataset.until) - (Date.now() - offset(element)) / 1000);
      element.hidden = false;
      element.textContent = left > 0 ? words(left) : word("now");
      // Its time has come: ask at once, and again each second until something has changed.
      if (left <= 0 && left > -10) document.dispatchEvent(new Event("news"));
    }
  }

  tick();
  setInterval(tick, 1000);

  // --- What is swapped in -------------------------------------------------------------------------------

  const open = new Set();
  document.addEventListener("toggle", ({ target }) => {
    if (target.matches?.("details[id]")) open[target.open ? "add" : "delete"](target.id);
  }, true);

  document.addEventListener("htmx:afterSwap", () => {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    tick();
    if (heading() === last) return;
    last = heading();
    said.textContent = last;
  });
})();
