// The inbox by keyboard: one key moves, marks, snoozes, deletes, searches. Whoever speaks to their computer, or hits keys
// by accident, switches it off (WCAG 2.1.4).
"use strict";

(() => {
  const KEPT = "tocsin-keys";
  const help = document.getElementById("keys");
  const isOn = document.getElementById("keys-on");
  isOn.checked = stored("localStorage", (local) => local.getItem(KEPT)) !== "off";
  isOn.addEventListener("change", () => {
    stored("localStorage", (local) => local.setItem(KEPT, isOn.checked ? "on" : "off"));
  });
  document.getElementById("keys-open").hidden = false;
  document.getElementById("keys-open").addEventListener("click", () => help.showModal());

  // What is folded is passed over.
  const items = () => [...document.querySelectorAll(".notices .notice")].filter((each) => each.checkVisibility());
  const current = () => document.activeElement?.closest(".notice");

  function move(step) {
    const all = items();
    const at = all.indexOf(current());
    const next = all[at < 0 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1)];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  function mark(read) {
    const item = current();
    if (item?.classList.contains("unread") === read) item.querySelector("[id^=toggle-]")?.click();
  }

  function snooze() {
    const later = current()?.querySelector(".later");
    if (!later) return;
    later.open = true;
    later.querySelector("button").focus();
  }

  // An item that is being changed is about to be replaced: what it was told meanwhile would be lost with it.
  function settled(act) {
    if (current()?.matches(":has(.htmx-request), .htmx-swapping, .htmx-settling")) setTimeout(settled, 20, act);
    else act();
  }

  const KEYS = {
    j: () => move(1),
    k: () => move(-1),
    o: () => current()?.querySelector(".notice-body a")?.click(),
    e: () => mark(true),
    u: () => mark(false),
    h: snooze,
    "#": () => current()?.querySelector(".danger")?.click(),
    "/": () => document.getElementById("inbox-q").focus(),
    "?": () => help.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    if (!isOn.checked || event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    // Enter opens what the item itself leads to, and is a button's own on a button.
    const act = event.key === "Enter" && event.target === current() ? KEYS.o : KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    settled(act);
  });
})();
