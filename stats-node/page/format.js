// Numbers, spans and moments as people read them; always about as wide, so that nothing jumps.

const PREFIXES = ["", "k", "M", "G", "T", "P"];

/** Three digits and a prefix: 0, 5.0, 12.3, 940, 1.24k. */
export function rate(value) {
  let size = 0;
  while (value >= 999.5 && size < PREFIXES.length - 1) (value /= 1000), (size += 1);
  return value.toFixed(digitsOf(value, size > 0)) + PREFIXES[size];
}

function digitsOf(value, isShort) {
  if (value === 0 || value >= 99.5) return 0;
  return isShort && value < 9.95 ? 2 : 1;
}

/** Every digit, in groups. */
export function count(value) {
  return value.toLocaleString("en-GB").replaceAll(",", "\u202f");
}

export function bytes(value) {
  const [, digits, prefix] = (value < 1000 ? String(Math.round(value)) : rate(value)).match(/^(.*?)([a-zA-Z]?)$/);
  return `${digits}\u00a0${prefix}B`;
}

/** How fast, in frames or bytes a second. */
export function speed(value, unit) {
  return unit === "bytes" ? `${bytes(value)}/s` : `${rate(value)}/s`;
}

/** All is 100 % and nothing is 0 %, and what is merely near is neither. */
export function share(part, whole) {
  if (whole === 0) return "–";
  if (part === whole || part === 0) return part ? "100 %" : "0 %";
  return `${Math.min(99.9, Math.max(0.1, (100 * part) / whole)).toFixed(1)} %`;
}

/** How long, in its two largest units at most: 4 s, 3 min 5 s, 2 h 10 min. */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** The time of day of milliseconds since 1970. */
export function clock(millis) {
  return new Date(millis).toLocaleTimeString("en-GB");
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}
