"""Multiply-accumulate operations of FER-former, from its sizes alone.

Counted as for SAE (``mien.models.sae_macs``). The text side is apart: its features depend on no image and are computed
once.
"""

from dataclasses import dataclass
from typing import cast

from torch import nn

from mien.layers.multi_granularity import MultiGranularityEmbedding
from mien.models.fer_former import FERFormer
from mien.models.macs import ir50_macs, transformer_block_macs
from mien.models.text_encoder import PromptTower, TextTower


@dataclass(frozen=True)
class FERFormerMacs:
    """MACs of one image through each part of FER-former.

    Attributes:
        image_backbone: IR-50's stages.
        embedding: Patches to tokens.
        position: Convolutional position encoding; 0 for the others.
        encoder: Transformer blocks.
        head: Class head, and cosines with the texts.
        text: All prompts through the text tower and the projection behind it, once for any number of images.
    """

    image_backbone: int
    embedding: int
    position: int
    encoder: int
    head: int
    text: int

    @property
    def total(self) -> int:
        """MACs of one image, without the text side."""
        return self.image_backbone + self.embedding + self.position + self.encoder + self.head


def fer_former_macs(model: FERFormer) -> FERFormerMacs:
    """Count the MACs of one image through ``model``, which may live on the meta device.

    Source: ours, as ``sae_macs``.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     model = FERFormer(num_classes=7, text_encoder="none")
        >>> round(fer_former_macs(model).total / 1e9, 2)
        6.13
    """
    backbone, embedding = model.image_backbone, model.embedding
    dim, num_classes = model.head.in_features, model.head.out_features
    encoder = (len(model.blocks) - 1) * transformer_block_macs(dim, model.mlp_ratio, model.num_rows)
    read = model.num_read if model.last_block_heads_only else None
    encoder += transformer_block_macs(dim, model.mlp_ratio, model.num_rows, read)
    return FERFormerMacs(
        image_backbone=ir50_macs(backbone.widths, backbone.units, model.image_size),
        embedding=_embedding_macs(embedding),
        position=0 if model.pos_conv is None else 9 * dim * embedding.num_tokens,
        encoder=encoder,
        head=len(model.heads) * dim * num_classes,
        text=_text_macs(model),
    )


def _embedding_macs(embedding: MultiGranularityEmbedding) -> int:
    return sum(
        grid**2 * layer.in_features * layer.out_features
        for grid, layers in zip(embedding.grid_sizes, embedding.embeddings, strict=True)
        for layer in cast(nn.Sequential, layers)
        if isinstance(layer, nn.Linear)
    )


def _text_macs(model: FERFormer) -> int:
    if model.text_encoder is None:
        return 0
    num_prompts, embed_dim = model.head.out_features, model.text_encoder.embed_dim
    macs = num_prompts * embed_dim * model.text_proj.out_features
    if isinstance(model.text_encoder, PromptTower):
        macs += num_prompts * text_tower_macs(model.text_encoder.tower, model.text_encoder.tokens.shape[1])
    return macs


def text_tower_macs(tower: TextTower, num_tokens: int) -> int:
    """MACs of one text of so many tokens through the tower; the causal half is computed and thrown away.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     tower = TextTower()
        >>> round(text_tower_macs(tower, num_tokens=77) / 1e9, 2)
        2.98
    """
    blocks = len(tower.blocks) * transformer_block_macs(tower.width, 4.0, num_tokens)
    return blocks + tower.width * tower.embed_dim
