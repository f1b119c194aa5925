"""The page to listen on: one HTML file beside its sounds and pictures, without scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from sqbench.listening.run import Clip, Coder, Listening, Version
from sqbench.listening.spectrogram import RANGE_DB
from sqbench.metrics import catalogue
from sqbench.report.columns import FIXED
from sqbench.store.record import Record

NOTHING = "\u2013"
_COLUMNS = {column.key: column for column in FIXED}

_STYLE = """
:root { color-scheme: light dark; --ink: #1d1d1f; --dim: #5c5c63; --page: #fff; --card: #f5f5f4;
  --line: #d9d9d6; --bad: #a3200d; --link: #0b57a4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e9e7; --dim: #a5a5a1; --page: #161617;
  --card: #212123; --line: #3a3a3d; --bad: #ff9a85; --link: #8fc1ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 84rem; color: var(--ink);
  background: var(--page); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 0; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .25rem 0; } a { color: var(--link); }
.dim, th, dt { color: var(--dim); } .bad { color: var(--bad); }
.small { font-size: .85rem; overflow-wrap: anywhere; }
code { font: .85em ui-monospace, monospace; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem 1rem .25rem 0;
  border-bottom: 1px solid var(--line); }
th { font-weight: 500; } .n { text-align: right; font-variant-numeric: tabular-nums; }
section { margin-top: 2rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
img { display: block; width: 100%; height: auto; margin: .75rem 0; background: #fff;
  border-radius: .4rem; }
.versions { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); }
article { background: var(--card); border-radius: .4rem; padding: .75rem .9rem; }
audio { width: 100%; margin: .5rem 0; }
audio:focus-visible, a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: 0; }
dd { margin: 0; font-variant-numeric: tabular-nums; }
""".strip()


@dataclass(frozen=True)
class Written:
    """A WAV file beside the page; ``clipped`` samples of it lay beyond full scale."""

    name: str
    clipped: int


@dataclass(frozen=True)
class Files:
    """What there is of a clip, by file names.

    Attributes:
        original: ``None`` where the clip could not be read, as is ``picture``.
        versions: by the codec's id, of those that got through.
    """

    original: Written | None
    versions: Mapping[str, Written]
    picture: str | None


def render(listening: Listening, files: Sequence[Files], command: str) -> str:
    """The whole page.

    Args:
        files: of each clip, names relative to the page.
        command: what makes it again, if it is to be shown.
    """
    title = escape(f"Listening to {listening.source.name}")
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        f'<head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head>",
        f"<body><header><h1>{title}</h1>",
        *_head(listening, command),
        "</header><main>",
    ]
    for number, (clip, written) in enumerate(zip(listening.clips, files, strict=True), 1):
        parts += _section(number, clip, written)
    return "\n".join([*parts, "</main></body></html>"]) + "\n"


def _head(listening: Listening, command: str) -> Iterator[str]:
    from sqbench import __version__

    yield (
        f"<p>What you hear is what was coded and measured (protocol "
        f"{escape(listening.protocol)}): at most the first {listening.seconds:g} s of each clip, "
        "first channel. Files are 16-bit, each at its own rate; nothing is normalised or aligned. "
        f"Colours of a spectrogram reach from the original's loudest spot {RANGE_DB:g} dB down; "
        "grey lies above half the sample rate.</p>"
    )
    yield f'<p class="dim small">Data: {escape(listening.source.location)}. sqbench {__version__}'
    yield f": <code>{escape(command)}</code></p>" if command else "</p>"
    yield '<div class="wide"><table><thead><tr><th>Codec</th><th class="n">Bitrate (bps)</th>'
    yield '<th class="n">Rate (Hz)</th><th>Weights</th><th>From</th><th>Id</th></tr></thead><tbody>'
    yield from map(_coder, listening.coders)
    yield "</tbody></table></div>"
    for name, reason in listening.unloaded.items():
        yield f'<p class="bad">{escape(name)} could not be loaded: {escape(reason)}</p>'
    lost = [
        f'<a href="#clip-{number}">{escape(clip.item.utterance.id)}</a>'
        f" ({escape(version.coder.spec.name)})"
        for number, clip in enumerate(listening.clips, 1)
        for version in clip.versions
        if version.sound is None
    ]
    if lost:
        yield f'<p class="bad">No audio: {", ".join(lost)}</p>'
    yield "<nav><ol>"
    for number, clip in enumerate(listening.clips, 1):
        name, domain = escape(clip.item.utterance.id), escape(clip.item.utterance.domain)
        yield f'<li><a href="#clip-{number}">{name}</a> <span class="dim">{domain}</span></li>'
    yield "</ol></nav>"


def _coder(coder: Coder) -> str:
    spec, weights = coder.spec, coder.weights
    nominal = NOTHING if spec.bitrate_bps is None else f"{spec.bitrate_bps:.0f}"
    rate = "the clip's" if spec.sample_rate is None else str(spec.sample_rate)
    # The label has the hash's beginning; the whole of it is what proves anything.
    sha256 = f'<br><code class="small dim">{weights.sha256}</code>' if weights.sha256 else ""
    return (
        f'<tr><td>{escape(spec.name)}</td><td class="n">{nominal}</td><td class="n">{rate}</td>'
        f"<td>{escape(weights.label)}{sha256}</td><td>{escape(weights.detail) or NOTHING}</td>"
        f"<td><code>{escape(coder.codec_id)}</code></td></tr>"
    )


def _section(number: int, clip: Clip, files: Files) -> Iterator[str]:
    utterance = clip.item.utterance
    yield f'<section id="clip-{number}"><h2>{number}. {escape(utterance.id)}</h2>'
    about = [utterance.domain, utterance.dataset]
    if clip.original is not None:
        seconds = len(clip.original.samples) / clip.original.rate
        about += [f"{seconds:.2f} s", f"{clip.original.rate} Hz"]
    if clip.item.audio_sha256:
        about.append(f"sha256 {clip.item.audio_sha256[:8]}")
    yield f'<p class="dim small">{escape(", ".join(about))}</p>'
    if text := utterance.labels.get("text"):
        yield f"<p>“{escape(text)}”</p>"
    if clip.original is None or files.original is None or files.picture is None:
        yield f'<p class="bad">Cannot be read: {escape(str(clip.problem))}</p></section>'
        return
    heard = [version.coder.spec.name for version in clip.versions if version.sound is not None]
    alt = escape(f"Spectrograms, row by row: {', '.join(['original', *heard])}")
    yield f'<img src="{files.picture}" alt="{alt}">'
    yield '<div class="versions"><article><h3>original</h3>'
    yield _player(files.original, f"{utterance.id}, original")
    yield "</article>"
    for version in clip.versions:
        yield from _version(version, files.versions, utterance.id)
    yield "</div></section>"


def _version(version: Version, files: Mapping[str, Written], utterance: str) -> Iterator[str]:
    coder = version.coder
    yield f"<article><h3>{escape(coder.spec.name)}</h3>"
    weights = "no weights" if coder.weights.source == "none" else escape(coder.weights.label)
    yield f'<p class="dim small">{weights}, id <code>{escape(coder.codec_id)}</code></p>'
    coding = next(record for record in version.records if record["kind"] == "coding")
    if version.sound is None:
        yield f'<p class="bad">No audio: {escape(str(coding["reason"]))}</p></article>'
        return
    yield _player(files[coder.codec_id], f"{utterance}, {coder.spec.name}")
    scores = {record["metric"]: record for record in version.records if record["kind"] == "score"}
    assert coding["bits"] is not None, "a version with audio has its bits"
    assert coding["duration_s"], "a version with audio has its seconds"
    measured = f"{coding['bits'] / coding['duration_s']:.0f} bps"
    yield f"<dl><dt>Measured</dt><dd>{measured}</dd>"
    for name in catalogue.SIGNAL:
        column = _COLUMNS[name]
        yield f"<dt>{column.title} {column.arrow}</dt><dd>{_value(name, scores.get(name))}</dd>"
    yield "</dl></article>"


def _value(metric: str, record: Record | None) -> str:
    """A value as the tables show it; without one, why."""
    if record is None:
        kinds = " and ".join(catalogue.get(metric).categories)
        return f'{NOTHING} <span class="dim small">for {kinds} only</span>'
    if record["value"] is not None:
        column = _COLUMNS[metric]
        return f"{record['value']:.{column.digits}f} {column.unit}".rstrip()
    mark = "identical" if record["status"] == "identical" else NOTHING
    reason = (record["reason"] or record["status"]).removeprefix(f"{mark}: ")
    return f'{mark} <span class="dim small">{escape(reason)}</span>'


def _player(file: Written, label: str) -> str:
    # preload: the length shows before a clip is played, and nothing else is fetched.
    player = (
        f'<audio controls preload="metadata" src="{file.name}" '
        f'aria-label="{escape(label)}"></audio>'
    )
    if not file.clipped:
        return player
    return (
        f'{player}<p class="dim small">{file.clipped} samples beyond full scale are clipped in '
        "this file; they were measured as they are.</p>"
    )
