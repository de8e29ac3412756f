"""CLIP's text side from a folder that the user has: its tokenizer, and its weights for our text tower."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mien.errors import MienError
from mien.models.text_encoder import TextTower
from mien.models.weights import check_values, read_tensors
from mien.outputs import reading

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))

_SAVE_ANEW = "Take a whole copy of the folder, as CLIPModel.save_pretrained leaves it."

_PROJECTION = "text_projection.weight"
_OUTSIDE_BLOCKS = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "position_embedding": "embeddings.position_embedding.weight",
    "norm.weight": "final_layer_norm.weight",
    "norm.bias": "final_layer_norm.bias",
}
_INSIDE_BLOCK = {
    "attn.norm": "layer_norm1",
    "attn.attn.q": "self_attn.q_proj",
    "attn.attn.proj": "self_attn.out_proj",
    "mlp.norm": "layer_norm2",
    "mlp.mlp.fc1": "mlp.fc1",
    "mlp.mlp.fc2": "mlp.fc2",
}
_ARGUMENTS = {"width": "text_width", "depth": "text_depth", "num_heads": "text_heads", "embed_dim": "text_embed_dim"}
_ARGUMENTS |= {"context_length": "text_context_length", "vocab_size": "text_vocab_size"}


def check_clip_folder(folder: str | Path) -> Path:
    """Check that a folder holds what the text side of CLIP needs, and return it as a path.

    Raises:
        MienError: No such folder, or files are missing.
    """
    folder = Path(folder)
    lacking = [] if (folder / "config.json").is_file() else ["config.json"]
    if not any((folder / name).is_file() for name in WEIGHTS):
        lacking.append(" or ".join(WEIGHTS))
    if not any(all((folder / name).is_file() for name in names) for names in TOKENIZERS):
        lacking.append(" or ".join(" with ".join(names) for names in TOKENIZERS))
    if lacking:
        raise MienError(
            f"the CLIP folder {folder} {'lacks ' + ', '.join(lacking) if folder.is_dir() else 'does not exist'}. "
            "Give a complete copy of openai/clip-vit-base-patch32 as transformers saves it, or none, and the text side "
            "starts at random."
        )
    return folder


def clip_tokens(folder: str | Path, prompts: Sequence[str]) -> list[list[int]]:
    """Token ids of prompts by the folder's tokenizer, each from its start to its end. Nothing is fetched.

    Raises:
        MienError: The folder is incomplete, or ``transformers`` is not installed.
    """
    folder = check_clip_folder(folder)
    try:
        from transformers import CLIPTokenizer
    except ImportError as error:
        raise MienError(
            f"CLIP's tokenizer in {folder} is read by transformers, which is not installed here. "
            "Install it with: pip install 'mien[clip]'."
        ) from error
    with reading(folder, "CLIP's tokenizer", _SAVE_ANEW):
        tokenizer = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
        return [list(tokenizer(prompt)["input_ids"]) for prompt in prompts]


def load_clip_text(tower: TextTower, folder: str | Path) -> str:
    """Fill a text tower with the weights of a CLIP folder, in float32.

    Args:
        tower: Of the folder's sizes.
        folder: As ``transformers`` saves a ``CLIPModel`` or a ``CLIPTextModelWithProjection``.

    Returns:
        What was loaded, in a line.

    Raises:
        MienError: The folder is incomplete, or its tower has other sizes or lacks tensors.
    """
    folder = check_clip_folder(folder)
    path = next(folder / name for name in WEIGHTS if (folder / name).is_file())
    tensors = read_tensors(path)
    text = {name.removeprefix("text_model."): tensor for name, tensor in tensors.items()}
    with reading(folder / "config.json", "CLIP's configuration", _SAVE_ANEW):
        config = dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    _check_sizes(tower, text, config.get("text_config", config), folder)
    weights = _our_names(text, len(tower.blocks), path)
    check_values(weights, path)
    tower.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return f"loaded {len(weights)} of {len(weights)} tensors of CLIP's text tower from {path}"


def _check_sizes(tower: TextTower, text: Mapping[str, Tensor], config: Mapping[str, Any], folder: Path) -> None:
    """Compare the sizes that the tensors and the configuration show with the tower's."""
    embeddings = [_OUTSIDE_BLOCKS["token_embedding.weight"], _OUTSIDE_BLOCKS["position_embedding"], _PROJECTION]
    if lacking := [name for name in embeddings if name not in text]:
        raise MienError(
            f"the weights in {folder} lack {lacking[0]}, so they are not of CLIP's text tower with its projection. "
            "Save them with CLIPModel or CLIPTextModelWithProjection."
        )
    if (act := config.get("hidden_act", "quick_gelu")) != "quick_gelu":
        raise MienError(
            f"the CLIP in {folder} was trained with {act}, and the text tower computes OpenAI's quick_gelu. "
            "Give a folder of OpenAI's CLIP."
        )
    (vocab_size, width), (context_length, _), (embed_dim, _) = (tuple(text[name].shape) for name in embeddings)
    blocks = {int(name.split(".")[2]) for name in text if name.startswith("encoder.layers.")}
    theirs = {"width": width, "depth": len(blocks), "num_heads": config.get("num_attention_heads", 8)}
    theirs |= {"embed_dim": embed_dim, "context_length": context_length, "vocab_size": vocab_size}
    ours = {
        "width": tower.width,
        "depth": len(tower.blocks),
        "num_heads": tower.num_heads,
        "embed_dim": tower.embed_dim,
        "context_length": tower.context_length,
        "vocab_size": tower.token_embedding.num_embeddings,
    }
    if differing := [name for name in theirs if theirs[name] != ours[name]]:
        raise MienError(
            f"the CLIP in {folder} has another text tower than the model: "
            f"{', '.join(f'{name} {theirs[name]} against {ours[name]}' for name in differing)}. "
            f"Set {', '.join(f'{_ARGUMENTS[name]}: {theirs[name]}' for name in differing)}, or give another folder."
        )


def _our_names(text: Mapping[str, Tensor], depth: int, path: Path) -> dict[str, Tensor]:
    """CLIP's tensors under our tower's names, keys and values joined in one matrix."""
    pairs = {"proj.weight": [_PROJECTION], **{ours: [theirs] for ours, theirs in _OUTSIDE_BLOCKS.items()}}
    for number in range(depth):
        layer = f"encoder.layers.{number}"
        for part in ("weight", "bias"):
            pairs |= {
                f"blocks.{number}.{ours}.{part}": [f"{layer}.{theirs}.{part}"] for ours, theirs in _INSIDE_BLOCK.items()
            }
            both = [f"{layer}.self_attn.{name}_proj.{part}" for name in ("k", "v")]
            pairs[f"blocks.{number}.attn.attn.kv.{part}"] = both
    if lacking := [name for names in pairs.values() for name in names if name not in text]:
        raise MienError(
            f"{path} lacks {len(lacking)} tensors of CLIP's text tower, such as {lacking[0]}. "
            "The file is of another model or cut short: save it anew with CLIPModel.save_pretrained."
        )
    return {ours: torch.cat([text[name] for name in names]) for ours, names in pairs.items()}
