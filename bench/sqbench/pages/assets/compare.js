// Lines against lines (Bjøntegaard), codecs against codecs (paired differences).

function viewDeltas(mount, section) {
  const columns = section.columns.filter((column) => section.deltas.some((delta) => delta.key === column.key));
  if (!columns.length) {
    mount.append(el("p", { class: "empty" }, "No two lines of two points or more: run codecs at several rates each."));
    return;
  }
  const state = { key: columns.some((c) => c.key === "pesq") ? "pesq" : columns[0].key, what: "rate" };
  const box = el("div");
  const draw = () => {
    const column = columns.find((each) => each.key === state.key);
    const some = section.deltas.filter((delta) => delta.key === state.key);
    const names = [...new Set(some.flatMap((delta) => [delta.anchor, delta.test]))];
    const shown = (value) => (state.what === "rate" ? percent(value) : (value > 0 ? "+" : "") + num(value, column.digits));
    const good = (value) => (state.what === "rate" ? value < 0 : column.direction === "lower" ? value < 0 : value > 0);
    const cell = (anchor, test) => {
      if (anchor === test) return "";
      const delta = some.find((each) => each.anchor === anchor && each.test === test);
      if (!delta) return "";
      const one = delta[state.what];
      if (one.value === null) return why(NOTHING, one.reason);
      const covered = state.what === "rate" ? delta.shared_quality : delta.shared_rate;
      const made = el("button", { type: "button", class: "why" }, shown(one.value), delta.few ? "*" : "");
      const sure = one.low !== null && (one.low > 0 || one.high < 0);
      made.style.color = sure ? (good(one.value) ? "var(--good)" : "var(--bad)") : "var(--ink)";
      made.setAttribute("aria-label", `${test} against ${anchor}: ${shown(one.value)}${one.low !== null ? `, from ${shown(one.low)} to ${shown(one.high)}` : ""}`);
      withTip(made, () => [`${test} against ${anchor}`, `${delta.points[1]} points against ${delta.points[0]}, ${delta.clips} clips`, `both cover ${Math.round(covered * 100)} % of the range of ${state.what === "rate" ? "qualities" : "rates"}`, one.reason]);
      return [made, el("small", null, one.low !== null ? `[${shown(one.low)}, ${shown(one.high)}]` : one.reason)];
    };
    box.replaceChildren(plainTable("Bjøntegaard deltas", [["Anchor \u2193   Test \u2192"], ...names.map((name) => [name])],
      names.map((anchor) => [anchor, ...names.map((test) => cell(anchor, test))]), "heat"));
  };
  mount.append(el("p", null, "What the line above a column does beside the line of a row: percent of bits for the same quality (less is better), or the metric's units at the same bits. Green and red: the interval leaves out zero."),
    el("div", { class: "tools" },
      select("Metric", columns.map((column) => [column.key, columnName(column)]), state.key, (key) => { state.key = key; draw(); }),
      select("Delta", [["rate", "BD-rate: bits"], ["quality", "BD-metric: quality"]], state.what, (what) => { state.what = what; draw(); })),
    box, el("p", { class: "dim small" }, `Bjøntegaard's delta over measured bits, ${PAGE.bd_method === "akima" ? "Akima" : "PCHIP"} interpolation, of clips that all points of both lines have; [low, high]: 95 % bootstrap interval over clips (${PAGE.n_boot} resamples within datasets, seed ${PAGE.seed}; bits held fixed). * fewer than four points in a line: an interpolation of so few is coarse.`));
  draw();
}

function viewPairs(mount, section) {
  const columns = section.columns.filter((column) => (section.pairs[column.key] || []).length);
  if (!columns.length) {
    mount.append(el("p", { class: "empty" }, "No two codecs have a metric of the same clips."));
    return;
  }
  const state = { key: columns.some((c) => c.key === "pesq") ? "pesq" : columns[0].key, controls: false };
  const box = el("div");
  const note = el("p", { class: "dim small", role: "status" });
  const draw = () => {
    const column = columns.find((each) => each.key === state.key);
    const found = new Map();
    for (const [a, b, difference, low, high, n, wins, losses, p, holm] of section.pairs[state.key]) {
      found.set(`${a}\n${b}`, { difference, low, high, n, wins, losses, p, holm });
      found.set(`${b}\n${a}`, { difference: -difference, low: high === null ? null : -high, high: low === null ? null : -low, n, wins: losses, losses: wins, p, holm });
    }
    const rows = section.rows.filter((row) => (row.kind === "codec" || (state.controls && row.kind === "control")) && [...found.keys()].some((key) => key.startsWith(`${row.label}\n`)));
    rows.sort((a, b) => xOf(a) - xOf(b));
    const sign = column.direction === "lower" ? -1 : 1;
    let sure = 0, all = 0;
    const cell = (a, b) => {
      const pair = found.get(`${a.label}\n${b.label}`);
      if (!pair) return el("td", null, "");
      const better = sign * pair.difference;
      const certain = pair.holm < 0.05;
      if (a.label < b.label) { all++; sure += certain; }
      const text = (pair.difference > 0 ? "+" : "") + num(pair.difference, column.digits);
      const made = el("button", { type: "button", class: "why", "aria-label": `${a.label} minus ${b.label}: ${text}, ${certain ? "significant" : "not significant"}` }, certain ? el("b", null, text) : text);
      made.style.color = certain ? (better > 0 ? "var(--good)" : "var(--bad)") : "var(--dim)";
      withTip(made, () => [`${a.label} minus ${b.label}: ${text}`, pair.low === null ? "no interval" : `[${num(pair.low, column.digits)}, ${num(pair.high, column.digits)}]`,
        `better on ${pair.wins}, worse on ${pair.losses} of ${pair.n} clips`, `p ${brief(pair.p)}, corrected ${brief(pair.holm)}`]);
      return el("td", null, made);
    };
    box.replaceChildren(el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Pairwise differences" },
      el("table", { class: "heat" }, el("thead", null, el("tr", null, el("th", { scope: "col" }, "Row minus column"), rows.map((row) => el("th", { scope: "col" }, row.label)))),
        el("tbody", null, rows.map((a) => el("tr", null, el("th", { scope: "row" }, a.label), rows.map((b) => cell(a, b))))))));
    note.textContent = `${columnName(column)}, codecs by bits. ${sure} of ${all} pairs shown differ at 0.05 (bold; green: the row is better): sign-flip permutation test over clips, two-sided, corrected by Holm over all ${section.pairs[state.key].length} pairs of this metric, controls included. Differences and intervals: as \`sqbench compare\`.`;
  };
  mount.append(el("div", { class: "tools" },
    select("Metric", columns.map((column) => [column.key, columnName(column)]), state.key, (key) => { state.key = key; draw(); }),
    check("controls", false, (on) => { state.controls = on; draw(); })), box, note);
  draw();
}
