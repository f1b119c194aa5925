// A blind test: trials in an order that the seed and the sitting decide, answers, a file of them.
"use strict";

const test = JSON.parse(document.getElementById("test").textContent);
const byId = (id) => document.getElementById(id);
const root = byId("trial");
const WORDS = ["bad", "poor", "fair", "good", "excellent"];

/** Numbers from 0 to 1 that a text decides: FNV-1a of it, then mulberry32. */
function randomOf(text) {
  let state = 2166136261;
  for (const byte of new TextEncoder().encode(text)) state = Math.imul(state ^ byte, 16777619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A copy in random order (Fisher and Yates). */
function shuffled(list, random) {
  const copy = [...list];
  for (let last = copy.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [copy[last], copy[other]] = [copy[other], copy[last]];
  }
  return copy;
}

const session = { listener: "", started: "", trials: [], saved: true };
let planned = [];
let current = null; // of the trial that is shown

/** What is heard when: of this sitting alone, so that a second one tells nothing of X. */
function plan(listener, started) {
  const random = randomOf(`${test.seed}/${test.test}/${listener}/${started}`);
  planned = shuffled(test.trials, random).map((trial) => {
    const stimuli = shuffled(trial.stimuli, random);
    const x = stimuli[Math.floor(random() * stimuli.length)];
    return { ...trial, stimuli, x };
  });
}

function showTrial() {
  const number = session.trials.length;
  const trial = planned[number];
  byId("title").textContent = `Trial ${number + 1} of ${planned.length}`;
  byId("missing").textContent = "";
  const heard = test.method === "abx" ? [...trial.stimuli, trial.x] : [trial.reference, ...trial.stimuli];
  if (test.method === "mushra") buildRows(trial.stimuli.length);
  else root.querySelectorAll("[name=answer]").forEach((radio) => (radio.checked = false));
  const picks = [...root.querySelectorAll(".pick")];
  const load = async () => (await Promise.all(heard.map((id) => fetchSounds(id)))).flat();
  const player = new Player(load, heard.map((id) => test.gains[id]), () => update());
  const transport = new Transport(root, player);
  const update = animate(player, () => {
    transport.show();
    picks.forEach((pick, index) =>
      pick.setAttribute("aria-pressed", String(index === player.selected)));
  });
  picks.forEach((pick, index) => (pick.onclick = () => choose(index)));
  current = { trial, player, transport, picks, since: performance.now() };
  player.ready().then(() => {
    transport.elements.seek.max = player.duration.toFixed(3);
    update();
  }, (error) => {
    root.querySelector(".trouble").textContent = `Cannot be played: ${error.message}`;
  });
  byId("title").focus();
}

function choose(index) {
  current.player.select(index);
  current.player.play();
}

/** A slider for each version; one that was not moved is no rating. */
function buildRows(count) {
  root.querySelector(".rows").replaceChildren(...Array.from({ length: count }, (_, index) => {
    const row = document.createElement("li");
    const pick = document.createElement("button");
    Object.assign(pick, { type: "button", className: "pick" });
    pick.setAttribute("aria-pressed", "false");
    if (index < 9) pick.setAttribute("aria-keyshortcuts", String(index + 1));
    pick.innerHTML = index < 9 ? `<kbd aria-hidden="true">${index + 1}</kbd> ` : "";
    pick.append(`Version ${index + 1}`);
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: "0", max: "100", step: "1", value: "50" });
    slider.setAttribute("aria-label", `Rating of version ${index + 1}`);
    slider.setAttribute("aria-valuetext", "not rated");
    const output = document.createElement("output");
    output.textContent = "not rated";
    const rated = () => {
      const word = WORDS[Math.min(4, Math.floor(slider.value / 20))];
      slider.dataset.rated = "yes";
      output.textContent = `${slider.value} ${word}`;
      slider.setAttribute("aria-valuetext", output.textContent);
    };
    slider.oninput = rated;
    slider.onkeydown = (event) => {
      if (event.key === "Enter") rated(); // where it stands
    };
    row.append(pick, slider, output);
    return row;
  }));
}

/** The answer of the trial, or null, having said what is missing. */
function answer() {
  const { trial } = current;
  const seconds = Math.round((performance.now() - current.since) / 100) / 10;
  if (test.method === "abx") {
    const chosen = root.querySelector("[name=answer]:checked");
    if (!chosen) {
      byId("missing").textContent = "Say whether X is A or B.";
      return null;
    }
    const [a, b] = trial.stimuli;
    return { item: trial.item, a, b, x: trial.x, answer: chosen.value, seconds };
  }
  const sliders = [...root.querySelectorAll(".rows input")];
  const left = sliders.flatMap((slider, index) => (slider.dataset.rated ? [] : [index + 1]));
  if (left.length) {
    byId("missing").textContent = `Not rated yet: ${left.join(", ")}.`;
    sliders[left[0] - 1].focus();
    return null;
  }
  const ratings = trial.stimuli.map((stimulus, index) =>
    ({ stimulus, score: Number(sliders[index].value) }));
  return { item: trial.item, ratings, seconds };
}

function results() {
  const { format, version, method, test: id, seed, level_matched } = test;
  const { listener, started, finished, trials } = session;
  return JSON.stringify({ format, version, method, test: id, seed, level_matched, listener, started,
    finished, planned: planned.length, trials }, null, 1) + "\n";
}

function finish() {
  current.player.pause();
  current = null;
  root.hidden = true;
  session.finished = new Date().toISOString();
  const done = session.trials.length;
  byId("thanks").textContent = done === planned.length
    ? "Done. Thank you." : `${done} of ${planned.length} trials done. Thank you.`;
  byId("text").value = results();
  if (done === 0) byId("what").textContent = "There is nothing to save: no trial was finished.";
  byId("save").hidden = byId("copy").hidden = done === 0;
  byId("end").hidden = false;
  byId(done ? "save" : "thanks").focus();
}

byId("start").onsubmit = (event) => {
  event.preventDefault();
  session.listener = byId("listener").value.trim();
  session.started = new Date().toISOString();
  plan(session.listener, session.started);
  byId("start").hidden = true;
  root.hidden = false;
  showTrial();
};

byId("next").onclick = () => {
  const given = answer();
  if (!given) return;
  current.player.pause();
  session.trials.push(given);
  session.saved = false;
  if (session.trials.length < planned.length) showTrial();
  else finish();
};

byId("stop").onclick = finish;

byId("save").onclick = () => {
  const link = document.createElement("a");
  const slug = session.listener.replace(/[^A-Za-z0-9]+/g, "-").slice(0, 40);
  link.download = `${test.method}-${slug || "listener"}-${test.test.slice(0, 8)}.json`;
  link.href = URL.createObjectURL(new Blob([results()], { type: "application/json" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  session.saved = true;
  byId("saved").textContent = `Saved as ${link.download}.`;
};

addEventListener("beforeunload", (event) => {
  if (!session.saved) event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  if (!current || !isOurs(event)) return;
  const keys = test.method === "abx" ? { 1: 0, a: 0, 2: 1, b: 1, 3: 2, x: 2 }
    : Object.fromEntries("0123456789".split("").map((digit, index) => [digit, index]));
  const index = keys[event.key];
  if (index < current.picks.length) {
    choose(index);
    if (test.method === "mushra") (root.querySelectorAll(".rows input")[index - 1] ?? current.picks[0]).focus();
  } else if (!current.transport.key(event)) return;
  event.preventDefault();
});
