// Adds the browser that shows the page to the places where somebody is told. Hidden where it can't be.
"use strict";

(() => {
  const form = document.getElementById("this-device");
  if (!form || !navigator.serviceWorker || !globalThis.PushManager || !globalThis.Notification) return;
  form.hidden = false;
  const said = document.getElementById("this-device-said");
  const field = form.elements.namedItem("address");

  const decoded = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
  const encoded = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");

  async function subscribe() {
    if ((await Notification.requestPermission()) !== "granted") throw new Error("denied");
    await navigator.serviceWorker.register("/sw.js");
    const worker = await navigator.serviceWorker.ready;
    const key = decoded(form.dataset.key);
    const known = await worker.pushManager.getSubscription();
    // Of an earlier key of the server's: no message comes by it any more.
    if (known && encoded(known.options.applicationServerKey) !== form.dataset.key) await known.unsubscribe();
    const found = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    field.value = `${found.endpoint}#${encoded(found.getKey("p256dh"))}.${encoded(found.getKey("auth"))}`;
  }

  form.addEventListener("submit", (event) => {
    if (field.value) return;
    event.preventDefault();
    said.textContent = "";
    subscribe().then(
      () => form.requestSubmit(),
      (error) => {
        said.textContent = globalThis.word(error.message === "denied" ? "push-denied" : "push-failed");
      },
    );
  });
})();
