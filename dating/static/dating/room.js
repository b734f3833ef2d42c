// The built-in room. Two browsers find each other by signals that the server passes on, and then send sound
// and picture to each other alone. Signals are not kept: whoever is not connected says every few seconds that
// they are here, and whoever hears it begins anew. A try to connect has a number; what comes of another try,
// or from a page of the partner's that is gone, is left aside. Where both begin at once, the caller's try counts.
"use strict";

(() => {
  const { word } = globalThis;
  const HERE_MS = 3000;
  const TRY_MS = 8000;
  const GATHER_MS = 150;
  const room = document.getElementById("room");
  const part = (name) => document.getElementById(`room-${name}`);
  const partner = room.dataset.partner;
  const isCaller = room.dataset.calls === "yes";
  const connection = JSON.parse(room.dataset.connection);
  const token = room.querySelector("[name=csrfmiddlewaretoken]").value;
  const page = [...crypto.getRandomValues(new Uint8Array(12))].map((each) => each.toString(16)).join("");
  const media = new MediaStream();
  let source = null;
  let peer = null;
  let theirs = "";
  let number = 0;
  let beganAt = 0;
  let isDescribed = false;
  let isLost = false;
  let isAway = false;
  let isOver = false;

  // --- What is said -------------------------------------------------------------------------------------

  function show(state, text) {
    room.dataset.state = state;
    if (part("status").textContent !== text) part("status").textContent = text;
  }

  function complain(text) {
    part("trouble").hidden = !text;
    part("why").textContent = text;
  }

  const wait = () => show("waiting", word("waiting", { partner }));
  const connecting = () => show("connecting", word("connecting", { partner }));

  // Nobody can be met while the server does not pass on what is said. Two who are connected need it no more.
  function away() {
    if (isOver) return;
    isAway = true;
    if (!isConnected()) show("waiting", word("no-answer"));
  }

  function answered() {
    if (isOver || !isAway) return;
    isAway = false;
    if (isConnected()) return;
    if (peer && isTrying()) connecting();
    else wait();
  }

  // --- The clock, by the server's time ------------------------------------------------------------------

  let until;
  let offset = 0;

  function left() {
    return until === null || until === undefined ? null : Math.ceil(until - (Date.now() / 1000 - offset));
  }

  function tick() {
    const seconds = left();
    if (until === undefined || isOver) return;
    if (seconds === null) {
      part("clock").textContent = word("paused");
      return;
    }
    const [minutes, rest] = [Math.floor(Math.max(seconds, 0) / 60), Math.max(seconds, 0) % 60];
    part("clock").textContent = word("in", { span: `${String(minutes).padStart(2, "0")}:${String(rest).padStart(2, "0")}` });
    if (seconds === 60) document.getElementById("said").textContent = word("minute-left");
    // The server ends the call; should it be away just then, nobody is left in the room.
    if (seconds < -5 && source?.readyState !== EventSource.OPEN) finish("over");
  }

  // --- Camera and microphone ----------------------------------------------------------------------------

  const FAULTS = ["NotAllowedError", "NotFoundError", "NotReadableError"];

  async function open() {
    if (!navigator.mediaDevices) {
      complain(word("insecure"));
      return;
    }
    let fault = null;
    for (const wanted of [{ audio: true, video: true }, { audio: true }, { video: true }]) {
      try {
        const found = await navigator.mediaDevices.getUserMedia(wanted);
        media.getTracks().forEach((track) => media.removeTrack(track));
        found.getTracks().forEach((track) => (isOver ? track.stop() : media.addTrack(track)));
        break;
      } catch (error) {
        fault ??= error;
        if (error.name === "NotAllowedError") break;
      }
    }
    const lacks = ["audio", "video"].filter((kind) => !media.getTracks().some((track) => track.kind === kind));
    const why = word(FAULTS.includes(fault?.name) ? fault.name : "not-working");
    complain(lacks.length ? `${why} ${without(lacks)}` : "");
    part("self").srcObject = media;
    part("mute").disabled = lacks.includes("audio");
    part("hide").disabled = lacks.includes("video");
  }

  function without(lacks) {
    return word(lacks.length === 2 ? "without-both" : `without-${lacks[0]}`, { partner });
  }

  part("retry").addEventListener("click", async () => {
    await open();
    if (theirs) begin(theirs);
  });

  function toggle(button, tracks) {
    const isOff = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isOff));
    tracks().forEach((track) => { track.enabled = !isOff; });
  }

  part("mute").addEventListener("click", () => toggle(part("mute"), () => media.getAudioTracks()));
  part("hide").addEventListener("click", () => toggle(part("hide"), () => media.getVideoTracks()));

  // --- Signals ------------------------------------------------------------------------------------------

  const form = (kind, text = "") =>
    new URLSearchParams({ csrfmiddlewaretoken: token, page, kind, number: String(number), text });

  // 409: too late, or no call. The stream says so too.
  const post = (body) =>
    fetch(room.dataset.signals, { method: "POST", body }).then(
      (answer) => (answer.ok || answer.status === 409 ? answered() : away()),
      away,
    );

  const say = (kind, text) => post(form(kind, text));

  // Of one try: one after the other, so that they come in this order.
  let describing = Promise.resolve();
  function describe(kind, content) {
    const body = form(kind, JSON.stringify(content));
    describing = describing.then(() => post(body));
  }

  function enter() {
    if (isOver) return;
    source = new EventSource(`${room.dataset.signals}?page=${page}`);
    source.addEventListener("until", ({ data }) => {
      const said = JSON.parse(data);
      offset = Date.now() / 1000 - said.now;
      const isFirst = room.dataset.state === "opening";
      isLost = false;
      answered();
      until = said.until;
      tick();
      if (isFirst) wait();
      if (!isConnected()) say("here");
    });
    source.addEventListener("signal", ({ data }) => take(JSON.parse(data)));
    source.addEventListener("end", ({ data }) => finish(JSON.parse(data).why));
    source.onerror = () => {
      // Once is nothing: a connection is made anew within a second.
      if (isLost || source.readyState === EventSource.CLOSED) away();
      isLost = true;
      // Browsers come back by themselves after a lost connection, but not after a refusal.
      if (source.readyState === EventSource.CLOSED) setTimeout(enter, 2000);
    };
  }

  let taking = Promise.resolve();
  function take(signal) {
    taking = taking.then(() => (isOver ? null : heard(signal))).catch(() => drop());
  }

  async function heard(signal) {
    const isOfThisPage = peer && signal.page === theirs;
    const isOfThisTry = isOfThisPage && signal.number === number;
    if (signal.kind === "here") {
      if (!isOfThisPage || !(isConnected() || isTrying())) await begin(signal.page);
    } else if (signal.kind === "again") {
      await begin(signal.page);
    } else if (signal.kind === "offer") {
      const isMyTurn = isOfThisPage && isCaller && isTrying() && peer.signalingState === "have-local-offer";
      if (!isMyTurn) await answer(signal);
    } else if (signal.kind === "answer" && isOfThisTry && peer.signalingState === "have-local-offer") {
      await peer.setRemoteDescription(JSON.parse(signal.text));
    } else if (signal.kind === "candidates" && isOfThisTry) {
      for (const each of JSON.parse(signal.text)) await peer.addIceCandidate(each);
    } else if (signal.kind === "bye" && signal.page === theirs) {
      drop();
      theirs = "";
      show("waiting", word("partner-left", { partner }));
    }
  }

  // --- The connection -----------------------------------------------------------------------------------

  const isConnected = () => peer?.connectionState === "connected";
  const isTrying = () => Date.now() - beganAt < TRY_MS;

  function drop() {
    peer?.close();
    peer = null;
    part("partner").srcObject = null;
  }

  function make() {
    drop();
    beganAt = Date.now();
    const mine = new RTCPeerConnection(connection);
    const found = [];
    mine.addEventListener("icecandidate", ({ candidate }) => {
      // Those that are found at once go with the description.
      if (!candidate?.candidate || !isDescribed) return;
      found.push(candidate);
      if (found.length > 1) return;
      setTimeout(() => { if (mine === peer) describe("candidates", found.splice(0)); }, GATHER_MS);
    });
    mine.addEventListener("track", ({ track }) => {
      part("partner").srcObject ??= new MediaStream();
      part("partner").srcObject.addTrack(track);
      part("partner").play().catch(() => { part("play").hidden = false; });
    });
    mine.addEventListener("connectionstatechange", () => { if (mine === peer) changed(); });
    peer = mine;
    isDescribed = false;
  }

  // Most ways through the network are found within a moment.
  async function describeMyself(kind) {
    const mine = peer;
    await mine.setLocalDescription();
    await new Promise((done) => {
      setTimeout(done, GATHER_MS);
      mine.addEventListener("icegatheringstatechange", () => { if (mine.iceGatheringState === "complete") done(); });
    });
    if (mine !== peer) return;
    isDescribed = true;
    describe(kind, mine.localDescription);
  }

  function changed() {
    if (isConnected()) show("connected", word("connected", { partner }));
    else if (["disconnected", "failed"].includes(peer.connectionState)) {
      show("waiting", word("connection-lost", { partner }));
      say("again");
    }
  }

  async function begin(from) {
    theirs = from;
    number = Math.floor(Math.random() * 1e6);
    make();
    connecting();
    for (const kind of ["audio", "video"]) {
      const track = media.getTracks().find((each) => each.kind === kind);
      peer.addTransceiver(track ?? kind, { direction: track ? "sendrecv" : "recvonly", streams: [media] });
    }
    await describeMyself("offer");
  }

  async function answer(signal) {
    theirs = signal.page;
    number = signal.number;
    make();
    connecting();
    await peer.setRemoteDescription(JSON.parse(signal.text));
    media.getTracks().forEach((track) => peer.addTrack(track, media));
    await describeMyself("answer");
  }

  setInterval(() => {
    if (isOver || source?.readyState !== EventSource.OPEN || isConnected()) return;
    say("here");
    if (peer && !isAway && Date.now() - beganAt > 2 * TRY_MS) {
      show("waiting", word("blocked", { partner }));
    }
  }, HERE_MS);

  // --- The end ------------------------------------------------------------------------------------------

  const ENDS = ["over", "moved", "left"];

  function finish(why) {
    if (isOver) return;
    isOver = true;
    source?.close();
    drop();
    media.getTracks().forEach((track) => track.stop());
    for (const name of ["stage", "controls", "trouble"]) part(name).hidden = true;
    part("clock").parentElement.hidden = true;
    part("back").hidden = why === "over";
    show("over", word(`end-${ENDS.includes(why) ? why : "over"}`));
    part("title").focus();
  }

  part("leave").addEventListener("click", () => { say("bye"); finish("left"); });
  part("back").addEventListener("click", () => location.reload());
  part("play").addEventListener("click", () => {
    part("play").hidden = true;
    part("partner").play();
  });
  addEventListener("pagehide", () => { if (!isOver) navigator.sendBeacon(room.dataset.signals, form("bye")); });

  setInterval(tick, 1000);
  open().finally(enter);
})();
