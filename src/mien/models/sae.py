"""SAE, Sparse Attention to Emotion: a pyramid cross-fusion transformer that prunes its tokens.

Two streams of tokens, of the image and of its landmarks, attend to each other at three widths (the levels of the
pyramid). A sequence is [CLS, tokens, fused token once there is one]; its length T counts all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, cast

import torch
from torch import Tensor, nn

from mien.errors import MienError
from mien.layers.drop_path import drop_path_rates
from mien.layers.pixels import IMAGENET_MEAN, IMAGENET_STD, PixelsBGR, check_statistics
from mien.layers.space_to_depth import ChannelRuns, SpaceToDepth
from mien.layers.squeeze_excitation import SqueezeExcitation
from mien.layers.token_pruning import PruningStage, prune_tokens, pruning_stages, warmed_up_keep_rate
from mien.layers.transformer_block import ResidualAttention, ResidualMlp
from mien.models.ir50 import IR50Stages
from mien.models.mobilefacenet import MobileFaceNet

Tokenizer = Literal["spatial", "poster_view"]
Alignment = Literal["shared", "per_stream"]
RowMixing = Literal["none", "poster"]
LandmarkInput = Literal["bgr01", "poster"]
Stream = Literal["image", "landmark"]
Levels = Sequence[Tensor]
"""One stream at its three widths, large first: (B, T, D), (B, T, D/2), (B, T, D/4)."""


@dataclass(frozen=True)
class TokenPruning:
    """How and where tokens are pruned.

    Attributes:
        keep_rate: In (0, 1]: fraction of the tokens alive after the last pruning block; 1 switches pruning off.
        blocks: Blocks that prune, ascending, counted from 0.
        alignment: ``shared``: both streams keep the same places, by the mean of their scores. ``per_stream``: each
            keeps its own places, as many as the other.

    Raises:
        MienError: An unknown word, or blocks that do not ascend or are missing where the keep rate needs them.

    Source: SAE, section 3.2. ``shared``, because SAE's equations 15 and 16 add tokens of the two streams to each
        other, so that token i has to mean the same place in both; equation 17 taken literally is ``per_stream``.
    """

    keep_rate: float = 0.6
    blocks: tuple[int, ...] = (0, 2, 4)
    alignment: Alignment = "shared"

    def __post_init__(self) -> None:
        if self.alignment not in ("shared", "per_stream"):
            raise MienError(f"unknown alignment {self.alignment!r} of pruning. Use 'shared' or 'per_stream'.")
        if list(self.blocks) != sorted(set(self.blocks)):
            raise MienError(f"prune_blocks {self.blocks} must ascend without repetition, such as (0, 2, 4).")
        if self.keep_rate != 1.0 and not self.blocks:
            raise MienError(
                f"keep_rate {self.keep_rate} needs prune_blocks, which is empty. Name blocks, or keep_rate 1."
            )

    def stages(self, num_tokens: int, depth: int) -> dict[int, PruningStage]:
        """Plan per pruning block, for ``num_tokens`` tokens and ``depth`` blocks.

        Raises:
            MienError: A block beyond ``depth``, or a keep rate outside (0, 1].
        """
        if self.blocks and not 0 <= self.blocks[0] <= self.blocks[-1] < depth:
            raise MienError(
                f"prune_blocks {self.blocks} name a block outside 0..{depth - 1} of depth {depth}. Choose among those."
            )
        return dict(zip(self.blocks, pruning_stages(num_tokens, self.keep_rate, len(self.blocks)), strict=True))

    def importance(self, attention: Levels) -> Tensor:
        """Scores (B, T - 1) of the tokens after CLS: CLS's attention (B, T), averaged over the three levels."""
        return torch.stack(list(attention)).mean(dim=0)[:, 1:]


class PyramidBlock(nn.Module):
    """Both streams at three levels: attend, prune, feed forward, then add every level to the next larger one.

    Args:
        dims: Widths D, D/2, D/4 of the levels.
        num_heads: Heads at every level.
        mlp_ratio: Hidden width of an MLP over its level's width.
        drop_path_rate: Probability of dropping a residual branch in training.
        query_proj: Project the queries.
        pruning: How scores are made.
        stage: What this block prunes; None for nothing.
        mixed_tokens: Tokens of one stream that leave the block, CLS included, for POSTER's convolutions over those of
            both streams; None for linear up-samplers, which see one token at a time.

    Source: POSTER (``hyp_crossvit.py``), block and pyramid block in one. SAE's up-samplers are linear and shared by the
        streams, because POSTER's convolutions fix the number of tokens and with it the keep rate.
    """

    def __init__(
        self,
        dims: Sequence[int],
        num_heads: int,
        mlp_ratio: float,
        drop_path_rate: float,
        query_proj: bool,
        pruning: TokenPruning,
        stage: PruningStage | None,
        mixed_tokens: int | None = None,
    ) -> None:
        super().__init__()
        self.image_attn, self.landmark_attn = (
            nn.ModuleList(ResidualAttention(dim, num_heads, drop_path_rate, query_proj) for dim in dims)
            for _ in range(2)
        )
        self.image_mlp, self.landmark_mlp = (
            nn.ModuleList(ResidualMlp(dim, mlp_ratio, drop_path_rate=drop_path_rate) for dim in dims) for _ in range(2)
        )
        self.mix: nn.ModuleList | None = None
        if mixed_tokens is None:
            self.up = nn.ModuleList(nn.Linear(small, large) for large, small in pairwise(dims))
        else:
            channels = 2 * mixed_tokens
            self.mix = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in dims)
            self.up = nn.ModuleList(nn.ConvTranspose1d(channels, channels, 2, stride=2) for _ in dims[1:])
        self.pruning = pruning
        self.prune_as(stage)

    def prune_as(self, stage: PruningStage | None) -> None:
        """Prune by another plan from now on; None for nothing."""
        self.stage = stage if stage is not None and stage.drops else None

    def forward(
        self, image: Levels, landmark: Levels, cls_only: bool = False
    ) -> tuple[Levels, Levels, tuple[Tensor, Tensor] | None]:
        """Map both streams to their next state.

        Args:
            image: Image stream.
            landmark: Landmark stream.
            cls_only: Compute image CLS alone, which this block's pruning does not touch; landmarks stay as they are.

        Returns:
            Image and landmark levels, and the tokens (B, K) after CLS that each stream kept; None where none was
            dropped.
        """
        if cls_only:
            image, _ = _attend(self.image_attn, image, [x[:, :1] for x in landmark])
            return self._raise_levels(_feed_forward(self.image_mlp, image)), landmark, None
        kept = None
        new_image, image_attention = _attend(self.image_attn, image, landmark, self.stage is not None)
        new_landmark, landmark_attention = _attend(self.landmark_attn, landmark, image, self.stage is not None)
        if self.stage is not None:
            image_scores = self.pruning.importance(image_attention)
            landmark_scores = self.pruning.importance(landmark_attention)
            if self.pruning.alignment == "shared":
                image_scores = landmark_scores = (image_scores + landmark_scores) / 2
            kept = self.stage.choose(image_scores), self.stage.choose(landmark_scores)
            new_image = [prune_tokens(x, image_scores, kept[0]) for x in new_image]
            new_landmark = [prune_tokens(x, landmark_scores, kept[1]) for x in new_landmark]
        image = _feed_forward(self.image_mlp, new_image)
        landmark = _feed_forward(self.landmark_mlp, new_landmark)
        if self.mix is None:
            return self._raise_levels(image), self._raise_levels(landmark), kept
        both = [torch.cat(streams, dim=1) for streams in zip(image, landmark, strict=True)]  # (B, 2T, D) and narrower
        mixed = self._raise_levels([mix(x) for mix, x in zip(self.mix, both, strict=True)])
        return *_split_streams(mixed), kept

    def _raise_levels(self, levels: Levels) -> list[Tensor]:
        """Add to every level the one below it, small to large, through its up-sampler."""
        large, medium, small = levels
        medium = medium + self.up[1](small)
        return [large + self.up[0](medium), medium, small]


def _feed_forward(mlps: nn.ModuleList, levels: Levels) -> list[Tensor]:
    return [mlp(x) for mlp, x in zip(mlps, levels, strict=True)]


def _attend(
    attention: nn.ModuleList, context: Levels, query: Levels, score_first: bool = False
) -> tuple[list[Tensor], list[Tensor]]:
    pairs = [attn(x, y, score_first) for attn, x, y in zip(attention, context, query, strict=True)]
    return [out for out, _ in pairs], [scores for _, scores in pairs]


def _split_streams(levels: Levels) -> tuple[list[Tensor], list[Tensor]]:
    """Image and landmark half of levels (B, 2T, D)."""
    streams = [x.chunk(2, dim=1) for x in levels]
    return [image for image, _ in streams], [landmark for _, landmark in streams]


class PyramidFusion(nn.Module):
    """Image tokens (B, N, D) and landmark tokens (B, N, D) → one vector (B, D).

    CLS of a stream is the mean of its tokens, and the image stream alone has positions, as in POSTER.

    Args:
        num_tokens: N of either stream, without CLS.
        embed_dim: D; the levels have D, D/2 and D/4.
        depth: Number of pyramid blocks.
        num_heads: Heads at every level.
        mlp_ratio: Hidden width of an MLP over its level's width.
        drop_path_rate: Rate in the last block; it grows linearly from 0 in the first.
        pruning: How and where tokens are pruned.
        query_proj: Project the queries (SAE) or take them as they come (POSTER).
        last_block_cls_only: Compute only what the output reads of the last block. Same output in evaluation. With
            ``row_mixing`` it reads all of it.
        row_mixing: ``none``: tokens meet in attention alone. ``poster``: POSTER's convolutions over the tokens of both
            streams, as many as there are left, on the way down to the smaller levels and after every block (ours).
            After the first of them a token is no place, so that block 0 alone may prune; and their number cannot change
            in training.

    Attributes:
        dims: (D, D/2, D/4).
        num_tokens: As given; ``last_block_cls_only``, ``row_mixing`` and ``pruning`` likewise.
        stages: Plan of each pruning block, by block number.
        training_stages: The plan by which it trains; another one after ``set_training_keep_rate``.
        tokens_per_block: Tokens per stream that enter each block and that leave it, (before, after), in evaluation.

    Raises:
        MienError: ``embed_dim`` is not divisible by 4 · ``num_heads``, or a word, block or rate of pruning is off.

    Source: SAE, section 3.3, on POSTER's ``hyp_crossvit.py``.
    """

    def __init__(
        self,
        num_tokens: int,
        embed_dim: int,
        depth: int,
        num_heads: int,
        mlp_ratio: float,
        drop_path_rate: float,
        pruning: TokenPruning,
        query_proj: bool = True,
        last_block_cls_only: bool = False,
        row_mixing: RowMixing = "none",
    ) -> None:
        super().__init__()
        _check_pyramid(embed_dim, depth, num_heads)
        dims = (embed_dim, embed_dim // 2, embed_dim // 4)
        self.dims, self.num_tokens, self.row_mixing = dims, num_tokens, row_mixing
        mixes = row_mixing == "poster"
        self.last_block_cls_only = last_block_cls_only and not mixes
        self.pruning = pruning
        self.stages = self.training_stages = pruning.stages(num_tokens, depth)
        _check_row_mixing(row_mixing, self.stages)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + num_tokens, embed_dim))
        channels = 2 * (1 + num_tokens)
        self.down = nn.ModuleList(
            nn.Conv1d(channels, channels, step, stride=step) if mixes else nn.Linear(embed_dim, embed_dim // step)
            for step in (2, 4)
        )
        counts = self._tokens_per_block(depth)
        self.blocks = nn.ModuleList(
            PyramidBlock(dims, num_heads, mlp_ratio, rate, query_proj, pruning, self.stages.get(number),
                         counts[number][1] if mixes else None)
            for number, rate in enumerate(drop_path_rates(drop_path_rate, depth))
        )  # fmt: skip
        self.norm = nn.LayerNorm(embed_dim, eps=1e-6)
        # Unless tokens mix, nothing reads the last block's landmark half, so no gradient ever reaches it. Frozen, it
        # keeps the names of a checkpoint the same and distributed training does not wait for what never comes.
        if not mixes:
            last = self.blocks[-1]
            for unread in (last.landmark_attn, last.landmark_mlp):
                unread.requires_grad_(False)

    def set_training_keep_rate(self, keep_rate: float) -> None:
        """Prune at another rate while training. Evaluation, which chooses the best epoch, keeps the model's own.

        Raises:
            MienError: ``keep_rate`` outside (0, 1], or another one than the model's where ``row_mixing`` fixes the
                number of tokens.
        """
        if self.row_mixing == "poster" and keep_rate != self.pruning.keep_rate:
            raise MienError(
                f"keep rate {keep_rate} in training of a pyramid that mixes the tokens left at "
                f"{self.pruning.keep_rate}: their number is part of its weights. Train without a warm-up of the keep "
                "rate, or set row_mixing none."
            )
        stages = replace(self.pruning, keep_rate=keep_rate).stages(self.num_tokens, len(self.blocks))
        if stages != self.training_stages:
            self.training_stages = stages
            self.train(self.training)

    def train(self, mode: bool = True) -> "PyramidFusion":
        """Set training or evaluation mode, each with its own plan of pruning."""
        super().train(mode)
        for number, block in enumerate(self.blocks):
            cast(PyramidBlock, block).prune_as((self.training_stages if mode else self.stages).get(number))
        return self

    @property
    def tokens_per_block(self) -> tuple[tuple[int, int], ...]:
        """Tokens that enter and leave every block, CLS and fused token included."""
        return self._tokens_per_block(len(self.blocks))

    def _tokens_per_block(self, depth: int) -> tuple[tuple[int, int], ...]:
        before, counts = 1 + self.num_tokens, []
        for number in range(depth):
            stage = self.stages.get(number)
            after = 1 + stage.num_kept + 1 if stage is not None and stage.drops else before
            counts.append((before, after))
            before = after
        return tuple(counts)

    def forward(self, image: Tensor, landmark: Tensor) -> Tensor:
        """Fuse image and landmark tokens, (B, N, D) each, to a normalised CLS vector (B, D)."""
        image_levels, landmark_levels = self._embed(image, landmark)
        last = len(self.blocks) - 1
        for number, block in enumerate(self.blocks):
            cls_only = self.last_block_cls_only and number == last
            image_levels, landmark_levels, _ = block(image_levels, landmark_levels, cls_only)
        return self.norm(image_levels[0][:, 0])

    def kept_tokens(self, image: Tensor, landmark: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Which tokens are alive after each pruning block, as indices into the N tokens that came in.

        Call it in evaluation mode.

        Returns:
            Per pruning block the indices (B, K) of the image and of the landmark stream, ascending in raster order.
        """
        image_levels, landmark_levels = self._embed(image, landmark)
        everything = torch.arange(self.num_tokens, device=image.device).expand(image.shape[0], -1)
        alive, history = (everything, everything), []
        for number, block in enumerate(self.blocks):
            image_levels, landmark_levels, kept = block(image_levels, landmark_levels)
            if kept is not None:
                alive = alive[0].gather(1, kept[0]), alive[1].gather(1, kept[1])
            if number in self.stages:
                history.append(alive)
        return history

    def _embed(self, image: Tensor, landmark: Tensor) -> tuple[Levels, Levels]:
        image = torch.cat([image.mean(dim=1, keepdim=True), image], dim=1) + self.pos_embed  # (B, 1 + N, D)
        landmark = torch.cat([landmark.mean(dim=1, keepdim=True), landmark], dim=1)
        if self.row_mixing == "poster":
            both = torch.cat([image, landmark], dim=1)  # (B, 2 + 2N, D)
            return _split_streams([both, *(down(both) for down in self.down)])
        return [image, *(down(image) for down in self.down)], [landmark, *(down(landmark) for down in self.down)]


def _check_row_mixing(row_mixing: str, stages: dict[int, PruningStage]) -> None:
    if row_mixing not in ("none", "poster"):
        raise MienError(f"unknown row_mixing {row_mixing!r} of the pyramid. Use 'none' or 'poster'.")
    late = [number for number, stage in stages.items() if number and stage.drops]
    if row_mixing == "poster" and late:
        raise MienError(
            f"row_mixing poster and pruning in blocks {late}, whose tokens are mixtures of all places, so that none "
            "can be chosen. Let block 0 alone prune (prune_blocks [0]), or use row_mixing none."
        )


def _check_pyramid(embed_dim: int, depth: int, num_heads: int) -> None:
    if embed_dim % (4 * num_heads):
        raise MienError(
            f"embed_dim {embed_dim} is not divisible by 4 * num_heads, though the smallest pyramid level splits a "
            f"quarter of it among {num_heads} heads. Use a multiple of {4 * num_heads}."
        )
    if depth < 1:
        raise MienError(f"depth {depth} leaves the pyramid without a block. Use 1 or more; POSTER and SAE have 8.")


class SAE(nn.Module):
    """Expression logits from an aligned face: (B, 3, H, H) → (B, M), RGB normalised by ``mean`` and ``std``.

    IR-50 and MobileFaceNet turn the face into an image and a landmark stream of (H/P)² tokens, P being the patch size.
    In cross-attention blocks at three widths the queries of either stream meet the keys and values of the other; some
    blocks drop the tokens that CLS attends to least, in both streams and at all widths, and fuse them into one. CLS of
    the large image level is gated and classified.

    Set ``freeze_landmarks`` exactly when you load weights into ``landmark_backbone``: frozen random features would be
    noise that half of the model reads (ours).

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
        drop_path_rate: Stochastic depth in the last block, growing linearly from 0.
        keep_rate: In (0, 1]: fraction of the tokens alive after the last pruning block; 1 switches pruning off.
        prune_blocks: Blocks that prune, ascending, counted from 0.
        alignment: ``shared`` keeps the same places in both streams; ``per_stream`` lets each choose.
        query_proj: Project the queries (SAE); False is POSTER.
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
            ``poster``: it sees what IR-50 sees, as in POSTER.
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
        MienError: A size, width, rate, block or word that does not fit; the message names it.

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
        drop_path_rate: float = 0.1,
        keep_rate: float = 0.6,
        prune_blocks: Sequence[int] = (0, 2, 4),
        alignment: Alignment = "shared",
        query_proj: bool = True,
        row_mixing: RowMixing = "none",
        shrink_start_epoch: int = 0,
        shrink_epochs: int = 0,
        last_block_cls_only: bool = False,
        backbone_widths: Sequence[int] = (64, 128, 256),
        backbone_units: Sequence[int] = (3, 4, 14),
        landmark_widths: Sequence[int] = (64, 128, 128, 512),
        landmark_units: Sequence[int] = (4, 6, 2),
        landmark_input: LandmarkInput = "bgr01",
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
        self.image_pixels: nn.Module = nn.Identity()
        self.image_backbone = IR50Stages(backbone_widths, backbone_units, image_size)
        block = self.image_backbone.feature_size // self.grid_size
        self.image_tokens = SpaceToDepth(block) if tokenizer == "spatial" else ChannelRuns(block)
        self.image_proj = nn.Linear(block**2 * self.image_backbone.feature_channels, embed_dim)
        self.landmark_pixels = PixelsBGR(mean, std) if landmark_input == "bgr01" else None
        self.landmark_backbone = MobileFaceNet(landmark_widths, landmark_units, image_size, None, patch_size)
        if freeze_landmarks:
            self.landmark_backbone.freeze(adapt_statistics=landmark_input == "poster")
        width = self.landmark_backbone.feature_channels
        # POSTER feeds the 512 channels as they are; a projection is needed only where the widths differ
        self.landmark_proj = nn.Identity() if width == embed_dim else nn.Linear(width, embed_dim)
        pruning = TokenPruning(keep_rate, tuple(prune_blocks), alignment)
        blocks = depth, num_heads, mlp_ratio, drop_path_rate
        self.fusion = PyramidFusion(
            self.grid_size**2, embed_dim, *blocks, pruning, query_proj, last_block_cls_only, row_mixing
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
            MienError: The images have another shape.
        """
        return self.head(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, H) to the vector that is classified, (B, D)."""
        return self.gate(self.fusion(*self.tokenize(x)))

    @torch.no_grad()
    def kept_tokens(self, x: Tensor, stream: Stream = "image") -> list[Tensor]:
        """Which patches of normalised images (B, 3, H, H) are alive after each pruning block.

        Token i lies in row i // ``grid_size`` and column i % ``grid_size``; with tokenizer ``poster_view`` that is true
        of landmark tokens alone. Call it in evaluation mode.

        Args:
            x: Images.
            stream: Whose tokens; the two differ only with ``alignment="per_stream"``.

        Returns:
            Per pruning block the grid indices (B, K), ascending.
        """
        return [kept[stream == "landmark"] for kept in self.fusion.kept_tokens(*self.tokenize(x))]

    def tokenize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map normalised images (B, 3, H, H) to image and landmark tokens, (B, (H/P)², D) each, in raster order."""
        size = (3, self.image_size, self.image_size)
        if x.ndim != 4 or x.shape[1:] != size:
            raise MienError(
                f"SAE got images of shape {tuple(x.shape)}, but takes (B, {', '.join(map(str, size))}). "
                f"Resize the faces to {self.image_size} px, or build the model with another image_size."
            )
        seen = self.image_pixels(x)
        image = self.image_proj(self.image_tokens(self.image_backbone(seen)))
        landmark = self.landmark_backbone(seen if self.landmark_pixels is None else self.landmark_pixels(x))
        return image, self.landmark_proj(landmark.flatten(2).transpose(1, 2))


class KeptPatches(nn.Module):
    """What is left of the grid after each pruning block: (B, 3, H, H) → (B, S, N), 1 for a patch that is alive, else 0.

    Patch i lies in line i // √N and column i % √N. Without a pruning block S is 0.

    Args:
        model: The network.
        stream: Whose tokens; the two differ only with ``alignment="per_stream"``.

    Attributes:
        image_size: The model's, ``mean`` and ``std`` likewise: faces are prepared as for the model.

    Source: ours, because what applies a network to faces wants one tensor of a fixed shape.

    Example:
        >>> small = SAE(7, image_size=64, embed_dim=64, depth=2, prune_blocks=(0, 1), keep_rate=0.25,
        ...             backbone_widths=(8, 16, 32), backbone_units=(1, 1, 1), landmark_widths=(8, 16, 16, 64),
        ...             landmark_units=(1, 1, 1))
        >>> KeptPatches(small).eval()(torch.zeros(2, 3, 64, 64)).sum(dim=2).tolist()
        [[8.0, 4.0], [8.0, 4.0]]
    """

    def __init__(self, model: SAE, stream: Stream = "image") -> None:
        super().__init__()
        self.model, self.stream = model, stream
        self.image_size, self.mean, self.std = model.image_size, model.mean, model.std

    def forward(self, x: Tensor) -> Tensor:
        """Mark the patches of normalised images (B, 3, H, H) that are alive, (B, S, N)."""
        stages = self.model.kept_tokens(x, self.stream)
        alive = x.new_zeros(len(x), len(stages), self.model.fusion.num_tokens)
        for number, kept in enumerate(stages):
            alive[:, number].scatter_(1, kept, 1.0)
        return alive


def _check_input(image_size: int, patch_size: int, tokenizer: str, num_stages: int, landmark_input: str) -> None:
    if image_size < 16 or image_size % 16:
        raise MienError(
            f"image_size {image_size} is not a multiple of 16, by which IR-50 and MobileFaceNet shrink a face. "
            "Use 112, or 64 for small runs."
        )
    if patch_size not in (8, 16):
        raise MienError(
            f"patch_size {patch_size} fits no map that both IR-50 and MobileFaceNet have. Use 16, or 8 for four times "
            "as many tokens."
        )
    if tokenizer not in ("spatial", "poster_view"):
        raise MienError(f"unknown tokenizer {tokenizer!r} of SAE. Use 'spatial' or 'poster_view'.")
    if tokenizer == "poster_view" and patch_size != 16:
        raise MienError(
            f"tokenizer 'poster_view' cuts IR-50's map into as many runs as there are patches of 16 px, but patch_size "
            f"is {patch_size}. Use patch_size 16, or tokenizer 'spatial'."
        )
    if num_stages != 3:
        raise MienError(
            f"IR-50 got {num_stages} backbone stages, but its map has the size of the landmark tokens after 3. "
            "Give three backbone_widths and three backbone_units."
        )
    if landmark_input not in ("bgr01", "poster"):
        raise MienError(f"unknown landmark_input {landmark_input!r}. Use 'bgr01' or 'poster'.")


def _check_shrinking(keep_rate: float, start_epoch: int, epochs: int, row_mixing: str) -> None:
    warmed_up_keep_rate(keep_rate, 0, start_epoch, epochs)
    if row_mixing == "poster" and (start_epoch or epochs):
        raise MienError(
            f"row_mixing poster and a keep rate that falls over {epochs} epochs from epoch {start_epoch} on: the "
            "number of tokens is part of those convolutions. Set shrink_start_epoch and shrink_epochs to 0, or "
            "row_mixing to none."
        )
