"""POSTER, the pyramid cross-fusion transformer that SAE prunes: SAE's arguments for it, and its released weights."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from torch import Tensor

from mien.errors import MienError
from mien.layers.pixels import IMAGENET_MEAN, IMAGENET_STD, NormalizedBGR
from mien.models.sae import SAE, LandmarkInput
from mien.models.weights import WeightsReport, load_classifier

_NAMES = (
    (r"\bface_landback\.", "landmark_backbone."),
    (r"\bir_back\.output_layer\.", "image_embedding."),
    (r"\bir_back\.", "image_backbone."),
    (r"\bir_layer\.", "image_proj."),
    (r"\bpyramid_fuse\.", "fusion."),
    (r"\bdownsample_m\.", "down.0."),
    (r"\bdownsample_s\.", "down.1."),
    (r"\bupsample_m\.", "up.0."),
    (r"\bupsample_s\.", "up.1."),
    (r"\bse_block\.linear(\d)\.", r"gate.fc\1."),
    (r"\bhead\.linear\.", "head."),
)
_BLOCK = re.compile(r"\bblock_([lms])\.(\w+)\.")
_PARTS = {
    "norm1": "image_attn.{level}.norm",
    "attn_img": "image_attn.{level}.attn",
    "norm2": "image_mlp.{level}.norm",
    "mlp1": "image_mlp.{level}.mlp",
    "norm3": "landmark_attn.{level}.norm",
    "attn_lm": "landmark_attn.{level}.attn",
    "norm4": "landmark_mlp.{level}.norm",
    "mlp2": "landmark_mlp.{level}.mlp",
    "conv": "mix.{level}",
}


class Poster(SAE):
    """Expression logits from an aligned face: (B, 3, H, H) → (B, M), RGB normalised by ``mean`` and ``std``.

    It is ``SAE`` with POSTER's settings: image tokens that are runs of channels, no query projections, and convolutions
    that mix a fixed number of tokens, so that none can be pruned. With IR-50's and the landmark network's weights in
    ``image_backbone`` and ``landmark_backbone`` it is POSTER before training, with ``load_poster`` POSTER itself.

    Args:
        num_classes: M.
        image_size: H in pixels, a multiple of 16; 112 gives 49 tokens. Images of a whole multiple are taken too, every
            n-th pixel of them: POSTER's own 224 px are.
        embed_dim: Token width D of the large level; the others have D/2 and D/4. A multiple of 4 · ``num_heads``.
        depth: Number of pyramid blocks: 8 is POSTER-L, 6 POSTER-S, 4 POSTER-T.
        num_heads: Heads at every level.
        mlp_ratio: Hidden width of an MLP over its level's width.
        drop_path_rate: Stochastic depth in the last block, growing linearly from 0.
        keep_rate: 1; any other is refused.
        channel_order: What IR-50 sees. ``bgr``: the channels that POSTER's own loader gives, for its weights. ``rgb``:
            what IR-50 was trained on.
        backbone_widths: Channels of IR-50's three stages.
        backbone_units: Residual units of IR-50's three stages.
        landmark_widths: Channels of MobileFaceNet: stem, two stages, last convolution, which is D.
        landmark_units: Residual units of MobileFaceNet's three stages.
        landmark_input: ``bgr01``: the landmark network sees BGR in [0, 1], what its checkpoint was trained on.
            ``poster``: it sees what IR-50 sees, as in POSTER, whose released weights were trained on nothing else.
        freeze_landmarks: Keep the landmark network as it is, as in ``SAE``.
        mean: Channel means, in RGB order and of pixels in [0, 1], by which the input has been normalised.
        std: Channel deviations, likewise.

    Attributes:
        seen: ``channel_order`` and ``landmark_input``; POSTER's own weights were trained on ``("bgr", "poster")``.

    Raises:
        MienError: A keep rate below 1, or a size or word that does not fit; the message names it.

    Source: Zheng et al. 2023, "POSTER", and zczcwh/POSTER at ba2e3e9 (``models/emotion_hyp.py``), without what that
        code builds and never reads: IR-50's embedding, the landmark head and a class token.

    Example:
        >>> import torch
        >>> model = Poster(7, image_size=32, embed_dim=32, depth=1, num_heads=2, backbone_widths=(4, 4, 8),
        ...                backbone_units=(1, 1, 1), landmark_widths=(4, 4, 4, 32), landmark_units=(1, 1, 1))
        >>> model.eval()(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 7])
    """

    def __init__(
        self,
        num_classes: int,
        image_size: int = 112,
        embed_dim: int = 512,
        depth: int = 8,
        num_heads: int = 8,
        mlp_ratio: float = 2.0,
        drop_path_rate: float = 0.1,
        keep_rate: float = 1.0,
        channel_order: Literal["bgr", "rgb"] = "bgr",
        backbone_widths: Sequence[int] = (64, 128, 256),
        backbone_units: Sequence[int] = (3, 4, 14),
        landmark_widths: Sequence[int] = (64, 128, 128, 512),
        landmark_units: Sequence[int] = (4, 6, 2),
        landmark_input: LandmarkInput = "bgr01",
        freeze_landmarks: bool = False,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        _check_settings(embed_dim, keep_rate, landmark_widths[-1], channel_order)
        super().__init__(
            num_classes,
            image_size,
            tokenizer="poster_view",
            embed_dim=embed_dim,
            depth=depth,
            num_heads=num_heads,
            mlp_ratio=mlp_ratio,
            drop_path_rate=drop_path_rate,
            keep_rate=1.0,
            prune_blocks=(),
            query_proj=False,
            row_mixing="poster",
            backbone_widths=backbone_widths,
            backbone_units=backbone_units,
            landmark_widths=landmark_widths,
            landmark_units=landmark_units,
            landmark_input=landmark_input,
            freeze_landmarks=freeze_landmarks,
            mean=mean,
            std=std,
        )
        self.seen = channel_order, landmark_input
        if channel_order == "bgr":
            self.image_pixels = NormalizedBGR(mean, std)

    def tokenize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map normalised images (B, 3, H, H), or of a whole multiple of H, to image and landmark tokens, (B, N, D).

        Raises:
            MienError: The images have another shape, and their side is no multiple of H.
        """
        size = self.image_size
        step, rest = divmod(x.shape[-1], size)
        if x.ndim != 4 or x.shape[1] != 3 or x.shape[2] != x.shape[3] or step < 1 or rest:
            raise MienError(
                f"POSTER got images of shape {tuple(x.shape)}, but takes (B, 3, {size}, {size}) or a whole multiple of "
                f"{size} a side. Resize the faces to {size} px, or build the model with another image_size."
            )
        return super().tokenize(x[:, :, ::step, ::step])  # the nearest neighbour, which is the first of each step


def load_poster(model: Poster, path: str | Path, *, load_head: bool = True) -> WeightsReport:
    """Load a checkpoint that POSTER's ``train.py`` wrote, or one of ``Poster`` itself.

    Args:
        model: Where the weights go.
        path: The file; POSTER's has its tensors under ``model_state_dict``, behind ``module.`` where it was trained on
            several GPUs.
        load_head: False leaves the classifier as it is, for other classes.

    Returns:
        What matched and what did not, by this module's names. What POSTER has and never reads is unexpected: IR-50's
        embedding, the landmark head and a class token.

    Raises:
        MienError: As ``load_classifier``.
    """
    return load_classifier(model, path, load_head=load_head, rename=name_of_poster)


def name_of_poster(name: str) -> str:
    """The name in ``Poster`` of a tensor of POSTER's; any other name as it is.

    Source: module names of zczcwh/POSTER (``models/emotion_hyp.py``, ``models/hyp_crossvit.py``).

    Example:
        >>> name_of_poster("module.pyramid_fuse.blocks.3.block_m.attn_img.kv.weight")
        'module.fusion.blocks.3.image_attn.1.attn.kv.weight'
    """
    for pattern, ours in _NAMES:
        name = re.sub(pattern, ours, name)
    if (match := _BLOCK.search(name)) and match[2] in _PARTS:
        part = _PARTS[match[2]].format(level="lms".index(match[1]))
        name = f"{name[: match.start()]}{part}.{name[match.end() :]}"
    return name


def _check_settings(embed_dim: int, keep_rate: float, landmark_width: int, channel_order: str) -> None:
    if keep_rate != 1.0:
        raise MienError(
            f"keep_rate {keep_rate} in POSTER, whose convolutions mix a fixed number of tokens: none can be dropped. "
            "Use keep_rate 1, or architecture sae, which is POSTER made prunable."
        )
    if landmark_width != embed_dim:
        raise MienError(
            f"the last of landmark_widths is {landmark_width} and embed_dim {embed_dim}, but POSTER takes landmark "
            "features for tokens as they are. Make them equal."
        )
    if channel_order not in ("bgr", "rgb"):
        raise MienError(f"unknown channel_order {channel_order!r} of POSTER. Use 'bgr' or 'rgb'.")
