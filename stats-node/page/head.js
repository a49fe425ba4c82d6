// The head of the page: how healthy the fabric is and why, how much there is of it, and whether the page still hears of it.

import { byId, element, mark, say } from "./dom.js";
import { clock, count, plural, rate, span } from "./format.js";

const WORDS = {
  primary_away: ({ destination, route }) => `The primary ${destination} of ${route} is away: its sources are not served.`,
  no_server: ({ route }) => `No server of ${route} can be reached: its requests are not answered.`,
  node_stale: ({ node, silent_seconds: silent }) => `Node ${node} has been silent for ${span(silent)}.`,
};

const inWords = (problem) => (WORDS[problem.problem] ?? ((unknown) => JSON.stringify(unknown)))(problem);

/** Health and figures. */
export function tellHead(summary) {
  const { problems, routes } = summary;
  const sum = (of) => routes.reduce((all, route) => all + of(route), 0);
  say(byId("kind"), summary.node);
  mark(byId("health"), "data-health", problems.length ? "bad" : "good");
  say(byId("health-text"), problems.length ? plural(problems.length, "problem") : "healthy");
  tellProblems(problems.map(inWords));
  say(byId("sources"), many(sum((route) => route.http?.clients ?? route.sessions?.live ?? 0)));
  say(byId("frames"), rate(sum((route) => route.frame_rate_1s)));
  say(byId("bytes"), rate(sum((route) => route.byte_rate_1s)));
  byId("foo").hidden = !routes.some((route) => route.foo);
  say(byId("requests"), rate(summary.request_rate_1s));
}

const many = (number) => (number < 10_000 ? count(number) : rate(number));

function tellProblems(sentences) {
  const list = byId("problems");
  list.hidden = sentences.length === 0;
  while (list.children.length > sentences.length) list.lastChild.remove();
  while (list.children.length < sentences.length) list.append(element("li"));
  sentences.forEach((sentence, index) => say(list.children[index], sentence));
}

/** The banner while nothing is heard: the numbers are those of `since`, in milliseconds since 1970. */
export function tellLost(since) {
  const banner = byId("banner");
  const known = since ? `The numbers are those of ${clock(since)}.` : "Nothing has been heard yet.";
  say(banner, `The connection to ${location.host} is lost. ${known} Trying again…`);
  banner.hidden = false;
  document.body.dataset.connection = "lost";
  document.title = "(lost) pegloom";
  mark(byId("health"), "data-health", "unknown");
  say(byId("health-text"), "not connected");
}

export function tellConnected() {
  byId("banner").hidden = true;
  document.body.dataset.connection = "there";
  document.title = "pegloom";
}
