// What a push message does in a browser where no page may be open: it is shown, and acknowledged on the spot.
"use strict";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

const isHere = (url) => new URL(url, self.location.origin).origin === self.location.origin;

self.addEventListener("push", (event) => {
  const told = event.data.json();
  const actions = [];
  if (told.acknowledge && isHere(told.acknowledge)) {
    actions.push({ action: "acknowledge", title: told.words.acknowledge });
  }
  event.waitUntil(
    self.registration.showNotification(told.title, {
      body: told.body,
      tag: told.tag,
      requireInteraction: told.severity === "critical",
      icon: "/static/web/bell.svg",
      data: told,
      actions,
    }),
  );
});

// As the page's own button does, with the page's own token against forged forms.
async function acknowledge(url) {
  const page = await fetch(url, { credentials: "same-origin" });
  const token = /name="csrfmiddlewaretoken" value="(\w+)"/.exec(await page.text());
  // Where there is nothing to press any more, the page says why.
  if (!token) throw new Error("nothing to acknowledge");
  const body = new URLSearchParams({ csrfmiddlewaretoken: token[1] });
  const answer = await fetch(url, { method: "POST", credentials: "same-origin", body });
  if (!answer.ok) throw new Error(answer.statusText);
}

async function open(url) {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const shown = windows.find((each) => each.url === url);
  return shown ? shown.focus() : self.clients.openWindow(url);
}

self.addEventListener("notificationclick", (event) => {
  const told = event.notification.data;
  event.notification.close();
  const inbox = new URL("/inbox/", self.location.origin).href;
  event.waitUntil(
    event.action === "acknowledge"
      ? acknowledge(told.acknowledge).catch(() => open(told.acknowledge))
      : open(told.url ?? told.acknowledge ?? inbox),
  );
});
