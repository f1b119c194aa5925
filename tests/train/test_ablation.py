"""The seven rows as training runs, on a narrow network with a tiny random Whisper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from train_fixtures import speech_and_music

from sqbench.ablation import report as report
from sqbench.published.rows import table3
from sqcodec.config import read_config
from sqcodec.errors import InputError
from sqcodec.train import ablation, command, evaluation
from sqcodec.train.recipes.recipe import load_recipe, shipped_changes

transformers = pytest.importorskip("transformers", reason="the extra 'train' is not installed")


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Whisper of 16 features that hears one second."""
    config = transformers.WhisperConfig(
        d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=32,
        decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=32, num_mel_bins=80,
        max_source_positions=50, max_target_positions=8, vocab_size=16, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=3,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("models") / "tiny-whisper"
    transformers.WhisperForConditionalGeneration(config).save_pretrained(path)
    transformers.WhisperFeatureExtractor(feature_size=80, chunk_length=1).save_pretrained(path)
    return path


def test_rows_are_the_papers_and_their_recipes_ship() -> None:
    assert [row.variant for row in table3()][1:] == list(ablation.ROWS.values())[1:]
    changes = {row: shipped_changes(row) for row in (*ablation.ROWS, *ablation.EXTRA)
               if row != ablation.BASELINE}  # fmt: skip
    assert changes["window-40"] == {"model.window": 40}
    assert all(len(change) == 1 for change in changes.values())


def test_rows_run_resume_and_become_a_table(
    whisper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(evaluation, "SECONDS", 0.8)
    monkeypatch.setattr(evaluation, "CLIPS", 1)
    root, out = speech_and_music(tmp_path / "data"), tmp_path / "out"
    arguments = ["--config", "reduced", "--data", str(root), "--out", str(out), "--recipe", "cpu",
                 "--set", f"perceptual={whisper}", "--set", "batch_size=2", "--max-steps", "1",
                 "--rows", "baseline", "window-40"]  # fmt: skip
    assert ablation.main(arguments) == 0
    rows = ablation.read_summary(out)
    assert list(rows) == ["baseline", "window-40"]
    assert [row["config"]["window"] for row in rows.values()] == [300, 40]
    assert rows["baseline"]["perceptual"]["source"] == "tiny-whisper"
    assert rows["baseline"]["audio_hours_heard"] == pytest.approx(2 * 0.84375 / 3600)
    # Crops are equally long in all rows, as far as their windows allow: 8 of 40 tokens here.
    assert rows["window-40"]["audio_hours_heard"] == pytest.approx(2 * 0.9 / 3600)
    assert len(list((out / "cache").glob("*.pcm"))) == 1
    built = report.build(out, published=True)
    assert [line.variant for line in built.lines[:2]] == ["SQCodec (reduced)", "w/ 40 window size"]
    assert all(line.values["sdr"] is not None for line in built.lines)
    log = (out / "window-40/log.jsonl").read_bytes()
    capsys.readouterr()
    assert ablation.main(arguments) == 0
    assert capsys.readouterr().out.count("finished before") == 2
    assert (out / "window-40/log.jsonl").read_bytes() == log
    assert ablation.main([*arguments, "--set", "batch_size=4"]) == 1
    assert "Choose another --out" in capsys.readouterr().err


def test_a_rows_own_change_wins_over_what_all_rows_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def run(options: Any) -> int:
        seen.append(options)
        return 1

    monkeypatch.setattr(command, "run", run)
    for row in ("baseline", "no-perceptual"):
        ablation.main(["--config", "reduced", "--data", "x", "--out", str(tmp_path), "--rows", row,
                       "--set", "perceptual=mine"])  # fmt: skip
    first, second = (
        load_recipe(["published"], "reduced").override(options.set) for options in seen
    )
    assert (first.perceptual.source, second.perceptual.source) == ("mine", "none")
    assert first.seconds == second.seconds == 7 * 0.84375
    assert all(options.cache == tmp_path / "cache" for options in seen)


def test_rows_start_from_the_same_weights_and_not_again_when_they_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def run(options: Any) -> int:
        seen.append(options)
        return 1

    monkeypatch.setattr(command, "run", run)
    arguments = ["--config", "6k", "--data", "x", "--out", str(tmp_path), "--init", "bundled",
                 "--rows", "no-perceptual"]  # fmt: skip
    ablation.main(arguments)
    (tmp_path / "no-perceptual/checkpoints").mkdir(parents=True)
    (tmp_path / "no-perceptual/checkpoints/step-00000001.pt").touch()
    ablation.main(arguments)
    assert [(options.init, options.resume) for options in seen] == [
        ("bundled", False),
        (None, True),
    ]


def test_a_stopped_run_stops_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "run", lambda options: 130)
    assert ablation.main(["--config", "reduced", "--data", "x", "--out", str(tmp_path)]) == 130
    assert ablation.read_summary(tmp_path) == {}


def config_file(tmp_path: Path, **changes: object) -> Path:
    values = {**command.network_config("reduced").to_dict(), "name": "mine", **changes}
    for switch in ("tconv", "teconv"):
        values[switch] = json.loads(str(values[switch]).lower())
    path = tmp_path / "mine.toml"
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
    return path


def test_a_config_of_ones_own(tmp_path: Path) -> None:
    config = command.network_config(str(config_file(tmp_path, window=50)))
    assert (config.name, config.window, config.tconv) == ("mine", 50, True)
    assert command.network_config("6k").name == "6kbps"
    assert command.network_config("reduced").window == 300


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"window": "300"}, 'mine.toml, window; expected a whole number; found "300"'),
        ({"levels": [7, 7.5]}, r"levels\.1; expected a whole number; found 7\.5"),
        ({"windows": 300}, r"unknown \['windows'\]"),
        ({"name": "6kbps"}, "no published setting has; found 6kbps"),
        ({"decoder_rates": [9, 4]}, "same product"),
    ],
    ids=["text for a number", "a broken level", "unknown field", "a published name", "rates"],
)
def test_a_config_that_cannot_be_used(
    changes: dict[str, object], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        read_config(config_file(tmp_path, **changes))


@pytest.mark.parametrize(
    "content", [None, "window = ", b"\xff"], ids=["none", "no TOML", "no text"]
)
def test_a_config_that_cannot_be_read(content: str | bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError, match=r"mine\.toml"):
        read_config(path)
