"""Node functions of ``age_gender_ethnicity`` that build, train and apply the networks."""

import logging
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.models.network import Network
from mien.nodes.digest import array_digest, table_digest
from mien.nodes.params import PredictionParams, SchedulerParams
from mien.nodes.prediction import apply_to_images, described, score_columns, softmax, unseen_samples
from mien.nodes.training import report_epoch, train_network
from mien.outputs import sole_use
from mien.pipelines.age_gender_ethnicity.params import (
    EVERY,
    OUTPUTS,
    TARGETS,
    AttributeModelParams,
    AttributeTrainingParams,
)

logger = logging.getLogger(__name__)

ARCHITECTURE = "attribute_networks"


def initialise(samples: pd.DataFrame, model: AttributeModelParams, training: AttributeTrainingParams) -> Network:
    """Build the chosen networks; those that predict a number by mean and spread take them of the train rows.

    Each network's weights depend on the seed and its name alone, so that it starts alike whatever others are chosen.

    Args:
        samples: Rows of split train and val.
        model: The networks.
        training: The recipe; its seed decides every weight.

    Returns:
        All of them as one, whose outputs are named ``<target>/<model>/<output>``, such as ``gender/cnn/male``.
    """
    import zlib

    from mien.engine.seed import seed_everything
    from mien.layers.dense_stack import start_weights
    from mien.models import create_model

    trained = model.trained
    members = {name: each.architecture(model.num_components, model.image_size) for name, each in trained.items()}
    outputs = {name: output_names(name, model) for name in trained}
    config = {
        "members": members,
        "num_outputs": {name: len(names) for name, names in outputs.items()},
        "num_components": model.num_components,
        "image_size": model.image_size,
    }
    networks: Any = create_model(ARCHITECTURE, **config)
    ages = samples.loc[samples["split"] == "train", "age"].to_numpy(np.float64)
    for name, each in trained.items():
        member = networks.members[name]
        seed_everything(training.seed, zlib.crc32(name.encode()))
        start_weights(member, each.start)
        if each.standardise:
            scaled = member.scaled[0] if each.target == EVERY else member.scaled
            scaled.start_from(float(ages.mean()), float(max(ages.std(), 1.0)))
        parameters = sum(parameter.numel() for parameter in member.parameters())
        logger.info("%s: %.2f M parameters, %s", name, parameters / 1e6, ", ".join(outputs[name]))
    return Network(ARCHITECTURE, config, tuple(name for names in outputs.values() for name in names), networks)


def output_names(name: str, model: AttributeModelParams) -> tuple[str, ...]:
    """``<target>/<model>/<output>`` of each output of a network."""
    each = model.networks[name]
    return tuple(f"{target}/{each.model_name(name)}/{output}" for target in each.targets for output in OUTPUTS[target])


def predict(samples: pd.DataFrame, faces: np.ndarray, network: Network, prediction: PredictionParams) -> pd.DataFrame:
    """Ages and class scores of the val and test samples, by every network.

    Args:
        samples: The samples table; rows of other splits are passed over.
        faces: Packed faces (n, H, W, C) uint8.
        network: The trained networks.
        prediction: Batch size and device.

    Returns:
        One row per sample, target and network: ``sample_id``, ``split``, ``synthetic``, ``gender`` and ``ethnicity`` in
        words, ``age``, ``target_name``, ``model``, ``target`` (years or class id), ``value`` (the predicted one,
        likewise) and ``score/<class>``, NaN for classes of other targets.
    """
    from mien.data.face_images import GreyFaces

    unseen = unseen_samples(samples, ("val", "test")).assign(label=0)
    rows, targets = unseen["face_index"].to_numpy(), unseen["label"].to_numpy()
    images = GreyFaces(faces, rows, targets, image_size=network.model.image_size)
    outputs = apply_to_images(images, network.model, prediction, network.model)
    named = {target: unseen[target].map(dict(enumerate(OUTPUTS[target]))).to_numpy(object) for target in TARGETS[1:]}
    tables = []
    for (target, model), columns in columns_by_model(network.class_names).items():
        known = described(unseen).assign(**named, target_name=target, model=model, target=unseen[target].to_numpy())
        of_model = outputs[:, columns].astype(np.float64)
        if target == "age":
            tables.append(known.assign(value=of_model[:, 0]))
            continue
        scores = softmax(of_model)
        known = known.assign(value=scores.argmax(axis=1).astype(np.float64))
        tables.append(pd.concat([known, score_columns(scores, OUTPUTS[target])], axis=1))
    joined = pd.concat(tables, ignore_index=True)
    classes = [f"score/{name}" for target in TARGETS[1:] for name in OUTPUTS[target]]
    return joined.reindex(columns=[*tables[0].columns[: joined.columns.get_loc("value") + 1], *classes])


def columns_by_model(names: tuple[str, ...]) -> dict[tuple[str, str], list[int]]:
    """Which outputs answer for each (target, model), by outputs' names."""
    found: dict[tuple[str, str], list[int]] = {}
    for column, name in enumerate(names):
        target, model, _ = name.split("/")
        found.setdefault((target, model), []).append(column)
    return found


def train(
    samples: pd.DataFrame,
    faces: np.ndarray,
    checkpoints: Path,
    initial_network: Network,
    training: AttributeTrainingParams,
) -> tuple[Network, pd.DataFrame]:
    """Fit the principal components to the train faces, then train each network and choose its epoch on split val.

    A run that was cut off goes on with the network that it was at.

    Args:
        samples: Rows of split train and val.
        faces: Packed faces (n, H, W, C) uint8.
        checkpoints: Folder to resume from and to save to; each network has one of its own in it.
        initial_network: What training starts from. It is copied, not changed.
        training: The recipe.

    Returns:
        The networks with the best epochs' weights, and the history: one row per network and epoch. Linear and logistic
        regression, which are solved, have one row.
    """
    network = deepcopy(initial_network)
    networks: Any = network.model
    names = [name.split("/") for name in network.class_names]
    seen = table_digest(samples), array_digest(faces)
    sets = _FaceSets(samples, faces, networks, training)
    histories = []
    with sole_use(checkpoints):  # another run's nets are cleared at its end
        for name in networks.members:
            targets = list(dict.fromkeys(each[0] for each in names[networks.columns(name)]))
            if not networks.members[name].hidden:
                histories.append(_solve(name, networks.members[name], targets[0], sets, training))
                continue
            member = _member(network, name)
            trained, history = train_network(
                member,
                [sets.of(split, member, name, targets) for split in ("train", "val")],
                _task(name, member.model, targets, training),
                checkpoints / name,
                _own_recipe(member, training),
                seen,
                keep_finished=True,
            )
            networks.members[name].load_state_dict(trained.model.state_dict())
            histories.append(history)
        for name in networks.members:
            shutil.rmtree(checkpoints / name, ignore_errors=True)
    return network, pd.concat(histories, ignore_index=True)


class _FaceSets:
    """The train and the val faces as each network reads them; principal components are fitted when first needed."""

    def __init__(
        self, samples: pd.DataFrame, faces: np.ndarray, networks: Any, training: AttributeTrainingParams
    ) -> None:
        self._rows = {split: samples[samples["split"] == split] for split in ("train", "val")}
        self._faces, self._networks, self._training = faces, networks, training
        self._pixels = {
            split: self._images(split, self._rows[split]["age"]).images().flatten(1) for split in self._rows
        }
        networks.components.fit(self._pixels["train"], training.seed)
        explained = float(networks.components.explained.sum())
        count = len(networks.components.directions)
        logger.info("%d principal components explain %.1f %% of the train faces' variance", count, 100 * explained)

    def of(self, split: str, member: Network, name: str, targets: list[str]) -> Any:
        """A dataset for one network."""
        from mien.data.face_images import Vectors

        values = self.targets(split, targets)
        if self._networks.reads[name] == "image":
            flipped = split == "train" and member.config["batch_norm"]
            return self._images(split, values, self._training.batch_norm.flip if flipped else 0.0)
        return Vectors(self.vectors(split, name), values)

    def targets(self, split: str, targets: list[str]) -> np.ndarray:
        """(n,) values of one target, (n, T) of several."""
        values = self._rows[split][targets].to_numpy(np.int64, copy=True)
        return values[:, 0] if len(targets) == 1 else values

    def vectors(self, split: str, name: str) -> Any:
        """(n, D) what a network on vectors reads."""
        import torch

        pixels = self._pixels[split]
        if self._networks.reads[name] == "pixels":
            return pixels
        with torch.no_grad():
            return self._networks.components(pixels)

    def _images(self, split: str, targets: Any, flip: float = 0.0) -> Any:
        from mien.data.face_images import GreyFaces

        rows = self._rows[split]["face_index"].to_numpy()
        size = self._networks.image_size
        return GreyFaces(self._faces, rows, np.asarray(targets), image_size=size, flip=flip, seed=self._training.seed)


def _member(network: Network, name: str) -> Network:
    config = network.config["members"][name]
    columns = network.model.columns(name)
    return Network(config["architecture"], config["config"], network.class_names[columns], network.model.members[name])


def _own_recipe(member: Network, training: AttributeTrainingParams) -> AttributeTrainingParams:
    """The recipe with the learning rate of the network's kind."""
    if not member.config["batch_norm"]:
        return training
    optimizer = training.optimizer.model_copy(update={"lr": training.batch_norm.lr})
    scheduler = SchedulerParams(name=training.batch_norm.schedule)
    return training.model_copy(update={"optimizer": optimizer, "scheduler": scheduler})


def _task(name: str, model: Any, targets: list[str], training: AttributeTrainingParams) -> Any:
    from mien.engine.fit import Task
    from mien.losses import AttributeLoss

    scales = [float(scaled.scale) for scaled in model.modules() if hasattr(scaled, "start_from")]
    loss = AttributeLoss([len(OUTPUTS[target]) for target in targets], scale=scales[0] if scales else 1.0)

    def metrics(outputs: np.ndarray, target: np.ndarray) -> dict[str, float]:
        return validation_metrics(targets, outputs, target)

    return Task(loss, metrics, training.monitor, "min", name)


def validation_metrics(targets: list[str], outputs: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Mean absolute error of ages, accuracy of classes; with several targets a class's has its target's name before.

    Args:
        targets: Their names, in the order of the outputs.
        outputs: (n, M) of all targets.
        target: (n,) or (n, T) true values.
    """
    from mien.nodes.training import validation_metrics as class_metrics

    true = target.reshape(len(outputs), -1)
    found: dict[str, float] = {}
    start = 0
    for place, name in enumerate(targets):
        part = outputs[:, start : start + len(OUTPUTS[name])]
        start += part.shape[1]
        if name == "age":
            found["mae_years"] = float(np.abs(part[:, 0] - true[:, place]).mean())
        elif len(targets) == 1:
            found |= class_metrics(part, true[:, place])
        else:
            found[f"{name}_accuracy"] = class_metrics(part, true[:, place])["accuracy"]
    return found


def _solve(name: str, member: Any, target: str, sets: _FaceSets, training: AttributeTrainingParams) -> pd.DataFrame:
    """Fit linear or logistic regression for each penalty and keep the one with the least loss on split val."""
    import torch

    from mien.losses import AttributeLoss

    train, val = (sets.vectors(split, name) for split in ("train", "val"))
    mean, std = train.mean(dim=0), train.std(dim=0).clamp_min(1e-3)
    values, held_out = (sets.targets(split, [target]) for split in ("train", "val"))
    loss = AttributeLoss([len(OUTPUTS[target])])
    best: dict[str, Any] = {"val/loss": np.inf}
    weights = {}
    for penalty in training.penalties:
        weight, bias = _regression(target, ((train - mean) / std).numpy(), values, penalty)
        with torch.no_grad():
            member.output.weight.copy_(torch.from_numpy(weight) / std)
            member.output.bias.copy_(torch.from_numpy(bias) - member.output.weight @ mean)
            outputs = member(val)
            record = {
                "model": name,
                "epoch": 1,
                "best/epoch": 1,
                "train/loss": loss(member(train), torch.from_numpy(values)).item(),
                "val/loss": loss(outputs, torch.from_numpy(held_out)).item(),
                **{
                    f"val/{key}": value
                    for key, value in validation_metrics([target], outputs.numpy(), held_out).items()
                },
            }
        if record["val/loss"] < best["val/loss"]:
            best, chosen = record, penalty
            weights = {key: value.clone() for key, value in member.state_dict().items()}
    member.load_state_dict(weights)
    logger.info("%s solved with penalty %g: val/loss %.4f", name, chosen, best["val/loss"])
    report_epoch(best, {})
    return pd.DataFrame([best])


def _regression(target: str, vectors: np.ndarray, values: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (M, D) and biases (M,) in float32, of vectors (n, D) with mean 0 and standard deviation 1."""
    from sklearn.linear_model import LogisticRegression, Ridge

    if target == "age":
        ridge = Ridge(alpha=penalty).fit(vectors, values)
        return np.float32(ridge.coef_)[None], np.float32([ridge.intercept_])
    logistic = LogisticRegression(C=1 / penalty, max_iter=1000).fit(vectors, values)
    weight, bias = np.float32(logistic.coef_), np.float32(logistic.intercept_)
    if len(weight) == 1:  # scikit-learn gives two classes one row: the second's logit, the first's being 0
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    whole = (
        np.zeros((len(OUTPUTS[target]), vectors.shape[1]), np.float32),
        np.full(len(OUTPUTS[target]), -30, np.float32),
    )
    whole[0][logistic.classes_], whole[1][logistic.classes_] = weight, bias  # a class without train rows is never said
    return whole
