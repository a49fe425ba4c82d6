// The fabric as a picture: a route's sources on one side, its destinations on the other, and between them how fast it goes.
//
// Lines are as thick as traffic is heavy, by its logarithm. The picture is laid out for the room it has and drawn anew only
// when that or the destinations change; else its texts and lines are told what is new. All it says is in the table below it.

import { drawn, mark, say } from "./dom.js";
import { bytes, count, plural, rate, share, span, speed } from "./format.js";

const ROW = 58;
const BOX = 46;
const LETTER = 7.4;
const NARROW = 480;

/** A picture of one route in `frame`. Tell it of the route with `update`. */
export function picture(frame) {
  let key = "";
  let parts = null;
  let last = null;
  const update = (view) => {
    last = view;
    const wanted = JSON.stringify([frame.clientWidth, view.destinations.map((one) => one.destination)]);
    if (wanted !== key && frame.clientWidth > 0) {
      key = wanted;
      parts = draw(frame.clientWidth, view);
      frame.replaceChildren(parts.svg);
    }
    if (parts) tell(parts, view);
  };
  new ResizeObserver(() => last && update(last)).observe(frame);
  return { update };
}

/** What there is to say of how a destination is. */
export function stateOf(destination) {
  if (destination.server && !destination.server.is_in_ring) return ["away", "out of the ring"];
  if (destination.isAway) return ["away", `away for ${span(destination.awaySeconds ?? 0)}`];
  if (destination.server) return ["connected", "in the ring"];
  if (destination.connections === 0) return ["idle", destination.outages ? "not connected" : "no connection yet"];
  return destination.live > 0 ? ["connected", "connected"] : ["idle", "no session"];
}

/** Where everything goes, for a picture of this width. */
function layout(width, number) {
  const isNarrow = width < NARROW;
  const height = isNarrow ? ROW * (number + 1) : ROW * Math.max(number, 1.2);
  const row = (index) => ROW * (index + (isNarrow ? 1 : (height / ROW - number) / 2)) + ROW / 2;
  if (isNarrow) return { isNarrow, width, height, row, sources: 132, middle: 22, box: 62, boxWidth: width - 63 };
  const boxWidth = Math.min(300, width * 0.46);
  return { isNarrow, width, height, row, sources: 118, middle: 160, box: width - boxWidth - 1, boxWidth };
}

function draw(width, view) {
  const at = layout(width, view.destinations.length);
  const svg = drawn("svg", { role: "img", width, height: at.height, viewBox: `0 0 ${width} ${at.height}` });
  const sources = sourcesBox(at);
  const threads = view.destinations.map((one, index) => thread(at, index, one));
  svg.append(...threads.map((one) => one.lines), sources.group, loom(at), ...threads.map((one) => one.group));
  return { svg, sources, threads };
}

function sourcesBox(at) {
  const middle = at.isNarrow ? ROW / 2 : at.height / 2;
  const number = drawn("text", { x: 14, y: middle - 1, class: "number" });
  const fast = drawn("text", { x: 14, y: middle + 15, class: "small" });
  const path = at.isNarrow ? `M${at.middle},${middle + BOX / 2} V${ROW + 6}` : `M${at.sources},${middle} H${at.middle}`;
  const line = drawn("path", { d: path, class: "thread primary" });
  const flow = drawn("path", { d: path, class: "flow" });
  const box = drawn("rect", { x: 1, y: middle - BOX / 2, width: at.sources - 1, height: BOX, rx: 7, class: "box" });
  return { group: drawn("g", {}, line, flow, box, number, fast), number, fast, line, flow };
}

/** The bar that all threads run through. */
function loom(at) {
  const [top, bottom] = at.isNarrow ? [ROW + 2, at.height - ROW / 2 + 4] : [4, at.height - 4];
  return drawn("rect", { x: at.middle - 3, y: top, width: 6, height: bottom - top, rx: 3, class: "loom" });
}

/** The way to one destination, and the destination. */
function thread(at, index, { destination, isPrimary }) {
  const y = at.row(index);
  const path = `M${at.middle},${y} H${at.box}`;
  const line = drawn("path", { d: path, class: isPrimary ? "thread primary" : "thread" });
  const flow = drawn("path", { d: path, class: "flow" });
  const lines = drawn("g", {}, line, flow);
  const x = at.box + 14;
  const name = drawn("text", { x, y: y - 3, class: "name" }, cut(destination, at.boxWidth - (isPrimary ? 86 : 28)));
  const state = drawn("text", { x, y: y + 14, class: "small" });
  const fast = at.isNarrow
    ? drawn("text", { x: at.width - 12, y: y + 14, class: "rate", "text-anchor": "end" })
    : drawn("text", { x: at.middle + 16, y: y - 9, class: "rate" });
  const lag = drawn("text", { x: at.middle + 16, y: y + 18, class: "small" });
  const box = drawn("rect", { x: at.box, y: y - BOX / 2, width: at.boxWidth, height: BOX, rx: 7, class: "box" });
  const lamp = drawn("rect", { x: at.box, y: y - BOX / 2 + 6, width: 4, height: BOX - 12, rx: 2, class: "lamp" });
  const title = drawn("title", {});
  const group = drawn("g", { class: "destination" }, title, box, lamp, name, state, fast, ...(at.isNarrow ? [] : [lag]));
  if (isPrimary) group.append(tag(at, y));
  return { lines, line, flow, group, state, fast, lag, title };
}

function tag(at, y) {
  const x = at.box + at.boxWidth - 10;
  return drawn("text", { x, y: y - 4, class: "tag", "text-anchor": "end" }, "primary");
}

function cut(text, room) {
  const letters = Math.max(3, Math.floor(room / LETTER));
  return text.length > letters ? `${text.slice(0, letters - 1)}…` : text;
}

function tell(parts, view) {
  say(parts.sources.number, plural(view.live, view.who));
  pull(parts.sources, view.speed, view.unit);
  parts.threads.forEach((one, index) => tellThread(one, view.destinations[index], view));
  mark(parts.svg, "aria-label", inWords(view));
}

function tellThread(one, destination, view) {
  const [kind, words] = stateOf({ ...destination, live: view.live });
  mark(one.group, "data-state", kind);
  mark(one.lines, "data-state", kind);
  say(one.state, [words, agreement(destination), failures(destination)].filter(Boolean).join(" · "));
  say(one.lag, held(destination));
  say(one.title, `${destination.destination}, ${destination.address}: ${words}`);
  pull(one, destination.speed, view.unit);
}

/** As thick, as fast. */
function pull({ line, flow, fast }, value, unit) {
  const heavy = unit === "bytes" ? value / 50 : value;
  mark(line, "stroke-width", (1.5 + Math.min(6, 1.5 * Math.log10(1 + heavy))).toFixed(1));
  mark(flow, "data-flows", value > 0 ? "yes" : "no");
  say(fast, speed(value, unit));
}

function agreement({ isPrimary, compared, matched }) {
  return !isPrimary && compared > 0 ? `${share(matched, compared)} agree` : "";
}

/** What a server has failed. */
export function failures({ server }) {
  return server?.failures ? `${count(server.failures)} failed` : "";
}

/** What lies before it. */
function held({ inFlight }) {
  return inFlight.bytes > 0 ? `${bytes(inFlight.bytes)} in flight` : "";
}

function inWords(view) {
  const each = view.destinations.map((one) => {
    const [, words] = stateOf({ ...one, live: view.live });
    return `${one.destination}${one.isPrimary ? ", the primary," : ""} ${words}, ${rate(one.speed)} ${view.unit} a second`;
  });
  return `${view.route}: ${plural(view.live, view.who)}, ${rate(view.speed)} ${view.unit} a second. ${each.join(". ")}.`;
}
