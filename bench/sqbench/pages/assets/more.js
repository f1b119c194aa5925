// Correlations of metrics, cost, tokens, provenance.

function viewCorrelations(mount, section) {
  const names = { clips: "all pairs of codec and clip", codecs: "the codecs' means" };
  if (!section.correlations.length) { mount.append(el("p", { class: "empty" }, "Under two metrics of the same clips.")); return; }
  const title = (key) => (section.columns.find((column) => column.key === key) || { title: key }).title;
  mount.append(el("p", { class: "dim small" }, "Spearman's rank correlation, controls left out. 1: the two rank alike; \u22121: the other way round, as for a distance beside a quality."));
  for (const one of section.correlations) {
    mount.append(el("h3", null, `${one.category[0].toUpperCase()}${one.category.slice(1)}, over ${names[one.over]}`),
      el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Correlations over ${names[one.over]}` }, el("table", { class: "heat" },
        el("thead", null, el("tr", null, el("th", { scope: "col" }, "Metric"), one.keys.map((key) => el("th", { scope: "col" }, title(key))))),
        el("tbody", null, one.keys.map((key, i) => el("tr", null, el("th", { scope: "row" }, title(key)), one.values[i].map((value, j) => {
          const made = el("td", null, value === null ? why(NOTHING, `${one.n[i][j]} pairs, or no spread`) : [num(value, 2), el("small", null, `n ${one.n[i][j]}`)]);
          if (value !== null) made.style.background = `color-mix(in srgb, var(--${value < 0 ? "c1" : "c0"}) ${Math.round(Math.abs(value) * 26)}%, transparent)`;
          return made;
        })))))));
  }
}

function viewCost(mount, section) {
  const rows = section.rows.filter((row) => row.kind === "codec" || row.kind === "control");
  const any = (name) => rows.some((row) => row.cost[name] !== null && row.cost[name] !== undefined);
  const columns = [["macs_g", "Operations, uniform (G)", 2], ["paper_macs_g", "Operations, the paper's (G)", 2], ["params_m", "Parameters (M)", 2], ["encode_rtf", "Encode (s/s)", 4], ["decode_rtf", "Decode (s/s)", 4], ["peak_memory_mb", "Memory (MB)", 0], ["lookahead_s", "Look-ahead (s)", 3]].filter(([name]) => any(name));
  if (!columns.length) { mount.append(el("p", { class: "empty" }, "Nothing known.")); return; }
  mount.append(plainTable("Cost", [["Model"], ...columns.map(([, title]) => [title])], rows.map((row) => [row.label, ...columns.map(([name, , digits]) => {
    const value = row.cost[name];
    if (value === null || value === undefined) return name === "macs_g" || name === "params_m" ? why(NOTHING, row.cost.reason || "not counted") : NOTHING;
    return typeof value === "string" ? value : num(value, digits) + (!row.cost.measured && name.endsWith("rtf") ? "\u2021" : "");
  })])), el("p", { class: "dim small" }, "Operations and parameters for 10 s of audio, encoding and decoding. Encode, decode: seconds of computing a second of audio. ",
    rows.some((row) => !row.cost.measured) ? "\u2021 over the clips of the run, on its machine and beside its other work. To compare speed, memory and look-ahead: sqbench complexity --speed --format json > FILE, and sqbench report --cost FILE." : ""));
}

function viewTokens(mount) {
  if (!PAGE.tokens.length) { mount.append(el("p", { class: "empty" }, "No token statistics beside these results: `sqbench tokens --codec NAME --out` the results folder makes them.")); return; }
  const share = (value) => (value === null || value === undefined ? NOTHING : `${num(value * 100, 1)} %`);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  mount.append(plainTable("Token statistics", [["Model"], ["Source", "text"], ["Measured (b/s)"], ["#Q"], ["Codebook used"], ["Perplexity"], ["Entropy (b/s)"], ["Coverage"], ["Same re-encoded"], ["Same 1 ms later"], ["Same 1 frame later"]],
    PAGE.tokens.map((row) => {
      if (!row.books) return [row.model, row.source, why(NOTHING, row.reason || "no clip got through"), ...Array(8).fill(NOTHING)];
      const entropies = row.books.map((book) => book.entropy);
      return [row.model, row.source, num(row.measured_bps, 0), String(row.books.length), share(mean(row.books.map((book) => book.used / book.size))),
        entropies.includes(null) ? NOTHING : num(2 ** mean(entropies), 0), num(row.entropy_bps, 0), share(Math.min(...row.books.map((book) => book.coverage))),
        ...["re-encode", "1 ms", "1 frame"].map((name) => share(row.agreement[name]))];
    })), el("p", { class: "dim small" }, "Pooled over clips. Entropy of single codes (Miller and Madow); perplexity: geometric mean over codebooks; coverage: the chance that the next code is one seen, under 90 % entropy and perplexity are lower bounds."));
}

function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => [el("dt", null, name), el("dd", null, value)]));
}

function viewProvenance(mount, section) {
  const columns = section.columns.filter((column) => column.scores);
  const rows = section.rows.filter((row) => row.kind === "codec" || row.kind === "control");
  mount.append(el("h3", null, "Coverage"), plainTable("Coverage", [["Model"], ["Weights", "text"], ["Id", "text"], ["Clips"], ...columns.map((column) => [column.title])],
    rows.map((row) => [row.label, [row.weights, row.sha256 ? el("small", null, el("code", null, row.sha256)) : null], el("code", null, row.codec_id), `${row.selected} of ${row.total}`, ...columns.map((column) => {
      const count = row.counts[column.key];
      return count ? `${count[0]} of ${count[1]}` : why(NOTHING, row.reasons[column.key] || "not measured");
    })])));
  mount.append(el("h3", null, "Runs"));
  for (const run of PAGE.runs) {
    const text = (map) => Object.entries(map).filter(([, value]) => value !== null && value !== "").map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");
    mount.append(el("details", null, el("summary", null, `${run.run_id} (${run.status || "unknown"}): ${run.codecs.length} codecs, ${run.suite || "no suite"}`),
      facts([["Command", el("code", null, run.command)], ["Started, finished", [run.started, run.finished].filter(Boolean).join(", ")], ["Data", `${run.source.name} (${run.source.location}), ${run.source.selected} of ${run.source.total} clips`], ["Data's sha256", run.source.sha256 && el("code", null, run.source.sha256)],
        ["Protocol, seed", `${run.protocol}, ${run.seed}`], ["Metrics' versions", text(run.metrics)], ["Evaluators", text(run.evaluators)], ["Settings", text(run.settings)], ["Machine", text(run.machine)], ["Packages", text(run.packages)],
        ["Codecs", el("ul", null, run.codecs.map((codec) => el("li", null, `${codec.name}, id ${codec.codec_id}, weights ${codec.weights || "none"} ${codec.detail || ""} `, codec.sha256 ? el("code", null, codec.sha256) : null, Object.keys(codec.settings).length ? ` (${text(codec.settings)})` : "")))]])));
  }
  mount.append(facts([["This page", el("code", null, PAGE.command || "made by a program")], ["sqbench", PAGE.sqbench]]));
}
