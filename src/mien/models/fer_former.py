"""FER-former: a hybrid of a CNN and a transformer, steered by the text of the classes."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from mien.errors import MienError
from mien.layers.multi_granularity import ConvPositionEncoding, MultiGranularityEmbedding, PatchProjection
from mien.layers.pixels import check_statistics
from mien.layers.transformer_block import TransformerBlock
from mien.models.ir50 import IR50Stages
from mien.models.prompts import word_tokens
from mien.models.text_encoder import PromptTable, PromptTower, TextEncoder, TextTower

RAF_DB_MEAN = (0.57514471, 0.44907006, 0.40058434)
RAF_DB_STD = (0.20640279, 0.18882187, 0.18030375)
"""Of RAF-DB's training faces. Source: ydl832/FER-former, ``dataset/data_loader.py``."""

HEADS = ("class", "steering")
"""What the outputs (B, H, M) are, in order; without text the first alone."""

TokenNorm = Literal["batch", "layer"]
PositionEncoding = Literal["conv", "learned", "none"]
TextReadout = Literal["steering", "cls"]
TextSide = Literal["tower", "table", "none"]


class FERFormer(nn.Module):
    """Expression logits of two heads from an aligned face: (B, 3, H, H) → (B, 2, M), RGB normalised as ``mean`` says.

    IR-50's map is cut into patches of several sizes, each a token. A class and a steering token attend to them and to
    each other. The first head is a linear layer on the class token. The second compares the steering token with the
    features of one prompt per class: temperature · cosine. Their losses add up (``mien.losses.JointLoss``).

    Args:
        num_classes: M.
        prompts: One text per class, in label order (``mien.models.prompts.write_prompts``).
        image_size: H in pixels, a multiple of 2 to the number of backbone stages.
        embed_dim: Token width D.
        depth: Number of transformer blocks.
        num_heads: Heads of each; divides D.
        mlp_ratio: Hidden width of a block's MLP over D.
        divisions: Sides of the patches on the pooled map, ascending; (2,) is the paper's baseline without MGEI.
        map_size: Side of the pooled map.
        patch_projection: ``linear`` (paper), ``low_rank`` or ``pooled`` (see ``MultiGranularityEmbedding``).
        patch_rank: Rank of ``low_rank``.
        token_norm: ``batch`` normalises each of the N patch tokens over batch and width, ``layer`` each by itself.
        pos_encoding: ``conv``, ``learned`` or ``none``, before the first block.
        last_block_heads_only: Compute of the last block only the rows that the heads read; the logits stay the same.
        backbone_widths: Channels of IR-50's stages.
        backbone_units: Residual units of IR-50's stages.
        text_encoder: ``tower``: CLIP's architecture. ``table``: a learned vector per prompt. ``none``: no steering
            token and no second head, (B, 1, M).
        text_readout: The token that is compared with the texts: ``steering`` (paper) or ``cls`` (released code).
        temperature: Factor on the cosine.
        freeze_text: Leave the text encoder as it is: no gradients. Its projection to D learns all the same.
        prompt_tokens: Token ids per prompt (``mien.models.clip_folder.clip_tokens``). None numbers the prompts' own
            words, for a tower that starts at random.
        text_vocab_size: Vocabulary of the tower.
        text_context_length: Longest text of the tower, in tokens.
        text_width: Token width of the tower.
        text_depth: Blocks of the tower.
        text_heads: Heads of the tower.
        text_embed_dim: Width E of a text feature, of the tower or the table; a linear layer brings it to D.
        mean: Channel means, in RGB order and of pixels in [0, 1], by which the input has been normalised.
        std: Channel deviations, likewise.

    Attributes:
        image_size: H.
        mean: As given; ``std``, ``map_size``, ``mlp_ratio``, ``temperature``, ``last_block_heads_only`` likewise.
        heads: Names of the outputs, of ``HEADS``.
        num_rows: Rows of the sequence: N patch tokens and the one or two before them.

    Raises:
        MienError: A size, word or list that does not fit; the message names it.

    Source: Li et al. 2023, "FER-former", and its released code (ydl832/FER-former); the card of the ``fer_former``
        pipeline lists where the two differ. Class and steering token start at zero and linear layers without bias, as
        in that code; there is no norm after the last block.

    Example:
        >>> model = FERFormer(7, [f"word{n}" for n in range(7)], image_size=48, embed_dim=32, depth=2, num_heads=2,
        ...                   backbone_widths=(8, 16), backbone_units=(1, 1), text_encoder="table", text_embed_dim=8)
        >>> model.eval()(torch.zeros(2, 3, 48, 48)).shape
        torch.Size([2, 2, 7])
    """

    def __init__(
        self,
        num_classes: int,
        prompts: Sequence[str] = (),
        image_size: int = 112,
        embed_dim: int = 256,
        depth: int = 16,
        num_heads: int = 4,
        mlp_ratio: float = 4.0,
        divisions: Sequence[int] = (2, 4, 6, 12),
        map_size: int = 12,
        patch_projection: PatchProjection = "linear",
        patch_rank: int = 64,
        token_norm: TokenNorm = "batch",
        pos_encoding: PositionEncoding = "conv",
        last_block_heads_only: bool = True,
        backbone_widths: Sequence[int] = (64, 128, 256),
        backbone_units: Sequence[int] = (3, 4, 14),
        text_encoder: TextSide = "tower",
        text_readout: TextReadout = "steering",
        temperature: float = 100.0,
        freeze_text: bool = False,
        prompt_tokens: Sequence[Sequence[int]] | None = None,
        text_vocab_size: int = 49_408,
        text_context_length: int = 77,
        text_width: int = 512,
        text_depth: int = 12,
        text_heads: int = 8,
        text_embed_dim: int = 512,
        mean: Sequence[float] = RAF_DB_MEAN,
        std: Sequence[float] = RAF_DB_STD,
    ) -> None:
        super().__init__()
        _check_settings(token_norm, pos_encoding, text_encoder, text_readout, depth, temperature)
        check_statistics(mean, std)
        self.image_size, self.mean, self.std = image_size, tuple(mean), tuple(std)
        self.mlp_ratio, self.temperature, self.text_readout = mlp_ratio, temperature, text_readout
        self.last_block_heads_only = last_block_heads_only
        self.heads = HEADS[: 1 if text_encoder == "none" else 2]
        self.image_backbone = IR50Stages(backbone_widths, backbone_units, image_size)
        patches = divisions, map_size, patch_projection, patch_rank
        self.embedding = MultiGranularityEmbedding(self.image_backbone.feature_channels, embed_dim, *patches)
        batch = token_norm == "batch"
        self.token_norm = nn.BatchNorm1d(self.embedding.num_tokens) if batch else nn.LayerNorm(embed_dim)
        # Token 0 is the class token, token 1 the steering token
        self.head_tokens = nn.Parameter(torch.zeros(len(self.heads), embed_dim))
        self.num_rows = len(self.heads) + self.embedding.num_tokens
        self.pos_conv = ConvPositionEncoding(embed_dim, self.embedding.grid_sizes) if pos_encoding == "conv" else None
        learned = pos_encoding == "learned"
        self.pos_embed = nn.Parameter(0.02 * torch.randn(self.num_rows, embed_dim)) if learned else None
        blocks = (TransformerBlock(embed_dim, num_heads, mlp_ratio, qkv_bias=False) for _ in range(depth))
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(embed_dim, num_classes)
        _zero_biases(self.embedding, self.blocks, self.head)
        sizes = text_vocab_size, text_context_length, text_width, text_depth, text_heads, text_embed_dim
        self.text_encoder = _text_encoder(text_encoder, num_classes, prompts, prompt_tokens, *sizes)
        if self.text_encoder is not None:
            self.text_encoder.requires_grad_(not freeze_text)
            self.text_proj = nn.Linear(text_embed_dim, embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, H) to the logits of each head, (B, H, M), in the order of ``heads``.

        Raises:
            MienError: The images have another shape.
        """
        rows = self.read_out(x)
        logits = [self.head(rows[:, 0])]
        if self.text_encoder is not None:
            logits.append(self.steering_logits(rows[:, self._steering_row]))
        return torch.stack(logits, dim=1)

    def features(self, x: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, H) to the token that the last head reads, (B, D).

        Source: FER-former, Fig. 5, which maps the steering token's vectors.
        """
        return self.read_out(x)[:, self._steering_row]

    def steering_logits(self, image: Tensor) -> Tensor:
        """Compare image vectors (B, D) with the class texts: temperature · cosine, (B, M)."""
        return self.temperature * nn.functional.cosine_similarity(image.unsqueeze(1), self.text_features(), dim=-1)

    def text_features(self) -> Tensor:
        """Features of the prompts as the steering token is compared with them, (M, D).

        Raises:
            MienError: The model has no text side.
        """
        if self.text_encoder is None:
            raise MienError(
                "This FER-former has text_encoder 'none', so there are no text features. Use its class head alone."
            )
        return self.text_proj(self.text_encoder())

    def text_parameters(self) -> list[nn.Parameter]:
        """Weights of the text encoder that learn, for an optimiser's group of their own; empty without any."""
        return [] if self.text_encoder is None else [p for p in self.text_encoder.parameters() if p.requires_grad]

    def read_out(self, x: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, H) to the rows after the last block that heads read, (B, 1 or 2, D)."""
        x = self.tokenize(x)
        last = len(self.blocks) - 1
        for number, block in enumerate(self.blocks):
            x = block(x, num_queries=self.num_read if self.last_block_heads_only and number == last else None)
        return x[:, : self.num_read]

    @property
    def num_read(self) -> int:
        """Rows after the last block that heads read: class token, and steering token where it is read."""
        return 1 + self._steering_row

    @property
    def _steering_row(self) -> int:
        return len(self.heads) - 1 if self.text_readout == "steering" else 0

    def tokenize(self, x: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, H) to the sequence before the first block, (B, ``num_rows``, D)."""
        size = (3, self.image_size, self.image_size)
        if x.ndim != 4 or x.shape[1:] != size:
            raise MienError(
                f"FER-former got images of shape {tuple(x.shape)}, but takes (B, {', '.join(map(str, size))}). "
                f"Resize the faces to {self.image_size} px, or build the model with another image_size."
            )
        tokens = self.token_norm(self.embedding(self.image_backbone(x)))  # (B, N, D)
        if self.pos_conv is not None:
            tokens = self.pos_conv(tokens)
        x = torch.cat([self.head_tokens.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        return x if self.pos_embed is None else x + self.pos_embed


def check_prompts(prompts: Sequence[object], num_classes: int) -> None:
    """Check that there is one different prompt, or list of token ids, per class.

    Raises:
        MienError: Their number differs from the classes', or two are the same.
    """
    if len(prompts) != num_classes:
        raise MienError(
            f"FER-former got {len(prompts)} prompts for {num_classes} classes, and compares a face with one per class. "
            "Write one for each class name, in label order, or set text_encoder to none."
        )
    texts = [str(prompt) for prompt in prompts]
    if twice := sorted({text for text in texts if texts.count(text) > 1}):
        raise MienError(
            f"two classes of FER-former have the same prompt {twice[0]!r}, so that text cannot tell them apart. "
            "Give each class a prompt of its own."
        )


def _text_encoder(
    kind: str,
    num_classes: int,
    prompts: Sequence[str],
    tokens: Sequence[Sequence[int]] | None,
    vocab_size: int,
    *sizes: int,
) -> TextEncoder | None:
    """A text side of one kind; without ``tokens`` the tower reads the prompts' own words."""
    if kind == "none":
        return None
    check_prompts(prompts, num_classes)
    if kind == "table":
        return PromptTable(num_classes, sizes[-1])
    tokens = word_tokens(prompts, vocab_size) if tokens is None else tokens
    check_prompts(tokens, num_classes)
    return PromptTower(TextTower(vocab_size, *sizes), tokens)


def _zero_biases(*parts: nn.Module) -> None:
    for module in (module for part in parts for module in part.modules()):
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


def _check_settings(
    token_norm: str, pos_encoding: str, text_encoder: str, text_readout: str, depth: int, temperature: float
) -> None:
    choices = {
        "token_norm": (token_norm, ("batch", "layer")),
        "pos_encoding": (pos_encoding, ("conv", "learned", "none")),
        "text_encoder": (text_encoder, ("tower", "table", "none")),
        "text_readout": (text_readout, ("steering", "cls")),
    }
    for name, (word, known) in choices.items():
        if word not in known:
            raise MienError(f"unknown {name} {word!r} of FER-former. Use {' or '.join(known)}.")

    if depth < 1:
        raise MienError(f"depth {depth} leaves FER-former without a block. Use 1 or more; the paper has 16.")
    if not temperature > 0:
        raise MienError(f"temperature {temperature} of FER-former's cosine must be above 0. The released code has 100.")
