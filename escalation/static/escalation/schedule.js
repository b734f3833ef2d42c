// A span of the final row, drawn with the pointer, becomes that of the form for standing in.
"use strict";

(() => {
  const STEP_MS = 30 * 60 * 1000;
  const [starts, ends, who] = ["starts_at", "ends_at", "user"].map((name) => document.getElementById(`id_${name}`));
  let drawn;

  function instant(row, x) {
    const box = row.getBoundingClientRect();
    const share = Math.min(Math.max((x - box.left) / box.width, 0), 1);
    const [begin, end] = [row.dataset.begins * 1000, row.dataset.ends * 1000];
    return begin + Math.round((share * (end - begin)) / STEP_MS) * STEP_MS;
  }

  // By the clock of the page, whatever this machine's is.
  function wall(row, at) {
    const form = { timeZone: row.dataset.zone, dateStyle: "short", timeStyle: "short" };
    return new Intl.DateTimeFormat("sv-SE", form).format(at).replace(" ", "T");
  }

  function span(x) {
    return [drawn.from, instant(drawn.row, x)].sort((one, other) => one - other);
  }

  function draw(x) {
    const box = drawn.row.getBoundingClientRect();
    const [left, right] = [Math.min(drawn.x, x), Math.max(drawn.x, x)];
    drawn.mark.style.left = `${Math.max(left - box.left, 0)}px`;
    drawn.mark.style.width = `${Math.min(right, box.right) - Math.max(left, box.left)}px`;
  }

  for (const row of document.querySelectorAll("[data-draws]")) {
    row.addEventListener("pointerdown", (event) => {
      // A finger scrolls the weeks; it presses a block instead.
      if (event.button !== 0 || event.pointerType === "touch") return;
      drawn = { row, x: event.clientX, from: instant(row, event.clientX), mark: document.createElement("span") };
      drawn.mark.className = "cal-drawn";
    });
    // Else the browser would drag the link of a block.
    row.addEventListener("dragstart", (event) => event.preventDefault());
    row.addEventListener("click", (event) => row.dataset.drawn && event.preventDefault(), true);
  }
  addEventListener("pointermove", (event) => {
    if (!drawn || Math.abs(event.clientX - drawn.x) < 5) return;
    if (!drawn.mark.isConnected) drawn.row.append(drawn.mark);
    draw(event.clientX);
  });
  addEventListener("pointerup", (event) => {
    if (!drawn) return;
    const [{ row, mark }, [from, until]] = [drawn, span(event.clientX)];
    drawn = undefined;
    if (!mark.isConnected) return;
    mark.remove();
    row.dataset.drawn = "yes";
    setTimeout(() => delete row.dataset.drawn);
    if (from === until) return;
    [starts.value, ends.value] = [wall(row, from), wall(row, until)];
    who.focus();
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !drawn) return;
    drawn.mark.remove();
    drawn = undefined;
  });
})();
