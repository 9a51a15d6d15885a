// `<button data-pause="id" data-word-on="…" data-word-off="…" hidden>`: keeps a live region still while somebody reads.

for (const button of document.querySelectorAll("button[data-pause]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const region = document.getElementById(button.dataset.pause);
    const paused = region.toggleAttribute("data-paused");
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? button.dataset.wordOn : button.dataset.wordOff;
    if (!paused) document.dispatchEvent(new Event("visibilitychange")); // live.js asks again
  });
}
