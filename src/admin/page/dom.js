// SPDX-License-Identifier: MIT
// Elements, and rows that are kept from one update to the next. All text is set as text.

export const $ = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Writes only what differs: a screen reader, a selection and the layout are left alone.
export function text(node, value) {
  const wanted = String(value);
  if (node.textContent !== wanted) node.textContent = wanted;
}

export function attribute(node, name, value) {
  const wanted = String(value);
  if (node.getAttribute(name) !== wanted) node.setAttribute(name, wanted);
}

// Makes the children of `parent` one for each item, in their order. `make(item)` gives {node, update(item), gone()};
// it is called once a key. An element that is moved keeps the focus.
export function keyed(parent, kept, items, key, make) {
  const focused = document.activeElement;
  const left = new Map(kept);
  let place = parent.firstChild;
  for (const item of items) {
    const name = key(item);
    let row = left.get(name);
    left.delete(name);
    if (!row) {
      row = make(item);
      kept.set(name, row);
    }
    if (row.node !== place) parent.insertBefore(row.node, place);
    else place = place.nextSibling;
    row.update(item);
  }
  for (const [name, row] of left) {
    row.gone?.();
    row.node.remove();
    kept.delete(name);
  }
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}

// A cell that says what it is where the table's head is not shown.
export function cell(label, className = "", ...children) {
  const made = el("td", { role: "cell", "data-label": label }, ...children);
  if (className) made.className = className;
  return made;
}

const numbers = [0, 1, 2].map((digits) => new Intl.NumberFormat("en", { maximumFractionDigits: digits }));

export function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return numbers[size >= 100 ? 0 : size >= 10 ? 1 : 2].format(value);
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 0.9995) return `${number(value * 1000)} ms`;
  if (value < 120) return `${number(value)} s`;
  if (value < 7200) return `${Math.floor(value / 60)} min`;
  if (value < 172800) return `${Math.floor(value / 3600)} h`;
  return `${Math.floor(value / 86400)} d`;
}

const times = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
export const time = (at) => times.format(at * 1000);
