"""What decides whether training helps: SNR on fixed crops, and sqbench's metrics on whole clips.

Both are of clips that are never trained on (`Corpus.split`).
"""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sqcodec.api import SQCodec
from sqcodec.model import SQCodecModel
from sqcodec.train.data.corpus import Clip, Corpus
from sqcodec.train.data.crops import Loader
from sqcodec.train.data.sampler import Sampler
from sqcodec.train.losses.snr import snr_db
from sqcodec.train.recipes.sections import Data
from sqcodec.weights import WeightsInfo

SECONDS = 20.0
"""Of crops in each domain."""
CLIPS = 6
CLIP_SECONDS = 4.0
"""What sqbench scores in each domain: so many clips, of at most so many seconds."""
HEARD_SECONDS = 10.0
"""Of a whole clip, for TensorBoard: long enough to judge, short enough for every report."""
PLAIN = Data(
    alternate=False, mix_probability=0.0, speed_probability=0.0, band_probability=0.0, gain_db=-6.0
)
HIGHER_IS_BETTER = {"snr_db": True, "sdr": True, "mel": False, "stoi": True, "pesq": True}


class Crops:
    """SNR on crops of held-out clips, fixed by the seed and the crop's length."""

    def __init__(
        self, corpus: Corpus, held_out: Sequence[Clip], length: int, seed: int, device: torch.device
    ) -> None:
        self.batches: dict[str, Tensor] = {}
        loader = Loader(corpus, length, device, normalise=True)
        count = max(1, round(SECONDS * corpus.sample_rate / length))
        for domain in sorted({clip.domain for clip in held_out}):
            clips = [clip for clip in held_out if clip.domain == domain]
            sampler = Sampler(clips, length=length, recipe=PLAIN, seed=seed)
            self.batches[domain] = loader.load(sampler.batch(0, count))

    @torch.no_grad()
    def measure(self, model: SQCodecModel) -> dict[str, float]:
        """``snr_db_{domain}``, and ``snr_db``, their mean; nothing where nothing is held out."""
        model.eval()
        values: dict[str, float] = {}
        for domain, crops in self.batches.items():
            found = [snr_db(model(part), part) for part in torch.split(crops, 4)]
            values[f"snr_db_{domain}"] = float(torch.cat(found).mean())
        if values:
            values["snr_db"] = float(np.mean(list(values.values())))
        return values


class Benchmark:
    """sqbench's signal suite on held-out clips, which are written out for listening too.

    Attributes:
        folder: holds the clips, a manifest, and the results of every evaluation; a plain data
            source for ``sqbench run --data`` and results for ``sqbench table``.
        label: how the codec is called there.

    Raises:
        ImportError: sqbench is not installed.
    """

    def __init__(self, corpus: Corpus, held_out: Sequence[Clip], folder: Path, label: str) -> None:
        if importlib.util.find_spec("sqbench") is None:
            raise ImportError("sqbench is not installed")
        self.folder, self.label = folder, label
        self.clips = _chosen(held_out)
        if self.clips:
            _write_clips(corpus, self.clips, folder)

    def measure(self, model: SQCodecModel, name: str, sha256: str) -> dict[str, float]:
        """``sdr``, ``mel``, ``stoi``, ``pesq``, ``audio_sdr`` and ``audio_mel``; NaN where none.

        Args:
            model: the network to evaluate, in float32; it is not changed.
            name: of the weights in the results.
            sha256: of the weights.
        """
        import sqbench
        from sqbench_codecs.sqcodec import SQCodecAdapter

        info = WeightsInfo(source=name, sha256=sha256, detail=name, config=model.config.name)
        codec = SQCodec(model, info, device=str(next(model.parameters()).device))
        threads = torch.get_num_threads()
        results = sqbench.evaluate(
            SQCodecAdapter.of(codec, self.label),
            str(self.folder / "manifest.csv"),
            out=self.folder / "results",
            workers=max(1, min(4, threads)),
            device=str(codec.device),
            progress=False,
        )
        summary = results.summary()
        row = summary[summary["weights"].str.endswith(sha256[:8])].iloc[-1]
        names = ("sdr", "mel", "stoi", "pesq", "audio_sdr", "audio_mel", "measured_bps")
        return {key: float(row[key]) for key in names if key in row and row[key] is not None}


def heard(corpus: Corpus, held_out: Sequence[Clip]) -> dict[str, Tensor]:
    """A held-out clip ``[T]`` of each domain to listen to, its first `HEARD_SECONDS` at most."""
    longest = int(HEARD_SECONDS * corpus.sample_rate)
    found: dict[str, Tensor] = {}
    for clip in _chosen(held_out):
        if clip.domain not in found:
            samples = corpus.samples[clip.start : clip.start + min(clip.length, longest)]
            found[clip.domain] = torch.from_numpy(np.array(samples, np.float32)) / 32768.0
    return found


def _chosen(held_out: Sequence[Clip]) -> list[Clip]:
    """The longest clips of different groups first: short ones have no PESQ."""
    chosen: list[Clip] = []
    for domain in sorted({clip.domain for clip in held_out}):
        clips = sorted(
            (clip for clip in held_out if clip.domain == domain), key=lambda c: (-c.length, c.name)
        )
        seen: dict[str, int] = {}
        ranked = []
        for clip in clips:
            ranked.append((seen.setdefault(clip.group, 0), clip))
            seen[clip.group] += 1
        chosen += [clip for _, clip in sorted(ranked, key=lambda pair: pair[0])[:CLIPS]]
    return chosen


def _write_clips(corpus: Corpus, clips: Sequence[Clip], folder: Path) -> None:
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    longest = int(CLIP_SECONDS * corpus.sample_rate)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "dataset", "domain"])
        for index, clip in enumerate(clips):
            name = f"{clip.domain}/{index:03d}.wav"
            # The benchmark knows speech and two kinds of the rest; what is not speech is general.
            domain = clip.domain if clip.domain in ("speech", "music") else "general"
            # From the middle: recordings tend to begin with silence.
            first = clip.start + max(0, (clip.length - longest) // 2)
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            samples = corpus.samples[first : first + min(longest, clip.length)]
            soundfile.write(path, np.array(samples), corpus.sample_rate)
            writer.writerow([name, clip.domain, domain])


def better(name: str, value: float, best: float | None) -> bool:
    """Whether ``value`` of the metric beats the best so far (``None``: there is none)."""
    if best is None:
        return True
    return value > best if HIGHER_IS_BETTER[name] else value < best
