// The keyboard: single letters lead to the parts of the page, and `?` says which.
//
// They do nothing where something is typed or chosen, nor together with other keys, which are the browser's.

import { byId } from "./dom.js";

const PARTS = { f: "fabric", d: "divergences", s: "shed", n: "nodes" };
const CHOICES = { u: "unit", x: "bytes" };

export function listen() {
  byId("help").addEventListener("click", open);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isBusy(event.target)) return;
    if (act(event.key)) event.preventDefault();
  });
}

function isBusy(target) {
  return byId("keys").open || target.closest?.("select, textarea, input:not([type=radio])");
}

function act(key) {
  if (key === "?") return open(), true;
  if (PARTS[key]) return visit(byId(PARTS[key])), true;
  if (CHOICES[key]) return turn(CHOICES[key]), true;
  return false;
}

function open() {
  byId("keys").showModal();
}

function visit(part) {
  part.tabIndex = -1;
  part.focus();
  part.scrollIntoView();
}

/** The other of two choices. */
function turn(name) {
  document.querySelector(`input[name=${name}]:not(:checked)`).click();
}
