"""Parameters of ``sae``."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mien.errors import MienError
from mien.nodes.params import (
    MOST,
    MOST_PIXELS,
    Depth,
    Mean,
    Params,
    Positive,
    Rate,
    Std,
    WeightsFile,
    Width,
    check_heads,
)

OF_SAE_ALONE = frozenset(
    {
        "patch_size",
        "tokenizer",
        "prune_blocks",
        "alignment",
        "query_proj",
        "row_mixing",
        "shrink_start_epoch",
        "shrink_epochs",
        "last_block_cls_only",
    }
)
"""What ``mien.models.poster.Poster`` does not take: it has no pruning, and POSTER's own setting for the rest."""

OF_POSTER_ALONE = frozenset({"channel_order"})
"""What ``mien.models.sae.SAE`` does not take."""

NOT_OF_THE_ARCHITECTURE = frozenset(
    {"architecture", "weights", "load_head", "backbone_weights", "landmark_start", "landmark_weights"}
)


class SAEModelParams(Params):
    """Arguments of ``mien.models.sae.SAE`` or of ``mien.models.poster.Poster``, and the user's own weights for it.

    Attributes:
        architecture: ``sae``, or ``poster``, which is SAE before it was made prunable; then ``keep_rate`` must be 1,
            and what is in ``OF_SAE_ALONE`` is not read.
        landmark_input: What the landmark network sees: ``bgr01`` what it was trained on, ``poster`` what POSTER feeds
            it, with batch norms that adapt; its released weights were trained on nothing else.
        channel_order: What ``poster`` sees; its released weights were trained on ``bgr``.
        weights: Checkpoint of the whole network, such as POSTER's released one; None for none.
        load_head: False starts the classifier of ``weights`` anew, for other classes.
        backbone_weights: Checkpoint of IR-50; None starts at random.
        landmark_start: Where the landmark MobileFaceNet starts without weights of the user: ``synthetic`` takes the
            network of the pipeline ``landmarks``, ``random`` none.
        landmark_weights: Checkpoint of the landmark MobileFaceNet; None for none.
        freeze_landmarks: Keep a landmark network as it starts; one that starts at random is trained whatever this says.
    """

    architecture: Literal["sae", "poster"]
    image_size: int = Field(ge=16, le=MOST_PIXELS, multiple_of=16)
    patch_size: Literal[8, 16]
    tokenizer: Literal["spatial", "poster_view"]
    embed_dim: int = Field(ge=4, le=16_384)
    depth: Depth
    num_heads: Depth
    mlp_ratio: Positive
    drop_path_rate: Rate
    keep_rate: float = Field(gt=0, le=1)
    prune_blocks: tuple[Annotated[int, Field(ge=0, le=1024)], ...]
    alignment: Literal["shared", "per_stream"]
    query_proj: bool
    row_mixing: Literal["none", "poster"]
    shrink_start_epoch: int = Field(ge=0, le=MOST)
    shrink_epochs: int = Field(ge=0, le=MOST)
    last_block_cls_only: bool
    backbone_widths: tuple[Width, Width, Width]
    backbone_units: tuple[Depth, Depth, Depth]
    landmark_widths: tuple[Width, Width, Width, Width]
    landmark_units: tuple[Depth, Depth, Depth]
    landmark_input: Literal["bgr01", "poster"]
    channel_order: Literal["rgb", "bgr"]
    mean: tuple[Mean, Mean, Mean]
    std: tuple[Std, Std, Std]
    weights: WeightsFile | None
    load_head: bool
    backbone_weights: WeightsFile | None
    landmark_start: Literal["synthetic", "random"]
    landmark_weights: WeightsFile | None
    freeze_landmarks: bool

    @model_validator(mode="after")
    def _fits_the_architecture(self) -> "SAEModelParams":
        check_heads(self.embed_dim, 4 * self.num_heads, "embed_dim and 4 times num_heads")
        if self.architecture == "poster" and self.keep_rate != 1:
            raise MienError(
                f"keep_rate {self.keep_rate} with architecture poster, whose convolutions mix a fixed number of "
                "tokens: none can be dropped. Set keep_rate to 1, or architecture to sae."
            )
        if self.architecture == "sae" and self.channel_order != "rgb":
            raise MienError(
                "channel_order bgr with architecture sae, which sees RGB as its backbone was trained on it. Set "
                "channel_order to rgb, or architecture to poster."
            )
        if self.weights is not None and (self.backbone_weights or self.landmark_weights) is not None:
            raise MienError(
                "weights fill the whole network, and backbone_weights or landmark_weights would replace a part of "
                "them. Give either the one or the others; null takes a path away."
            )
        return self

    def config(self) -> dict[str, Any]:
        """The architecture's keyword arguments."""
        not_its_own = OF_POSTER_ALONE if self.architecture == "sae" else OF_SAE_ALONE
        own = self.model_dump(mode="json", exclude={*NOT_OF_THE_ARCHITECTURE, *not_its_own})
        if self.weights is not None:
            given = self.architecture == "poster"  # of SAE's own weights, the landmark stream may have been trained
        else:
            given = self.landmark_weights is not None or self.landmark_start == "synthetic"
        return {**own, "freeze_landmarks": self.freeze_landmarks and given}
