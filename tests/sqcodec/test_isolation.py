"""`SQCodec` inside anybody's code: modes, threads, processes, and whatever arrays people hold."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from sqcodec_reference import test_audio
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from sqcodec import InputError, SQCodec
from sqcodec.model import SQCodecModel
from sqcodec.train import command
from sqcodec.weights import WeightsInfo

INFO = WeightsInfo(source="none", sha256="", detail="", config="reduced")
AUDIO = test_audio(2.0, 16000)


def reduced() -> SQCodec:
    config = command.network_config("reduced")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SQCodec(SQCodecModel(config), INFO)


@pytest.fixture(scope="module")
def codec() -> SQCodec:
    return reduced()


@pytest.fixture(scope="module")
def expected(codec: SQCodec) -> tuple[Tensor, Tensor]:
    codes = codec.encode(AUDIO)
    return codes, codec.decode(codes)


ROUNDING = 1e-5
"""Of samples computed by another number of threads: with AVX2, MKL then adds in another order
(8e-7 apart at most, of samples up to 0.39); with AVX512 it does not."""


def assert_as_outside(
    codec: SQCodec, expected: tuple[Tensor, Tensor], *, rounding: float = 0.0
) -> None:
    codes, audio = codec.encode(AUDIO), codec.decode(expected[0])
    assert torch.equal(codes.clone(), expected[0])
    torch.testing.assert_close(audio.clone(), expected[1], rtol=0.0, atol=rounding)
    assert audio.dtype == torch.float32


MODES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "none": nullcontext,
    "inference": torch.inference_mode,
    "no_grad": torch.no_grad,
    "autocast bfloat16": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast float16": lambda: torch.autocast("cpu", torch.float16),
    "meta": lambda: torch.device("meta"),
    "math attention": lambda: sdpa_kernel(SDPBackend.MATH),
    "flash attention": lambda: sdpa_kernel(SDPBackend.FLASH_ATTENTION),
    "anomalies": torch.autograd.detect_anomaly,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_in_every_mode_of_a_thread(
    codec: SQCodec, expected: tuple[Tensor, Tensor], mode: str
) -> None:
    with MODES[mode]():
        assert_as_outside(codec, expected)
        # Loading too: what is made in inference mode, or without values, stays so.
        made = pickle.loads(pickle.dumps(codec))
    assert_as_outside(made, expected)
    assert not any(p.is_inference() or p.is_meta for p in made.model.parameters())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_with_another_default_dtype(
    codec: SQCodec, expected: tuple[Tensor, Tensor], dtype: torch.dtype
) -> None:
    torch.set_default_dtype(dtype)
    try:
        assert_as_outside(codec, expected)
        made = pickle.loads(pickle.dumps(codec))
    finally:
        torch.set_default_dtype(torch.float32)
    assert_as_outside(made, expected)


def test_settings_of_the_process_are_as_before(
    codec: SQCodec, expected: tuple[Tensor, Tensor]
) -> None:
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.benchmark = True
    try:
        assert_as_outside(codec, expected)
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.backends.cudnn.benchmark
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.benchmark = False


def test_the_number_of_threads_changes_nothing(
    codec: SQCodec, expected: tuple[Tensor, Tensor]
) -> None:
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3, 5):
            torch.set_num_threads(threads)
            assert_as_outside(codec, expected, rounding=ROUNDING)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_eight_threads_at_once(codec: SQCodec, expected: tuple[Tensor, Tensor]) -> None:
    gate, done = threading.Barrier(8), []

    def work(index: int) -> None:
        gate.wait()
        with list(MODES.values())[index % 6]():
            assert_as_outside(codec, expected)
        done.append(index)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 8


def _child(codec: SQCodec, audio: Any, queue: Any) -> None:
    codes = codec.encode(audio)
    queue.put((codes.numpy(), codec.decode(codes).numpy()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_in_another_process(codec: SQCodec, expected: tuple[Tensor, Tensor], method: str) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)  # so that there are threads that a fork leaves behind
    try:
        assert_as_outside(codec, expected, rounding=ROUNDING)
        context: Any = multiprocessing.get_context(method)
        queue = context.Queue()
        process = context.Process(target=_child, args=(codec, AUDIO.numpy(), queue))
        process.start()
        codes, audio = queue.get(timeout=120)
        process.join()
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(codes, expected[0].numpy())
    np.testing.assert_allclose(audio, expected[1].numpy(), rtol=0.0, atol=ROUNDING)


def test_copies_are_the_codec(codec: SQCodec, expected: tuple[Tensor, Tensor]) -> None:
    file = io.BytesIO()
    torch.save(codec, file)
    file.seek(0)
    for made in (
        pickle.loads(pickle.dumps(codec)), copy.deepcopy(codec), copy.copy(codec), torch.load(file)
    ):  # fmt: skip
        assert made.weights == codec.weights
        assert_as_outside(made, expected)


def test_loading_draws_no_random_numbers(codec: SQCodec) -> None:
    before = torch.get_rng_state()
    pickle.loads(pickle.dumps(codec))
    assert torch.equal(torch.get_rng_state(), before)


X = AUDIO[0].numpy()


@pytest.mark.parametrize(
    "audio",
    [
        X, np.ascontiguousarray(X[::-1])[::-1], X.astype(">f4"), X.astype("f8"), X.astype(">f8"),
        X.astype(np.longdouble), X.tolist(), np.stack([X, X], 1)[:, 0], AUDIO[0].clone(),
        torch.stack([AUDIO[0]] * 2, 1)[:, 1], torch.nn.Parameter(AUDIO[0].clone()),
    ],
    ids=[
        "array", "reversed", "big-endian", "double", "big-endian double", "long double", "list",
        "strided", "tensor", "strided tensor", "with gradient",
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_arrays_of_every_kind(codec: SQCodec, expected: tuple[Tensor, Tensor], audio: Any) -> None:
    assert torch.equal(codec.encode(audio), expected[0][0])


def test_half_precision_and_read_only(codec: SQCodec, expected: tuple[Tensor, Tensor]) -> None:
    assert torch.equal(codec.encode(AUDIO.half()), codec.encode(AUDIO.half().numpy()))
    fixed = X.copy()
    fixed.flags.writeable = False
    assert torch.equal(codec.encode(fixed), expected[0][0])


@pytest.mark.parametrize(
    "audio",
    [
        torch.zeros(5, dtype=torch.int16), None, "text", [1.0, [2.0]], torch.zeros(1, 1, 5),
        torch.tensor(1.0), torch.zeros(5, dtype=torch.complex64), torch.ones(5).to_sparse(),
        torch.zeros(5, device="meta"), torch.tensor([0.0, torch.nan]), np.array([0.0, np.inf]),
        np.array([1e39]), torch.full((5,), 1e7), np.ma.masked_array([1.0, 2.0], [True, False]),
        {}, torch.zeros(5, dtype=torch.bool),
    ],
)  # fmt: skip
def test_what_is_no_audio(codec: SQCodec, audio: Any) -> None:
    with pytest.raises(InputError, match="audio to encode"):
        codec.encode(audio)


def test_nothing_in_nothing_out(codec: SQCodec) -> None:
    tokens = codec.config.window
    assert codec.encode(torch.zeros(0)).shape == (0,)
    assert codec.encode(torch.zeros(3, 0)).shape == (3, 0)
    assert codec.encode(torch.zeros(0, 100)).shape == (0, tokens)
    assert codec.decode([]).shape == (0,)
    assert codec.decode(np.zeros((0, tokens), int)).shape == (0, tokens * codec.config.hop)
    assert codec.decode(np.zeros((2, 0), int), length=0).shape == (2, 0)


@pytest.mark.parametrize("kind", ["u2", "i4", ">i8", "u8"])
def test_codes_of_every_kind(codec: SQCodec, expected: tuple[Tensor, Tensor], kind: str) -> None:
    codes = np.minimum(expected[0].numpy(), 60000)
    assert torch.equal(codec.decode(codes.astype(kind)[:, ::-1]), codec.decode(codes[:, ::-1]))


@pytest.mark.parametrize(
    "codes",
    [
        [1.0], None, "text", torch.tensor(5), torch.zeros(3, dtype=torch.bool), [-1], [10**7],
        np.array([2**64 - 1], np.uint64), torch.zeros(1, 1, 3, dtype=torch.long),
    ],
)  # fmt: skip
def test_what_is_no_codes(codec: SQCodec, codes: Any) -> None:
    with pytest.raises(InputError, match="codes to decode"):
        codec.decode(codes)


@pytest.mark.parametrize("length", [-1, 10**9, 1.5, "3"])
def test_lengths(codec: SQCodec, expected: tuple[Tensor, Tensor], length: Any) -> None:
    with pytest.raises(InputError, match="length"):
        codec.decode(expected[0], length=length)


def test_what_was_given_is_not_changed(codec: SQCodec) -> None:
    audio = torch.nn.functional.pad(AUDIO, (0, -AUDIO.shape[1] % codec.config.pad_multiple))
    before = audio.clone()
    codec.encode(audio)
    assert torch.equal(audio, before)
