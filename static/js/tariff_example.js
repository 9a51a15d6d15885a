// Keeps the example beside a tariff up to date while somebody types: asks the same page again, as the
// “Calculate” button would, and swaps the part called `example`. Without it the button does the same.
//
// data-example       on a form that is asked for by its address (the tariff's page)
// data-tariff-form   on the editor: what was filled in travels along, nothing is saved

const REST_MS = 350;

const form = document.querySelector("form[data-example], form[data-tariff-form]");
let timer = 0;
let running = null;

async function ask() {
  running?.abort();
  running = new AbortController();
  const region = document.getElementById("example");
  region.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(...question());
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById("example");
    // The region itself stays: a new one would not be read aloud.
    if (fresh) region.replaceChildren(...fresh.childNodes);
  } catch {
    // Newer input has taken this question's place, or the button still works.
    return;
  } finally {
    region.removeAttribute("aria-busy");
  }
}

function question() {
  const data = new FormData(form);
  const options = { headers: { "HX-Request": "true" }, signal: running.signal };
  if (form.method === "get") {
    return [`${location.pathname}?${new URLSearchParams(data)}`, options];
  }
  data.set("calculate", "1");
  return [location.href, { ...options, method: "POST", body: data }];
}

form?.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(ask, REST_MS);
});
