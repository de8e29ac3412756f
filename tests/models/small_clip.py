"""A CLIP folder as transformers saves it, small and with random weights."""

import json
import string
from pathlib import Path

LETTERS = [*string.ascii_lowercase, *(f"{letter}</w>" for letter in string.ascii_lowercase)]
MERGES = [("f", "a"), ("c", "e</w>"), ("fa", "ce</w>"), ("s", "a"), ("sa", "d</w>")]
VOCABULARY = [*LETTERS, *("".join(pair) for pair in MERGES), "<|startoftext|>", "<|endoftext|>"]
SIZES = {
    "vocab_size": len(VOCABULARY),
    "context_length": 32,
    "width": 32,
    "depth": 2,
    "num_heads": 4,
    "embed_dim": 24,
}
"""Arguments of the ``TextTower`` that the folder fills."""


def save_small_clip(folder: Path) -> Path:
    """Write weights, configuration and tokenizer."""
    import torch
    import transformers

    end = len(VOCABULARY) - 1
    text = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": 32,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 32,
        "projection_dim": 24,
        "bos_token_id": end - 1,
        "eos_token_id": end,
        "pad_token_id": end,
    }
    vision = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    vision |= {"image_size": 8, "patch_size": 8}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=24, initializer_factor=5.0)
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(VOCABULARY)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *(" ".join(pair) for pair in MERGES), ""]))
    return folder
