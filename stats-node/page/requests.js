// How fast the requests of routes of HTTP come: what is counted now less what was counted up to ten seconds ago.
//
// Statistics are totals and tell no time, so the time is that at which the page heard them. Totals that have fallen, because a
// stats-node was started anew, make a rate of zero and not a negative one.

const SPAN = 10_000;

export class Requests {
  #moments = [];

  /** Takes the routes of the latest statistics, heard at `now`, in milliseconds. */
  take(routes, now) {
    this.#moments.push({ now, counted: new Map(routes.map((route) => [route.route, route.http])) });
    while (this.#moments.length > 2 && now - this.#moments[0].now > SPAN) this.#moments.shift();
  }

  /** How fast something rises that is counted of a route's requests: a second, or in all that is remembered. */
  risen(route, count) {
    const [before, after] = [this.#moments[0], this.#moments.at(-1)];
    const [old, latest] = [before, after].map((moment) => moment?.counted.get(route));
    if (!old || !latest) return { all: 0, second: 0 };
    const all = Math.max(0, count(latest) - count(old));
    // The first two may come at once.
    return { all, second: (all * 1000) / Math.max(1000, after.now - before.now) };
  }
}

/** Requests that a cache answered with what was fresh. */
export const hitsOf = (http) => http.cache?.counts.hits ?? 0;
