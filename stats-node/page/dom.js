// Elements, made without HTML: whatever a node says becomes text or the value of an attribute, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; strings among them are text. */
export function element(name, attributes = {}, ...children) {
  return dressed(document.createElement(name), attributes, children);
}

/** The same, of a picture. */
export function drawn(name, attributes = {}, ...children) {
  return dressed(document.createElementNS(SVG, name), attributes, children);
}

function dressed(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

export const byId = (id) => document.getElementById(id);

/** Writes only what has changed, so that selections and screen readers are left alone. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** The same, of an attribute; `null` removes it. */
export function mark(target, name, value) {
  if (value === null) target.removeAttribute(name);
  else if (target.getAttribute(name) !== String(value)) target.setAttribute(name, value);
}

/**
 * Makes `parent` have one child for each of `items`, in their order. Children are known by `key`, stay while their item
 * does, and are told of it: `make(item)` gives `{ node, update(item) }`.
 */
export function keyed(parent, key, make) {
  const known = new Map();
  return (items) => {
    const wanted = new Map(items.map((item) => [key(item), item]));
    for (const [name, { node }] of known) {
      if (!wanted.has(name)) node.remove(), known.delete(name);
    }
    let place = parent.firstChild;
    for (const [name, item] of wanted) {
      if (!known.has(name)) known.set(name, make(item));
      const { node, update } = known.get(name);
      if (node === place) place = place.nextSibling;
      else parent.insertBefore(node, place);
      update(item);
    }
  };
}
