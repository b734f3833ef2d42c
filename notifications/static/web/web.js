// What moves on the pages: the bell, the list of the inbox, and the account menu. Pages work without it.
//
// The stream only says that something has changed; what, is asked of the server by sync(), which can be
// called at any time, any number of times. So nothing is lost or shown twice, however a connection ends.
// A browser allows few connections to a server: one tab holds the stream, under a lock that passes to
// another when it goes, and tells the others.
"use strict";

(() => {
  const bell = document.getElementById("bell");
  const said = document.getElementById("said");
  const byId = (id) => document.getElementById(id);
  const list = () => document.querySelector("ol.notices");
  const language = document.documentElement.lang;

  // What scripts say stands in the page, in its language, with {names} for what is put in.
  const words = byId("words").content;
  globalThis.word = (name, values = {}) =>
    words.querySelector(`[data-word="${name}"]`).textContent.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const word = globalThis.word;

  // --- The account menu ---------------------------------------------------------------------------------

  const menu = document.querySelector("details.menu");
  if (menu) {
    document.addEventListener("click", (event) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    menu.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
    });
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  }

  // --- Finding ------------------------------------------------------------------------------------------

  const find = document.querySelector("a[data-find]");
  if (find) {
    document.addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey) return;
      event.preventDefault();
      const field = byId("find");
      if (field) field.select();
      else location.assign(find.href);
    });
  }

  // --- How long ago, and how soon -------------------------------------------------------------------------

  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const spans = new Intl.RelativeTimeFormat(language, { style: "short" });
  const now = new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(0, "second");

  // Negative of what has passed.
  function span(seconds) {
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
    return spans.format(Math.trunc(seconds / size), unit);
  }

  function tellPassed() {
    for (const time of document.querySelectorAll("time[data-ago], time[data-in]")) {
      const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
      if ("in" in time.dataset) time.dataset.passed = seconds > 0 ? span(seconds) : now;
      else time.dataset.passed = span(Math.min(seconds, -0));
    }
  }

  tellPassed();
  setInterval(tellPassed, 1000);
  document.addEventListener("panel", tellPassed);

  // --- Registering --------------------------------------------------------------------------------------

  const zone = document.querySelector("input[data-time-zone]");
  if (zone) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";

  // --- Forms under way ----------------------------------------------------------------------------------

  const buttonsOf = (form) => [...form.elements].filter((each) => each.type === "submit");

  // Not the attribute "disabled", which would take the focus away.
  function setBusy(form, isBusy) {
    for (const button of buttonsOf(form)) {
      for (const name of ["aria-busy", "aria-disabled"]) {
        if (isBusy) button.setAttribute(name, "true");
        else button.removeAttribute(name);
      }
    }
  }

  const isBusy = (form) => buttonsOf(form).some((button) => button.hasAttribute("aria-busy"));

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!isBusy(form) && (!form.dataset.ask || confirm(form.dataset.ask))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);
  // What the browser itself sends is under way now. Of what htmx sends we hear later, once it has asked.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    keepOthers(event.target);
    setBusy(event.target, true);
  });
  // The browser may show a page again as it was left.
  addEventListener("pageshow", () => [...document.forms].forEach((form) => setBusy(form, false)));

  // --- What is there to be copied --------------------------------------------------------------------------

  document.querySelectorAll("[data-copies]").forEach((button) => {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(byId(button.dataset.copies).textContent);
      button.textContent = word("copied");
      said.textContent = word("copied");
    });
  });

  // --- What is typed in one form outlives the sending of another -----------------------------------------

  const KEPT = "tocsin-kept";
  // A browser may forbid to keep anything.
  globalThis.stored = (name, use) => {
    try {
      return use(globalThis[name]);
    } catch {
      return null;
    }
  };
  const NEVER_KEPT = ["hidden", "password", "submit", "button"];
  const hasChanged = (field) =>
    field.options
      ? [...field.options].some((option) => option.selected !== option.defaultSelected)
      : field.value !== field.defaultValue || field.checked !== field.defaultChecked;

  // By names that are the same when the page comes back.
  function eachField(then) {
    for (const form of document.forms) {
      if (form.method !== "post") continue;
      for (const field of form.elements) {
        if (NEVER_KEPT.includes(field.type)) continue;
        then(field, `${form.action} ${field.id || `${field.name} ${field.value}`}`, form);
      }
    }
  }

  function keepOthers(sent) {
    const others = {};
    eachField((field, name, form) => {
      if (form !== sent && hasChanged(field)) others[name] = [field.value, field.checked];
    });
    stored("sessionStorage", (session) => session.setItem(KEPT, JSON.stringify(others)));
  }

  const kept = JSON.parse(stored("sessionStorage", (session) => session.getItem(KEPT)) ?? "{}");
  stored("sessionStorage", (session) => session.removeItem(KEPT));
  eachField((field, name) => {
    if (name in kept) [field.value, field.checked] = kept[name];
  });

  // --- Forms that htmx sends ----------------------------------------------------------------------------

  function complain(text) {
    const message = document.createElement("p");
    message.className = "message error";
    message.append(text);
    byId("messages").replaceChildren(message);
    return message;
  }

  // Where the log-in is over, and its cookies with it.
  function offerLogIn() {
    const link = document.createElement("a");
    link.href = `/login/?next=${encodeURIComponent(location.pathname + location.search)}`;
    link.textContent = word("log-in");
    complain(`${word("logged-out")} `).append(link);
  }

  document.addEventListener("htmx:sendError", () => complain(word("no-server")));
  document.addEventListener("htmx:responseError", ({ detail }) => {
    if (detail.xhr.status === 403) offerLogIn();
    else complain(word("failed"));
  });
  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    // What asks by itself takes no message away that was said meanwhile.
    if (!detail.elt.matches("form")) return;
    byId("messages").replaceChildren();
    setBusy(detail.elt, true);
  });
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.elt.matches("form")) setBusy(detail.elt, false);
  });
  // The focus must not fall to the top of the page with what is deleted.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const deletes = event.detail.requestConfig.elt.matches("[data-deletes]");
    if (!deletes || !event.detail.shouldSwap) return;
    const gone = event.detail.target;
    const heir = gone.nextElementSibling ?? gone.previousElementSibling;
    (heir?.querySelector("button, summary") ?? byId("inbox-heading")).focus();
  });

  if (!bell) return;

  // --- The bell -----------------------------------------------------------------------------------------

  const count = bell.querySelector(".bell-count");
  const title = document.title.replace(/^\(\d+\) /, "");
  let unread = Number(bell.dataset.unread);

  function showUnread(now, fresh = 0) {
    if (now === unread && !fresh) return;
    unread = now;
    count.textContent = now > 99 ? "99+" : String(now);
    count.hidden = now === 0;
    bell.setAttribute("aria-label", word("inbox", { count: now }));
    document.title = now ? `(${now}) ${title}` : title;
    said.textContent = word(fresh ? "fresh" : "unread", { fresh, count: now });
  }

  // The answer to a form that htmx sent says how many are left.
  document.addEventListener("unread", (event) => showUnread(event.detail.value));

  // --- What is new --------------------------------------------------------------------------------------

  const AGAIN_MS = 1000;
  const AGAIN_MAX_MS = 30000;
  let last = Number(bell.dataset.last);
  let isOut = false;
  let isCutOff = false;
  let asking = false;
  let askAgain = false;
  let wait = AGAIN_MS;

  async function sync() {
    if (isOut) return;
    askAgain = true;
    if (asking) return;
    asking = true;
    try {
      while (askAgain) {
        askAgain = false;
        const answer = await fetch(`${bell.dataset.news}after=${last}`);
        if (answer.status === 401) return leave();
        if (!answer.ok) throw new Error(answer.statusText);
        show(await answer.json());
      }
      wait = AGAIN_MS;
      // A tab that holds no stream of its own knows nothing worse.
      if (isCutOff || !byId("live")?.dataset.state) say("live");
      isCutOff = false;
    } catch {
      setTimeout(sync, wait);
      wait = Math.min(wait * 2, AGAIN_MAX_MS);
    } finally {
      asking = false;
    }
  }

  function show(news) {
    const box = document.createElement("template");
    box.innerHTML = news.html;
    news.gone.forEach((id) => byId(`notice-${id}`)?.remove());
    // What is shown already came back, if its number is another now.
    const isShown = (each) => byId(each.id)?.dataset.number === each.dataset.number;
    const fresh = [...box.content.querySelectorAll(".notice")].filter((each) => !isShown(each));
    fresh.forEach((each) => byId(each.id)?.remove());
    if (list()) {
      list().prepend(...fresh);
      fresh.forEach((each) => htmx.process(each));
    }
    last = Math.max(last, news.last);
    askAgain ||= news.more;
    const upTo = byId("up-to");
    if (upTo) upTo.value = Math.max(last, upTo.value);
    showUnread(news.unread, fresh.length);
    // Other parts of a page may show what it was about.
    if (fresh.length) document.dispatchEvent(new Event("news"));
  }

  // --- The stream ---------------------------------------------------------------------------------------

  const name = `tocsin-inbox-${bell.dataset.user}`;
  const others = new BroadcastChannel(name);
  let reopen = AGAIN_MS;
  let stream;
  // Until then this tab holds the stream, once it has the lock.
  let leaves;
  const left = new Promise((done) => {
    leaves = done;
  });

  function say(state) {
    const live = byId("live");
    if (!live || live.dataset.state === state) return;
    live.hidden = false;
    live.dataset.state = state;
    live.textContent = word(state);
  }

  function tell(message) {
    others.postMessage(message);
    hear(message);
  }

  function hear(message) {
    // Other tabs may be those of a later log-in.
    if (isOut) return;
    if (message === "lost") return say("lost");
    if (!isCutOff) say("live");
    sync();
  }

  // For good: whoever logs in again has other tabs, of which one needs the lock.
  function leave() {
    isOut = true;
    say("out");
    stream?.close();
    leaves();
  }

  function open() {
    if (isOut) return;
    stream = new EventSource(`${bell.dataset.stream}?last_event_id=${last}`);
    const changed = () => tell("changed");
    stream.addEventListener("notice", changed);
    stream.addEventListener("unread", changed);
    stream.addEventListener("open", () => {
      reopen = AGAIN_MS;
      changed();
    });
    stream.addEventListener("error", () => {
      tell("lost");
      // The browser connects again by itself, but for an answer that is none: a proxy's 502, say.
      if (stream.readyState !== EventSource.CLOSED) return;
      setTimeout(open, reopen);
      reopen = Math.min(reopen * 2, AGAIN_MAX_MS);
      // Which finds out if nobody is logged in any more.
      sync();
    });
  }

  // A stream notices only after a while that the network is gone.
  function cutOff() {
    isCutOff = true;
    say("lost");
    // An answer that was on its way by then says nothing of the network: only the next one does.
    askAgain = true;
    sync();
  }

  others.addEventListener("message", (event) => hear(event.data));
  addEventListener("offline", cutOff);
  document.addEventListener("htmx:sendError", cutOff);
  document.addEventListener("htmx:afterRequest", ({ detail }) => detail.successful && isCutOff && sync());
  addEventListener("online", sync);
  addEventListener("pageshow", (event) => event.persisted && sync());
  // Locks are for secure origins only; elsewhere each tab has a stream of its own.
  if (navigator.locks) {
    navigator.locks.request(name, () => {
      open();
      return left;
    });
    sync();
  } else {
    open();
  }
})();
