"""Perceptual loss: the distance that a speech recogniser's encoder sees between two waveforms.

The paper names Whisper-tiny; the model ``tiny.en``, the layer (the encoder's output) and the form
of the distance are those of SQCodec's successor L3AC. Whisper: Radford et al. 2022.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.amp.autocast_mode import is_autocast_available
from torch.nn import functional as F

from sqcodec.checkpoint import tensors_sha256
from sqcodec.errors import InputError

if TYPE_CHECKING:
    from transformers import WhisperFeatureExtractor, WhisperModel

WHISPER = "openai/whisper-tiny.en"
"""The published choice, on the Hugging Face hub."""

_FILES = ("config.json", "model.safetensors", "preprocessor_config.json")
_WITHOUT = "To train without this loss: --set perceptual=none."
_FLOOR = 1e-10
_RANGE = 8.0  # log10 units that Whisper sees below the loudest value
_FRAMES_PER_POSITION = 2  # the stride of the encoder's second convolution


class WhisperPerceptual(nn.Module):
    """``mean over items and frames of sum over features of (E(estimate) - E(reference))^2``.

    ``E`` is the output of a Whisper encoder (384 features, 1500 frames in the published model) for
    audio at its rate, cut or padded with silence to its length (16 kHz, 30 s). It is frozen and
    always in evaluation mode; the gradient flows through it into the estimate alone.

    Args:
        model: Whisper, of which the encoder is kept.
        extractor: the front end it was trained with; its log-mel spectrum is computed in torch.
        sample_rate: of the audio given, Hz.
        identity: what the training card says of the weights; their hash is added.

    Attributes:
        identity: ``source`` (id or folder name), the hub's commit as ``revision`` where it comes
            from there, and ``sha256`` over the encoder's tensors.
    """

    mel_filters: Tensor
    hann: Tensor

    def __init__(
        self,
        model: WhisperModel,
        extractor: WhisperFeatureExtractor,
        *,
        sample_rate: int,
        identity: dict[str, Any],
    ) -> None:
        super().__init__()
        self.encoder: nn.Module = model.get_encoder().eval().requires_grad_(False)
        self.identity = {**identity, "sha256": tensors_sha256(self.encoder)}
        self.window, self.hop = extractor.n_fft, extractor.hop_length
        self.frames = _FRAMES_PER_POSITION * model.config.max_source_positions
        self.resample: nn.Module = nn.Identity()
        if sample_rate != extractor.sampling_rate:
            from torchaudio.transforms import Resample

            self.resample = Resample(sample_rate, extractor.sampling_rate)
        filters = torch.from_numpy(extractor.mel_filters).float().T.contiguous()
        self.register_buffer("mel_filters", filters, persistent=False)
        self.register_buffer("hann", torch.hann_window(self.window), persistent=False)

    @classmethod
    def load(
        cls,
        source: str = WHISPER,
        *,
        sample_rate: int,
        revision: str | None = None,
        device: torch.device | str = "cpu",
    ) -> WhisperPerceptual:
        """The loss with the weights of a model on the hub or in a folder.

        Args:
            source: id on the Hugging Face hub, or a folder in ``save_pretrained``'s layout.
            sample_rate: of the audio that the loss will be given, Hz.
            revision: of the model on the hub; its main branch by default.
            device: where the loss is computed.

        Raises:
            InputError: transformers is missing, or the weights are not there, not readable, or not
                those of a Whisper.
        """
        if Path(source).is_dir():
            # The folder's name alone: where it lies on this machine is nobody else's matter.
            folder, identity = Path(source), {"source": Path(source).resolve().name}
        else:
            folder = _snapshot(source, revision)
            identity = {"source": source, "revision": folder.name}
        model, extractor = _read(folder, source)
        return cls(model, extractor, sample_rate=sample_rate, identity=identity).to(device)

    def train(self, mode: bool = True) -> WhisperPerceptual:
        """Stays in evaluation mode, where no layer drops anything."""
        return super().train(False)

    def forward(self, estimate: Tensor, reference: Tensor) -> Tensor:
        """Distance between waveforms ``[B, T]``; a scalar."""
        with torch.no_grad():
            target = self.features(reference).float()
        return (self.features(estimate).float() - target).square().sum(-1).mean()

    def features(self, audio: Tensor) -> Tensor:
        """Encoder output ``[B, positions, D]`` for waveforms ``[B, T]``."""
        out: Tensor = self.encoder(self.log_mel(audio)).last_hidden_state
        return out

    def log_mel(self, audio: Tensor) -> Tensor:
        """Whisper's input ``[B, mels, frames]`` for waveforms ``[B, T]``, in float32.

        ``log10`` of the mel power, floored at 1e-10 and at 8 below the item's highest, then
        ``(. + 4) / 4``. Only frames that the audio reaches are transformed: of the 30 s a crop
        fills a small part, and silence is at the floor.
        """
        # The meta device, on which operations are counted, has no autocast to switch off.
        kind = audio.device.type if is_autocast_available(audio.device.type) else "cpu"
        with torch.autocast(kind, enabled=False):
            audio = self.resample(audio.float())
            half, whole = self.window // 2, self.frames * self.hop
            reached = min(self.frames, ceil((audio.shape[1] + half) / self.hop))
            # Up to the last sample that the last of these frames sees; ends of the 30 s reflect.
            samples = min(whole, (reached - 1) * self.hop + half)
            audio = F.pad(audio, (0, samples - audio.shape[1]))
            spectrum = torch.stft(
                audio, self.window, self.hop, window=self.hann, return_complex=True
            )[..., :reached]
            power = spectrum.real.square() + spectrum.imag.square()
            log = (self.mel_filters @ power).clamp_min(_FLOOR).log10()
            log = F.pad(log, (0, self.frames - reached), value=-10.0)  # log10 of the floor
            highest = log.amax(dim=(1, 2), keepdim=True)
            return (torch.maximum(log, highest - _RANGE) + 4.0) / 4.0


def _snapshot(source: str, revision: str | None) -> Path:
    """The model's files in the hub's cache, fetched if need be; the folder's name is the commit."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    place = f"a folder, or a model on the Hugging Face hub ({revision or 'main'}) or in its cache"
    try:
        return Path(snapshot_download(source, revision=revision, allow_patterns=list(_FILES)))
    except HFValidationError as error:
        raise _unusable(source, place, "no such folder, and no name a model can have") from error
    except (HfHubHTTPError, OSError) as error:
        raise _unusable(source, place, error) from error


def _read(folder: Path, source: str) -> tuple[WhisperModel, WhisperFeatureExtractor]:
    """Model in float32 and front end, with every tensor of the encoder found."""
    try:
        from transformers import WhisperFeatureExtractor, WhisperModel
    except ImportError as error:
        raise InputError(
            "perceptual loss",
            expected="the package transformers",
            found=str(error),
            remedy=f"pip install 'sqbench[train]'. {_WITHOUT}",
        ) from error
    from safetensors import SafetensorError

    expected = f"a Whisper model in {', '.join(_FILES)}"
    try:
        extractor = WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
        loaded: Any = WhisperModel.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _unusable(source, expected, error) from error
    model, report = loaded
    # What is not in the file is drawn at random, with a warning only.
    missing = sorted(key for key in report["missing_keys"] if key.startswith("encoder."))
    if missing:
        raise _unusable(source, expected, f"no {missing[0]} ({len(missing)} tensors missing)")
    if extractor.feature_size != model.config.num_mel_bins:
        bands = f"{extractor.feature_size} mel bands, and a network of {model.config.num_mel_bins}"
        raise _unusable(source, expected, bands)
    return model, extractor


def _unusable(source: str, expected: str, found: Exception | str) -> InputError:
    if isinstance(found, Exception):
        first, _, _ = str(found).strip().partition("\n")
        found = f"{type(found).__name__}: {first.rstrip('.')}"
    remedy = f"Name a local folder with {', '.join(_FILES)}. {_WITHOUT}"
    return InputError(f"perceptual model {source}", expected=expected, found=found, remedy=remedy)
