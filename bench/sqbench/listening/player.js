// Plays all versions of a clip at once, from one position, and lets one of them be heard: switching
// moves two gains and interrupts nothing.
"use strict";

const FADE_S = 0.003; // time constant; the two gains always add up to one
const LEAD_S = 0.02; // all versions are told to start at one instant, this much ahead

/** The sounds of a clip, by its key, from the page or from a script beside it. */
const arrivals = new Map();
function receiveSounds(key, sounds) {
  arrivals.get(key)(sounds);
}
function fetchSounds(key, script) {
  const embedded = document.getElementById("sounds-" + key);
  if (embedded) return Promise.resolve(JSON.parse(embedded.textContent));
  return new Promise((resolve, reject) => {
    arrivals.set(key, resolve);
    const element = document.createElement("script");
    element.src = script;
    element.onerror = () => reject(new Error("cannot read " + script));
    document.head.append(element);
  });
}

/** The bytes of a base64 data URI. */
function bytesOf(uri) {
  const text = atob(uri.slice(uri.indexOf(",") + 1));
  return Uint8Array.from(text, (character) => character.charCodeAt(0)).buffer;
}

let sharedContext = null;
function audioContext() {
  sharedContext ??= new AudioContext();
  return sharedContext;
}

class Player {
  /** The one player that plays; it is paused when another starts. */
  static current = null;

  /**
   * @param load gives the data URIs of the versions, once.
   * @param gains a factor for each version.
   * @param changed is called when something is to be shown anew.
   * @param context gives the audio context; only tests name another.
   */
  constructor(load, gains, changed, context = audioContext) {
    Object.assign(this, { load, gains, changed, context });
    this.selected = 0;
    this.playing = false;
    this.loop = false;
    this.region = null; // [from, to] in seconds
    this.buffers = null;
    this.offset = 0;
    this.voices = [];
  }

  get duration() {
    // Versions at other rates may be a sample longer or shorter.
    return this.buffers ? Math.min(...this.buffers.map((buffer) => buffer.duration)) : 0;
  }

  get bounds() {
    return this.region ?? [0, this.duration];
  }

  position() {
    if (!this.playing) return this.offset;
    const [from, to] = this.bounds;
    const at = this.offset + Math.max(0, this.context().currentTime - this.startedAt);
    if (this.loop && at > to) return from + ((at - from) % (to - from));
    return Math.min(at, this.duration);
  }

  async ready() {
    this.loading ??= (async () => {
      const sounds = await this.load();
      this.buffers = await Promise.all(
        sounds.map((uri) => this.context().decodeAudioData(bytesOf(uri))));
    })();
    await this.loading;
  }

  async play() {
    if (Player.current && Player.current !== this) Player.current.pause();
    Player.current = this;
    if (this.playing) return;
    const context = this.context();
    if (context === sharedContext) context.resume();
    this.wanted = true;
    await this.ready();
    if (Player.current !== this || !this.wanted || this.playing) return;
    if (this.offset >= this.duration - 0.01) this.offset = this.bounds[0];
    this.#start();
    this.changed();
  }

  pause() {
    this.wanted = false;
    if (!this.playing) return;
    this.offset = this.position();
    this.#stop();
    this.changed();
  }

  toggle() {
    if (this.playing) this.pause();
    else return this.play();
  }

  select(index) {
    this.selected = index;
    this.#applyGains();
    this.changed();
  }

  setGains(gains) {
    this.gains = gains;
    this.#applyGains();
  }

  /** Go on from here, with what is set now. */
  seek(seconds) {
    const playing = this.playing;
    if (playing) this.#stop();
    this.offset = Math.min(Math.max(0, seconds), this.duration || seconds);
    if (playing) this.#start();
    this.changed();
  }

  setLoop(loop) {
    const at = this.position();
    this.loop = loop;
    if (!loop) this.region = null;
    this.seek(at);
  }

  /** Loop over a part; a part of no length is none. */
  setRegion(from, to) {
    const at = this.position();
    this.region = to - from > 0.05 ? [from, to] : null;
    this.loop = true;
    this.seek(this.region && (at < from || at > to) ? from : at);
  }

  #applyGains() {
    const now = this.context().currentTime;
    this.voices.forEach(({ gain }, index) => {
      gain.gain.setTargetAtTime(index === this.selected ? this.gains[index] : 0, now, FADE_S);
    });
  }

  #start() {
    const context = this.context();
    const [from, to] = this.bounds;
    this.startedAt = context.currentTime + LEAD_S;
    this.bus = context.createGain();
    this.bus.connect(context.destination);
    this.voices = this.buffers.map((buffer, index) => {
      const source = new AudioBufferSourceNode(context,
        { buffer, loop: this.loop, loopStart: from, loopEnd: to });
      const gain = new GainNode(context,
        { gain: index === this.selected ? this.gains[index] : 0 });
      source.connect(gain).connect(this.bus);
      source.start(this.startedAt, this.offset);
      return { source, gain };
    });
    this.voices[0].source.onended = () => {
      if (!this.playing) return;
      this.#stop();
      this.offset = 0;
      this.changed();
    };
    this.playing = true;
  }

  #stop() {
    const now = this.context().currentTime;
    this.voices[0].source.onended = null;
    this.bus.gain.setTargetAtTime(0, now, FADE_S);
    this.voices.forEach(({ source }) => source.stop(now + 10 * FADE_S));
    this.voices = [];
    this.playing = false;
  }
}

/** Buttons, slider and keys of a player; `root` holds one element of each class below. */
class Transport {
  constructor(root, player) {
    this.player = player;
    const find = (name) => root.querySelector("." + name);
    this.elements = Object.fromEntries(
      ["play", "seek", "time", "loop", "from", "to"].map((name) => [name, find(name)]));
    const { play, seek, loop, from, to } = this.elements;
    play.onclick = () => player.toggle();
    seek.oninput = () => player.seek(Number(seek.value));
    loop.onclick = () => player.setLoop(!player.loop);
    from.onclick = () => this.from();
    to.onclick = () => this.to();
  }

  from() {
    const end = this.player.region?.[1] ?? this.player.duration;
    this.player.setRegion(this.player.position(), end);
  }

  to() {
    this.player.setRegion(this.player.region?.[0] ?? 0, this.player.position());
  }

  /** Whether the key was one of playback. */
  key(event) {
    const { player } = this;
    const actions = {
      " ": () => player.toggle(),
      l: () => player.setLoop(!player.loop),
      "[": () => this.from(),
      "]": () => this.to(),
    };
    const action = actions[event.key];
    if (!action) return false;
    // A button, link or box that has the focus keeps its space bar.
    if (event.key === " " && event.target.matches("button, a, summary, [type=checkbox], [type=radio]"))
      return false;
    action();
    return true;
  }

  show() {
    const { player } = this;
    const { play, seek, time, loop } = this.elements;
    const at = player.position();
    play.textContent = player.playing ? "Pause" : "Play";
    loop.setAttribute("aria-pressed", String(player.loop));
    seek.value = String(at);
    const part = player.region
      ? `, loop ${player.region[0].toFixed(1)} to ${player.region[1].toFixed(1)} s` : "";
    const total = Number(seek.max);
    time.textContent = `${at.toFixed(1)} of ${total.toFixed(1)} s${part}`;
    seek.setAttribute("aria-valuetext", `${at.toFixed(1)} s`);
  }
}

/** Call `show` while something plays, once a frame, and once after. */
function animate(player, show) {
  let running = false;
  const frame = () => {
    show();
    running = player.playing;
    if (running) requestAnimationFrame(frame);
  };
  return () => {
    if (!running) frame();
    else show();
  };
}

/** Keys belong to text fields while these have the focus, and to the browser with modifiers. */
function isOurs(event) {
  return !(event.ctrlKey || event.altKey || event.metaKey || event.target.matches("[type=text], textarea"));
}
