"""Weights by the names of POSTER's own code, written out here once more and apart from the loader."""

from collections.abc import Iterator

import torch

from mien.models.ir50 import IR50Stages
from mien.models.mobilefacenet import MobileFaceNet

Shapes = Iterator[tuple[str, tuple[int, ...]]]

SMALL = {
    "image_size": 32,
    "embed_dim": 32,
    "depth": 2,
    "num_heads": 2,
    "backbone_widths": (4, 4, 8),
    "backbone_units": (1, 1, 1),
    "landmark_widths": (4, 4, 4, 32),
    "landmark_units": (1, 1, 1),
}
"""A configuration of ``Poster`` that the drawn checkpoint fits: 4 tokens per stream."""


def draw_poster(num_classes: int = 7, seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict of POSTER at the sizes of ``SMALL``, drawn at random, with all that POSTER has."""
    generator = torch.Generator().manual_seed(seed)
    weights = {name: torch.randn(shape, generator=generator) / 4 for name, shape in _shapes(num_classes)}
    torch.manual_seed(seed)
    parts = {
        "ir_back": IR50Stages(SMALL["backbone_widths"], SMALL["backbone_units"], image_size=32),
        "face_landback": MobileFaceNet(SMALL["landmark_widths"], SMALL["landmark_units"], image_size=32),
    }
    for part, module in parts.items():
        weights |= {f"{part}.{name}": tensor for name, tensor in module.state_dict().items()}
    return weights


def _shapes(num_classes: int) -> Shapes:
    yield from _norm("ir_back.output_layer.0", 16, running=True)
    yield from _linear("ir_back.output_layer.3", 16, 16 * 2**2)
    yield from _norm("ir_back.output_layer.4", 16, running=True)
    yield from _linear("ir_layer", 32, 4 * 8)
    yield "pyramid_fuse.cls_token", (1, 1, 32)
    yield "pyramid_fuse.pos_embed", (1, 5, 32)
    for name, step in (("m", 2), ("s", 4)):
        yield f"pyramid_fuse.downsample_{name}.weight", (10, 10, step)
        yield f"pyramid_fuse.downsample_{name}.bias", (10,)
    for number in range(2):
        for level, dim in (("l", 32), ("m", 16), ("s", 8)):
            yield from _block(f"pyramid_fuse.blocks.{number}.block_{level}", dim)
        for level in "ms":
            yield f"pyramid_fuse.blocks.{number}.upsample_{level}.weight", (10, 10, 2)
            yield f"pyramid_fuse.blocks.{number}.upsample_{level}.bias", (10,)
    yield from _norm("pyramid_fuse.norm", 32)
    yield from _linear("se_block.linear1", 32, 32)
    yield from _linear("se_block.linear2", 32, 32)
    yield from _linear("head.linear", num_classes, 32)


def _block(prefix: str, dim: int) -> Shapes:
    for number in (1, 2, 3, 4):
        yield from _norm(f"{prefix}.norm{number}", dim)
    for stream in ("img", "lm"):
        yield from _linear(f"{prefix}.attn_{stream}.kv", 2 * dim, dim)
        yield from _linear(f"{prefix}.attn_{stream}.proj", dim, dim)
    for number in (1, 2):
        yield from _linear(f"{prefix}.mlp{number}.fc1", 2 * dim, dim)
        yield from _linear(f"{prefix}.mlp{number}.fc2", dim, 2 * dim)
    yield f"{prefix}.conv.weight", (10, 10, 1)
    yield f"{prefix}.conv.bias", (10,)


def _linear(name: str, outputs: int, inputs: int) -> Shapes:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _norm(name: str, width: int, running: bool = False) -> Shapes:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)
    if running:
        yield f"{name}.running_mean", (width,)
        yield f"{name}.running_var", (width,)
        yield f"{name}.num_batches_tracked", ()
