"""Parameters of ``fer_former``."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from mien.errors import MienError
from mien.nodes.params import (
    MOST,
    MOST_PIXELS,
    Depth,
    LearningRate,
    Mean,
    NotNegative,
    OptimizerParams,
    Params,
    Positive,
    Std,
    TrainingParams,
    WeightsFile,
    Width,
    check_heads,
)

NO_PROMPT = "none"
"""The prompt of a network without a text side."""


def _complete_folder(folder: Path) -> Path:
    from mien.models.clip_folder import check_clip_folder

    return check_clip_folder(folder)


def _known_prompt(prompt: str) -> str:
    from mien.models.prompts import write_prompts

    if prompt != NO_PROMPT:
        write_prompts(prompt, ())
    return prompt


ClipFolder = Annotated[Path, AfterValidator(_complete_folder)]
"""A copy of CLIP as transformers saves it, checked before anything runs."""


class FERFormerModelParams(Params):
    """Arguments of ``mien.models.fer_former.FERFormer``, its prompts, and the user's own weights for it.

    Attributes:
        prompt: ``word``, ``phrase``, ``active`` or ``passive`` of the paper's Table V, a sentence of one's own with
            ``{}`` for the class name, or ``none`` for a network without a text side.
        text_encoder: ``tower``, CLIP's architecture, or ``table``, a learned vector per prompt.
        clip_folder: CLIP's weights and tokenizer for the tower; None starts it at random.
        backbone_weights: Checkpoint of IR-50; None starts at random.
    """

    image_size: int = Field(ge=2, le=MOST_PIXELS)
    embed_dim: Width
    depth: Depth
    num_heads: Depth
    mlp_ratio: Positive
    divisions: tuple[Depth, ...]
    map_size: int = Field(ge=1, le=MOST_PIXELS)
    patch_projection: Literal["linear", "low_rank", "pooled"]
    patch_rank: Width
    token_norm: Literal["batch", "layer"]
    pos_encoding: Literal["conv", "learned", "none"]
    last_block_heads_only: bool
    backbone_widths: tuple[Width, ...]
    backbone_units: tuple[Depth, ...]
    prompt: Annotated[str, AfterValidator(_known_prompt)]
    text_encoder: Literal["tower", "table"]
    text_readout: Literal["steering", "cls"]
    temperature: Positive
    freeze_text: bool
    text_vocab_size: int = Field(ge=3, le=MOST)
    text_context_length: int = Field(ge=3, le=16_384)
    text_width: Width
    text_depth: Depth
    text_heads: Depth
    text_embed_dim: Width
    mean: tuple[Mean, Mean, Mean]
    std: tuple[Std, Std, Std]
    clip_folder: ClipFolder | None
    backbone_weights: WeightsFile | None

    @model_validator(mode="after")
    def _folder_has_a_tower_to_fill(self) -> "FERFormerModelParams":
        check_heads(self.embed_dim, self.num_heads, "embed_dim and num_heads")
        if self.prompt != NO_PROMPT and self.text_encoder == "tower":
            check_heads(self.text_width, self.text_heads, "text_width and text_heads")
        if self.clip_folder is not None and (self.text_encoder != "tower" or self.prompt == NO_PROMPT):
            raise MienError(
                f"clip_folder is given with text_encoder {self.text_encoder} and prompt {self.prompt}, so there is no "
                "text tower to fill. Set text_encoder to tower and a prompt, or clip_folder to null."
            )
        return self

    def config(self, class_names: tuple[str, ...]) -> dict[str, Any]:
        """The architecture's keyword arguments for a dataset's classes, prompts written out."""
        own = self.model_dump(mode="json", exclude={"prompt", "clip_folder", "backbone_weights"})
        if self.prompt == NO_PROMPT:
            return {**own, "text_encoder": "none"}
        from mien.models.prompts import write_prompts

        prompts = list(write_prompts(self.prompt, class_names))
        if self.clip_folder is None:
            return {**own, "prompts": prompts}
        from mien.models.clip_folder import clip_tokens

        return {**own, "prompts": prompts, "prompt_tokens": clip_tokens(self.clip_folder, prompts)}


class TextOptimizerParams(OptimizerParams):
    """The optimiser, with a learning rate of its own for the text encoder; the schedule acts on both alike."""

    text_lr: LearningRate


class JointLossParams(Params):
    """Cross entropies of both heads, each with its weight."""

    class_weight: NotNegative
    steering_weight: NotNegative


class FERFormerTrainingParams(TrainingParams):
    """The recipe of FER-former's training."""

    optimizer: TextOptimizerParams
    loss: JointLossParams
