// Keeps a page of somebody who waits or charges up to date: asks for the page's own address every few seconds
// and swaps the regions marked `data-live`. Without it the page reloads itself (see base_driver.html).
//
// <main data-stage="running">   another stage: the page is another one now, load it whole
// data-live                     on a region with an id; `data-live="text"` for words that are read aloud

const EVERY_MS = 3000;
const BACKOFF_MS = [3000, 5000, 10000, 20000];

const lost = document.querySelector("[data-lost]");
let failures = 0;
let timer = 0;

function swap(region, fresh) {
  if (region.isEqualNode(fresh)) return;
  if (region.dataset.live === "text") {
    region.textContent = fresh.textContent; // a new element would not be announced
    return;
  }
  if (region.contains(document.activeElement)) return; // somebody is about to press something
  region.replaceWith(document.adoptNode(fresh));
}

async function ask() {
  clearTimeout(timer);
  try {
    const response = await fetch(location.href, { headers: { "HX-Request": "true" } });
    if (response.redirected) {
      location.replace(response.url);
      return;
    }
    if (!response.ok) throw new Error(`answered with ${response.status}`);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const stage = page.querySelector("[data-stage]")?.dataset.stage;
    if (stage !== document.querySelector("[data-stage]")?.dataset.stage) {
      location.reload();
      return;
    }
    for (const region of document.querySelectorAll("[data-live][id]")) {
      const fresh = page.getElementById(region.id);
      if (fresh) swap(region, fresh);
    }
    failures = 0;
  } catch {
    failures += 1;
  }
  if (lost) lost.hidden = failures < 2;
  timer = setTimeout(ask, failures ? BACKOFF_MS[Math.min(failures, BACKOFF_MS.length) - 1] : EVERY_MS);
}

timer = setTimeout(ask, EVERY_MS);
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden) ask();
});
