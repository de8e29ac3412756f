"""Parameters of ``sae``."""

from typing import Any, Literal

from pydantic import Field, FilePath

from mien.nodes.params import Params


class SAEModelParams(Params):
    """Arguments of ``mien.models.sae.SAE`` and the user's own weights for its two backbones.

    Attributes:
        backbone_weights: Checkpoint of IR-50; None starts at random.
        landmark_weights: Checkpoint of the landmark MobileFaceNet, which is then frozen; None trains it from random.
    """

    image_size: int = Field(ge=16, multiple_of=16)
    embed_dim: int = Field(ge=4)
    depth: int = Field(ge=1)
    num_heads: int = Field(ge=1)
    mlp_ratio: float = Field(gt=0)
    mlp_act: Literal["gelu", "relu"]
    drop_path_rate: float = Field(ge=0, lt=1)
    keep_rate: float = Field(gt=0, le=1)
    prune_blocks: tuple[int, ...]
    keep_rate_mode: Literal["final", "per_stage"]
    alignment: Literal["shared", "per_stream"]
    score_levels: Literal["all", "large"]
    renormalize: bool
    fused_competes: bool
    query_proj: bool
    cls: Literal["mean", "learned"]
    last_block_cls_only: bool
    backbone_widths: tuple[int, int, int]
    backbone_units: tuple[int, int, int]
    landmark_widths: tuple[int, int, int, int]
    landmark_units: tuple[int, int, int]
    landmark_input: Literal["bgr01", "poster"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    backbone_weights: FilePath | None
    landmark_weights: FilePath | None

    def config(self) -> dict[str, Any]:
        """The architecture's keyword arguments; a landmark network with weights is frozen."""
        own = self.model_dump(mode="json", exclude={"backbone_weights", "landmark_weights"})
        return {**own, "freeze_landmarks": self.landmark_weights is not None}
