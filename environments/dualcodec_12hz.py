"""DualCodec at 12.5 Hz by `dualcodec`, whose audiotools pin protobuf below 3.20."""

import numpy as np
import torch
from dualcodec.infer.dualcodec.get_model import get_model
from dualcodec.infer.dualcodec.inference_with_semantic import Inference


class DualCodec12Hz:
    name = "dualcodec-12hz"
    sample_rate, frame_rate = 24000, 12.5
    codebook_sizes = (16384, *(4096,) * 7)

    def __init__(self, weights="auto", device="cpu"):
        paths = ("hf://amphion/dualcodec", "hf://facebook/w2v-bert-2.0")
        if weights != "auto":  # a folder with both
            paths = (f"{weights}/dualcodec", f"{weights}/w2v-bert-2.0")
        self.codec = Inference(
            get_model("12hz_v1", paths[0]), paths[0], paths[1], device=device, autocast=False
        )

    def encode(self, audio):
        found = []
        for x in audio:
            semantic, acoustic = self.codec.encode(torch.from_numpy(x)[None, None], n_quantizers=8)
            found.append(torch.cat([semantic, acoustic], 1)[0].cpu().long())
        return found

    def decode(self, codes, lengths):
        found = []
        for one, length in zip(codes, lengths, strict=True):
            one = torch.as_tensor(one)[None]
            samples = self.codec.decode(one[:, :1], one[:, 1:])[0, 0].cpu().numpy()
            found.append(np.pad(samples, (0, max(0, length - len(samples))))[:length])
        return found
