// Shows the places of a list on a map: `<div data-map="id of the list" data-tiles="…" hidden>`. The list is the truth;
// the map reads it again whenever it changes. Without Leaflet there is the list alone.

const box = document.querySelector("[data-map]");
const L = window.L;
const SVG = "http://www.w3.org/2000/svg";
const CLOSEST = 15;
const CROWD = 60; // more places than this are shown small
const ON_TOP = { bad: 1000, offline: -1000 };

function places() {
  const rows = document.querySelectorAll(`#${CSS.escape(box.dataset.map)} [data-latitude]`);
  return [...rows].map((row) => ({
    at: [Number(row.dataset.latitude), Number(row.dataset.longitude)],
    look: `${row.dataset.colour} ${row.dataset.shape} ${row.dataset.count}`,
    row,
  }));
}

function shape(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${box.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
}

function icon({ colour, shape: name, count }, isSmall) {
  const mark = document.createElement("span");
  mark.className = `marker marker--${colour}${isSmall ? " marker--small" : ""}`;
  mark.append(shape(name), isSmall ? "" : count);
  return L.divIcon({ html: mark, className: "marker-box", iconSize: isSmall ? [24, 24] : [52, 28] });
}

function words(row) {
  const content = document.createElement("div");
  content.append(row.querySelector("[data-place-link]").cloneNode(true));
  const said = document.createElement("p");
  said.textContent = row.querySelector("[data-place-words]").textContent.replace(/\s+/g, " ").trim();
  content.append(said);
  return content;
}

function start() {
  box.hidden = false;
  const map = L.map(box, { worldCopyJump: true });
  map.attributionControl.setPrefix('<a href="https://leafletjs.com">Leaflet</a>');
  if (box.dataset.tiles) {
    const attribution = document.createElement("span");
    attribution.textContent = box.dataset.attribution;
    L.tileLayer(box.dataset.tiles, { maxZoom: 19, attribution: attribution.innerHTML }).addTo(map);
  } else {
    box.classList.add("atlas__map--plain");
  }
  const markers = new Map();

  function draw() {
    const found = places();
    const kept = new Set();
    for (const { at, look, row } of found) {
      const key = `${row.dataset.name} ${at}`;
      kept.add(key);
      const known = markers.get(key);
      if (known?.look === look) continue;
      known?.marker.remove();
      const marker = L.marker(at, {
        icon: icon(row.dataset, found.length > CROWD),
        zIndexOffset: ON_TOP[row.dataset.colour] ?? 0,
        title: row.dataset.name,
        alt: row.querySelector("[data-place-words]").textContent.trim(),
        keyboard: true,
      });
      // Asked when it is opened: the row may have been replaced meanwhile.
      marker.bindPopup(() => words(places().find((place) => `${place.row.dataset.name} ${place.at}` === key)?.row ?? row));
      marker.addTo(map);
      markers.set(key, { marker, look });
    }
    for (const [key, { marker }] of markers) {
      if (kept.has(key)) continue;
      marker.remove();
      markers.delete(key);
    }
    return found;
  }

  const found = draw();
  if (found.length) map.fitBounds(found.map((place) => place.at), { maxZoom: CLOSEST, padding: [48, 48] });
  else map.setView([0, 20], 2);
  // live.js replaces the list.
  new MutationObserver(draw).observe(box.parentElement, { childList: true });
}

if (box && L) start();
