// Divergences: newest first, with what the source had said and both replies side by side, the first difference marked.
//
// The stats-node keeps the last 32. What the page has seen it keeps itself, up to `KEPT`, also when a restarted stats-node
// has forgotten it.

import { byId, element, keyed, mark, say } from "./dom.js";
import { bytesOf, shown } from "./bytes.js";
import { clock, plural } from "./format.js";

const KEPT = 100;
const BRIEF = 60;
/** So many are listed until all are asked for. */
const LISTED = 8;

const ABSENT = {
  missing: "no such reply in time",
  extra: "said nothing of the kind",
};

/** The last moment that a date can be. */
const LATEST = 8.64e15;
const TEXTS = ["route", "destination", "finding", "request", "primary", "secondary"];

/** Whether it has what is shown of it; anybody who reaches the port for reports may tell anything. */
const isReadable = ({ time, event }) =>
  time <= LATEST && TEXTS.every((name) => typeof event[name] === "string");

const identity = (told) => [told.node, told.incarnation, told.shard, told.sequence].join("/");
const place = ({ event }) => `${event.route} › ${event.destination}`;

export class Divergences {
  #known = new Map();
  #style = "text";
  #isFirst = true;
  #isWhole = false;
  #open = new Set();

  constructor() {
    this.list = keyed(byId("divergences-list"), identity, (told) => this.#item(told));
    byId("of").addEventListener("change", () => this.#draw());
    byId("divergences-all").addEventListener("click", () => ((this.#isWhole = !this.#isWhole), this.#draw()));
    for (const choice of document.querySelectorAll("input[name=bytes]")) {
      choice.addEventListener("change", () => ((this.#style = choice.value), this.#draw()));
    }
  }

  /** Takes divergences; those it knows change nothing, and those that cannot be read are left out. */
  take(divergences) {
    for (const told of divergences.filter(isReadable)) this.#known.set(identity(told), told);
    const newest = [...this.#known.values()].sort((one, other) => other.time - one.time).slice(0, KEPT);
    this.#known = new Map(newest.map((told) => [identity(told), told]));
    this.#open = new Set([...this.#open].filter((open) => this.#known.has(open)));
    this.#draw();
  }

  #draw() {
    const all = [...this.#known.values()];
    offer(byId("of"), [...new Set(all.map(place))].sort());
    const wanted = byId("of").value;
    const these = all.filter((told) => !wanted || place(told) === wanted);
    say(byId("divergences-count"), all.length ? String(these.length) : "");
    byId("divergences-none").hidden = all.length > 0;
    mark(byId("divergences"), "data-empty", all.length ? "no" : "yes");
    this.list(these.filter((told, index) => this.#isWhole || index < LISTED || this.#open.has(identity(told))));
    const button = byId("divergences-all");
    button.hidden = these.length <= LISTED;
    say(button, this.#isWhole ? `Show the newest ${LISTED}` : `Show all ${these.length}`);
  }

  /** Only the newest that is there from the beginning is open. What is open stays listed. */
  #item(told) {
    const { event } = told;
    const body = element("div", { class: "body" });
    const isOpen = this.#isFirst;
    this.#isFirst = false;
    const details = element("details", { open: isOpen }, summary(told), body);
    let style = null;
    const fill = () => {
      this.#open[details.open ? "add" : "delete"](identity(told));
      if (!details.open || style === this.#style) return;
      style = this.#style;
      body.replaceChildren(...sides(event, style));
    };
    details.addEventListener("toggle", fill);
    return { node: element("li", { "data-finding": event.finding }, details), update: fill };
  }
}

function offer(select, places) {
  const [all, ...old] = select.options;
  if (old.map((option) => option.value).join() === places.join()) return;
  const wanted = select.value;
  select.replaceChildren(all, ...places.map((name) => element("option", { value: name }, name)));
  select.value = places.includes(wanted) ? wanted : "";
}

function summary(told) {
  const { event } = told;
  const more = event.left_out ? `+ ${plural(event.left_out, "more", "more")}` : "";
  return element(
    "summary",
    {},
    element("time", { datetime: new Date(told.time).toISOString() }, clock(told.time)),
    element("span", { class: "finding" }, event.finding),
    element("span", { class: "place" }, place(told)),
    element("code", {}, brief(event.request)),
    element("span", { class: "more", title: "of the same kind, not told one by one" }, more),
  );
}

const brief = (text) => (text.length > BRIEF ? `${text.slice(0, BRIEF)}…` : text);

function sides(event, style) {
  const said = (title, text, absent, offset) => {
    const bytes = bytesOf(text);
    const content = bytes.length ? shown(bytes, style, offset) : element("p", { class: "absent" }, absent);
    const size = bytes.length ? ` · ${plural(bytes.length, "byte")}` : "";
    return element("div", { class: "side" }, element("h4", {}, title, element("small", {}, size)), content);
  };
  const { finding, offset, path } = event;
  const request = said("the source said", event.request, "not known any more", null);
  request.classList.add("request");
  const beyond = path ? `What differs first is ${path}.` : "The first difference is beyond these bytes.";
  const where = offset === null && finding === "different" ? beyond : "";
  const differs = offset === null ? where : `The first difference is byte ${offset}, counted from 0.`;
  return [
    request,
    said("primary", event.primary, ABSENT.extra, offset),
    said(event.destination, event.secondary, ABSENT.missing, offset),
    element("p", { class: "note" }, [differs, event.session ? `Session ${event.session}.` : ""].join(" ").trim()),
  ];
}
