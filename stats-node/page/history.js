// Rates of the last five minutes, as points of one second.
//
// The stats-node has its own past at `/history`, from its start; what the page has seen before a restart stays here, and
// seconds of which nobody knows stay empty.

/** What charts show, in seconds. */
export const SPAN = 300;

/** Further apart than so many milliseconds, something is missing between two points. */
const GAP = 2500;

export class History {
  #points = new Map();

  /** Takes points of the stats-node; those it has told before change nothing. */
  take(points) {
    for (const point of points) this.#points.set(point.time, point);
    const times = [...this.#points.keys()].sort((one, other) => one - other);
    const newest = times.at(-1) ?? 0;
    this.#points = new Map(
      times.filter((time) => time > newest - SPAN * 1000).map((time) => [time, this.#points.get(time)]),
    );
  }

  /** The time of the newest point. */
  get newest() {
    return [...this.#points.keys()].at(-1) ?? 0;
  }

  /**
   * What is to be drawn of a route: the rates of its sources first, then those of each destination, as lists of
   * `{ time, value }`; `value` is null where nothing is known.
   */
  lines(route, destinations, unit) {
    const points = [...this.#points.values()].map((point) => ({
      time: point.time,
      route: point.routes.find((known) => known.route === route),
    }));
    const of = (pick) => withGaps(points.map(({ time, route }) => ({ time, value: pick(route)?.[unit] ?? null })));
    const named = (name) => (route) => route?.destinations.find((known) => known.destination === name);
    return [of((route) => route), ...destinations.map((name) => of(named(name)))];
  }
}

function withGaps(points) {
  return points.flatMap((point, index) => {
    const before = points[index - 1];
    const isGap = before && point.time - before.time > GAP;
    return isGap ? [{ time: before.time + 1, value: null }, point] : [point];
  });
}
