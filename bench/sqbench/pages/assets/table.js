// The table: rate bands, sorting, filter, columns to choose, and copies as CSV, Markdown and LaTeX.

function viewTable(mount, section) {
  const state = { sort: null, reverse: false, banded: true, intervals: true, paper: false, text: "", hidden: new Set() };
  const scored = section.columns.filter((column) => section.rows.some((row) => row.values[column.key] !== null || (row.reasons || {})[column.key]));
  if (!section.rows.some((row) => row.kind !== "paper" && row.cost && row.cost.macs_g)) ["macs_g", "params_m"].forEach((key) => state.hidden.add(key));
  if (innerWidth < 640) ["bitrate_bps", "num_codebooks", "macs_g", "params_m"].forEach((key) => state.hidden.add(key));
  const box = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Results" });
  const status = el("p", { class: "dim small", role: "status" });
  const shownColumns = () => scored.filter((column) => !state.hidden.has(column.key));

  const matches = (row) => {
    const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
    const text = [row.label, row.line, row.weights, row.codec_id].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  };

  // Groups of [heading, rows], as they are shown and copied.
  const groups = () => {
    const rows = section.rows.filter((row) => matches(row) && (state.paper || row.kind !== "paper"));
    const column = section.columns.find((each) => each.key === state.sort);
    const sign = (column && column.direction === "higher" ? -1 : 1) * (state.reverse ? -1 : 1);
    const of = (row) => (state.sort === "model" ? row.label.toLowerCase() : row.values[state.sort || "measured_bps"] ?? (state.sort ? null : xOf(row)));
    const compare = (a, b) => {
      const x = of(a), y = of(b);
      if (x === null || y === null || x === undefined || y === undefined) return (x === null || x === undefined) - (y === null || y === undefined);
      return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
    };
    const top = rows.filter((row) => row.kind === "original" || row.kind === "control").sort((a, b) => (a.kind === "control") - (b.kind === "control") || (state.sort ? compare(a, b) : compare(b, a)));
    const rest = rows.filter((row) => row.kind === "codec" || row.kind === "paper").sort(compare);
    const bands = state.banded
      ? PAGE.bands.map((name, i) => [name, rest.filter((row) => row.band === i)]).concat([["rate not known", rest.filter((row) => row.band === null)]])
      : [["codecs", rest]];
    return [["original and controls", top], ...bands].filter(([, some]) => some.length);
  };

  const cell = (row, column) => {
    const value = row.values[column.key], text = row.texts[column.key];
    const reason = (row.reasons || {})[column.key];
    if (value === null || value === undefined) {
      return el("td", null, text ? [text, reason ? why("*", reason) : null] : reason ? why(NOTHING, reason) : NOTHING);
    }
    const shown = num(value, column.digits);
    const ends = state.intervals && row.intervals[column.key];
    return el("td", null, row.best.includes(column.key) && state.banded ? el("b", null, shown) : shown,
      row.incomplete.includes(column.key) ? why("\u2020", `${(row.counts[column.key] || []).slice(0, 2).join(" of ")} clips. ${reason || ""}`) : null,
      ends ? el("small", null, `[${num(ends[0], column.digits)}, ${num(ends[1], column.digits)}]`) : null);
  };

  const head = (key, title, below, sortable) => {
    const sorted = state.sort === key;
    return el("th", { scope: "col", "aria-sort": sorted ? (state.reverse ? "descending" : "ascending") : null },
      el("button", { type: "button", "data-key": key, onclick: () => {
        if (sorted) state.reverse = !state.reverse; else [state.sort, state.reverse] = [key, false];
        draw();
        box.querySelector(`button[data-key="${CSS.escape(key)}"]`).focus();
      } }, title, sorted ? (state.reverse ? " \u25be" : " \u25b4") : ""), below ? el("small", null, below) : null);
  };

  const draw = () => {
    const columns = shownColumns();
    const parts = groups();
    hideTip();
    box.replaceChildren(el("table", null,
      el("thead", null, el("tr", null, head("model", "Model"), columns.map((column) =>
        head(column.key, `${column.title} ${arrow(column)}`.trim(), column.by ? `by ${column.by}` : column.unit)))),
      parts.map(([name, rows]) => el("tbody", null,
        state.banded || name !== "codecs" ? el("tr", null, el("th", { scope: "rowgroup", colspan: columns.length + 1 }, name)) : null,
        rows.map((row) => el("tr", { class: row.label === PAGE.focus ? `${row.kind} focus` : row.kind },
          el("th", { scope: "row" }, row.page ? el("a", { href: row.page }, row.label) : row.label,
            row.weights && row.weights !== "none" ? el("small", null, row.weights) : null),
          columns.map((column) => cell(row, column))))))));
    const count = parts.reduce((sum, [, rows]) => sum + rows.length, 0);
    status.textContent = `${count} of ${section.rows.filter((row) => state.paper || row.kind !== "paper").length} rows. Bold: best in its band, of codecs with equally many clips, controls and the paper's rows aside. ${NOTHING} and \u2020: why is told on hover, tap or focus. Bits: measured.`;
  };

  const copy = (kind) => {
    const columns = shownColumns();
    const text = COPIES[kind](columns, groups(), state);
    copyText(text, (copied) => {
      if (copied) status.textContent = `Copied ${text.split("\n").length - 1} lines of ${kind}.`;
    });
  };

  const chooser = el("details", null, el("summary", null, "Columns"), el("div", { class: "choices" }, scored.map((column) =>
    check(columnName(column), !state.hidden.has(column.key), (on) => {
      if (on) state.hidden.delete(column.key); else state.hidden.add(column.key);
      draw();
    }))));
  mount.append(el("div", { class: "tools" },
    el("label", null, "Filter ", el("input", { type: "search", placeholder: "codec, family, weights", oninput: (event) => { state.text = event.target.value; draw(); } })),
    check("rate bands", true, (on) => { state.banded = on; draw(); }),
    check("intervals", true, (on) => { state.intervals = on; draw(); }),
    check("the paper's rows", false, (on) => { state.paper = on; draw(); }),
    Object.keys(COPIES).map((kind) => el("button", { type: "button", onclick: () => copy(kind) }, `Copy ${kind}`))),
  chooser, box, status,
  section.notes.length ? el("details", { class: "small" }, el("summary", null, "Notes on these numbers"), el("ul", null, section.notes.map((note) => el("li", null, note)))) : null);
  draw();
}

const csvField = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const exact = (value) => (value === null || value === undefined ? "" : String(value));
// What a spreadsheet would run as a formula begins with an apostrophe.
const csvName = (text) => csvField(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);

const LATEX = { "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "&": "\\&", "%": "\\%", "$": "\\$", "#": "\\#", "_": "\\_", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}", "\u2191": "$\\uparrow$", "\u2193": "$\\downarrow$", "\u2020": "$\\dagger$", "\u2013": "--", "\u2212": "$-$", "|": "\\textbar{}", '"': "\\textquotedbl{}" };
const latex = (text) => text.replace(/[\\{}&%$#_~^<>\u2191\u2193\u2020\u2013\u2212|"]/g, (sign) => LATEX[sign]);
const markdown = (text) => text.replace(/[\\|*_`<>\[\]]/g, (sign) => `\\${sign}`).replace(/\s+/g, " ");

function shownText(row, column, state, bold, sign) {
  const value = row.values[column.key];
  if (value === null || value === undefined) return sign(row.texts[column.key] || NOTHING);
  const ends = state.intervals && row.intervals[column.key];
  const text = sign(num(value, column.digits));
  return (row.best.includes(column.key) && state.banded ? bold(text) : text) + (row.incomplete.includes(column.key) ? sign("\u2020") : "")
    + (ends ? sign(` [${num(ends[0], column.digits)}, ${num(ends[1], column.digits)}]`) : "");
}

const COPIES = {
  CSV: (columns, groups, state) => {
    const with_ends = (column) => state.intervals && groups.some(([, rows]) => rows.some((row) => row.intervals[column.key]));
    const lines = [["model", "kind", "band", ...columns.flatMap((c) => (with_ends(c) ? [c.key, `${c.key}_low`, `${c.key}_high`] : [c.key]))]];
    for (const [name, rows] of groups) {
      for (const row of rows) {
        lines.push([csvName(row.label), row.kind, name, ...columns.flatMap((c) => {
          const value = exact(row.values[c.key]);
          return with_ends(c) ? [value, ...(row.intervals[c.key] || ["", ""]).map(exact)] : [value];
        })]);
      }
    }
    lines[0] = lines[0].map(csvField);
    return lines.map((line) => line.join(",")).join("\n") + "\n";
  },
  Markdown: (columns, groups, state) => {
    const lines = [`| Model | ${columns.map((c) => markdown(columnName(c))).join(" | ")} |`, `| :--- |${" ---: |".repeat(columns.length)}`];
    for (const [name, rows] of groups) {
      if (state.banded) lines.push(`| *${name}* |${" |".repeat(columns.length)}`);
      for (const row of rows) lines.push(`| ${markdown(row.label)} | ${columns.map((c) => shownText(row, c, state, (t) => `**${t}**`, markdown)).join(" | ")} |`);
    }
    return lines.join("\n") + "\n";
  },
  LaTeX: (columns, groups, state) => {
    const lines = ["% \\usepackage{booktabs}", `\\begin{tabular}{l${"r".repeat(columns.length)}}`, "\\toprule",
      `Model & ${columns.map((c) => latex(columnName(c))).join(" & ")} \\\\`];
    for (const [name, rows] of groups) {
      lines.push("\\midrule");
      if (state.banded) lines.push(`\\multicolumn{${columns.length + 1}}{l}{\\emph{${latex(name)}}} \\\\`);
      for (const row of rows) lines.push(`${latex(row.label)} & ${columns.map((c) => shownText(row, c, state, (t) => `\\textbf{${t}}`, latex)).join(" & ")} \\\\`);
    }
    return [...lines, "\\bottomrule", "\\end{tabular}"].join("\n") + "\n";
  },
};

// To the clipboard; where the browser does not let us, into a box to copy from.
function copyText(text, done) {
  const box = () => {
    const area = el("textarea", { "aria-label": "Text to copy", readonly: true });
    area.value = text;
    const shown = el("dialog", { "aria-label": "Copy" }, area, el("button", { type: "button", onclick: () => shown.close() }, "Close"));
    shown.addEventListener("close", () => shown.remove());
    document.body.append(shown);
    shown.showModal();
    area.select();
    done(false);
  };
  if (!navigator.clipboard) { box(); return; }
  navigator.clipboard.writeText(text).then(() => done(true), box);
}
