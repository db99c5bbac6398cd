// The map: the towns' outlines and every device as a point on one canvas. The list beside it shows the same.

import { PointLayer } from "./points.js";

const E5 = 1e5;
const box = document.getElementById("karte");
const dark = matchMedia("(prefers-color-scheme: dark)");

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function land() {
  return { color: token("land-line"), weight: 1.5, fillColor: token("land"), fillOpacity: 1, interactive: false };
}

function words(...lines) {
  const made = document.createElement("div");
  for (const [tag, text, href] of lines) {
    const line = document.createElement(tag);
    line.textContent = text;
    if (href) line.href = href;
    made.append(line);
  }
  return made;
}

function pointWords(data, at) {
  const lines = [
    ["strong", data.kinds[data.kind[at]]],
    ["p", `${data.towns[data.town[at]]}: ${data.conditions[data.condition[at]][0]}`],
  ];
  if (data.id?.[at]) lines.push(["a", `Gerät ${data.id[at]}`, `/geraet/${encodeURIComponent(data.id[at])}`]);
  return words(...lines);
}

function addLots(map, lots) {
  for (const lot of lots) {
    const icon = L.divIcon({ className: `lot-sign tone-${lot.tone}`, iconSize: [20, 20], html: "P" });
    const free = lot.free === null ? lot.word : `${lot.free} frei`;
    L.marker([lot.lat / E5, lot.lon / E5], { icon, title: `${lot.name}: ${free}`, alt: lot.name, keyboard: false })
      .bindPopup(words(["strong", lot.name], ["p", free], ["a", "Ansehen", lot.href]))
      .addTo(map);
  }
}

async function load() {
  const [towns, data] = await Promise.all(
    [box.dataset.towns, box.dataset.url].map(async (url) => {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
      return answer.json();
    }),
  );
  show(towns, data);
}

function show(towns, data) {
  const frame = document.createElement("div");
  box.replaceChildren(frame);
  box.classList.add("map-box--live");
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const map = L.map(frame, { zoomSnap: 0.5, minZoom: 10, maxZoom: 18, zoomAnimation: !calm, fadeAnimation: !calm });
  map.zoomControl.setPosition("bottomright");
  map.zoomControl._zoomInButton.title = map.zoomControl._zoomInButton.ariaLabel = "Näher heran";
  map.zoomControl._zoomOutButton.title = map.zoomControl._zoomOutButton.ariaLabel = "Weiter weg";
  map.attributionControl.setPrefix("");
  map.attributionControl.addAttribution('<a href="http://www.bkg.bund.de">© GeoBasis-DE / BKG 2021 (Daten verändert)</a>');
  frame.setAttribute("role", "application");
  frame.setAttribute("aria-label", "Bewegliche Karte; die Liste zeigt dasselbe");

  const outlines = L.geoJSON(towns, {
    style: land,
    onEachFeature(feature, layer) {
      layer.bindTooltip(feature.properties.name, { permanent: true, direction: "center", offset: [0, -20], className: "town-name" });
    },
  }).addTo(map);
  const points = new PointLayer(
    {
      lat: data.lat.map((one) => one / E5),
      lon: data.lon.map((one) => one / E5),
      tone: [...data.condition].map((one) => data.conditions[one][1]),
    },
    (tone) => token(tone),
    () => token("card"),
  ).addTo(map);
  addLots(map, data.sites);
  const chosen = new URLSearchParams(location.search).get("town");
  const bounds = outlines.getLayers().find((one) => one.feature.properties.town === chosen) || outlines;
  map.fitBounds(bounds.getBounds(), { padding: [12, 12] });
  map.on("click", (event) => {
    const at = points.nearest(event.containerPoint);
    if (at !== null) L.popup().setLatLng([data.lat[at] / E5, data.lon[at] / E5]).setContent(pointWords(data, at)).openOn(map);
  });
  dark.addEventListener("change", () => {
    outlines.setStyle(land());
    points.draw();
  });
  box.dataset.shown = String(data.lat.length);
}

if (box && window.L) load().catch(() => box.setAttribute("data-failed", "")); // the server's drawing stays
