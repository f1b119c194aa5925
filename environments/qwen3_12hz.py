"""Qwen3-TTS-Tokenizer-12Hz by `qwen-tts`, which pins another transformers than ours."""

import numpy as np
import torch
from qwen_tts.inference.qwen3_tts_tokenizer import Qwen3TTSTokenizer


class Qwen3Tokenizer:
    name = "qwen3-tts-12hz"
    sample_rate, frame_rate = 24000, 12.5
    codebook_sizes = (2048,) * 16

    def __init__(self, weights="auto", device="cpu"):
        source = "Qwen/Qwen3-TTS-Tokenizer-12Hz" if weights == "auto" else weights
        self.tokenizer = Qwen3TTSTokenizer.from_pretrained(source, device_map=device)

    def encode(self, audio):
        return [self.tokenizer.encode(x, sr=24000).audio_codes[0].T.cpu() for x in audio]

    def decode(self, codes, lengths):
        found = []
        for one, length in zip(codes, lengths, strict=True):
            (samples,), _ = self.tokenizer.decode({"audio_codes": [torch.as_tensor(one).T]})
            found.append(np.pad(samples, (0, max(0, length - len(samples))))[:length])
        return found
