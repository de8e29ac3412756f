"""Node functions of ``sentiment`` that build and train its networks and fit what fuses them."""

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.models.network import Network
from mien.nodes.digest import array_digest, table_digest
from mien.nodes.params import PredictionParams
from mien.nodes.samples import class_names
from mien.nodes.training import train_network, validation_metrics
from mien.pipelines.sentiment.clip_inputs import FULL, ClipInputs
from mien.pipelines.sentiment.fusion import (
    calibrated,
    fit_learned,
    fit_temperature,
    fit_weight,
    fuse,
    log_scores,
)
from mien.pipelines.sentiment.members import (
    STREAMS,
    WITHOUT_SYNTHESIS,
    frame_sequences,
    members_of,
    motion_images,
    named_epochs,
    preparation,
    rows_to_score,
    smile_features,
    sound_samples,
)
from mien.pipelines.sentiment.params import SentimentModelParams, SentimentTrainingParams
from mien.pipelines.sentiment.scoring import TWO_STREAM, base_log_scores, longest, rules_of

logger = logging.getLogger(__name__)

SPLITS = ("train", "val")

NEVER = -10.0
"""Output of a class that a linear classifier has not seen: margins of the others are about -1 to 1."""


def initialise(samples: pd.DataFrame, model: SentimentModelParams, training: SentimentTrainingParams) -> Network:
    """Build every network that the table's rows need.

    Args:
        samples: Clips of split train and val.
        model: Rows and sizes.
        training: The recipe; its seed decides every weight.
    """
    from mien.engine.seed import seed_everything
    from mien.models import create_model

    names = class_names(samples)
    rows = rows_to_score(model.rows, model.fusion.face, model.fusion.voice)
    fused = {"fused", "fused_learned"} & set(model.rows)
    settings = {
        "table": list(model.rows),
        "fused": [model.fusion.face, model.fusion.voice],
        "rules": model.rules.model_dump(mode="json"),
    }
    config = {
        "num_classes": len(names),
        "members": {name: model.config(name) for name in members_of(rows)},
        "rows": rows,
        "fusions": [*([TWO_STREAM] if TWO_STREAM in rows else []), *(["fused"] if fused else [])],
        "settings": settings,
    }
    seed_everything(training.seed, 0)
    network = create_model("face_voice", **config)
    for name, member in network.members.items():
        logger.info("%s: %.3f M parameters", name, sum(each.numel() for each in member.parameters()) / 1e6)
    return Network("face_voice", config, names, network)


def train(
    samples: pd.DataFrame,
    inputs: ClipInputs,
    checkpoints: Path,
    initial_network: Network,
    training: SentimentTrainingParams,
) -> tuple[Network, pd.DataFrame]:
    """Train the networks one after the other, then fit temperatures and fusions on split val.

    Args:
        samples: Clips of split train and val.
        inputs: What is to be seen and heard of them.
        checkpoints: Folder to resume from and to save to; each network has a folder of its own in it.
        initial_network: What training starts from. It is copied, not changed.
        training: The recipe.

    Returns:
        The networks in one, with the best epochs' weights, temperatures and fusions; and the history, one row per
        epoch: ``train/loss`` and ``val/loss`` of the network of single faces, ``val/face_accuracy``,
        ``train/<member>_loss`` … of the others.

    Raises:
        ValueError: Faces or sounds are described in another size than the networks take.
    """
    from copy import deepcopy

    _check_sizes(inputs, initial_network.model)

    network = deepcopy(initial_network)
    trainer = MembersTrainer(samples, inputs, checkpoints, network, training)
    histories = {}
    for name in network.config["members"]:
        if name in ("rules", "voice_svm"):
            trainer.fit_linear(name)
        else:
            histories[name] = trainer.fit(name)
    fit_fusions(network.model, trainer, training)
    return network, _joined_history(histories)


def _check_sizes(inputs: ClipInputs, model: Any) -> None:
    side, bands = inputs.faces[FULL].shape[1], inputs.contours.shape[1]
    if side != model.image_size:
        raise ValueError(
            f"The prepared faces are {side} px wide and model.face.image_size is {model.image_size}. Set it, or the "
            "dataset's lopes.size, so that both are the same."
        )
    if "voice" in model.members and len(model.members["voice"].sound_mean) != bands:
        raise ValueError(
            f"Sounds are described by {bands} numbers a step and the voice network takes "
            f"{len(model.members['voice'].sound_mean)}. Set model.voice.num_mels to voice.num_mels."
        )
    size = inputs.functionals.shape[1]
    if "voice_svm" in model.members and len(model.members["voice_svm"].mean) != size:
        raise ValueError(
            f"Voices are described by {size} functionals and the support vector machine takes "
            f"{len(model.members['voice_svm'].mean)}. Set model.voice.num_mels to voice.num_mels, and run the node "
            "describe_voices again after a change of model.voice_svm.functionals."
        )


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
        )
        each = self.network.config["members"][name]
        config = {**each["config"], "num_classes": len(self.network.class_names)}
        images, seen = self._sets(name)
        start = Network(each["architecture"], config, self.network.class_names, self.network.model.members[name])
        with named_epochs(name):
            trained, history = train_network(start, images, task, self.checkpoints / name, recipe, seen)
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
                raise ValueError(
                    f"{name} cannot be trained: of the {len(clips)} clips of split {split} none {lack}. Look at the "
                    f"column {reason} of the dataset's table, or take the rows that need it out of model.rows."
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
            raise ValueError(
                f"Row {name} learns from faces that lack a step of Lopes', but those prepared are "
                f"{', '.join(self.inputs.jittered)}: sentiment_cross has every step. Take the row out of model.rows."
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


def fit_linear(
    name: str, features: np.ndarray, labels: np.ndarray, strength: float, num_classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fit a linear classifier of standardised features: mean, std (D,), weight (M, D), bias (M,).

    Args:
        name: ``rules`` is a logistic regression, anything else a linear support vector machine, one class against the
            rest.
        features: (n, D).
        labels: (n,) class ids.
        strength: scikit-learn's C.
        num_classes: M. One that no row has is never chosen.

    Raises:
        ValueError: The rows are of fewer than two classes.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    seen = np.unique(labels)
    if len(seen) < 2:
        raise ValueError(
            f"{name} cannot be fitted: its {len(labels)} training clips are of {len(seen)} class. Look at the columns "
            "num_faces and heard of the samples, or leave the row out of model.rows."
        )
    mean, std = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    kind = LogisticRegression(C=strength, max_iter=2000) if name == "rules" else LinearSVC(C=strength, random_state=0)
    kind.fit((features - mean) / std, labels)
    coefficients, intercepts = kind.coef_, kind.intercept_
    if len(seen) == 2:  # scikit-learn keeps the second class alone
        coefficients = np.concatenate([-coefficients, coefficients])
        intercepts = np.concatenate([-intercepts, intercepts])
    weight, bias = np.zeros((num_classes, features.shape[1])), np.full(num_classes, NEVER)
    weight[seen], bias[seen] = coefficients, intercepts
    return mean, std, weight, bias


def fit_fusions(model: Any, trainer: MembersTrainer, training: SentimentTrainingParams) -> None:
    """Fit temperatures, the streams' and the senses' weight, and the learned fusion, all on split val."""
    import torch

    clips = trainer.split("val")
    target = clips["label"].to_numpy()
    logs = base_log_scores(model, trainer.inputs, clips, trainer.prediction)
    scores = {}
    for number, row in enumerate(model.rows):
        if row in logs:  # every row but the weighted sum of two others
            model.temperatures[number] = fit_temperature(logs[row], target)
            scores[row] = calibrated(logs[row], float(model.temperatures[number]))
    for number, fusion in enumerate(model.fusions):
        pair = STREAMS if fusion == TWO_STREAM else tuple(model.settings["fused"])
        first, second = (scores[row] for row in pair)
        model.weights[number] = fit_weight(first, second, target)
        logger.info("%s: %.2f %s + %.2f %s", fusion, model.weights[number], pair[0], 1 - model.weights[number], pair[1])
        scores[fusion] = fuse(first, second, float(model.weights[number]))
        if fusion == "fused":  # what is fused once more stays as it is: calibrated first, it fused worse on validation
            both = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
            model.fused_temperatures[number] = fit_temperature(log_scores(scores[fusion])[both], target[both])
    if "fused_learned" in model.settings["table"]:
        first, second = (scores[row] for row in model.settings["fused"])
        weight, bias = fit_learned(first, second, target, training.fusion_regularisation)
        model.learned_weight.copy_(torch.from_numpy(weight))
        model.learned_bias.copy_(torch.from_numpy(bias))


def _joined_history(histories: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per epoch; the face's losses keep their names, all other columns carry the member's.

    ``val/accuracy`` is that of fused clips, in the metrics: the face's, of single frames, must not stand in its place.
    """
    of_face = [column for column in histories["face"] if column.endswith(("accuracy", "/epoch"))]
    own = {column: column.replace("/", "/face_") for column in of_face}
    joined = histories["face"].rename(columns=own)
    for name, history in histories.items():
        if name != "face":
            renamed = {
                column: f"{split}/{name}_{quantity}" if quantity else f"{name}_{split}"
                for column in history.columns
                if column != "epoch"
                for split, _, quantity in [column.partition("/")]
            }
            kept = [column for column in history.columns if column == "epoch" or "/" in column]
            joined = joined.merge(history[kept].rename(columns=renamed), on="epoch", how="outer")
    return joined.sort_values("epoch", ignore_index=True)
