// What is counted, in tables: each destination of a route, what was shed and why, every node there is.
//
// Rows stay while what they are about does; only cells that have changed are written.

import { byId, element, keyed, mark, say } from "./dom.js";
import { bytes, count, rate, share, span, speed } from "./format.js";
import { failures, stateOf } from "./fabric.js";

/** Why frames are shed, as docs/operations.md has it. */
const REASONS = {
  away: "it is away, or no worker serves it",
  window_full: "it takes less than the source sends",
  session_ended: "the session ended first",
  connection_lost: "the connection or its worker broke on the way",
  oversized_frame: "its windows were full inside a long frame",
  unsendable: "the worker's kernel would not send it",
  joining: "it is back, but not yet at a place to join",
  node_lost: "the node that held it ended without a word",
};

/** A table in `parent`: `columns` are `[heading, class]`; `cells(row)` are texts, in their order. */
function table(parent, label, columns, key, cells, dress = () => {}) {
  const heads = columns.map(([heading, kind]) => element("th", { scope: "col", class: kind }, heading));
  const body = element("tbody");
  const whole = element("table", {}, element("caption", { class: "unseen" }, label), element("thead", {}, element("tr", {}, ...heads)), body);
  parent.append(element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, whole));
  const make = () => {
    const all = columns.map(([, kind], index) => element(index ? "td" : "th", { class: kind, scope: index ? undefined : "row" }));
    const node = element("tr", {}, ...all);
    const update = (row) => (cells(row).forEach((text, index) => say(all[index], text)), dress(node, row));
    return { node, update };
  };
  return keyed(body, key, make);
}

const N = "number";

/** The destinations of a route. */
export function destinationTable(parent, route) {
  const columns = [
    ["destination"], ["state"], ["rate", N], ["in flight", N], ["accepted", N], ["delivered", N], ["shed", N],
    ["agree", N], ["different", N], ["missing", N], ["extra", N], ["connections", N], ["outages", N], ["address"],
  ];
  const cells = (one) => [
    one.destination, stateInWords(one), speed(one.speed, one.unit), count(one.inFlight.frames),
    count(one.accepted.frames), count(one.delivered.frames), count(one.shedFrames),
    ...(one.isPrimary || one.server ? ["–", "–", "–", "–"] : compared(one)),
    count(one.connections), count(one.outages), one.address,
  ];
  const dress = (row, one) => {
    mark(row, "data-state", stateOf(one)[0]);
    mark(row, "data-balanced", one.isBalanced ? null : "no");
    mark(row, "data-primary", one.isPrimary ? "yes" : null);
  };
  return table(parent, `Destinations of ${route}`, columns, (one) => one.destination, cells, dress);
}

const stateInWords = (one) =>
  [stateOf(one)[1], failures(one), one.isBalanced ? "" : "does not balance"].filter(Boolean).join(", ");

const compared = (one) => [share(one.matched, one.compared), count(one.different), count(one.missing), count(one.extra)];

/** What was shed, by destination and reason. */
export function shedTable() {
  const columns = [["destination"], ["reason"], ["frames", N], ["bytes", N], ["of all", N], ["because"]];
  const cells = (row) => [
    row.place, row.reason, count(row.frames), bytes(row.bytes), share(row.frames, row.accepted), REASONS[row.reason] ?? "",
  ];
  const show = table(byId("shed-table"), "What was shed", columns, (row) => `${row.place}/${row.reason}`, cells);
  return (rows) => {
    byId("shed-none").hidden = rows.length > 0;
    byId("shed-table").hidden = rows.length === 0;
    show(rows);
  };
}

/** Nodes, and when they were last heard. */
export function nodeTable() {
  const columns = [["node"], ["kind"], ["state"], ["rate", N], ["shards", N], ["reports", N], ["lost", N], ["up for", N]];
  const state = (node) => (node.state === "stale" ? `silent for ${span(node.silent_millis / 1000)}` : node.state);
  const cells = (node) => [
    node.name, node.kind, node.is_superseded ? "superseded" : state(node), `${rate(node.frame_rate_1s)}/s`,
    count(node.shards), count(node.reports), count(node.lost), span((Date.now() - node.incarnation) / 1000),
  ];
  const dress = (row, node) => mark(row, "data-state", node.is_superseded ? "gone" : node.state);
  const show = table(byId("nodes-table"), "Nodes", columns, (node) => `${node.name}/${node.incarnation}`, cells, dress);
  return (nodes) => {
    byId("nodes-none").hidden = nodes.length > 0;
    byId("nodes-table").hidden = nodes.length === 0;
    show(nodes);
  };
}
