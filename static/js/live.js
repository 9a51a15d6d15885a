// Keeps a page up to date: hears over a websocket that something changed, asks for the page's own
// address again and swaps the regions marked `data-live` that differ. Without it the page is as true
// as it was when it was loaded.
//
// data-live              on a region with an id: swap it; data-live="text" for words that are read aloud
// data-paused            on a region: somebody reads there; leave it as it is (js/pause.js)
// data-live-station="7"  on <main>: only changes of this station matter
// data-live-soon         anywhere: something is under way; ask again shortly

const SOON_MS = 1500;
const REST_MS = 1000; // between two questions
const SELDOM_MS = 20000; // running costs grow, workers finish, without a station saying a word
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000, 15000];
const PATIENCE_MS = 5000; // a shorter loss is not worth a banner

const state = document.querySelector("[data-live-state]");
const banner = document.querySelector("[data-live-banner]");
const main = document.querySelector("main");
let attempts = 0;
let asking = false;
let again = false;
let timer = 0;
let patience = 0;
let reference = ""; // of the loss that is going on; the server logs it when the page is back

function show(name) {
  if (!state || state.dataset.state === name) return;
  state.dataset.state = name;
  state.querySelector("[data-live-word]").textContent = state.dataset[`word${name}`];
}

function showLost() {
  show("lost");
  if (reference) return;
  const bytes = crypto.getRandomValues(new Uint8Array(4));
  reference = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase();
  patience = setTimeout(() => {
    if (!banner) return;
    banner.querySelector("[data-live-reference]").textContent = reference;
    banner.hidden = false;
  }, PATIENCE_MS);
}

function showLive() {
  show("live");
  reference = "";
  clearTimeout(patience);
  if (banner) banner.hidden = true;
}

function isBusy(region) {
  // Somebody is typing or choosing there.
  const focused = document.activeElement;
  return region.contains(focused) && focused.matches("input, select, textarea");
}

function swap(region, fresh) {
  const open = [...region.querySelectorAll("details[open][id]")].map((details) => details.id);
  const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
  for (const id of open) {
    const details = fresh.querySelector(`#${CSS.escape(id)}`);
    if (details) details.open = true;
  }
  if (region.isEqualNode(fresh)) return;
  if (region.dataset.live === "text") {
    region.textContent = fresh.textContent; // a new element would not be announced
    return;
  }
  region.replaceWith(fresh);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

async function ask() {
  clearTimeout(timer);
  if (asking) {
    again = true;
    return;
  }
  if (document.hidden) return;
  asking = true;
  again = false;
  let wait = SELDOM_MS;
  try {
    const response = await fetch(location.href, { headers: { "HX-Request": "true" } });
    if (response.redirected || response.status === 403) {
      location.reload(); // signed out, or no longer in the team
      return;
    }
    if (response.ok) {
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const region of document.querySelectorAll("[data-live][id]")) {
        const fresh = page.getElementById(region.id);
        if (fresh && !isBusy(region) && !("paused" in region.dataset)) swap(region, document.adoptNode(fresh));
      }
      if (document.querySelector("[data-live-soon]")) wait = SOON_MS;
    }
  } catch {
    // The websocket tells when the server is back.
  }
  setTimeout(() => {
    asking = false;
    if (again) ask();
  }, REST_MS);
  timer = setTimeout(ask, wait);
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const lost = reference ? `?lost=${reference}` : "";
  const socket = new WebSocket(`${scheme}//${location.host}/ws/operator/${lost}`);
  socket.addEventListener("message", (event) => {
    attempts = 0;
    showLive();
    const { changed } = JSON.parse(event.data);
    const only = Number(main.dataset.liveStation || 0);
    // The first message after each connection names nobody: whatever was missed is fetched now.
    if (!changed.length || !only || changed.includes(only)) ask();
  });
  socket.addEventListener("close", () => {
    showLost();
    const pause = BACKOFF_MS[Math.min(attempts, BACKOFF_MS.length - 1)];
    attempts += 1;
    setTimeout(connect, pause * (0.75 + Math.random() / 2));
  });
}

if (document.querySelector("[data-live]")) {
  connect();
  timer = setTimeout(ask, document.querySelector("[data-live-soon]") ? SOON_MS : SELDOM_MS);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) ask();
  });
}
