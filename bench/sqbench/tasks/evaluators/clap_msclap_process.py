"""CLAP by msclap: the process in msclap's own environment. Run as a file; imports nothing of ours.

Lines of JSON come in and go out. First ``{"model": FILE or null}`` is answered with what identifies
the model; then ``{"prompts": [...], "cuda": bool}`` with the rate and length it takes; then
each ``{"audio": base64 of float32}`` with ``scores`` and ``embedding``.
"""

import base64
import hashlib
import json
import os
import sys
from importlib import metadata

# What msclap prints must not get between our lines.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


def main() -> None:
    model = json.loads(sys.stdin.readline())["model"]
    if model is None:
        from huggingface_hub import hf_hub_download
        from msclap import CLAP

        model = hf_hub_download(CLAP.model_repo, CLAP.model_name["2023"])
    with open(model, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    answer(**{name: metadata.version(name) for name in ("msclap", "torch")}, sha256=sha256)
    line = sys.stdin.readline()
    if not line:
        return
    import torch
    from msclap import CLAP

    asked = json.loads(line)
    # Before msclap reads it, which in older torch would run what a pickle holds.
    saved = torch.load(model, map_location="cpu", weights_only=True)["model"]
    clap = CLAP(model_fp=model, version="2023", use_cuda=asked["cuda"])
    # msclap itself leaves at random, without a word, what a file does not have.
    lacking = [name for name, _ in clap.clap.named_parameters() if name not in saved]
    if lacking:
        raise ValueError(f"{model} lacks {len(lacking)} parameters of CLAP 2023 ({lacking[0]})")
    texts = clap.get_text_embeddings(asked["prompts"])
    answer(rate=clap.args.sampling_rate, seconds=clap.args.duration)
    for line in sys.stdin:
        samples = bytearray(base64.b64decode(json.loads(line)["audio"]))
        audio = torch.frombuffer(samples, dtype=torch.float32)[None, None]
        # Reading files is all that is left out of msclap's own way.
        embedding = clap._get_audio_embeddings(audio.cuda() if asked["cuda"] else audio)
        scores = clap.compute_similarity(embedding, texts)[0]
        answer(scores=scores.tolist(), embedding=embedding[0].tolist())


def answer(**fields: object) -> None:
    answers.write(json.dumps(fields) + "\n")


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        answer(error=f"{type(error).__name__}: {error}")
        sys.exit(1)
