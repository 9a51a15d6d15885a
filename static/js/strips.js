// Rows of links that scroll sideways on a phone (rooms, tabs) open with the current one in sight.

for (const strip of document.querySelectorAll(".rooms, .tabs")) {
  const current = strip.querySelector("[aria-current]");
  if (!current) continue;
  strip.scrollLeft = current.offsetLeft - strip.offsetLeft - (strip.clientWidth - current.offsetWidth) / 2;
}
