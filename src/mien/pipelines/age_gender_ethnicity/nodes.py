"""Node functions of ``age_gender_ethnicity`` that build, apply and evaluate the networks; ``training`` trains them."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from mien.models.network import Network
from mien.nodes.evaluation import METRIC_PREFIX, subgroup_table
from mien.nodes.params import EvaluationParams, PredictionParams
from mien.nodes.prediction import apply_to_images, described, score_columns, softmax, unseen_samples
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
        One row per sample, target and network: ``sample_id``, ``split``, ``drawn``, ``gender`` and ``ethnicity`` in
        words, ``age``, ``target_name``, ``model``, ``target`` (years or class id), ``value`` (the predicted one,
        likewise) and ``score/<class>``, NaN for classes of other targets.
    """
    from mien.data.grey_faces import GreyFaces

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


def by_model(predictions: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """Rows of each (target, model) with the scores of that target's classes alone, in the table's order."""
    found = {}
    for (target, model), rows in predictions.groupby(["target_name", "model"], sort=False):
        others = [name for name in rows if name.startswith("score/") and name not in _score_columns(target)]
        found[target, model] = rows.drop(columns=others).reset_index(drop=True)
    return found


def _score_columns(target: str) -> list[str]:
    return [] if target == "age" else [f"score/{name}" for name in OUTPUTS[target]]


def evaluate(predictions: pd.DataFrame, evaluation: EvaluationParams) -> tuple[dict[str, float | None], pd.DataFrame]:
    """Metrics of every network on the test and the val split, and on the test split's subgroups.

    Args:
        predictions: The table of ``predict``.
        evaluation: Resamples and seed of the bootstrap intervals; attributes to group by.

    Returns:
        ``test/<target>/<model>/<metric>`` and ``best/val/…`` → value: of ages ``mae_years``, ``rmse_years``, ``r2``,
        ``pearson``, by decade, and ``mae_years_of_mean``, that of always saying the mean age of split val; of classes
        as in ``mien.metrics.classification_metrics``. ``test/mae_years``, ``test/gender_accuracy`` and
        ``test/ethnicity_accuracy`` are those of the network that has the least error or log loss on split val.
        ``synthetic_share`` is the part of the test samples that were drawn. And a table of subgroups: ``target_name``,
        ``model``, ``attribute``, ``value``, ``n`` and the metrics with their intervals.

    Raises:
        ValueError: There is no row of a split.
    """
    metrics: dict[str, float | None] = {}
    tables = []
    parts = by_model(predictions)
    for split in ("test", "val"):
        rows = {part: each[each["split"] == split] for part, each in parts.items()}
        metrics[f"{METRIC_PREFIX[split]}/n"] = len(next(iter(rows.values())))
        for (target, model), each in rows.items():
            measured = model_metrics(target, each, predictions, evaluation)
            metrics |= {f"{METRIC_PREFIX[split]}/{target}/{model}/{name}": value for name, value in measured.items()}
    for (target, model), each in parts.items():
        test = each[each["split"] == "test"]
        table = subgroup_table(test, evaluation, number=target == "age")
        tables.append(table.rename(columns=_in_years).assign(target_name=target, model=model))
    metrics |= _best_metrics(metrics, list(parts))
    metrics["synthetic_share"] = float(predictions.loc[predictions["split"] == "test", "synthetic"].mean())
    joined = pd.concat(tables, ignore_index=True)
    first = ["target_name", "model"]
    return metrics, joined[[*first, *(name for name in joined if name not in first)]]


def model_metrics(
    target: str, rows: pd.DataFrame, predictions: pd.DataFrame, evaluation: EvaluationParams
) -> dict[str, Any]:
    """Metrics of one network on the rows of one split.

    Raises:
        ValueError: There are none.
    """
    from mien.metrics import classification_metrics, regression_metrics

    if rows.empty:
        raise ValueError(
            f"A split has no row among the {len(predictions)} predictions: nothing to measure. Set the dataset's "
            "reader.validation_fraction and test_fraction so that some faces are held out."
        )
    options = {"resamples": evaluation.resamples, "seed": evaluation.seed}
    true = rows["target"].to_numpy()
    if target != "age":
        scores = rows[_score_columns(target)].to_numpy()
        return classification_metrics(true.astype(int), scores, OUTPUTS[target], **options)
    bands = list(range(0, int(true.max()) + 11, 10))
    measured = regression_metrics(true, rows["value"].to_numpy(), bands=bands, **options)
    constant = predictions.loc[(predictions["split"] == "val") & (predictions["target_name"] == "age"), "age"].mean()
    years = {_in_years(name): value for name, value in measured.items()}
    return years | {"mae_years_of_mean": float(np.abs(true - constant).mean())}


def _in_years(name: str) -> str:
    """A metric's name with its unit: ``mae_years/20-29_low`` of ``mae/20-29_low``."""
    for short in ("mae", "rmse"):
        if name in (short, f"{short}_low", f"{short}_high") or name.startswith(f"{short}/"):
            return name.replace(short, f"{short}_years", 1)
    return name


def _best_metrics(metrics: dict[str, Any], parts: list[tuple[str, str]]) -> dict[str, Any]:
    """The main metric of each target, with its interval, of the network that is best on split val."""
    best: dict[str, Any] = {}
    for target in TARGETS:
        name = "mae_years" if target == "age" else "accuracy"
        models = [model for each, model in parts if each == target]
        if not models:
            continue
        evaluated = "mae_years" if target == "age" else "log_loss"  # steadier than accuracy on few faces
        chosen = min(models, key=lambda model: metrics[f"{METRIC_PREFIX['val']}/{target}/{model}/{evaluated}"])
        for split in METRIC_PREFIX.values():
            for end in ("", "_low", "_high"):
                key = f"{split}/{name}{end}" if target == "age" else f"{split}/{target}_{name}{end}"
                best[key] = metrics[f"{split}/{target}/{chosen}/{name}{end}"]
    return best
