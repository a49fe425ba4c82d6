// What was said, as bytes: out of the escapes it is told with, and shown so that the first difference is seen.
//
// It was said by devices and destinations, so nothing of it is ever taken for anything but text.

import { element } from "./dom.js";

const ESCAPED = /\\x([0-9a-f]{2})|\\([\s\S])|([\s\S])/g;
const LETTERS = { t: 9, n: 10, r: 13 };
const A_ROW = 8;

/** The bytes of text with escapes: `\n`, `\xff`, `\\`. */
export function bytesOf(text) {
  return Array.from(text.matchAll(ESCAPED), ([, hex, escaped, plain]) => {
    if (hex) return parseInt(hex, 16);
    return escaped ? (LETTERS[escaped] ?? escaped.charCodeAt(0)) : plain.charCodeAt(0);
  });
}

/** The bytes as an element, as `text` or `hex`, with the byte at `offset` marked; none is marked where it is null. */
export function shown(bytes, style, offset) {
  const parts = style === "hex" ? asHex(bytes, offset) : asText(bytes, offset);
  return element("pre", { class: `said ${style}`, tabindex: "0" }, ...parts);
}

function asText(bytes, offset) {
  const all = bytes.map((byte, index) => one(byte, index === offset));
  // An end is a difference as well.
  if (offset === bytes.length) all.push(end());
  return joined(all);
}

/** Neighbouring strings in one: a kilobyte needs no thousand nodes. */
function joined(parts) {
  const all = [];
  for (const part of parts) {
    if (typeof part === "string" && typeof all.at(-1) === "string") all.push(all.pop() + part);
    else all.push(part);
  }
  return all;
}

function one(byte, isMarked) {
  const isPlain = byte >= 32 && byte < 127;
  const text = isPlain ? String.fromCharCode(byte) : escape(byte);
  const made = isPlain ? text : element("span", { class: "escape" }, text);
  const whole = isMarked ? element("mark", { title: "the first byte that differs" }, made) : made;
  return byte === 10 && !isPlain ? fragment(whole, "\n") : whole;
}

function escape(byte) {
  const letter = { 9: "\\t", 10: "\\n", 13: "\\r" }[byte];
  return letter ?? `\\x${hex(byte)}`;
}

function fragment(...parts) {
  const made = document.createDocumentFragment();
  made.append(...parts);
  return made;
}

const hex = (byte) => byte.toString(16).padStart(2, "0");

const end = () => element("mark", { class: "end", title: "the first difference: it ends here" }, "⌁ end");

function asHex(bytes, offset) {
  const rows = [];
  const isAfter = offset === bytes.length;
  for (let begin = 0; begin < bytes.length; begin += A_ROW) rows.push(...row(bytes, begin, offset));
  return isAfter ? [...rows, end()] : rows;
}

function row(bytes, begin, offset) {
  const part = bytes.slice(begin, begin + A_ROW);
  const cells = part.flatMap((byte, index) => {
    const isMarked = begin + index === offset;
    return [isMarked ? element("mark", { title: "the first byte that differs" }, hex(byte)) : hex(byte), " "];
  });
  const printable = part.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
  const pad = "   ".repeat(A_ROW - part.length);
  const place = element("span", { class: "place" }, `${begin.toString(16).padStart(4, "0")}  `);
  return [place, ...cells, `${pad} ${printable}\n`];
}
