// Thousands of points on one canvas: a shape and a colour for each tone, drawn anew when the map has moved.

const NEAR_PX = 16;
const DRAW_ORDER = ["ok", "quiet", "warn", "bad"];

export const PointLayer = window.L && L.Layer.extend({
  initialize(columns, colour, edge) {
    this.columns = columns;
    this.colour = colour;
    this.edge = edge;
  },

  onAdd(map) {
    this.map = map;
    this.canvas = L.DomUtil.create("canvas", "leaflet-zoom-hide", map.getPane("points") || map.createPane("points"));
    map.getPane("points").classList.add("points-pane");
    map.on("moveend zoomend resize viewreset", this.draw, this);
    if (map._loaded) this.draw();
  },

  onRemove(map) {
    map.off("moveend zoomend resize viewreset", this.draw, this);
    this.canvas.remove();
  },

  draw() {
    if (!this.map._loaded) return;
    const { map, canvas, columns } = this;
    const size = map.getSize();
    const scale = window.devicePixelRatio || 1;
    L.DomUtil.setPosition(canvas, map.containerPointToLayerPoint([0, 0]));
    canvas.width = size.x * scale;
    canvas.height = size.y * scale;
    canvas.style.width = `${size.x}px`;
    canvas.style.height = `${size.y}px`;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const radius = Math.max(1.6, Math.min(7, (map.getZoom() - 10.5) * 1.1));
    this.places = columns.lat.map((lat, at) => map.latLngToContainerPoint([lat, columns.lon[at]]));
    for (const tone of DRAW_ORDER) this.drawTone(pen, tone, radius, size);
  },

  drawTone(pen, tone, radius, size) {
    const r = tone === "ok" ? radius : Math.max(5, radius * 1.35); // what needs somebody is seen from afar
    pen.beginPath();
    this.places.forEach((place, at) => {
      if (this.columns.tone[at] !== tone || place.x < -r || place.y < -r || place.x > size.x + r || place.y > size.y + r) return;
      outline(pen, tone, place, r);
    });
    pen.fillStyle = pen.strokeStyle = this.colour(tone);
    if (tone === "quiet") {
      pen.lineWidth = 2;
      pen.stroke();
      return;
    }
    pen.fill();
    if (tone === "ok" && r < 5) return; // edges would hide what stands close
    pen.lineWidth = 1;
    pen.strokeStyle = this.edge();
    pen.stroke();
  },

  nearest(point) {
    let best = null;
    let least = NEAR_PX;
    this.places.forEach((place, at) => {
      const distance = place.distanceTo(point);
      if (distance < least) [best, least] = [at, distance];
    });
    return best;
  },
});

function outline(pen, tone, { x, y }, r) {
  if (tone === "bad") {
    pen.moveTo(x, y - r);
    pen.lineTo(x + r, y);
    pen.lineTo(x, y + r);
    pen.lineTo(x - r, y);
    pen.closePath();
  } else if (tone === "warn") {
    pen.moveTo(x, y - r);
    pen.lineTo(x + r, y + r * 0.8);
    pen.lineTo(x - r, y + r * 0.8);
    pen.closePath();
  } else {
    pen.moveTo(x + r, y);
    pen.arc(x, y, r, 0, 7);
  }
}
