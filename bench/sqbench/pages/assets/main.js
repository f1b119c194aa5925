// Which views a page has is in its elements; which data they show is one section at a time.

const VIEWS = { curves: viewCurves, figure: viewFigure, table: viewTable, deltas: viewDeltas, pairs: viewPairs, sets: viewSets, worst: viewWorst, correlations: viewCorrelations, cost: viewCost, tokens: viewTokens, provenance: viewProvenance };

function show(section) {
  for (const place of document.querySelectorAll("[data-view]")) {
    const mount = place.querySelector("[data-mount]");
    mount.replaceChildren();
    VIEWS[place.dataset.view](mount, section);
  }
}

function chooseTheme() {
  const root = document.documentElement, order = ["", "light", "dark"], names = { "": "as the system", light: "light", dark: "dark" };
  const button = document.getElementById("theme");
  const put = (theme) => {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    button.textContent = `Colours: ${names[theme]}`;
  };
  button.addEventListener("click", () => put(order[(order.indexOf(root.dataset.theme || "") + 1) % order.length]));
  put("");
}

document.body.append(tip);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
document.addEventListener("scroll", hideTip, true);
chooseTheme();
const choice = document.getElementById("choice");
if (PAGE.sections.length > 1) {
  choice.append(select("Data", PAGE.sections.map((section, i) => [String(i), `${section.source} (${section.protocol})`]), "0", (i) => show(PAGE.sections[i])));
}
show(PAGE.sections[0]);
