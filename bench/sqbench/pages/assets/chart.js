// Scales, axes and marks of the charts: SVG in the size of its container, in the page's colours.

const SHAPES = [
  (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0`,
  (r) => `M${-r * 0.9},${-r * 0.9}h${r * 1.8}v${r * 1.8}h${-r * 1.8}z`,
  (r) => `M0,${-r * 1.25}L${r * 1.25},0L0,${r * 1.25}L${-r * 1.25},0z`,
  (r) => `M0,${-r * 1.2}L${r * 1.15},${r * 0.9}H${-r * 1.15}z`,
  (r) => `M0,${r * 1.2}L${r * 1.15},${-r * 0.9}H${-r * 1.15}z`,
];
const COLOURS = 10;
const colour = (i) => `var(--c${i % COLOURS})`;
const shape = (i, r) => SHAPES[(i + Math.floor(i / COLOURS)) % SHAPES.length](r);

function linearScale(low, high, from, to) {
  if (low === high) { low -= Math.abs(low) * 0.05 || 0.5; high += Math.abs(high) * 0.05 || 0.5; }
  const at = (value) => from + ((value - low) / (high - low)) * (to - from);
  const rough = (high - low) / Math.max(2, Math.min(6, Math.abs(to - from) / 55));
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((each) => each >= rough * 0.999);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(i * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return { at, ticks, text: (value) => num(value, digits) };
}

function logScale(low, high, from, to, text) {
  if (low === high) { low /= 1.5; high *= 1.5; }
  const a = Math.log10(low), b = Math.log10(high);
  const at = (value) => from + ((Math.log10(value) - a) / (b - a)) * (to - from);
  const room = Math.abs(to - from) / (b - a);  // pixels a decade
  const steps = room > 190 ? [1, 2, 3, 5, 7] : room > 100 ? [1, 2, 5] : room > 60 ? [1, 3] : [1];
  const ticks = [];
  for (let power = Math.floor(a) - 1; power <= b; power++) {
    for (const step of steps) {
      const value = step * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) ticks.push(value);
    }
  }
  return { at, ticks, text };
}

// The frame of a chart. Returns what marks are added to, and the scales.
function frame(width, height, label, x, y) {
  const pad = { left: 46, right: 14, top: 10, bottom: 40 };
  const xs = x.log
    ? logScale(x.low, x.high, pad.left, width - pad.right, x.text)
    : linearScale(x.low, x.high, pad.left, width - pad.right);
  const ys = linearScale(y.low, y.high, height - pad.bottom, pad.top);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label });
  for (const value of ys.ticks) {
    root.append(svg("line", { class: "grid", x1: pad.left, x2: width - pad.right, y1: ys.at(value), y2: ys.at(value) }),
      svg("text", { x: pad.left - 6, y: ys.at(value) + 4, "text-anchor": "end" }, ys.text(value)));
  }
  for (const value of xs.ticks) {
    root.append(svg("line", { class: "grid", x1: xs.at(value), x2: xs.at(value), y1: pad.top, y2: height - pad.bottom }),
      svg("text", { x: xs.at(value), y: height - pad.bottom + 15, "text-anchor": "middle" }, xs.text(value)));
  }
  root.append(svg("line", { class: "axis", x1: pad.left, x2: width - pad.right, y1: height - pad.bottom, y2: height - pad.bottom }),
    svg("text", { x: (pad.left + width - pad.right) / 2, y: height - 6, "text-anchor": "middle" }, x.label));
  return { root, xs, ys, pad, width, height };
}

// A mark that tells what it is to mouse, keyboard and screen reader. One of a chart is in the tab
// order; arrow keys go from it to the others.
function mark(chart, x, y, lines, drawn, halo) {
  const made = svg("g", { class: "hit", transform: `translate(${x},${y})`, role: "img", "aria-label": lines.filter(Boolean).join("; "),
    tabindex: chart.marks ? -1 : 0 }, svg("path", { class: "halo", d: SHAPES[0](halo) }), drawn);
  chart.marks = chart.marks || [];
  chart.marks.push(made);
  withTip(made, () => lines);
  made.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = chart.marks;
    const next = all[(all.indexOf(made) + step + all.length) % all.length];
    made.setAttribute("tabindex", -1);
    next.setAttribute("tabindex", 0);
    next.focus();
  });
  chart.root.append(made);
  return made;
}

// Draw into a box again whenever its width changes.
function fitted(box, draw) {
  let drawn = 0;
  const redraw = () => {
    const width = Math.floor(box.clientWidth);
    if (!width || width === drawn) return;
    drawn = width;
    box.replaceChildren(draw(width));
  };
  redraw();  // at once where the box is on the page already
  new ResizeObserver(redraw).observe(box);
  return box;
}

function domain(values, room) {
  const low = Math.min(...values), high = Math.max(...values);
  const more = (high - low || Math.abs(high) || 1) * room;
  return [low - more, high + more];
}
