"""Multiply-accumulate operations of SAE and of POSTER, from their sizes alone.

Counted are convolutions, linear layers and the two matrix products of attention; not the additions, norms, activations,
the score row and the weighted sum of a pruning block, which together stay under 0.1 %. Sources differ in the unit: a
published "GFLOPs" may be GMAC or twice it, so report both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mien.models.macs import ir50_macs
from mien.models.poster import Poster
from mien.models.poster_fusion import PosterFusion
from mien.models.pyramid_fusion import PyramidFusion
from mien.models.sae import SAE


@dataclass(frozen=True)
class SAEMacs:
    """MACs of one image through each part of SAE or POSTER.

    Attributes:
        image_backbone: IR-50's stages.
        landmark_backbone: MobileFaceNet up to the map that is read.
        projection: From features to tokens.
        fusion: The pyramid of cross-attention blocks with its down- and up-samplers.
        head: Gate and classifier.
    """

    image_backbone: int
    landmark_backbone: int
    projection: int
    fusion: int
    head: int

    @property
    def total(self) -> int:
        """MACs of the whole model."""
        return self.image_backbone + self.landmark_backbone + self.projection + self.fusion + self.head


def sae_macs(model: SAE) -> SAEMacs:
    """Count the MACs of one image through ``model``, which may live on the meta device.

    Source: ours, because profilers miss the fused attention kernels of some devices.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     model = SAE(num_classes=7, keep_rate=0.1)
        >>> round(sae_macs(model).total / 1e9, 3)
        6.475
    """
    image, landmark, fusion = model.image_backbone, model.landmark_backbone, model.fusion
    embed_dim, num_tokens = fusion.dims[0], fusion.num_tokens
    projection = num_tokens * model.image_proj.in_features * embed_dim
    if landmark.feature_channels != embed_dim:
        projection += num_tokens * landmark.feature_channels * embed_dim
    return SAEMacs(
        image_backbone=ir50_macs(image.widths, image.units, model.image_size),
        landmark_backbone=mobilefacenet_macs(landmark.widths, landmark.units, model.image_size, landmark.stride),
        projection=projection,
        fusion=fusion_macs(fusion),
        head=2 * embed_dim**2 + embed_dim * model.head.out_features,
    )


def poster_macs(model: Poster) -> SAEMacs:
    """Count the MACs of one image through ``model``, which may live on the meta device.

    Source: as ``sae_macs``. POSTER's published "GFLOPs", 15.7 for the large model, are twice these.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     model = Poster(num_classes=7)
        >>> round(poster_macs(model).total / 1e9, 3)
        7.857
    """
    image, landmark = model.image_backbone, model.landmark_backbone
    embed_dim, num_tokens = model.fusion.dims[0], model.fusion.num_tokens
    return SAEMacs(
        image_backbone=ir50_macs(image.widths, image.units, model.image_size),
        landmark_backbone=mobilefacenet_macs(landmark.widths, landmark.units, model.image_size),
        projection=num_tokens * model.image_proj.in_features * embed_dim,
        fusion=poster_fusion_macs(model.fusion),
        head=2 * embed_dim**2 + embed_dim * model.head.out_features,
    )


def mobilefacenet_macs(widths: Sequence[int], units: Sequence[int], image_size: int, stride: int = 16) -> int:
    """MACs of ``MobileFaceNet.features`` on one image."""
    *stages, last = widths
    size, channels = image_size // 2, widths[0]
    macs = size**2 * (27 + 9) * channels
    for expansion, width, count in zip((2, 4, 4), stages, units, strict=True):
        if image_size // size == stride:
            return macs
        expanded = expansion * channels
        macs += size**2 * channels * expanded
        size //= 2
        macs += size**2 * expanded * (9 + width)
        macs += size**2 * count * 2 * width * (9 + 2 * width)
        channels = width
    return macs + size**2 * channels * last


def fusion_macs(fusion: PyramidFusion) -> int:
    """MACs of the pyramid on one image; a stream at width d costs (q + 2 + 1) · N · d² + 2 · N² · d and its MLP."""
    large, *others = fusion.dims
    mixes = fusion.row_mixing == "poster"
    macs = _down_macs(1 + fusion.num_tokens, large) if mixes else 2 * (1 + fusion.num_tokens) * large * sum(others)
    for block, (rows_in, rows_out) in enumerate(fusion.tokens_per_block):
        if mixes:
            macs += _mixing_macs(rows_out, fusion.dims)
        if fusion.last_block_cls_only and block == len(fusion.blocks) - 1:
            macs += _stream_macs(fusion, keys=rows_in, queries=1, rows_out=1)
        else:
            macs += 2 * _stream_macs(fusion, keys=rows_in, queries=rows_in, rows_out=rows_out)
    return macs


def _stream_macs(fusion: PyramidFusion, keys: int, queries: int, rows_out: int) -> int:
    macs = 0
    if fusion.row_mixing == "none":
        macs += rows_out * sum(large * small for large, small in pairwise(fusion.dims))
    for dim in fusion.dims:
        macs += (2 * keys + (1 + fusion.query_proj) * queries) * dim**2 + 2 * queries * keys * dim
        macs += rows_out * 2 * dim * int(dim * fusion.mlp_ratio)
    return macs


def poster_fusion_macs(fusion: PosterFusion) -> int:
    """MACs of POSTER's pyramid on one image: SAE's without query projections, and convolutions over all tokens."""
    rows = 1 + fusion.num_tokens
    block = _mixing_macs(rows, fusion.dims)
    for dim in fusion.dims:
        block += 2 * (3 * rows * dim**2 + 2 * rows**2 * dim + 2 * rows * dim * int(dim * fusion.mlp_ratio))
    return _down_macs(rows, fusion.dims[0]) + len(fusion.blocks) * block


def _mixing_macs(rows: int, dims: Sequence[int]) -> int:
    samplers = (2 * rows) ** 2 * sum(dims[1:])  # of one kernel element; a map of width d has d places
    return (2 * rows) ** 2 * sum(dims) + 2 * samplers


def _down_macs(rows: int, large: int) -> int:
    return (2 * rows) ** 2 * 2 * large  # every element of the input meets one kernel element per output row
