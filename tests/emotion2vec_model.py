"""A tiny emotion2vec with random weights, in the folder layout of the published one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TOKENS = (
    "生气/angry", "厌恶/disgusted", "恐惧/fearful", "开心/happy", "中立/neutral", "其他/other",
    "难过/sad", "吃惊/surprised", "<unk>",
)  # fmt: skip

_AUDIO: dict[str, Any] = {
    "extractor_mode": "layer_norm",
    "feature_encoder_spec": "[(16, 10, 5)] + [(16, 3, 2)] * 4 + [(16, 2, 2)] + [(16, 2, 2)]",
    "conv_pos_depth": 1,
    "conv_pos_width": 9,
    "conv_pos_groups": 4,
    "conv_pos_pre_ln": False,
    "start_drop_path_rate": 0.0,
    "end_drop_path_rate": 0.0,
    "prenet_depth": 1,
    "prenet_layerdrop": 0.0,
    "prenet_dropout": 0.0,
    "model_depth": 1,
    "decoder": None,
    "use_alibi_encoder": True,
    "num_alibi_heads": 2,
    "alibi_scale": 1.0,
    "learned_alibi_scale": True,
    "learned_alibi_scale_per_head": True,
    "learned_alibi_scale_per_layer": False,
    "learned_alibi": False,
    "alibi_max_pos": None,
    "local_grad_mult": 1.0,
    "num_extra_tokens": 2,
    "init_extra_token_zero": True,
    "mask_noise_std": 0.01,
    "mask_prob": 0.5,
    "mask_prob_min": None,
    "inverse_mask": False,
    "mask_prob_adjust": 0.05,
    "keep_masked_pct": 0.0,
    "mask_length": 5,
    "add_masks": False,
    "remove_masks": False,
    "mask_dropout": 0.0,
    "encoder_zero_mask": True,
    "mask_channel_prob": 0.0,
    "mask_channel_length": 64,
    "ema_local_encoder": False,
}

_MODEL: dict[str, Any] = {
    "normalize": True,
    "embed_dim": 32,
    "depth": 1,
    "num_heads": 2,
    "mlp_ratio": 2,
    "norm_eps": 1e-5,
    "norm_affine": True,
    "layer_norm_first": False,
    "end_of_block_targets": False,
    "encoder_dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "post_mlp_drop": 0.0,
    "dropout_input": 0.0,
    "layerdrop": 0.0,
    "start_drop_path_rate": 0.0,
    "end_drop_path_rate": 0.0,
    "average_top_k_layers": 1,
    "loss_beta": 0,
    "loss_scale": None,
    "clone_batch": 1,
    "modalities": {"audio": _AUDIO},
}


def save(folder: Path) -> None:
    """Write the model."""
    import torch
    from funasr.models.emotion2vec.model import Emotion2vec
    from omegaconf import OmegaConf

    torch.manual_seed(0)
    model = Emotion2vec(model_conf=_MODEL, vocab_size=len(TOKENS))
    torch.save({"model": model.state_dict()}, folder / "model.pt")
    (folder / "tokens.txt").write_text("\n".join(TOKENS) + "\n", encoding="utf-8")
    (folder / "tokens.json").write_text(json.dumps(TOKENS), encoding="utf-8")
    config = {
        "model": "Emotion2vec",
        "model_conf": _MODEL,
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        "dataset": "AudioDataset",
        "dataset_conf": {},
        "scope_map": ["none", "none"],
    }
    OmegaConf.save(OmegaConf.create(config), folder / "config.yaml")
    described = {
        "framework": "pytorch",
        "task": "emotion-recognition",
        "model": {"type": "funasr"},
        "file_path_metas": {
            "init_param": "model.pt",
            "tokenizer_conf": {"token_list": "tokens.json"},
            "config": "config.yaml",
        },
    }
    (folder / "configuration.json").write_text(json.dumps(described), encoding="utf-8")
