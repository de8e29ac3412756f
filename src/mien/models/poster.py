"""POSTER, the pyramid cross-fusion transformer that SAE prunes, in the shape of its released weights."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from mien.layers.mlp import Activation
from mien.layers.pixels import IMAGENET_MEAN, IMAGENET_STD, NormalizedBGR, PixelsBGR, check_statistics
from mien.layers.space_to_depth import ChannelRuns
from mien.layers.squeeze_excitation import SqueezeExcitation
from mien.models.ir50 import IR50Stages
from mien.models.mobilefacenet import MobileFaceNet
from mien.models.poster_fusion import PosterFusion
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


class Poster(nn.Module):
    """Expression logits from an aligned face: (B, 3, H, H) → (B, M), RGB normalised by ``mean`` and ``std``.

    Beside ``SAE`` it has image tokens that are runs of channels, no query projections, and convolutions that mix a
    fixed number of tokens, so that it cannot be pruned. With IR-50's and the landmark network's weights in
    ``image_backbone`` and ``landmark_backbone`` it is POSTER before training, with ``load_poster`` POSTER itself.

    Args:
        num_classes: M.
        image_size: H in pixels, a multiple of 16; 112 gives 49 tokens. Images of a whole multiple are taken too, every
            n-th pixel of them: POSTER's own 224 px are.
        embed_dim: Token width D of the large level; the others have D/2 and D/4. A multiple of 4 · ``num_heads``.
        depth: Number of pyramid blocks: 8 is POSTER-L, 6 POSTER-S, 4 POSTER-T.
        num_heads: Heads at every level.
        mlp_ratio: Hidden width of an MLP over its level's width.
        mlp_act: ``gelu`` or ``relu``.
        drop_path_rate: Stochastic depth in the last block, growing linearly from 0.
        keep_rate: 1; any other is refused.
        channel_order: What IR-50 sees. ``bgr``: the channels that POSTER's own loader gives, for its weights. ``rgb``:
            what IR-50 was trained on.
        backbone_widths: Channels of IR-50's three stages.
        backbone_units: Residual units of IR-50's three stages.
        landmark_widths: Channels of MobileFaceNet: stem, two stages, last convolution, which is D.
        landmark_units: Residual units of MobileFaceNet's three stages.
        landmark_input: ``bgr01``: the landmark network sees BGR in [0, 1], what its checkpoint was trained on.
            ``poster``: it sees what IR-50 sees, as in POSTER, whose released weights know nothing else.
        freeze_landmarks: Keep the landmark network as it is: no gradients, evaluation mode, statistics untouched. With
            ``landmark_input="poster"`` the statistics of its batch normalisation adapt in training, as in POSTER.
        unread_layers: Build, frozen, what POSTER has and never reads: IR-50's embedding, the landmark head, a class
            token. Its checkpoints then fit without a rest, and the number of parameters is the published one.
        mean: Channel means, in RGB order and of pixels in [0, 1], by which the input has been normalised.
        std: Channel deviations, likewise.

    Attributes:
        image_size: H.
        seen: ``channel_order`` and ``landmark_input``; POSTER's own weights were trained on ``("bgr", "poster")``.
        mean: As given.
        std: As given.

    Raises:
        ValueError: A keep rate below 1, or a size or word that does not fit; the message names it.

    Source: Zheng et al. 2023, "POSTER", and zczcwh/POSTER at ba2e3e9 (``models/emotion_hyp.py``).

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
        mlp_act: Activation = "gelu",
        drop_path_rate: float = 0.1,
        keep_rate: float = 1.0,
        channel_order: Literal["bgr", "rgb"] = "bgr",
        backbone_widths: Sequence[int] = (64, 128, 256),
        backbone_units: Sequence[int] = (3, 4, 14),
        landmark_widths: Sequence[int] = (64, 128, 128, 512),
        landmark_units: Sequence[int] = (4, 6, 2),
        landmark_input: Literal["bgr01", "poster"] = "bgr01",
        freeze_landmarks: bool = False,
        unread_layers: bool = False,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        _check_input(image_size, embed_dim, keep_rate, len(backbone_units), landmark_widths[-1])
        _check_words(channel_order, landmark_input)
        check_statistics(mean, std)
        self.image_size, self.mean, self.std = image_size, tuple(mean), tuple(std)
        self.seen = channel_order, landmark_input
        self.pixels = NormalizedBGR(mean, std) if channel_order == "bgr" else nn.Identity()
        self.image_backbone = IR50Stages(backbone_widths, backbone_units, image_size)
        channels, grid = self.image_backbone.feature_channels, image_size // 16
        self.image_embedding = _embedding(2 * channels, grid) if unread_layers else None
        self.image_tokens = ChannelRuns(2)
        self.image_proj = nn.Linear(4 * channels, embed_dim)
        outputs = 136 if unread_layers else None
        self.landmark_backbone = MobileFaceNet(landmark_widths, landmark_units, image_size, outputs)
        if self.landmark_backbone.output_layer is not None:
            self.landmark_backbone.output_layer.requires_grad_(False)
        self.landmark_pixels = PixelsBGR(mean, std) if landmark_input == "bgr01" else None
        if freeze_landmarks:
            self.landmark_backbone.freeze(adapt_statistics=landmark_input == "poster")
        blocks = depth, num_heads, mlp_ratio, mlp_act, drop_path_rate
        self.fusion = PosterFusion(grid**2, embed_dim, *blocks, unread_layers)
        self.gate = SqueezeExcitation(embed_dim)
        self.head = nn.Linear(embed_dim, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, H) to logits (B, M).

        Raises:
            ValueError: The images have another shape, and their side is no multiple of H.
        """
        return self.head(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, H) to the vector that is classified, (B, D)."""
        size = self.image_size
        step, rest = divmod(x.shape[-1], size)
        if x.ndim != 4 or x.shape[1] != 3 or x.shape[2] != x.shape[3] or step < 1 or rest:
            raise ValueError(
                f"POSTER got images of shape {tuple(x.shape)}, but takes (B, 3, {size}, {size}) or a whole multiple of "
                f"{size} a side. Resize the faces to {size} px, or build the model with another image_size."
            )
        x = x[:, :, ::step, ::step]  # nearest-neighbour interpolation, which takes the first of each step
        seen = self.pixels(x)
        image = self.image_proj(self.image_tokens(self.image_backbone(seen)))
        landmark = self.landmark_backbone.features(seen if self.landmark_pixels is None else self.landmark_pixels(x))
        return self.gate(self.fusion(image, landmark.flatten(2).transpose(1, 2)))

    def kept_tokens(self, x: Tensor, stream: Literal["image", "landmark"] = "image") -> list[Tensor]:
        """Which patches are alive after each pruning block, as in ``SAE``: there is no such block."""
        return []


def load_poster(model: Poster, path: str | Path, *, load_head: bool = True) -> WeightsReport:
    """Load a checkpoint that POSTER's ``train.py`` wrote, or one of ``Poster`` itself.

    Args:
        model: Where the weights go.
        path: The file; POSTER's has its tensors under ``model_state_dict``, behind ``module.`` where it was trained on
            several GPUs.
        load_head: False leaves the classifier as it is, for other classes.

    Returns:
        What matched and what did not, by this module's names. What POSTER never reads is unexpected unless the model
        was built with ``unread_layers``.

    Raises:
        ValueError: As ``load_classifier``.
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


def _embedding(channels: int, grid: int) -> nn.Sequential:
    layers = nn.BatchNorm2d(channels), nn.Dropout(0.0), nn.Flatten(), nn.Linear(channels * grid**2, channels)
    return nn.Sequential(*layers, nn.BatchNorm1d(channels)).requires_grad_(False)


def _check_input(image_size: int, embed_dim: int, keep_rate: float, num_stages: int, landmark_width: int) -> None:
    if keep_rate != 1.0:
        raise ValueError(
            f"keep_rate {keep_rate} in POSTER, whose convolutions mix a fixed number of tokens: none can be dropped. "
            "Use keep_rate 1, or architecture sae, which is POSTER made prunable."
        )
    if image_size < 16 or image_size % 16:
        raise ValueError(
            f"image_size {image_size} is not a multiple of 16, by which POSTER's backbones shrink a face. "
            "Use 112, or 64 for small runs."
        )
    if num_stages != 3:
        raise ValueError(
            f"POSTER got {num_stages} backbone stages, and its image tokens meet the landmark tokens only after 3. "
            "Give three backbone_widths and three backbone_units."
        )
    if landmark_width != embed_dim:
        raise ValueError(
            f"the last of landmark_widths is {landmark_width} and embed_dim {embed_dim}, but POSTER takes landmark "
            "features for tokens as they are. Make them equal."
        )


def _check_words(channel_order: str, landmark_input: str) -> None:
    if channel_order not in ("bgr", "rgb"):
        raise ValueError(f"unknown channel_order {channel_order!r} of POSTER. Use 'bgr' or 'rgb'.")
    if landmark_input not in ("bgr01", "poster"):
        raise ValueError(f"unknown landmark_input {landmark_input!r} of POSTER. Use 'bgr01' or 'poster'.")
