// A chart of the last minutes of a route: what its sources send as an area, what each destination takes as a line.
//
// Whoever points at it, or walks along it with the arrow keys, is told what it was then. The legend has the same numbers as
// text, and the chart a sentence.

import { drawn, element, mark, say } from "./dom.js";
import { bytes, clock, rate, speed } from "./format.js";
import { SPAN } from "./history.js";

const HEIGHT = 168;
const LEFT = 56;
const RIGHT = 6;
const TOP = 10;
const BOTTOM = 20;
const MAX_LINES = 8;

/** A chart in `figure`. Tell it of `{ route, names, lines, newest, unit }` with `update`. */
export function chart(figure) {
  const svg = drawn("svg", { role: "img", height: HEIGHT, tabindex: "0", class: "plot" });
  const legend = element("ul", { class: "legend" });
  const when = element("p", { class: "when" });
  figure.append(svg, element("figcaption", {}, when, legend));
  const self = { figure, svg, legend, when, back: null, view: null, key: "" };
  const redraw = () => self.view && draw(self);
  new ResizeObserver(redraw).observe(figure);
  walk(self, redraw);
  return { update: (view) => ((self.view = view), redraw()) };
}

/** The cursor: so many seconds back, or null. */
function walk(self, redraw) {
  const to = (back) => ((self.back = back === null ? null : Math.min(SPAN - 1, Math.max(0, back))), redraw());
  self.svg.addEventListener("pointermove", (event) => to(Math.round(backAt(self, event.offsetX))));
  self.svg.addEventListener("pointerleave", () => to(null));
  self.svg.addEventListener("blur", () => to(null));
  self.svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: 1, ArrowRight: -1, PageUp: 30, PageDown: -30 }[event.key];
    if (!step) return;
    event.preventDefault();
    to((self.back ?? 0) + step);
  });
}

const room = (self) => Math.max(40, self.figure.clientWidth - LEFT - RIGHT);
const backAt = (self, x) => SPAN * (1 - (x - LEFT) / room(self));

function draw(self) {
  const { view, svg } = self;
  const lines = view.lines.slice(0, MAX_LINES);
  const top = ceiling(Math.max(0, ...lines.flat().map((point) => point.value ?? 0)));
  const place = {
    x: (time) => LEFT + room(self) * (1 - (view.newest - time) / (SPAN * 1000)),
    y: (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top),
    right: LEFT + room(self),
  };
  mark(svg, "width", place.right + RIGHT);
  mark(svg, "aria-label", inWords(view, lines));
  svg.replaceChildren(...grid(place, top, view.unit), ...threads(place, lines), ...cursor(self, place));
  tell(self, lines);
}

/** The next of 1, 2, 5, 10, … above. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 1.04) ?? 10 * power;
}

function grid(place, top, unit) {
  const rows = [0, 0.5, 1].flatMap((part) => {
    const y = Math.round(place.y(part * top)) + 0.5;
    const label = drawn("text", { x: LEFT - 7, y: y + 4, "text-anchor": "end" }, scale(part * top, unit));
    return [drawn("path", { d: `M${LEFT},${y} H${place.right}`, class: "rule" }), label];
  });
  return [...rows, ...minutes(place)];
}

const scale = (value, unit) => (unit === "bytes" ? bytes(value) : rate(value).replace(/\.0+(?=\D|$)/, ""));

function minutes(place) {
  const isNarrow = place.right < 420;
  return (isNarrow ? [4, 2, 0] : [5, 4, 3, 2, 1, 0]).map((minute) => {
    const x = LEFT + (place.right - LEFT) * (1 - (minute * 60) / SPAN);
    const anchor = minute === 0 ? "end" : minute === 5 ? "start" : "middle";
    return drawn("text", { x, y: HEIGHT - 4, "text-anchor": anchor }, minute ? `−${minute} min` : "now");
  });
}

function threads(place, lines) {
  const made = lines.map((line, index) => drawn("path", { d: along(place, line), class: `line line-${index}` }));
  const [sources = []] = lines;
  return [drawn("path", { d: under(place, sources), class: "area" }), ...made.slice(1).reverse(), made[0]].filter(Boolean);
}

/** The stretches of a line of which something is known. */
function stretches(line) {
  const all = [[]];
  for (const point of line) {
    if (point.value === null) all.push([]);
    else all.at(-1).push(point);
  }
  return all.filter((stretch) => stretch.length > 0);
}

const spot = (place, { time, value }) => `${place.x(time).toFixed(1)},${place.y(value).toFixed(1)}`;
const along = (place, line) =>
  stretches(line)
    .map((stretch) => `M${stretch.map((point) => spot(place, point)).join("L")}`)
    .join("");

function under(place, line) {
  const closed = (stretch) => {
    const [first, last] = [stretch[0], stretch.at(-1)].map(({ time }) => place.x(time).toFixed(1));
    const ground = place.y(0).toFixed(1);
    return `M${first},${ground}L${stretch.map((point) => spot(place, point)).join("L")}L${last},${ground}Z`;
  };
  return stretches(line).map(closed).join("");
}

function cursor(self, place) {
  if (self.back === null) return [];
  const x = place.x(self.view.newest - self.back * 1000).toFixed(1);
  return [drawn("path", { d: `M${x},${TOP} V${HEIGHT - BOTTOM}`, class: "cursor" })];
}

/** What a line was then: the point of that second, or nothing. */
function valueAt(line, time) {
  const near = line.find((point) => Math.abs(point.time - time) <= 600 && point.value !== null);
  return near ? near.value : null;
}

function tell(self, lines) {
  const { view, back } = self;
  const time = view.newest - (back ?? 0) * 1000;
  const then = back === null ? "now" : back === 1 ? "1 second ago" : `${back} seconds ago`;
  say(self.when, view.newest ? `${clock(time)}, ${then}` : "nothing is known yet");
  legendOf(self, lines.length);
  lines.forEach((line, index) => {
    const value = valueAt(line, time);
    say(self.legend.children[index].lastChild, value === null ? "–" : speed(value, view.unit));
  });
}

function legendOf(self, number) {
  const names = self.view.names.slice(0, number);
  const key = JSON.stringify(names);
  if (key === self.key) return;
  self.key = key;
  const entries = names.map((name, index) =>
    element("li", {}, element("i", { class: `swatch line-${index}` }), element("span", {}, name), element("b")),
  );
  self.legend.replaceChildren(...entries);
}

function inWords({ route, unit }, [sources = []]) {
  const known = sources.filter((point) => point.value !== null).map((point) => point.value);
  if (known.length === 0) return `${unit} a second of ${route}: nothing is known yet`;
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const [least, most, last] = [Math.min(...known), Math.max(...known), known.at(-1)].map(rate);
  return `${unit} a second from the sources of ${route}, last minutes: now ${last}, least ${least}, most ${most}, mean ${rate(mean)}`;
}
