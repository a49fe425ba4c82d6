// The page: what the stats-node tells, taken apart and handed to whoever shows it.
//
// Read `stream` for how it is heard, `history` and `requests` for what is kept, then what shows it: `head`, `fabric`, `chart`, `tables`,
// `divergences`. `dom` is how elements are made, `bytes` how hostile bytes are shown, `format` how numbers are.

import { byId, element, keyed, say } from "./dom.js";
import { History } from "./history.js";
import { Divergences } from "./divergences.js";
import { chart } from "./chart.js";
import { destinationTable, nodeTable, shedTable } from "./tables.js";
import { Requests, hitsOf } from "./requests.js";
import { follow } from "./stream.js";
import { listen } from "./keys.js";
import { bytes, rate, share } from "./format.js";
import { picture } from "./fabric.js";
import { tellConnected, tellHead, tellLost } from "./head.js";

const history = new History();
const requests = new Requests();
const divergences = new Divergences();
const showShed = shedTable();
const showNodes = nodeTable();
const showRoutes = keyed(byId("routes"), (view) => view.route, panel);

let latest = null;
let heardAt = 0;
let unit = "frames";

/** A route: its picture, its chart and its table. */
function panel({ route }) {
  const listens = element("span", { class: "listens" });
  const asked = element("p", { class: "requests" });
  const frame = element("div", { class: "picture" });
  const plot = element("figure", { class: "chart" });
  const numbers = element("div");
  const head = element("h3", {}, element("span", {}, route), listens);
  const node = element("article", { class: "route" }, head, asked, element("div", { class: "weave" }, frame, plot), numbers);
  const [draw, plotted, show] = [picture(frame), chart(plot), destinationTable(numbers, route)];
  const update = (view) => {
    say(listens, view.listens);
    say(asked, view.asked);
    asked.hidden = !view.asked;
    draw.update(view);
    plotted.update(charted(view));
    show(view.destinations);
  };
  return { node, update };
}

function charted({ route, destinations }) {
  const names = destinations.map((one) => one.destination);
  const lines = history.lines(route, names, unit);
  return { route, unit, lines, names: ["sources", ...names], newest: history.newest };
}

/** A route as it is shown. */
function viewOf(route, sights) {
  const live = route.http?.clients ?? route.sessions?.live ?? 0;
  const listens = route.listen ?? "";
  const its = sights.filter((sight) => sight.route === route.route);
  const destinations = route.destinations.map((one) =>
    destinationOf(one, its.find((sight) => sight.destination === one.destination), live),
  );
  const view = { route: route.route, who: "source", live, listens, asked: "", unit, speed: speedOf(route), destinations };
  return route.http ? viewOfRequests(view, route.http) : view;
}

/** The same of a route of HTTP, which has clients and servers, and whose pace is that of requests. */
function viewOfRequests(view, http) {
  const pace = (count) => requests.risen(view.route, count);
  const all = pace((of) => of.requests);
  const destinations = view.destinations.map((one) => {
    const server = http.servers[one.destination];
    const speed = pace((of) => of.servers[one.destination]?.requests ?? 0).second;
    return server ? { ...one, server, unit: "requests", speed } : one;
  });
  const { memory_bytes: memory, disk_bytes: disk } = http.cache ?? {};
  const kept = http.cache ? [`${share(pace(hitsOf).all, all.all)} hits`, `${bytes(memory)} kept in memory, ${bytes(disk)} on disk`] : [];
  const asked = [`${rate(all.second)} requests/s`, ...kept].join(" · ");
  return { ...view, who: "client", asked, unit: "requests", speed: all.second, destinations };
}

function destinationOf(counted, sight, live) {
  const { matched = 0, missing = 0, extra = 0, different = 0 } = counted;
  const shedFrames = Object.values(counted.shed).reduce((sum, tally) => sum + tally.frames, 0);
  return {
    destination: counted.destination, address: counted.address, accepted: counted.accepted, delivered: counted.delivered,
    outages: Math.max(counted.outages, sight?.workers?.outages ?? 0),
    connections: Math.max(counted.connections, sight?.workers?.connections ?? 0),
    inFlight: counted.in_flight, isPrimary: counted.role === "primary",
    isAway: counted.is_away, awaySeconds: sight?.away_seconds, isBalanced: sight?.is_balanced ?? true,
    matched, missing, extra, different, compared: matched + missing + different,
    live, shedFrames, speed: sight ? speedOf(sight) : 0, unit,
  };
}

const speedOf = (flow) => (unit === "bytes" ? flow.byte_rate_1s : flow.frame_rate_1s);

function shedOf(routes) {
  const several = routes.length > 1;
  const of = (route) => (one) =>
    Object.entries(one.shed).map(([reason, { frames, bytes }]) => ({
      place: several ? `${route.route} › ${one.destination}` : one.destination,
      reason, frames, bytes, accepted: one.accepted.frames,
    }));
  return routes.flatMap((route) => route.destinations.flatMap(of(route)));
}

function show() {
  if (!latest) return;
  const { routes, destinations, nodes } = latest;
  byId("main").hidden = false;
  byId("empty").hidden = routes.length > 0;
  byId("fabric").hidden = routes.length === 0;
  tellHead(latest);
  showRoutes(routes.map((route) => viewOf(route, destinations)));
  divergences.take(latest.divergences);
  showShed(shedOf(routes));
  showNodes(nodes);
}

/** What the stats-node knows of the last minutes; without it the charts begin now. */
async function recall() {
  try {
    const answer = await fetch("history");
    history.take((await answer.json()).points);
    show();
  } catch {
    // Whoever lost the connection in between is told so by the stream.
  }
}

follow({
  stats(summary) {
    [latest, heardAt] = [summary, Date.now()];
    requests.take(summary.routes, performance.now());
    show();
  },
  history: (point) => history.take([point]),
  event(told) {
    if (told.event.kind === "diverged") divergences.take([told]);
  },
  connected() {
    tellConnected();
    recall();
  },
  lost: () => tellLost(heardAt),
});

for (const choice of document.querySelectorAll("input[name=unit]")) {
  choice.addEventListener("change", () => ((unit = choice.value), show()));
}

listen();
