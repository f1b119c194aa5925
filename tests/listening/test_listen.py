"""The page to listen on: what is on it, and what its files hold."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import audio_fixtures
import broken_parts
import numpy as np
import pytest
import soundfile
from blind_tests import Inline

pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")

from sqbench import audio
from sqbench.data.base import Source, Utterance, category_of
from sqbench.engine.monitor import Quiet
from sqbench.listening import kept, spectrogram
from sqbench.listening.run import Listening, listen
from sqbench.listening.write import panels, write
from sqbench_codecs import CodecSpec, Waveform, Weights
from sqbench_codecs.controls import Identity, MuLaw8
from sqcodec.errors import InputError

HOSTILE = 'sub/<img src=x onerror="alert(1)">&.wav'
SECONDS = 1.25


class Clips(Source):
    """A short voice, a longer one with a hostile name, and a noise."""

    name = "<clips>"
    location = "here & there"

    def utterances(self) -> Iterator[Utterance]:
        noise = np.random.default_rng(0).standard_normal(22050) * 0.1
        for name, domain, samples, rate in (
            ("short.wav", "speech", audio_fixtures.babble(0.9), 16000),
            (HOSTILE, "speech", audio_fixtures.babble(1.6, seed=1), 16000),
            ("noise.wav", "general", noise, 22050),
        ):
            content = io.BytesIO()
            soundfile.write(content, samples, rate, format="WAV", subtype="PCM_16")
            yield Utterance(
                id=name,
                dataset="<set>",
                category=category_of(domain),
                domain=domain,
                payload=content.getvalue(),
                labels={"text": "<b>words</b>"},
            )


class Loud(MuLaw8):
    """Twice as loud, with weights that say where they are from."""

    spec = CodecSpec(
        name="loud", sample_rate=None, frame_rate=None, codebook_sizes=(256,), bitrate_bps=None
    )
    weights = Weights(source="<mine>", sha256="0123456789abcdef", detail="a/b@c")

    def decode(self, codes: Any, lengths: Any) -> list[Waveform]:
        return [2 * x / np.abs(x).max() for x in super().decode(codes, lengths)]


class Broken(MuLaw8):
    """Loses some samples to infinity."""

    spec = CodecSpec(
        name="broken", sample_rate=None, frame_rate=None, codebook_sizes=(256,), bitrate_bps=None
    )

    def decode(self, codes: Any, lengths: Any) -> list[Waveform]:
        decoded = super().decode(codes, lengths)
        for x in decoded:
            x[:3] = np.inf
        return decoded


class Page(HTMLParser):
    """Tags with their attributes; fails where they are not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.json: dict[str, Any] = {}
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["script"]:
            attrs = self.tags[-1][1]
            if attrs.get("type") == "application/json":
                self.json[attrs.get("id") or ""] = json.loads(data)
        elif self._open[-1:] != ["style"]:
            self.text += data

    def of(self, tag: str, name: str) -> list[str]:
        return [attrs.get(name) or "" for found, attrs in self.tags if found == tag]

    @property
    def sounds(self) -> list[str]:
        return [name for name in self.of("a", "href") if name.endswith(".wav")]

    @property
    def scripts(self) -> list[str]:
        return [clip["script"] for clip in self.json["clips"]]


@pytest.fixture(scope="module")
def listening() -> Listening:
    source = Clips()
    codecs = [Identity(), broken_parts.Choosy(), Loud()]
    clips = list(source.utterances())
    # 1.25 s at 22.05 kHz are 22050 samples, too long for the choosy one; at 16 kHz they are not.
    return listen(codecs, source, clips, Inline(), Quiet(), seconds=SECONDS)


@pytest.fixture(scope="module")
def folder(listening: Listening, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("listen")
    assert write(listening, out, "sqbench listen --codec <x>") == out / "index.html"
    return out


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "index.html").read_text(encoding="utf-8"))


def test_only_what_failed_is_missing(listening: Listening) -> None:
    assert not listening.complete
    lost = {
        (clip.item.utterance.id, version.coder.spec.name)
        for clip in listening.clips
        for version in clip.versions
        if version.sound is None
    }
    assert lost == {("noise.wav", "choosy")}


def test_at_most_so_many_seconds(listening: Listening) -> None:
    lengths = [len(c.original.samples) / c.original.rate for c in listening.clips if c.original]
    assert lengths == pytest.approx([0.9, SECONDS, 1.0])
    for clip in listening.clips:
        for version in clip.versions:
            if version.sound is not None and clip.original is not None:
                assert len(version.sound.samples) == len(clip.original.samples)


def test_files_are_those_of_the_page(page: Page, folder: Path) -> None:
    sounds, pictures = page.sounds, page.of("img", "src")
    assert len(sounds) == len(pictures) == 3 * 4 - 1
    assert len(page.scripts) == 3
    files = {path.name for path in folder.iterdir()}
    assert {*sounds, *pictures, *page.scripts, "index.html", kept.LIST} == files
    assert all(path.stat().st_size > 1000 for path in folder.iterdir())


def _sounds(call: str) -> list[tuple[np.ndarray, int]]:
    """The 16-bit samples and rates that a script hands over."""
    key, uris = json.loads(f"[{call.removeprefix('receiveSounds(').removesuffix(');' + chr(10))}]")
    assert key.startswith("clip-")
    contents = [base64.b64decode(uri.removeprefix("data:audio/flac;base64,")) for uri in uris]
    return [soundfile.read(io.BytesIO(each), dtype="int16") for each in contents]


def test_what_the_browser_plays_is_what_the_files_hold(page: Page, folder: Path) -> None:
    played = [pair for name in page.scripts for pair in _sounds((folder / name).read_text())]
    for name, (samples, rate) in zip(page.sounds, played, strict=True):
        expected, expected_rate = soundfile.read(folder / name, dtype="int16")
        assert rate == expected_rate
        assert np.array_equal(samples, expected)


def test_sounds_are_the_decoded_audio(listening: Listening, page: Page, folder: Path) -> None:
    expected = []
    for clip in listening.clips:
        assert clip.original is not None
        expected.append(clip.original)
        expected += [v.sound for v in clip.versions if v.sound is not None]
    for name, sound in zip(page.sounds, expected, strict=True):
        assert soundfile.info(str(folder / name)).subtype == "PCM_16"
        samples, rate = audio.read(folder / name)
        assert rate == sound.rate
        np.testing.assert_allclose(samples, np.clip(sound.samples, -1, 1), atol=1 / 32767)


def test_the_original_is_kept_to_the_bit(listening: Listening, page: Page, folder: Path) -> None:
    names = [name for name in page.sounds if "original" in name]
    for clip, name in zip(listening.clips, names, strict=True):
        stored, rate = soundfile.read(io.BytesIO(clip.item.utterance.content()))
        assert np.array_equal(audio.read(folder / name)[0], stored[: round(SECONDS * rate)])


def test_a_picture_has_a_panel_a_version(listening: Listening) -> None:
    for clip, count in zip(listening.clips, (4, 4, 3), strict=True):
        assert len(panels(clip)) == count
        assert len(spectrogram.draw(panels(clip)).levels) == count


def test_what_the_page_says(listening: Listening, page: Page) -> None:
    assert "<mine> 01234567" in page.text
    assert "0123456789abcdef" in page.text
    assert "a/b@c" in page.text
    assert all(coder.codec_id in page.text for coder in listening.coders)
    assert "No audio: codec choosy: RuntimeError: too long for me" in page.text
    assert "No audio: noise.wav (choosy)" in page.text
    assert "samples beyond full scale are clipped" in page.text
    assert page.text.count("identical above 100 dB") == 3
    assert "no weights, 16000 Hz" in page.text
    assert "Match levels" in page.text
    assert "ITU-R BS.1770-4" in page.text


def test_scores_are_those_of_the_records(listening: Listening, folder: Path) -> None:
    text = (folder / "index.html").read_text(encoding="utf-8")
    sections = text.split("<section ")[1:]
    for clip, section in zip(listening.clips, sections, strict=True):
        articles = section.split("<article>")[2:]  # the first is the original
        for version, article in zip(clip.versions, articles, strict=True):
            for record in version.records:
                if record["value"] is not None:
                    digits = 2 if record["metric"] == "sdr" else 3
                    assert f"<dd>{record['value']:.{digits}f}" in article
                elif record["kind"] == "coding" and record["bits"]:
                    assert record["duration_s"]
                    assert f"{record['bits'] / record['duration_s']:.0f} bps" in article
            assert article.count("for speech only") == (
                0 if version.sound is None or clip.item.utterance.domain == "speech" else 2
            )


def test_names_are_escaped(page: Page) -> None:
    assert page.text.count(HOSTILE) >= 2
    assert all("onerror" not in attrs for _, attrs in page.tags)
    assert not page.of("b", "src")
    assert "<b>words</b>" in page.text
    assert "--codec <x>" in page.text
    assert "here & there" in page.text
    assert f"Position in {HOSTILE}" in page.of("input", "aria-label")


def test_the_page_needs_nothing_else(page: Page) -> None:
    assert not {"link", "iframe", "base", "form"} & {tag for tag, _ in page.tags}
    assert not any(page.of("script", "src"))
    links = {name for name in page.of("a", "href") if not name.endswith(".wav")}
    assert {f"#{name}" for name in page.of("section", "id")} == links
    assert all(page.of("img", "alt"))
    addresses = [*page.sounds, *page.of("img", "src"), *page.scripts]
    assert all(Path(address).name == address for address in addresses)


def test_a_page_of_a_single_file_holds_everything(
    listening: Listening, page: Page, folder: Path, tmp_path: Path
) -> None:
    single = write(listening, tmp_path, single_file=True, match_level=True)
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", kept.LIST}
    found = Page(single.read_text(encoding="utf-8"))
    assert found.sounds == []
    assert all(name.startswith("data:image/png;base64,") for name in found.of("img", "src"))
    for clip in found.json["clips"]:
        arguments = json.dumps([clip["key"], found.json["sounds-" + clip["key"]]])
        script = f"receiveSounds({arguments[1:-1]});\n"
        (other,) = (c["script"] for c in page.json["clips"] if c["key"] == clip["key"])
        assert script == (folder / other).read_text()
    checked = ["checked" in a for t, a in found.tags if a.get("id") == "match"]
    assert checked == [True]
    assert not any("checked" in attrs for _, attrs in page.tags)


def test_levels_are_those_that_match(page: Page) -> None:
    # The loud codec scales its peak to 2, which the file clips to 1: it is played softer.
    gains = page.json["clips"][0]["gains"]
    original, identity, choosy, loud = gains
    assert original == identity == 1.0
    assert choosy == pytest.approx(1.0, abs=0.05)
    assert 0.1 < loud < 0.6


def test_an_earlier_page_leaves_nothing_behind(listening: Listening, tmp_path: Path) -> None:
    write(listening, tmp_path)
    first = {path.name for path in tmp_path.iterdir()}
    (changed,) = (name for name in first if name.startswith("03-") and name.endswith("loud.wav"))
    (tmp_path / changed).write_bytes(b"mine now")
    (tmp_path / "notes.wav").write_bytes(b"mine")
    write(listening, tmp_path, single_file=True)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"index.html", kept.LIST, changed, "notes.wav"}


@pytest.mark.parametrize(
    "listed",
    [
        '{"files": {"../outside.wav": "%s", "sub/inside.wav": "%s"}}',
        '{"files": ["../outside.wav"]}',
        "[[[",
        "",
    ],
    ids=["folders", "a list", "not JSON", "empty"],
)
def test_a_list_that_no_page_wrote_removes_nothing(listed: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    (folder / "sub").mkdir(parents=True)
    content = b"somebody's"
    for path in (tmp_path / "outside.wav", folder / "sub/inside.wav", folder / "index.html"):
        path.write_bytes(content)
    (folder / kept.LIST).write_text(listed.replace("%s", hashlib.sha256(content).hexdigest()))
    assert kept.replace(folder, ["index.html"]) == []
    assert (tmp_path / "outside.wav").exists()
    assert (folder / "sub/inside.wav").exists()


def test_a_clip_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    source = Clips()
    good = next(source.utterances())
    bad = Utterance(
        id="bad.wav", dataset="x", category="speech", domain="speech", path=tmp_path / "bad.wav"
    )
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    found = listen([Identity()], source, [bad, good], Inline(), Quiet())
    assert not found.complete
    page = Page(write(found, tmp_path / "out").read_text(encoding="utf-8"))
    assert "Cannot be read" in page.text
    assert "8 bytes that it does not" in page.text
    assert len(page.sounds) == 2
    with pytest.raises(InputError, match=r"bad\.wav"):
        listen([Identity()], source, [bad], Inline(), Quiet())


def test_audio_that_is_not_finite_is_not_played() -> None:
    source = Clips()
    found = listen([Broken(), Identity()], source, [next(source.utterances())], Inline(), Quiet())
    broken, fine = found.clips[0].versions
    assert broken.sound is None
    assert "3 of 14400 samples NaN or infinite" in str(broken.records[0]["reason"])
    assert fine.complete


def test_codecs_that_cannot_be_loaded_are_named(tmp_path: Path) -> None:
    source = Clips()
    clips = [next(source.utterances())]
    found = listen(["no-such", Identity(), Identity()], source, clips, Inline(), Quiet())
    assert list(found.unloaded) == ["no-such"]
    assert len(found.coders) == 1
    assert not found.complete
    page = Page(write(found, tmp_path).read_text(encoding="utf-8"))
    assert "no-such could not be loaded" in page.text
    with pytest.raises(InputError, match="no-such"):
        listen(["no-such"], source, clips, Inline(), Quiet())


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_seconds_are_checked(seconds: float) -> None:
    with pytest.raises(InputError, match="seconds"):
        listen(
            [Identity()], Clips(), list(Clips().utterances()), Inline(), Quiet(), seconds=seconds
        )


def test_16_bit_rounds_to_the_nearest_and_counts_what_it_clips(tmp_path: Path) -> None:
    samples = np.array([0, 0.6 / 32768, -0.6 / 32768, 1.0, -1.0, 1.5, -2.0], np.float32)
    assert audio.write_pcm16(tmp_path / "x.wav", samples, 8000) == 2
    read, _ = soundfile.read(tmp_path / "x.wav", dtype="int16")
    assert read.tolist() == [0, 1, -1, 32767, -32768, 32767, -32768]
