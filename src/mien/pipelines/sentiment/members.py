"""The networks that ``sentiment``'s members are made of: what each sees of a clip, and how it is trained."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.errors import MienError
from mien.models.network import Network
from mien.nodes.digest import array_digest, table_digest
from mien.nodes.params import PredictionParams
from mien.nodes.prediction import apply_to_images, softmax
from mien.nodes.training import report_epoch, train_network, validation_metrics
from mien.pipelines.sentiment.clips import ABLATIONS, FULL, ClipInputs
from mien.pipelines.sentiment.fusion import fit_linear, log_scores
from mien.pipelines.sentiment.params import SentimentTrainingParams

logger = logging.getLogger(__name__)

WITHOUT_SYNTHESIS = "without_synthesis"

ABLATED = (WITHOUT_SYNTHESIS, *(f"without_{step}" for step in ABLATIONS))
"""Members, and rows, each trained without one of Lopes' steps."""

MEMBERS: dict[str, tuple[str, ...]] = {
    "face": ("face",),
    "face_mean": ("face",),
    "face_ward": ("ward",),
    "face_lstm": ("face", "lstm"),
    "face_motion": ("motion",),
    "face_two_stream": ("face", "motion"),
    **{name: (name,) for name in ABLATED},
    "rules": ("rules",),
    "voice": ("voice",),
    "voice_svm": ("voice_svm",),
}
"""Members that each row of one sense needs."""

STREAMS = ("face_mean", "face_motion")
"""The rows that ``face_two_stream`` adds."""

SPLITS = ("train", "val")


def rows_to_score(rows: tuple[str, ...], face: str, voice: str) -> list[str]:
    """Rows of one sense that a table takes: its own, and those that its fusions and streams are made of."""
    wanted = set(rows)
    if wanted & {"fused", "fused_learned"}:
        wanted |= {face, voice}
    if "face_two_stream" in wanted:
        wanted |= set(STREAMS)
    return [row for row in MEMBERS if row in wanted]


def members_of(rows: list[str]) -> list[str]:
    """Members that some rows need, in the order of training; the network of single faces is always one."""
    needed = {member for row in rows for member in MEMBERS[row]} | {"face"}
    order = ("face", "ward", "motion", "lstm", *ABLATED, "rules", "voice", "voice_svm")
    return [name for name in order if name in needed]


def preparation(member: str) -> str:
    """Which prepared faces a member sees."""
    return member if member.startswith("without_") and member != WITHOUT_SYNTHESIS else FULL


def smile_features(inputs: ClipInputs, samples: pd.DataFrame, neutral: str, thresholds: np.ndarray) -> np.ndarray:
    """What the rules' row is classified by: mean and largest of the six cues, smile and laugh over a clip's frames.

    Returns:
        (n, 16) float32; NaN for a clip without a face.
    """
    frames = inputs.frames_of(samples)
    reported = cues_over_time(inputs, frames, samples, neutral, thresholds)
    groups = reported.groupby(frames["place"].to_numpy())
    features = np.full((len(samples), 2 * reported.shape[1]), np.nan, np.float32)
    mean, most = groups.mean(), groups.max()
    features[mean.index] = np.concatenate([mean, most], axis=1)
    return features


def cues_over_time(
    inputs: ClipInputs, frames: pd.DataFrame, samples: pd.DataFrame, neutral: str, thresholds: np.ndarray
) -> pd.DataFrame:
    """How far each cue speaks for a smile in each frame, by Matsugu et al.'s rules.

    Args:
        inputs: With the cues.
        frames: Of ``ClipInputs.frames_of``.
        samples: One row per clip.
        neutral: ``first_frame`` or ``subject_median``.
        thresholds: (6,).

    Returns:
        One row per frame: the six cues, ``smile`` and ``laugh``, each 0 to 1.
    """
    from mien.data.smile_cues import CUES, relative_cues, smile_scores

    table = pd.DataFrame(inputs.cues[frames["face_index"]], columns=list(CUES))
    if neutral == "first_frame":
        rest = table.groupby(frames["place"].to_numpy()).transform("first")
    else:
        subjects = samples["subject"].to_numpy()[frames["place"]]
        rest = table.groupby(subjects).transform("median")
    spoken, smile, laugh = smile_scores(relative_cues(table.to_numpy(), rest.to_numpy()), thresholds)
    return pd.DataFrame(spoken, columns=list(CUES)).assign(smile=smile, laugh=laugh)


def frame_images(inputs: ClipInputs, frames: pd.DataFrame, member: str, model: Any) -> Any:
    """The frames as a member that sees single frames, or stacks, takes them."""
    from mien.data.face_images import FaceImages

    no_labels = np.zeros(len(frames), np.int64)
    if member == "motion":
        return motion_images(inputs, frames, model, no_labels)
    faces = inputs.pictures if member == "ward" else inputs.faces[preparation(member)]
    return FaceImages(
        faces, frames["face_index"].to_numpy(), no_labels, image_size=model.image_size, mean=model.mean, std=model.std
    )


def motion_images(inputs: ClipInputs, frames: pd.DataFrame, model: Any, labels: np.ndarray, **augmentation: Any) -> Any:
    """Stacks of differences around frames that are sorted by clip and time; mirrored as in training, if requested."""
    from mien.data.clip_samples import FrameDifferences, stacked_rows

    rows = [stacked_rows(each.to_numpy(), model.in_channels) for _, each in frames.groupby("place")["face_index"]]
    stacks = np.concatenate(rows) if rows else np.zeros((0, model.in_channels + 1), np.int64)
    return FrameDifferences(inputs.faces[FULL], stacks, labels, std=model.std[0], **augmentation)


def frame_scores(
    inputs: ClipInputs, frames: pd.DataFrame, member: str, model: Any, prediction: PredictionParams
) -> np.ndarray:
    """Scores (frames, M) of a member that sees single frames, or stacks."""
    if frames.empty:
        return np.zeros((0, model.classify.out_features))
    return softmax(apply_to_images(frame_images(inputs, frames, member, model), model, prediction, model))


def frame_sequences(
    inputs: ClipInputs, frames: pd.DataFrame, num_clips: int, model: Any, prediction: PredictionParams
) -> tuple[np.ndarray, np.ndarray]:
    """Features of the network of single faces (n, F, D) and their mask (n, F), F the most frames of a clip."""
    place = frames["place"].to_numpy()
    step = frames.groupby("place").cumcount().to_numpy()
    most = int(step.max(initial=0)) + 1
    features = np.zeros((num_clips, most, model.hidden.out_features), np.float32)
    mask = np.zeros((num_clips, most), np.float32)
    if len(frames):
        images = frame_images(inputs, frames, "face", model)
        features[place, step] = apply_to_images(images, model, prediction, model.features)
        mask[place, step] = 1
    return features, mask


def sound_samples(inputs: ClipInputs, samples: pd.DataFrame, steps: int, noise: float = 0.0, seed: int = 0) -> Any:
    """The sounds of samples that are heard, as the voice network takes them; with noise as in training."""
    from mien.data.clip_samples import SoundSamples

    rows = samples["face_index"].to_numpy()
    spread = noise * np.ones(inputs.contours.shape[1]) if noise else None
    return SoundSamples(
        inputs.contours,
        inputs.start[rows],
        inputs.length[rows],
        inputs.prosody[rows],
        samples["label"].to_numpy(),
        steps=steps,
        noise=spread,
        seed=seed,
    )


def over_frames(scores: np.ndarray, frames: pd.DataFrame, num_clips: int, *, middle: bool = False) -> np.ndarray:
    """Log scores (n, M) of clips from those of their frames: of the middle one, or their mean; NaN without a face."""
    place = frames["place"].to_numpy()
    if middle:
        step, number = frames.groupby("place").cumcount(), frames.groupby("place")["place"].transform("size")
        chosen = (step == number // 2).to_numpy()
        scores, place = scores[chosen], place[chosen]
    total, count = np.zeros((num_clips, scores.shape[1])), np.zeros((num_clips, 1))
    np.add.at(total, place, scores)
    np.add.at(count, place, 1)
    return np.where(count > 0, log_scores(total / np.maximum(count, 1)), np.nan)


def longest(inputs: ClipInputs) -> int:
    """Steps of the longest sound."""
    return int(inputs.length.max(initial=1))


def rules_of(model: Any) -> tuple[str, np.ndarray]:
    """What a face is neutral by, and the thresholds (6,) of the cues, as the network's settings have them."""
    rules = model.settings["rules"]
    return rules["neutral"], np.array(list(rules["thresholds"].values()))


@dataclass(frozen=True, eq=False)
class MembersTrainer:
    """One training: what all of its networks share."""

    samples: pd.DataFrame
    inputs: ClipInputs
    checkpoints: Path
    network: Network
    training: SentimentTrainingParams

    @property
    def prediction(self) -> PredictionParams:
        """How trained networks are applied on the way."""
        return PredictionParams(batch_size=self.training.batch_size, device=self.training.device)

    def split(self, name: str) -> pd.DataFrame:
        """Clips of a split."""
        return self.samples[self.samples["split"] == name].reset_index(drop=True)

    def fit(self, name: str) -> pd.DataFrame:
        """Train a member by gradient descent, put its weights in place and return its history."""
        from mien.engine.fit import Task
        from mien.losses import ExpressionLoss

        self._check_sense(name)
        recipe = self.training.recipe(name)
        task = Task(
            loss=ExpressionLoss(**recipe.loss.model_dump()),
            metrics=validation_metrics,
            monitor=recipe.monitor,
            mode="min" if recipe.monitor.endswith("/loss") else "max",
            name=name,
        )
        each = self.network.config["members"][name]
        config = {**each["config"], "num_classes": len(self.network.class_names)}
        images, seen = self._sets(name)
        start = Network(each["architecture"], config, self.network.class_names, self.network.model.members[name])
        folder, reported = self.checkpoints / name, partial(_report_epoch, name)
        trained, history = train_network(start, images, task, folder, recipe, seen, on_epoch_end=reported)
        self.network.model.members[name] = trained.model
        return history

    def _check_sense(self, name: str) -> None:
        column, lack, reason = (
            ("heard", "can be heard", "audio_reason")
            if name.startswith("voice")
            else ("num_faces", "has a face", "reason")
        )
        for split in SPLITS:
            clips = self.split(split)
            if not (clips[column] > 0).any():
                raise MienError(
                    f"{name} cannot be trained: of the {len(clips)} clips of split {split} none {lack}. Look at the "
                    f"column {reason} of the dataset's table, or take the rows that need it out of model.members."
                )

    def _sets(self, name: str) -> tuple[list[Any], tuple[str, ...]]:
        """Train and val set of a member, and digests of what they hold."""
        if name == "voice":
            return self._sound_sets(), (table_digest(self.samples), array_digest(self.inputs.contours))
        if name == "lstm":
            sets = [self._sequences(split) for split in SPLITS]
            return sets, (table_digest(self.samples), *(array_digest(each.inputs[0]) for each in sets))
        if name == "ward":
            seen = array_digest(self.inputs.pictures)
        elif name in (WITHOUT_SYNTHESIS, "motion"):
            seen = array_digest(self.inputs.faces[FULL])
        elif preparation(name) not in self.inputs.jittered:
            raise MienError(
                f"Row {name} learns from faces that lack a step of Lopes', but those prepared are "
                f"{', '.join(self.inputs.jittered)}: sentiment_cross has every step. Take the row out of model.members."
            )
        else:
            seen = array_digest(self.inputs.jittered[preparation(name)])
        return [self._frame_set(name, split) for split in SPLITS], (table_digest(self.samples), seen)

    def _frame_set(self, name: str, split: str) -> Any:
        from mien.data.clip_samples import NeighbourFaces
        from mien.data.face_images import FaceImages

        clips, model = self.split(split), self.network.model.members[name]
        frames = self.inputs.frames_of(clips)
        labels = clips["label"].to_numpy()[frames["place"]]
        learning = split == "train"
        augmentation = {"flip": self.training.flip, "seed": self.training.seed} if learning else {}
        if name == "motion":
            return motion_images(self.inputs, frames, model, labels, **augmentation)
        if learning and name != "ward":
            synthetic = name != WITHOUT_SYNTHESIS
            faces = self.inputs.jittered[preparation(name)] if synthetic else self.inputs.faces[FULL][:, None]
            rows = frames["jittered_face_index" if synthetic else "face_index"].to_numpy()
            return NeighbourFaces(faces, rows, labels, mean=model.mean[0], std=model.std[0], **augmentation)
        faces = self.inputs.pictures if name == "ward" else self.inputs.faces[preparation(name)]
        sizes = {"image_size": model.image_size, "mean": model.mean, "std": model.std, "seed": self.training.seed}
        mirror = partial(_mirror, flip=self.training.flip) if learning else None
        return FaceImages(faces, frames["face_index"].to_numpy(), labels, augment=mirror, **sizes)

    def _sequences(self, split: str) -> Any:
        from mien.data.clip_samples import ArraySamples

        clips = self.split(split)
        clips = clips[clips["num_faces"] > 0].reset_index(drop=True)
        frames = self.inputs.frames_of(clips)
        model = self.network.model.members["face"]
        features, mask = frame_sequences(self.inputs, frames, len(clips), model, self.prediction)
        return ArraySamples((features, mask), clips["label"].to_numpy())

    def _sound_sets(self) -> list[Any]:
        import torch

        heard = {split: each[each["heard"]] for split in SPLITS for each in [self.split(split)]}
        steps = longest(self.inputs)
        train_set, val_set = (sound_samples(self.inputs, heard[split], steps) for split in SPLITS)
        inside = np.concatenate([np.arange(s, s + n) for s, n in zip(train_set.start, train_set.length, strict=True)])
        sound = self.inputs.contours[inside].astype(np.float64)
        statistics = [
            (torch.from_numpy(each.mean(axis=0)).float(), torch.from_numpy(each.std(axis=0)).float())
            for each in (sound, train_set.prosody.astype(np.float64))
        ]
        self.network.model.members["voice"].start_from(*statistics)
        if self.training.voice_noise:
            train_set.noise = self.training.voice_noise * sound.std(axis=0)
            train_set.seed = self.training.seed
        return [train_set, val_set]

    def fit_linear(self, name: str) -> None:
        """Fit rules or support vector machine, the strength of the penalty chosen on split val."""
        self._check_sense(name)
        features, labels = {}, {}
        for split in SPLITS:
            clips = self.split(split)
            if name == "rules":
                vectors = smile_features(self.inputs, clips, *rules_of(self.network.model))
                known = np.isfinite(vectors).all(axis=1)
            else:
                vectors, known = self.inputs.functionals[clips["face_index"].to_numpy()], clips["heard"].to_numpy()
            features[split], labels[split] = vectors[known], clips["label"].to_numpy()[known]
        best = None
        for strength in self.training.linear.regularisation:
            fitted = fit_linear(name, features["train"], labels["train"], strength, len(self.network.class_names))
            model = self.network.model.members[name]
            mean, std, weight, bias = fitted
            outputs = (features["val"] - mean) / std @ weight.T + bias
            score = float((outputs.argmax(axis=1) == labels["val"]).mean())
            if best is None or score > best[0]:
                best = score, strength
                model.take(*fitted)
        if best is not None:
            logger.info("%s: C %g, the best on validation, accuracy %.3f", name, best[1], best[0])


def _mirror(image: np.ndarray, seed: int, flip: float) -> np.ndarray:
    """A face (H, W, C), or its mirror image."""
    from mien.data.clip_samples import mirrored_at

    return mirrored_at(image.transpose(2, 0, 1), seed, flip).transpose(1, 2, 0)


def _report_epoch(member: str, record: dict[str, Any], pictures: Mapping[str, np.ndarray]) -> None:
    """Report a member's epoch under the names that its numbers have in the history of all members."""
    names = {column: history_name(member, column) for column in record}
    report_epoch({name: record[column] for column, name in names.items() if name}, pictures)


def history_name(member: str, column: str) -> str:
    """Name of a member's number in the history of all members; empty where it is not in it.

    The face's losses keep their names, all others carry the member's. ``val/accuracy`` is that of fused clips, in the
    metrics: the face's, of single frames, must not stand in its place.

    Example:
        >>> history_name("face", "val/loss"), history_name("face", "val/accuracy"), history_name("lstm", "val/loss")
        ('val/loss', 'val/face_accuracy', 'val/lstm_loss')
    """
    if column == "epoch":
        return column
    split, _, quantity = column.partition("/")
    if member == "face" and not column.endswith(("accuracy", "/epoch")):
        return "" if column == "model" else column
    return f"{split}/{member}_{quantity}" if quantity else ""
