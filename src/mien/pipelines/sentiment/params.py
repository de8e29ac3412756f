"""Parameters of ``sentiment``."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from mien.data.smile_cues import CUES
from mien.errors import MienError
from mien.labels import EXPRESSIONS
from mien.nodes.params import (
    MOST,
    MOST_PIXELS,
    Count,
    Depth,
    Fraction,
    LossParams,
    NotNegative,
    OptimizerParams,
    Params,
    Positive,
    Rate,
    RecipeParams,
    Std,
    Width,
)

Row = Literal[
    "face",
    "face_mean",
    "face_ward",
    "face_lstm",
    "face_motion",
    "face_two_stream",
    "without_synthesis",
    "without_rotation",
    "without_crop",
    "without_normalisation",
    "rules",
    "voice",
    "voice_svm",
    "fused",
    "fused_learned",
]
"""A row of the table: who evaluates a clip."""

FaceRow = Literal["face", "face_mean", "face_ward", "face_lstm", "face_motion", "face_two_stream", "rules"]
VoiceRow = Literal["voice", "voice_svm"]


class ClassParams(Params):
    """Which clips take part.

    Attributes:
        keep: Expressions that are classes; clips of others are left out. One that a dataset lacks is passed over.
    """

    keep: tuple[str, ...] = Field(min_length=2)

    @field_validator("keep")
    @classmethod
    def _known(cls, keep: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in keep if name not in EXPRESSIONS]
        if unknown or len(set(keep)) < len(keep):
            raise MienError(f"classes {list(keep)} are not different names of {', '.join(EXPRESSIONS)}.")
        return tuple(name for name in EXPRESSIONS if name in keep)


class VoiceFeatureParams(Params):
    """How sound is described.

    Attributes:
        num_mels: Bands of the log-mel spectrogram.
        max_seconds: Of a clip; what is longer loses its ends alike, what is shorter is masked.
    """

    num_mels: int = Field(ge=8, le=128)
    max_seconds: Positive


class RuleParams(Params):
    """Matsugu et al.'s rules.

    Attributes:
        neutral: What a frame is compared with: the clip's first frame, or the median over all of the subject's frames.
            Neither needs a label.
        thresholds: Change at which each cue speaks fully for a smile, in its own unit.
    """

    neutral: Literal["first_frame", "subject_median"]
    thresholds: dict[str, Positive]

    @field_validator("thresholds")
    @classmethod
    def _one_per_cue(cls, thresholds: dict[str, float]) -> dict[str, float]:
        if set(thresholds) != set(CUES):
            raise MienError(f"thresholds are {thresholds}: give one above 0 for each of {', '.join(CUES)}.")
        return {name: thresholds[name] for name in CUES}


class LopesModelParams(Params):
    """Arguments of ``mien.models.lopes_cnn.LopesCNN``."""

    image_size: int = Field(ge=20, le=MOST_PIXELS)
    widths: tuple[Width, Width]
    hidden: Width
    drop_rate: Rate


class WardModelParams(Params):
    """Arguments of ``mien.models.ward_cnn.WardCNN``."""

    image_size: int = Field(ge=20, le=MOST_PIXELS)
    widths: tuple[Width, Width, Width, Width]
    drop_rate: Rate


class MotionModelParams(Params):
    """The network of frame differences: ``LopesCNN`` on stacks.

    Attributes:
        length: Differences in a stack.
        std: What differences of pixels in [0, 1] are divided by.
    """

    length: int = Field(ge=1, le=MOST)
    std: Std

    def config(self) -> dict[str, Any]:
        """What differs from the network of single faces."""
        return {"in_channels": self.length, "std": [self.std] * 3}


class LSTMModelParams(Params):
    """Arguments of ``mien.models.frame_lstm.FrameLSTM``."""

    hidden: Width
    drop_rate: Rate


class VoiceModelParams(Params):
    """Arguments of ``mien.models.voice_cnn.VoiceCNN``.

    Attributes:
        num_mels: As ``voice.num_mels``.
    """

    num_mels: int = Field(ge=8, le=128)
    widths: tuple[Width, ...] = Field(min_length=1)
    kernel: Depth
    drop_rate: Rate


def _installed(functionals: str) -> str:
    from mien.data.voice_features import check_opensmile

    if functionals == "egemaps":
        check_opensmile()
    return functionals


class VoiceSVMParams(Params):
    """The linear support vector machine of the voice.

    Attributes:
        functionals: What it takes of an utterance: ``prosody_and_bands``, of ``mien.data.voice_features``, or
            ``egemaps``, the 88 of eGeMAPSv02, for which the package ``opensmile`` is needed: looked for before
            anything runs.
    """

    functionals: Annotated[Literal["prosody_and_bands", "egemaps"], AfterValidator(_installed)]

    def size(self, num_mels: int) -> int:
        """Functionals of an utterance whose sound is described by so many bands."""
        from mien.data.voice_features import NUM_EGEMAPS, PROSODY

        return NUM_EGEMAPS if self.functionals == "egemaps" else len(PROSODY) + 2 * num_mels


class FusionParams(Params):
    """Which two rows are fused, and how.

    Attributes:
        face: The face's row.
        voice: The voice's row.
    """

    face: FaceRow
    voice: VoiceRow


class SentimentModelParams(Params):
    """What is trained and evaluated.

    Attributes:
        members: Rows of the table, in its order.
        face: The network of single faces, its ablations and motion.
        ward: The author's network.
        motion: The second stream.
        lstm: The network over frames.
        voice: The network of the voice.
        voice_svm: Its baseline.
        rules: How a smile is reported.
        fusion: Of face and voice.
    """

    members: tuple[Row, ...] = Field(min_length=1)
    face: LopesModelParams
    ward: WardModelParams
    motion: MotionModelParams
    lstm: LSTMModelParams
    voice: VoiceModelParams
    voice_svm: VoiceSVMParams
    rules: RuleParams
    fusion: FusionParams

    @model_validator(mode="after")
    def _rows_fit(self) -> "SentimentModelParams":
        if len(set(self.members)) < len(self.members):
            raise MienError(f"rows {list(self.members)} name one twice: give each once.")
        lacking = [row for row in (self.fusion.face, self.fusion.voice) if row not in self.members]
        if lacking and {"fused", "fused_learned"} & set(self.members):
            raise MienError(
                f"rows have a fused one, which is of {self.fusion.face} and {self.fusion.voice}, but lack "
                f"{' and '.join(lacking)}, which it is held against. Add that, or fuse rows that are there by "
                "model.fusion.face and model.fusion.voice."
            )
        return self

    def config(self, name: str) -> dict[str, Any]:
        """Architecture and configuration of a member."""
        from mien.data.voice_features import CONTOURS, PROSODY

        face = self.face.model_dump(mode="json")
        if name == "ward":
            return {"architecture": "ward_cnn", "config": self.ward.model_dump(mode="json")}
        if name == "motion":
            return {"architecture": "lopes_cnn", "config": {**face, **self.motion.config()}}
        if name == "lstm":
            own = self.lstm.model_dump(mode="json")
            return {"architecture": "frame_lstm", "config": {**own, "num_features": self.face.hidden}}
        if name == "voice":
            own = self.voice.model_dump(mode="json", exclude={"num_mels"})
            sizes = {"num_channels": self.voice.num_mels + len(CONTOURS), "num_prosody": len(PROSODY)}
            return {"architecture": "voice_cnn", "config": {**own, **sizes}}
        if name == "voice_svm":
            size = self.voice_svm.size(self.voice.num_mels)
            return {"architecture": "standardised_linear", "config": {"num_features": size}}
        if name == "rules":
            return {"architecture": "standardised_linear", "config": {"num_features": 2 * (len(CUES) + 2)}}
        return {"architecture": "lopes_cnn", "config": face}


class PartParams(Params):
    """What a member's recipe has of its own."""

    max_epochs: Count
    batch_size: int = Field(ge=2, le=MOST)
    optimizer: OptimizerParams


class LinearParams(Params):
    """Linear classifiers: inverse strengths of the penalty to choose from on validation, scikit-learn's C."""

    regularisation: tuple[Positive, ...] = Field(min_length=1)


class SentimentTrainingParams(RecipeParams):
    """The recipe: epochs, batch and optimiser are those of the face networks; the other members have their own.

    Attributes:
        monitor: What the best epoch of each member is chosen by.
        loss: Of every member.
        ward: The author's network.
        motion: The second stream.
        lstm: The network over frames.
        voice: The network of the voice.
        voice_noise: Standard deviation of noise on log-mel bands and contours in training, in their own.
        flip: Probability of the mirror image of a face in training.
        linear: Rules and support vector machine.
        fusion_regularisation: Inverse strength of the learned fusion's L2 penalty, scikit-learn's C.
    """

    monitor: Literal["val/accuracy", "val/mean_class_accuracy", "val/loss"]
    loss: LossParams
    ward: PartParams
    motion: PartParams
    lstm: PartParams
    voice: PartParams
    voice_noise: NotNegative
    flip: Fraction
    linear: LinearParams
    fusion_regularisation: Positive

    def recipe(self, member: str) -> "SentimentTrainingParams":
        """The recipe with a member's own epochs, batch and optimiser."""
        own = {name: getattr(self, name) for name in ("ward", "motion", "lstm", "voice")}.get(member)
        if own is None:
            return self
        changes = {"max_epochs": own.max_epochs, "batch_size": own.batch_size, "optimizer": own.optimizer}
        return self.model_copy(update=changes)
