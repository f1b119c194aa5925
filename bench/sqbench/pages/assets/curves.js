// Quality over measured bits, a chart a metric; and the paper's Figure 1, quality over operations.

// Place of each line among the colours, the same in every chart.
function lineOrder(section) {
  const names = [];
  for (const kind of ["codec", "paper"]) {
    for (const row of section.rows) {
      if (row.kind === kind && !names.includes(row.line)) names.push(row.line);
    }
  }
  return new Map(names.map((name, i) => [name, i]));
}

const xOf = (row) => row.values.measured_bps ?? row.values.bitrate_bps;

function rowLines(row, column, extra) {
  const count = row.counts && row.counts[column.key];
  const ends = row.intervals[column.key];
  return [
    row.label + (row.weights && row.weights !== "none" ? ` (${row.weights})` : ""),
    row.values.measured_bps ? `${Math.round(row.values.measured_bps)} b/s measured` : row.values.bitrate_bps ? `${row.values.bitrate_bps} b/s nominal` : "",
    `${column.title} ${num(row.values[column.key], column.digits)}${column.unit ? ` ${column.unit}` : ""}` +
      (ends ? ` [${num(ends[0], column.digits)}, ${num(ends[1], column.digits)}]` : ""),
    count ? `${count[0]} of ${count[1]} clips` : "",
    ...(extra || []),
  ];
}

function drawMark(place, r, hollow) {
  return svg("path", { d: shape(place, r), fill: hollow ? "var(--card)" : colour(place), stroke: colour(place), "stroke-width": 2 });
}

function curveChart(section, column, order, state, width) {
  const shown = section.rows.filter((row) => row.values[column.key] !== null && xOf(row)
    && (row.kind === "codec" || (row.kind === "paper" && state.paper)) && !state.off.has(row.line));
  if (!shown.length) return el("p", { class: "empty" }, "Nothing to draw: no codec that is shown has a value.");
  const ends = (row) => (state.intervals && row.intervals[column.key]) || [row.values[column.key], row.values[column.key]];
  let [low, high] = domain(shown.flatMap(ends), 0.07);
  const reach = high - low;
  const controls = section.rows.filter((row) => row.kind === "control" && row.values[column.key] !== null);
  const near = controls.filter((row) => ends(row)[0] > low - reach && ends(row)[1] < high + reach);
  if (near.length) [low, high] = [Math.min(low, ...near.map((r) => ends(r)[0] - reach * 0.03)), Math.max(high, ...near.map((r) => ends(r)[1] + reach * 0.03))];
  const x = shown.map(xOf);
  const chart = frame(width, Math.max(230, Math.min(330, width * 0.68)), `${columnName(column)} over measured bits a second`,
    { log: true, low: Math.min(...x) / 1.15, high: Math.max(...x) * 1.15, label: "measured kb/s, logarithmic", text: (v) => String(Number((v / 1000).toPrecision(2))) },
    { low, high });
  const names = [];  // of controls that lie on one another, together
  for (const row of near.slice().sort((a, b) => chart.ys.at(a.values[column.key]) - chart.ys.at(b.values[column.key]))) {
    const [bottom, top] = ends(row).map(chart.ys.at);
    const y = chart.ys.at(row.values[column.key]);
    const band = svg("g", null,
      svg("rect", { class: "control", x: chart.pad.left, width: width - chart.pad.left - chart.pad.right, y: Math.min(top, bottom) - 0.5, height: Math.abs(bottom - top) + 1 }),
      svg("line", { class: "control-line", x1: chart.pad.left, x2: width - chart.pad.right, y1: y, y2: y }));
    chart.root.append(band);
    const last = names[names.length - 1], at = y > chart.pad.top + 10 ? y - 4 : y + 13;
    if (last && Math.abs(at - last.at) < 13) last.labels.push(row.label);
    else names.push({ at, labels: [row.label] });
  }
  for (const { at, labels } of names) chart.root.append(svg("text", { x: chart.pad.left + 4, y: at }, labels.join(", ")));
  const lines = new Map();
  for (const row of shown) lines.set(row.line, [...(lines.get(row.line) || []), row]);
  for (const [name, rows] of lines) {
    const points = rows.slice().sort((a, b) => xOf(a) - xOf(b));
    const path = points.map((row, i) => `${i ? "L" : "M"}${chart.xs.at(xOf(row)).toFixed(1)},${chart.ys.at(row.values[column.key]).toFixed(1)}`).join("");
    chart.root.append(svg("path", { class: points[0].kind === "paper" ? "curve paper" : "curve", d: path, stroke: colour(order.get(name)) }));
  }
  for (const [name, rows] of lines) {
    for (const row of rows.sort((a, b) => xOf(a) - xOf(b))) {
      const px = chart.xs.at(xOf(row)), py = chart.ys.at(row.values[column.key]);
      if (state.intervals && row.intervals[column.key]) {
        const [bottom, top] = ends(row).map(chart.ys.at);
        chart.root.append(svg("path", { d: `M${px},${bottom}V${top}M${px - 4},${bottom}h8M${px - 4},${top}h8`, stroke: colour(order.get(name)), "stroke-width": 1.3, fill: "none" }));
      }
      mark(chart, px, py, rowLines(row, column), drawMark(order.get(name), 4.2, row.kind === "paper"), 9);
    }
  }
  const far = controls.filter((row) => !near.includes(row));
  const note = far.length ? el("p", { class: "dim small" }, "Off the scale: ",
    far.map((row) => `${row.label} ${num(row.values[column.key], column.digits)}`).join(", ")) : null;
  return el("div", null, chart.root, note);
}

const CATEGORIES = [["speech", "Speech"], ["audio", "Audio: music and other sounds"], ["all", "All clips"], ["application", "Applications"]];

function viewCurves(mount, section) {
  const order = lineOrder(section);
  const state = { paper: false, intervals: true, off: new Set() };
  const legend = el("div", { class: "legend", role: "group", "aria-label": "Lines shown" });
  const charts = el("div");
  const draw = () => {
    legend.replaceChildren(...[...order].filter(([name]) => state.paper || section.rows.some((r) => r.line === name && r.kind !== "paper")).map(([name, i]) =>
      el("button", { type: "button", "aria-pressed": String(!state.off.has(name)), onclick: () => {
        if (!state.off.delete(name)) state.off.add(name);
        draw();
        legend.querySelectorAll("button").forEach((each) => { if (each.textContent === name) each.focus(); });
      } }, svgSwatch(i, section.rows.some((r) => r.line === name && r.kind === "paper")), name)));
    charts.replaceChildren(...CATEGORIES.flatMap(([category, title]) => {
      const columns = section.columns.filter((column) => column.scores && column.category === category
        && section.rows.some((row) => row.kind !== "paper" && row.values[column.key] !== null));
      if (!columns.length) return [];
      return [el("h3", null, title), el("div", { class: "cards" }, columns.map((column) =>
        el("figure", null, el("figcaption", null, `${column.title} ${arrow(column)} `, el("span", null, column.by ? `by ${column.by}` : column.unit)),
          fitted(el("div"), (width) => curveChart(section, column, order, state, width)))))];
    }));
  };
  mount.append(el("div", { class: "tools" },
    check("intervals", true, (on) => { state.intervals = on; draw(); }),
    check("the paper's rows (other data)", false, (on) => { state.paper = on; draw(); })), legend, charts);
  draw();
}

function svgSwatch(place, hollow) {
  const made = svg("svg", { viewBox: "-7 -7 14 14", width: 14, height: 14, "aria-hidden": "true" }, drawMark(place, 4.2, hollow));
  made.style.width = "14px";
  return made;
}

const OPERATIONS = { uniform: "macs_g", paper: "paper_macs_g" };
const PARAMETERS = { uniform: "params_m", paper: "paper_params_m" };

function viewFigure(mount, section) {
  const order = lineOrder(section);
  const columns = section.columns.filter((column) => column.scores && section.rows.some((row) => row.values[column.key] !== null));
  const state = { key: columns.some((c) => c.key === "pesq") ? "pesq" : columns.length ? columns[0].key : "", convention: "uniform", paper: true };
  const box = el("div"), note = el("p", { class: "dim small", role: "status" });
  const draw = () => {
    const column = columns.find((each) => each.key === state.key);
    const cost = (row) => row.cost && row.cost[OPERATIONS[state.convention]];
    const wanted = section.rows.filter((row) => column && row.values[column.key] !== null && (row.kind === "codec" || (row.kind === "paper" && state.paper)));
    const shown = wanted.filter(cost);
    const rest = wanted.filter((row) => !cost(row));
    note.replaceChildren(
      state.convention === "uniform"
        ? "Operations: torch's operation counter halved, one convention for all networks, 10 s of audio. "
        : "Operations as the paper's counter sees them: none of SQCodec's weight-normed layers and none of its attention, so that they do not compare across models. ",
      "Area: parameters. Hollow: the paper's rows, on its data. ",
      ...[...groupBy(rest, (row) => (state.convention === "paper" && row.cost.macs_g ? "not in the paper" : row.cost.reason || "no count"))]
        .map(([reason, some]) => `Not drawn, ${reason}: ${some.map((row) => row.label).join(", ")}. `));
    const inner = el("div");
    box.replaceChildren(inner);
    fitted(inner, (width) => shown.length ? bubbles(shown, column, order, state, width, cost)
      : el("p", { class: "empty" }, "Nothing to draw: no codec that is shown has a network that was counted."));
  };
  mount.append(el("div", { class: "tools" },
    select("Quality", columns.map((column) => [column.key, columnName(column) + (column.category === "audio" && !column.title.startsWith("Audio") ? " (audio)" : "")]), state.key, (key) => { state.key = key; draw(); }),
    select("Operations counted", [["uniform", "uniformly"], ["paper", "as the paper did"]], state.convention, (value) => { state.convention = value; draw(); }),
    check("the paper's rows", true, (on) => { state.paper = on; draw(); })),
  el("figure", { class: "wide-figure" }, el("figcaption", null, "Quality over operations"), box), note);
  draw();
}

function bubbles(shown, column, order, state, width, cost) {
  const [low, high] = domain(shown.map((row) => row.values[column.key]), 0.12);
  const x = shown.map(cost);
  const chart = frame(width, Math.max(280, Math.min(440, width * 0.5)), `${columnName(column)} over operations`,
    { log: true, low: Math.min(...x) / 1.5, high: Math.max(...x) * 1.5, label: "G multiply-adds for 10 s of audio, logarithmic", text: (v) => String(Number(v.toPrecision(2))) },
    { low, high });
  const params = (row) => row.cost[PARAMETERS[state.convention]];
  const most = Math.max(...shown.map((row) => params(row) || 0)) || 1;
  const size = (row) => Math.max(4, Math.sqrt((params(row) || 0) / most) * Math.min(26, width / 22));
  for (const row of shown.slice().sort((a, b) => size(b) - size(a))) {
    const place = order.get(row.line), hollow = row.kind === "paper";
    const drawn = svg("circle", { r: size(row), fill: colour(place), "fill-opacity": hollow ? 0.12 : 0.55, stroke: colour(place), "stroke-width": 1.5, "stroke-dasharray": hollow ? "4 3" : null });
    mark(chart, chart.xs.at(cost(row)), chart.ys.at(row.values[column.key]),
      rowLines(row, column, [`${brief(cost(row))} G multiply-adds`, params(row) ? `${brief(params(row))} M parameters` : ""]), drawn, size(row) + 4);
  }
  // Every codec has its name; of the paper's lines the topmost point has the line's.
  const top = new Map();
  if (width > 620) for (const row of shown) if (row.kind === "paper" && !(top.get(row.line) && top.get(row.line).values[column.key] > row.values[column.key])) top.set(row.line, row);
  for (const row of shown) {
    if (row.kind !== "codec" && top.get(row.line) !== row) continue;
    const name = row.kind === "codec" ? row.label : row.line.replace(" (paper)", "");
    const px = chart.xs.at(cost(row)), left = px + size(row) + name.length * 6.6 > width;
    chart.root.append(svg("text", { class: "name", x: px + (left ? -1 : 1) * (size(row) + 4), y: chart.ys.at(row.values[column.key]) + 4, "text-anchor": left ? "end" : "start" }, name));
  }
  return chart.root;
}
