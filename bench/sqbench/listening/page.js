// The page to listen on: a player for each clip.
"use strict";

const clips = JSON.parse(document.getElementById("clips").textContent);
const match = document.getElementById("match");
const gainsOf = (clip) => clip.gains.map((gain) => (match.checked ? gain : 1));

const views = clips.map((clip) => {
  const root = document.getElementById(clip.key);
  const picks = [...root.querySelectorAll(".pick")];
  const heads = [...root.querySelectorAll(".head")];
  const player = new Player(() => fetchSounds(clip.key, clip.script), gainsOf(clip), () => update());
  const transport = new Transport(root, player);
  const update = animate(player, () => {
    transport.show();
    picks.forEach((pick, index) =>
      pick.setAttribute("aria-pressed", String(index === player.selected)));
    const share = Math.min(1, player.position() / clip.axis_s);
    heads.forEach((head) => (head.style.left = `${100 * share}%`));
  });
  const view = { clip, root, player, transport, count: picks.length };
  view.choose = (index) => {
    player.select(index);
    return player.play().catch((error) => {
      root.querySelector(".trouble").textContent = `Cannot be played: ${error.message}`;
    });
  };
  picks.forEach((pick, index) => (pick.onclick = () => view.choose(index)));
  root.querySelectorAll(".field").forEach((field) => {
    field.onclick = async (event) => {
      await player.ready();
      player.seek((event.offsetX / field.clientWidth) * clip.axis_s);
    };
  });
  update();
  return view;
});

match.onchange = () => views.forEach(({ clip, player }) => player.setGains(gainsOf(clip)));

/** The clip that keys mean: where the focus is, else what played last, else the first. */
function active(target) {
  return views.find(({ root }) => root.contains(target))
    ?? views.find(({ player }) => player === Player.current)
    ?? views[0];
}

document.addEventListener("keydown", (event) => {
  if (!isOurs(event)) return;
  const view = active(event.target);
  if (!view) return;
  const index = "123456789".indexOf(event.key);
  if (index >= 0 && index < view.count) view.choose(index);
  else if (!view.transport.key(event)) return;
  event.preventDefault();
});
