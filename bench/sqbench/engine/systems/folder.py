"""A folder of audio that somebody else decoded, in the place of a codec."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from sqbench import audio
from sqbench.data.files import audio_files
from sqbench.data.pairing import Namesakes
from sqbench.engine.jobs import Item
from sqbench.engine.systems.base import Coded, Lost, Reconstruction, System, read_reference, why
from sqbench.errors import InputError


class FolderSystem(System):
    """Clips paired by id: the same relative path, extensions aside.

    Each clip's result depends on the file that is there, so a file that is replaced is scored
    again and nothing else is.

    Args:
        path: the folder.
        name: of the row; the folder's by default.
        bitrate_bps: nominal, if it is known.
        num_codebooks: if it is known.

    Raises:
        InputError: there is no such folder, or no audio in it.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str = "",
        bitrate_bps: float | None = None,
        num_codebooks: int | None = None,
    ) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise InputError(str(path), expected="a folder of decoded audio", found="no folder")
        files = audio_files(self.path)
        self._files = Namesakes(files)
        if not files:
            raise InputError(str(path), expected="a folder of decoded audio", found="no audio")
        self.description = {
            "name": name or self.path.resolve().name,
            "sample_rate": None,
            "frame_rate": None,
            "codebook_sizes": [],
            "num_codebooks": num_codebooks,
            "bitrate_bps": bitrate_bps,
            "settings": {"folder": True},
            "weights": {"source": "none", "sha256": None, "detail": ""},
            "hosted": "folder",
        }
        self._hashes: dict[str, str] = {}

    def content(self, item: Item) -> str:
        """Hash of the clip's file, or ``missing``."""
        file = self._file(item)
        if isinstance(file, str):
            return file
        key = str(file)
        if key not in self._hashes:
            try:
                self._hashes[key] = hashlib.sha256(file.read_bytes()).hexdigest()
            except OSError as error:
                self._hashes[key] = f"unreadable ({error.strerror})"
        return self._hashes[key]

    def reconstruct(
        self, batches: Iterator[Sequence[Item]], *, seconds: float | None = None
    ) -> Iterator[Reconstruction | Lost]:
        for batch in batches:
            for item in batch:
                yield self._one(item, seconds)

    def _one(self, item: Item, seconds: float | None) -> Reconstruction | Lost:
        file = self._file(item)
        if isinstance(file, str):
            return Lost(item, file)
        try:
            reference, reference_rate = read_reference(item, seconds)
            samples, rate = audio.read(file)
        except Exception as error:
            return Lost(item, why(error))
        estimate = audio.first_channel(samples)
        if seconds is not None:
            estimate = estimate[: max(1, round(seconds * rate))]
        return Reconstruction(
            item=item,
            reference=reference,
            reference_rate=reference_rate,
            estimate=estimate,
            estimate_rate=rate,
            coded=Coded(
                duration_s=len(reference) / reference_rate, bits=None, encode_s=None, decode_s=None
            ),
        )

    def _file(self, item: Item) -> Path | str:
        """The clip's file, or why there is none."""
        clip = PurePosixPath(item.utterance.id).as_posix()
        found = self._files.of(clip)
        if not found:
            return f"no namesake in {self.path}"
        if len(found) > 1:
            return f"several namesakes in {self.path}: {', '.join(found)}"
        return self.path / found[0]
