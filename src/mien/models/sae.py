"""SAE, Sparse Attention to Emotion: a pyramid cross-fusion transformer that prunes its tokens."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from mien.layers.mlp import Activation
from mien.layers.pixels import IMAGENET_MEAN, IMAGENET_STD, PixelsBGR, check_statistics
from mien.layers.space_to_depth import ChannelRuns, SpaceToDepth
from mien.layers.squeeze_excitation import SqueezeExcitation
from mien.layers.token_pruning import KeepRateMode, warmed_up_keep_rate
from mien.models.ir50 import IR50Stages
from mien.models.mobilefacenet import MobileFaceNet
from mien.models.pyramid_fusion import Alignment, ClsToken, PyramidFusion, RowMixing, ScoreLevels, TokenPruning

Tokenizer = Literal["spatial", "poster_view"]


class SAE(nn.Module):
    """Expression logits from an aligned face: (B, 3, H, H) → (B, M), RGB normalised by ``mean`` and ``std``.

    IR-50 and MobileFaceNet turn the face into an image and a landmark stream of (H/P)² tokens, P being the patch size.
    Cross-attention blocks at three widths let either stream ask the other; some blocks drop the tokens that CLS attends
    to least, in both streams and at all widths, and fuse them into one. CLS of the large image level is gated and
    classified.

    The landmark network is frozen where its weights are given and trained where it starts at random (ours, because
    frozen random features would be noise that half of the model reads): set ``freeze_landmarks`` exactly when you load
    weights into ``landmark_backbone`` with ``mien.models.weights.load_weights``.

    Args:
        num_classes: M.
        image_size: H in pixels, a multiple of 16.
        patch_size: P, side in pixels of the patch behind a token. 16: 2x2 places of IR-50's map and one of
            MobileFaceNet's last, 7x7 tokens at 112 px. 8: one place of IR-50's map and one of MobileFaceNet's
            ``conv_4``, each through its own projection, 14x14 tokens at 112 px (ours, not in the paper).
        tokenizer: ``spatial``: image tokens are patches. ``poster_view``: runs of channels as in POSTER, for weights
            that were trained on them; with patches of 16 px only.
        embed_dim: Token width D of the large level; the others have D/2 and D/4. A multiple of 4 · ``num_heads``.
        depth: Number of pyramid blocks.
        num_heads: Heads at every level.
        mlp_ratio: Hidden width of an MLP over its level's width.
        mlp_act: ``gelu`` or ``relu``.
        drop_path_rate: Stochastic depth in the last block, growing linearly from 0.
        keep_rate: In (0, 1]: fraction of the tokens alive after the last pruning block; 1 switches pruning off.
        prune_blocks: Blocks that prune, ascending, counted from 0.
        keep_rate_mode: ``per_stage`` makes ``keep_rate`` the fraction that each pruning block keeps (EViT).
        alignment: ``shared`` keeps the same places in both streams; ``per_stream`` lets each choose.
        score_levels: Scores averaged over ``all`` levels or read from the ``large`` one.
        renormalize: Scale scores to sum to one without CLS's attention to itself.
        fused_competes: Let an earlier fused token compete for a place (EViT).
        query_proj: Project the queries (SAE); False is POSTER.
        cls: ``mean`` of a stream's tokens, or ``learned``.
        row_mixing: ``none``: tokens meet in attention alone (SAE). ``poster``: POSTER's convolutions over the tokens of
            both streams, as many as block 0 leaves; no other block may prune then, and the keep rate cannot fall.
        shrink_start_epoch: Epochs trained without pruning before the keep rate falls; see ``begin_epoch``.
        shrink_epochs: Epochs over which it falls to ``keep_rate``. With 0 and 0 the rate is constant.
        last_block_cls_only: Skip what the classifier does not read of the last block; the logits stay the same. With
            ``row_mixing`` it reads all of it.
        backbone_widths: Channels of IR-50's three stages.
        backbone_units: Residual units of IR-50's three stages.
        landmark_widths: Channels of MobileFaceNet: stem, two stages, last convolution.
        landmark_units: Residual units of MobileFaceNet's three stages.
        landmark_input: ``bgr01``: the landmark network sees BGR in [0, 1], what its checkpoint was trained on.
            ``poster``: it sees the normalised image, as in POSTER.
        freeze_landmarks: Keep the landmark network as it is: no gradients, evaluation mode, statistics untouched. With
            ``landmark_input="poster"`` the statistics of its batch normalisation adapt in training, as in POSTER.
        mean: Channel means, in RGB order and of pixels in [0, 1], by which the input has been normalised.
        std: Channel deviations, likewise.

    Attributes:
        image_size: H.
        grid_size: Tokens a side, H/P.
        mean: As given.
        std: As given.

    Raises:
        ValueError: A size, width, rate, block or word that does not fit; the message names it.

    Source: Zitouni et al., "Sparse Attention to Emotion", on POSTER (Zheng et al. 2023); the card of the ``sae``
        pipeline lists what the paper leaves open. Without MobileFaceNet's head and IR-50's embedding, which POSTER
        builds and never reads.

    Example:
        >>> model = SAE(7, image_size=64, embed_dim=64, depth=2, prune_blocks=(0,), backbone_widths=(8, 16, 32),
        ...             backbone_units=(1, 1, 1), landmark_widths=(8, 16, 16, 64), landmark_units=(1, 1, 1))
        >>> model.eval()(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 7])
    """

    def __init__(
        self,
        num_classes: int,
        image_size: int = 112,
        patch_size: int = 16,
        tokenizer: Tokenizer = "spatial",
        embed_dim: int = 512,
        depth: int = 8,
        num_heads: int = 8,
        mlp_ratio: float = 2.0,
        mlp_act: Activation = "gelu",
        drop_path_rate: float = 0.1,
        keep_rate: float = 0.6,
        prune_blocks: Sequence[int] = (0, 2, 4),
        keep_rate_mode: KeepRateMode = "final",
        alignment: Alignment = "shared",
        score_levels: ScoreLevels = "all",
        renormalize: bool = False,
        fused_competes: bool = False,
        query_proj: bool = True,
        cls: ClsToken = "mean",
        row_mixing: RowMixing = "none",
        shrink_start_epoch: int = 0,
        shrink_epochs: int = 0,
        last_block_cls_only: bool = False,
        backbone_widths: Sequence[int] = (64, 128, 256),
        backbone_units: Sequence[int] = (3, 4, 14),
        landmark_widths: Sequence[int] = (64, 128, 128, 512),
        landmark_units: Sequence[int] = (4, 6, 2),
        landmark_input: Literal["bgr01", "poster"] = "bgr01",
        freeze_landmarks: bool = False,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        _check_input(image_size, patch_size, tokenizer, len(backbone_units), landmark_input)
        check_statistics(mean, std)
        _check_shrinking(keep_rate, shrink_start_epoch, shrink_epochs, row_mixing)
        self.image_size, self.mean, self.std = image_size, tuple(mean), tuple(std)
        self.grid_size = image_size // patch_size
        self.keep_rate, self.shrink = keep_rate, (shrink_start_epoch, shrink_epochs)
        self.image_backbone = IR50Stages(backbone_widths, backbone_units, image_size)
        block = self.image_backbone.feature_size // self.grid_size
        self.image_tokens = SpaceToDepth(block) if tokenizer == "spatial" else ChannelRuns(block)
        self.image_proj = nn.Linear(block**2 * self.image_backbone.feature_channels, embed_dim)
        self.landmark_pixels = PixelsBGR(mean, std) if landmark_input == "bgr01" else nn.Identity()
        self.landmark_backbone = MobileFaceNet(landmark_widths, landmark_units, image_size, None, patch_size)
        if freeze_landmarks:
            self.landmark_backbone.freeze(adapt_statistics=landmark_input == "poster")
        width = self.landmark_backbone.feature_channels
        # POSTER feeds the 512 channels as they are; a projection is needed only where the widths differ
        self.landmark_proj = nn.Identity() if width == embed_dim else nn.Linear(width, embed_dim)
        rates = keep_rate, tuple(prune_blocks), keep_rate_mode
        pruning = TokenPruning(*rates, alignment, score_levels, renormalize, fused_competes)
        blocks = depth, num_heads, mlp_ratio, mlp_act, drop_path_rate
        self.fusion = PyramidFusion(
            self.grid_size**2, embed_dim, *blocks, pruning, query_proj, cls, last_block_cls_only, row_mixing
        )
        self.gate = SqueezeExcitation(embed_dim)
        self.head = nn.Linear(embed_dim, num_classes)

    def begin_epoch(self, epoch: int) -> None:
        """Set the keep rate of an epoch's training steps; evaluation keeps ``keep_rate``.

        Args:
            epoch: Counted from 0.
        """
        self.fusion.set_training_keep_rate(warmed_up_keep_rate(self.keep_rate, epoch, *self.shrink))

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, H) to logits (B, M).

        Raises:
            ValueError: The images have another shape.
        """
        return self.head(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, H) to the vector that is classified, (B, D)."""
        return self.gate(self.fusion(*self.tokenize(x)))

    @torch.no_grad()
    def kept_tokens(self, x: Tensor, stream: Literal["image", "landmark"] = "image") -> list[Tensor]:
        """Which patches of normalised images (B, 3, H, H) are alive after each pruning block.

        Token i lies in row i // ``grid_size`` and column i % ``grid_size``; with tokenizer ``poster_view`` that is true
        of landmark tokens alone. Call it in evaluation mode.

        Args:
            x: Images.
            stream: Whose tokens; the two differ only with ``alignment="per_stream"``.

        Returns:
            Per pruning block the grid indices (B, K), ascending; -1 stands for a fused token that won a place.
        """
        return [kept[stream == "landmark"] for kept in self.fusion.kept_tokens(*self.tokenize(x))]

    def tokenize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map normalised images (B, 3, H, H) to image and landmark tokens, (B, (H/P)², D) each, in raster order."""
        size = (3, self.image_size, self.image_size)
        if x.ndim != 4 or x.shape[1:] != size:
            raise ValueError(
                f"SAE got images of shape {tuple(x.shape)}, but takes (B, {', '.join(map(str, size))}). "
                f"Resize the faces to {self.image_size} px, or build the model with another image_size."
            )
        image = self.image_proj(self.image_tokens(self.image_backbone(x)))
        landmark = self.landmark_backbone(self.landmark_pixels(x))
        return image, self.landmark_proj(landmark.flatten(2).transpose(1, 2))


def _check_input(image_size: int, patch_size: int, tokenizer: str, num_stages: int, landmark_input: str) -> None:
    if image_size < 16 or image_size % 16:
        raise ValueError(
            f"image_size {image_size} is not a multiple of 16, by which SAE's backbones shrink a face. "
            "Use 112, or 64 for small runs."
        )
    if patch_size not in (8, 16):
        raise ValueError(
            f"patch_size {patch_size} fits no map that both of SAE's backbones have. Use 16, or 8 for four times as "
            "many tokens."
        )
    if tokenizer not in ("spatial", "poster_view"):
        raise ValueError(f"unknown tokenizer {tokenizer!r} of SAE. Use 'spatial' or 'poster_view'.")
    if tokenizer == "poster_view" and patch_size != 16:
        raise ValueError(
            f"tokenizer 'poster_view' cuts IR-50's map into as many runs as there are patches of 16 px, but patch_size "
            f"is {patch_size}. Use patch_size 16, or tokenizer 'spatial'."
        )
    if num_stages != 3:
        raise ValueError(
            f"SAE got {num_stages} backbone stages, and its image tokens meet the landmark tokens only after 3. "
            "Give three backbone_widths and three backbone_units."
        )
    if landmark_input not in ("bgr01", "poster"):
        raise ValueError(f"unknown landmark_input {landmark_input!r}. Use 'bgr01' or 'poster'.")


def _check_shrinking(keep_rate: float, start_epoch: int, epochs: int, row_mixing: str) -> None:
    warmed_up_keep_rate(keep_rate, 0, start_epoch, epochs)
    if row_mixing == "poster" and (start_epoch or epochs):
        raise ValueError(
            f"row_mixing poster and a keep rate that falls over {epochs} epochs from epoch {start_epoch} on: the "
            "number of tokens is part of those convolutions. Set shrink_start_epoch and shrink_epochs to 0, or "
            "row_mixing to none."
        )
