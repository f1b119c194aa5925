// Elements, numbers, and the one tooltip. Text is only ever set as text: nothing here parses HTML.

const NOTHING = "\u2013";

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined) made.append(child);
  }
  return made;
}

const el = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

function num(value, digits) {
  if (value === null || value === undefined) return NOTHING;
  return value.toFixed(digits).replace(/^-(?=[\d.]*[1-9])/, "\u2212").replace(/^-/, "");
}

// Four significant digits, for what has no column of its own.
const brief = (value) =>
  value === null || value === undefined ? NOTHING : String(Number(value.toPrecision(4))).replace("-", "\u2212");

const percent = (value) => (value > 0 ? "+" : "") + num(value, Math.abs(value) < 9.95 ? 1 : 0) + "\u202f%";

function bits(value) {
  if (value === null || value === undefined) return NOTHING;
  return value < 1000 ? `${Math.round(value)} b/s` : `${Number((value / 1000).toPrecision(3))} kb/s`;
}

const ARROW = { higher: "\u2191", lower: "\u2193" };
const arrow = (column) => ARROW[column.direction] || "";

function columnName(column) {
  const unit = column.by ? `by ${column.by}` : column.unit;
  return [column.title, arrow(column), unit ? `(${unit})` : ""].filter(Boolean).join(" ");
}

function groupBy(items, nameOf) {
  const found = new Map();
  for (const item of items) found.set(nameOf(item), [...(found.get(nameOf(item)) || []), item]);
  return found;
}

function median(values) {
  const some = values.filter((value) => value !== null && value !== undefined).sort((a, b) => a - b);
  return some.length ? quantile(some, 0.5) : null;
}

function quantile(sorted, share) {
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
}

const tip = el("div", { id: "tip", role: "tooltip", hidden: true });

function showTip(target, lines) {
  tip.replaceChildren(...lines.filter(Boolean).map((line) => el("div", null, line)));
  tip.hidden = false;
  const box = target.getBoundingClientRect();
  const left = Math.min(Math.max(8, box.left + box.width / 2 - tip.offsetWidth / 2), innerWidth - tip.offsetWidth - 8);
  const above = box.top - tip.offsetHeight - 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 4 ? above : Math.min(box.bottom + 8, innerHeight - tip.offsetHeight - 4)}px`;
}

const hideTip = () => { tip.hidden = true; };

// What hover, focus and a tap show; a screen reader has it as the element's name.
function withTip(target, lines) {
  const show = () => showTip(target, lines());
  target.addEventListener("mouseenter", show);
  target.addEventListener("focus", show);
  target.addEventListener("click", show);
  target.addEventListener("mouseleave", hideTip);
  target.addEventListener("blur", hideTip);
  return target;
}

function why(sign, reason) {
  const made = el("button", { type: "button", class: "why", "aria-label": `${sign === NOTHING ? "no value" : "incomplete"}: ${reason}` }, sign);
  return withTip(made, () => [reason]);
}

function select(label, options, chosen, changed) {
  const made = el("select", { onchange: (event) => changed(event.target.value) },
    options.map(([value, text]) => el("option", { value, selected: value === chosen }, text)));
  return el("label", null, `${label} `, made);
}

function check(label, on, changed) {
  const box = el("input", { type: "checkbox", onchange: (event) => changed(event.target.checked) });
  box.checked = on;
  return el("label", null, box, label);
}

// A table of texts and nodes. heads: [text, "text" for a column of words]; rows: cells, the first a name.
function plainTable(label, heads, rows, kind) {
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    el("table", { class: kind },
      el("thead", null, el("tr", null, heads.map(([text, words]) => el("th", { scope: "col", class: words }, text)))),
      el("tbody", null, rows.map((cells) => el("tr", null, cells.map((cell, i) =>
        i ? el("td", { class: heads[i][1] }, cell) : el("th", { scope: "row" }, cell)))))));
}
