// The connection to the stats-node: `/events`, kept open, and opened again for as long as the page is.
//
// Browsers try again by themselves after most failures, but not after all. So silence is what counts here: statistics come
// each second, and when they have not for `PATIENCE`, what is there is thrown away and opened anew.

const PATIENCE = 4000;
const LOOK = 500;

/**
 * Calls `on.stats`, `on.history` and `on.event` with what is told, `on.connected` when a connection begins to speak, and
 * `on.lost` when it has ended.
 */
export function follow(on) {
  let source = null;
  let isConnected = false;
  let isLost = false;
  let lastWord = performance.now();

  const heard = (name) => (message) => {
    lastWord = performance.now();
    if (name === "stats" && !isConnected) ([isConnected, isLost] = [true, false]), on.connected();
    on[name](JSON.parse(message.data));
  };

  const lose = () => {
    if (!isLost) ([isConnected, isLost] = [false, true]), on.lost();
  };

  const open = () => {
    source?.close();
    lastWord = performance.now();
    source = new EventSource("events");
    for (const name of ["stats", "history", "event"]) source.addEventListener(name, heard(name));
    source.addEventListener("error", lose);
  };

  open();
  setInterval(() => {
    const isSilent = performance.now() - lastWord > PATIENCE;
    if (isSilent) lose();
    if (isSilent || source.readyState === EventSource.CLOSED) open();
  }, LOOK);
}
