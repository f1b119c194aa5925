// Per set and per clip: means, distributions, and the worst clips to listen to.

const clipColumns = (section) => section.columns.filter((column) =>
  Object.values(section.clips.values).some((of_row) => of_row[column.key]));

function setsOf(section, column) {
  const used = new Set();
  for (const of_row of Object.values(section.clips.values)) {
    (of_row[column.key] || []).forEach((value, clip) => { if (value !== null) used.add(section.clips.dataset[clip]); });
  }
  return [...used].sort((a, b) => a - b);
}

const rowsWith = (section, column) => section.rows.filter((row) => (section.clips.values[row.label] || {})[column.key]);

function viewSets(mount, section) {
  const columns = clipColumns(section);
  if (!columns.length) { mount.append(el("p", { class: "empty" }, "No metric of single clips.")); return; }
  const state = { key: columns.some((c) => c.key === "pesq") ? "pesq" : columns[0].key, set: -1 };
  const means = el("div"), box = el("div"), chooser = el("span");
  const draw = () => {
    const column = columns.find((each) => each.key === state.key);
    const sets = setsOf(section, column);
    if (!sets.includes(state.set)) state.set = -1;
    const rows = rowsWith(section, column).sort((a, b) => (xOf(a) ?? 0) - (xOf(b) ?? 0));
    const values = (row, set) => section.clips.values[row.label][column.key].filter((value, clip) => value !== null && (set < 0 || section.clips.dataset[clip] === set));
    const mean = (some) => (some.length ? some.reduce((sum, value) => sum + value, 0) / some.length : null);
    means.replaceChildren(plainTable("Means by set", [["Model"], ...sets.map((set) => [section.clips.datasets[set].name])],
      rows.map((row) => [row.label, ...sets.map((set) => num(mean(values(row, set)), column.digits))])));
    chooser.replaceChildren(select("Clips of", [["-1", "all sets"], ...sets.map((set) => [String(set), section.clips.datasets[set].name])], String(state.set), (set) => { state.set = Number(set); draw(); }));
    const inner = el("div");
    box.replaceChildren(el("figure", { class: "wide-figure" }, el("figcaption", null, `${columnName(column)} of single clips `, el("span", null, "quarters, 5 to 95 %, and what lies beyond")), inner));
    fitted(inner, (width) => boxes(rows, (row) => values(row, state.set).sort((a, b) => a - b), column, width));
  };
  mount.append(el("div", { class: "tools" }, select("Metric", columns.map((column) => [column.key, columnName(column)]), state.key, (key) => { state.key = key; draw(); }), chooser), box, el("h3", null, "Means by set"), means);
  draw();
}

function boxes(rows, sorted, column, width) {
  const some = rows.map((row) => [row, sorted(row)]).filter(([, values]) => values.length);
  if (!some.length) return el("p", { class: "empty" }, "No values.");
  const name = Math.min(150, width * 0.32), step = 24, height = some.length * step + 40;
  const scale = linearScale(...domain(some.flatMap(([, values]) => [values[0], values[values.length - 1]]), 0.03), name + 8, width - 12);
  const chart = { root: svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `Distribution of ${columnName(column)}` }) };
  for (const value of scale.ticks) {
    chart.root.append(svg("line", { class: "grid", x1: scale.at(value), x2: scale.at(value), y1: 4, y2: height - 34 }),
      svg("text", { x: scale.at(value), y: height - 18, "text-anchor": "middle" }, scale.text(value)));
  }
  chart.root.append(svg("text", { x: (name + width) / 2, y: height - 2, "text-anchor": "middle" }, columnName(column)));
  some.forEach(([row, values], i) => {
    const y = i * step + step / 2 + 4;
    const [low, q1, middle, q3, high] = [0.05, 0.25, 0.5, 0.75, 0.95].map((share) => quantile(values, share));
    const fits = Math.floor(name / 6.6);
    chart.root.append(svg("text", { class: "name", x: name, y: y + 4, "text-anchor": "end" }, row.label.length > fits ? `${row.label.slice(0, fits - 1)}\u2026` : row.label));
    const outside = values.filter((value) => value < low || value > high);
    const dots = outside.map((value) => `M${scale.at(value) - 1.5},${y}a1.5,1.5 0 1,0 3,0a1.5,1.5 0 1,0 -3,0`).join("");
    const at = scale.at(middle);
    mark(chart, at, y, [row.label, `median ${num(middle, column.digits)}, quarters ${num(q1, column.digits)} to ${num(q3, column.digits)}`, `5 to 95 %: ${num(low, column.digits)} to ${num(high, column.digits)}`, `worst ${num(column.direction === "lower" ? values[values.length - 1] : values[0], column.digits)}, ${values.length} clips`],
      svg("g", { transform: `translate(${-at},${-y})` },
        svg("path", { d: dots, fill: "var(--dim)", opacity: 0.7 }),
        svg("path", { d: `M${scale.at(low)},${y}H${scale.at(high)}`, stroke: "var(--c0)", "stroke-width": 1.5 }),
        svg("rect", { x: Math.min(scale.at(q1), scale.at(q3)), width: Math.max(1, Math.abs(scale.at(q3) - scale.at(q1))), y: y - 7, height: 14, fill: "var(--c0)", "fill-opacity": row.kind === "control" ? 0.25 : 0.6, stroke: "var(--c0)" }),
        svg("path", { d: `M${at},${y - 7}v14`, stroke: "var(--ink)", "stroke-width": 2 })), 11);
  });
  return chart.root;
}

function viewWorst(mount, section) {
  const columns = clipColumns(section);
  const rows = section.rows.filter((row) => section.clips.values[row.label] || section.clips.missing[row.label]);
  if (!columns.length || !rows.length) { mount.append(el("p", { class: "empty" }, "No metric of single clips.")); return; }
  const first = rows.find((row) => row.kind === "codec") || rows[0];
  const state = { row: first.label, key: columns.some((c) => c.key === "pesq") ? "pesq" : columns[0].key };
  const clips = section.clips, audio = clips.audio || { decoded: {}, original: {} };
  const sound = el("audio", { controls: true, preload: "none", "aria-label": "Player" });
  const said = el("p", { class: "small", role: "status" }, "Nothing played yet.");
  const player = el("div", { class: "player", hidden: !Object.keys(audio.decoded).length }, said, sound);
  const play = (address, name) => el("button", { type: "button", class: "play", onclick: () => {
    sound.src = address;
    said.textContent = name;
    sound.play().catch(() => { said.textContent = `${name}: cannot be played. Was the page moved away from its results?`; });
  }, "aria-label": `Play ${name}` }, "\u25b6 ", name.split(", ").pop());
  const box = el("div");
  const draw = () => {
    const column = columns.find((each) => each.key === state.key);
    const of_row = clips.values[state.row] || {};
    const values = of_row[column.key] || [];
    const others = columns.filter((each) => each !== column && each.category === column.category);
    const real = rows.filter((row) => row.kind === "codec" && (clips.values[row.label] || {})[column.key]);
    const heard = audio.decoded[state.row] || {};
    const listen = (clip) => [heard[clip] ? play(heard[clip], `${clips.ids[clip]}, ${state.row}`) : NOTHING, " ",
      heard[clip] && audio.original[clip] ? play(audio.original[clip], `${clips.ids[clip]}, original`) : null];
    const lines = ((clips.worst[state.row] || {})[column.key] || []).map((clip, i) => {
      const of_set = values.filter((value, other) => value !== null && clips.dataset[other] === clips.dataset[clip]);
      const of_all = real.map((row) => clips.values[row.label][column.key][clip]);
      return [String(i + 1), clips.ids[clip], listen(clip), clips.datasets[clips.dataset[clip]].name, el("b", null, num(values[clip], column.digits)),
        num(median(of_set), column.digits), num(median(of_all), column.digits),
        ...others.map((each) => num((of_row[each.key] || [])[clip], each.digits))];
    });
    const missing = (clips.missing[state.row] || {})[column.key] || [];
    const byReason = groupBy(missing, ([, reason]) => reason);
    box.replaceChildren(
      lines.length ? plainTable("Worst clips", [["#"], ["Clip", "text free"], ["Listen", "text"], ["Set", "text"], [`${column.title} ${arrow(column)}`], ["its set, median"], ["all codecs, median"], ...others.map((each) => [`${each.title} ${arrow(each)}`])], lines)
        : el("p", { class: "empty" }, `${state.row} has no value of ${column.title}.`),
      byReason.size ? el("div", null, el("h3", null, `Without a value: ${missing.length} clips`), el("ul", null, [...byReason].map(([reason, some]) =>
        el("li", null, `${clips.reasons[reason]} (${some.length}): `, el("span", { class: "dim" }, some.slice(0, 5).map(([clip]) => clips.ids[clip]).join(", ") + (some.length > 5 ? ", \u2026" : "")))))) : "");
  };
  mount.append(el("div", { class: "tools" },
    select("Codec", rows.map((row) => [row.label, row.label]), state.row, (label) => { state.row = label; draw(); }),
    select("Metric", columns.map((column) => [column.key, columnName(column)]), state.key, (key) => { state.key = key; draw(); })),
  el("p", { class: "dim small" }, "A clip that is bad for all codecs is a hard clip; one that is bad for this codec alone is where it breaks. Identical clips have no value and are not bad.",
    Object.keys(audio.decoded).length ? "" : " No audio here: run with --save-audio to listen."), box, player);
  draw();
}
