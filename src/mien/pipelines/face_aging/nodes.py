"""Node functions of ``face_aging`` that build, apply and estimator the networks; ``training`` trains them."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from mien.models.network import Network
from mien.nodes.evaluation import METRIC_PREFIX, subgroup_table
from mien.nodes.prediction import described, unseen_samples
from mien.pipelines.face_aging.params import (
    AgingEvaluationParams,
    AgingModelParams,
    AgingPredictionParams,
    AgingTrainingParams,
)

logger = logging.getLogger(__name__)

ARCHITECTURE = "face_aging"

YEARS = (1, 90)
"""Ages that persons are given: from the youngest to about the oldest of whom there are enough faces. Source: ours."""


def initialise(
    samples: pd.DataFrame, model: AgingModelParams, training: AgingTrainingParams, attribute_networks: Network
) -> Network:
    """Build generator, critic and encoder, and put the age network beside them that evaluates their faces.

    Args:
        samples: Rows of split train and val, of which only the number is reported.
        model: The architecture.
        training: The recipe; its seed decides every weight.
        attribute_networks: The networks of ``age_gender_ethnicity``.

    Raises:
        ValueError: The estimator is none of them, or does not say an age of an image.
    """
    from mien.engine.seed import seed_everything
    from mien.models import create_model

    members: Any = attribute_networks.model
    names = {name: attribute_networks.class_names[members.columns(name)] for name in members.members}
    suitable = [name for name, reads in members.reads.items() if reads == "image" and names[name][0].startswith("age/")]
    if model.estimator not in suitable:
        raise ValueError(
            f"model.estimator is {model.estimator!r}, no network of age_gender_ethnicity that says the age of an "
            f"image. Choose from: {', '.join(suitable) or 'none was trained, add age_cnn to its model.chosen'}."
        )
    member = attribute_networks.config["members"][model.estimator]
    estimator = {"architecture": member["architecture"], "config": member["config"]}
    config = {**model.config(), "estimator": estimator}
    seed_everything(training.seed, 0)
    networks: Any = create_model(ARCHITECTURE, **config)
    networks.estimator.load_state_dict(members.members[model.estimator].state_dict())
    for part in ("generator", "critic", "encoder"):
        module = getattr(networks, part)
        if module is not None:
            count = sum(parameter.numel() for parameter in module.parameters())
            logger.info("%s: %.2f M parameters, to train on %d faces", part, count / 1e6, len(samples))
    return Network(ARCHITECTURE, config, ("face",), networks.eval())


def predict(
    samples: pd.DataFrame, faces: np.ndarray, network: Network, prediction: AgingPredictionParams
) -> pd.DataFrame:
    """For each val and test face: one generated at its age, and, where there is an encoder, itself at another age.

    Args:
        samples: The samples table; rows of other splits are passed over.
        faces: Packed faces (n, H, W, C) uint8.
        network: The trained networks.
        prediction: Batch size, device, seed.

    Returns:
        One row per sample: ``sample_id``, ``split``, ``drawn``, ``gender``, ``age``, ``ethnicity``, ``target`` (its
        age, which the generator is requested), ``value`` (what the estimator says of the generated face),
        ``estimated_age`` (of the real one), ``critic/real`` and ``critic/generated`` (probability of being real),
        ``distance/real`` and ``distance/generated`` (from another face, root mean square over pixels in 0 to 1),
        ``requested_age``, ``aged_age`` and ``reconstruction`` (of the encoder; NaN without), and ``real_feature/<k>``
        and ``generated_feature/<k>``, the vectors by which the estimator tells ages.
    """
    unseen = unseen_samples(samples, ("val", "test")).assign(label=0)
    rng = np.random.default_rng(prediction.seed)
    ages = unseen["age"].to_numpy(np.float32)
    requested = rng.integers(YEARS[0], YEARS[1] + 1, len(unseen)).astype(np.float32)
    noise = rng.standard_normal((2, len(unseen), network.model.noise_dim)).astype(np.float32)
    numbers, features = _applied(network.model, _images(unseen, faces, network), ages, requested, noise, prediction)
    known = described(unseen).assign(target=unseen["age"].to_numpy())
    return pd.concat([known, pd.DataFrame(numbers).assign(requested_age=requested), features], axis=1)


def _images(samples: pd.DataFrame, faces: np.ndarray, network: Network) -> Any:
    """(n, 1, H, W) in [0, 1]."""
    from mien.data.grey_faces import GreyFaces

    targets = np.zeros(len(samples), np.int64)
    return GreyFaces(faces, samples["face_index"].to_numpy(), targets, image_size=network.model.image_size).images()


def _applied(
    model: Any,
    images: Any,
    ages: np.ndarray,
    requested: np.ndarray,
    noise: np.ndarray,
    prediction: AgingPredictionParams,
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Numbers (n,) by name, and the estimator's features, computed batch by batch."""
    import torch

    from mien.engine.device import limited_threads, make_fabric

    fabric = make_fabric(prediction.device.accelerator, precision=prediction.device.precision)
    model = fabric.to_device(model.eval())
    found: dict[str, list[Any]] = {}
    with limited_threads(prediction.device.threads), torch.no_grad():
        for start in range(0, len(images), prediction.batch_size):
            rows = slice(start, start + prediction.batch_size)
            batch = [torch.from_numpy(part[rows]) for part in (ages, requested, noise[0], noise[1])]
            other = images.roll(1, dims=0)[rows]
            parts = [fabric.to_device(part) for part in (images[rows], other, *batch)]
            for name, value in _of_batch(model, *parts).items():
                found.setdefault(name, []).append(value.float().cpu().numpy())
    model.cpu()
    joined = {name: np.concatenate(values) for name, values in found.items()}
    features = [
        pd.DataFrame(joined.pop(f"{kind}_features"), columns=None).add_prefix(f"{kind}_feature/")
        for kind in ("real", "generated")
    ]
    return joined, pd.concat(features, axis=1)


def _of_batch(
    model: Any, images: Any, others: Any, ages: Any, requested: Any, noise: Any, noise2: Any
) -> dict[str, Any]:
    import torch

    made, made2 = model(noise, ages).clamp(0, 1), model(noise2, ages).clamp(0, 1)
    numbers = {
        "value": model.estimator(made)[:, 0],
        "estimated_age": model.estimator(images)[:, 0],
        "critic/real": torch.sigmoid(model.critic(images, ages)[:, 0]),
        "critic/generated": torch.sigmoid(model.critic(made, ages)[:, 0]),
        "distance/real": (images - others).square().flatten(1).mean(dim=1).sqrt(),
        "distance/generated": (made - made2).square().flatten(1).mean(dim=1).sqrt(),
        "aged_age": torch.full_like(ages, torch.nan),
        "reconstruction": torch.full_like(ages, torch.nan),
        "real_features": model.estimator.features(images),
        "generated_features": model.estimator.features(made),
    }
    if model.encoder is not None:
        numbers["aged_age"] = model.estimator(model.age_face(images, ages, requested).clamp(0, 1))[:, 0]
        numbers["reconstruction"] = (model.age_face(images, ages, ages) - images).abs().flatten(1).mean(dim=1)
    return numbers


def evaluate(
    predictions: pd.DataFrame, evaluation: AgingEvaluationParams
) -> tuple[dict[str, float | None], pd.DataFrame]:
    """Evaluate generated faces: their age, their likeness to real ones as a whole, how they differ from each other.

    Args:
        predictions: The table of ``predict``.
        evaluation: Resamples and seed of the intervals; attributes to group by; when faces count as alike.

    Returns:
        Under ``test/`` and ``best/val/``: ``mae_years`` and ``pearson``, of the estimator's age of generated faces
        against the requested one, with intervals; ``estimator_mae_years``, of real faces, below which no generated face
        can be expected; ``frechet_distance`` in the estimator's feature space, not FID, and
        ``frechet_distance_of_real``, of the other split's real faces; ``diversity``, mean distance of two generated
        faces of one age over that of two real ones; ``collapsed``, 1 where that is too little; ``critic_accuracy`` and
        ``critic_calibration_error``; of given persons ``aged_mae_years``, ``aged_pearson`` and ``reconstruction``, None
        without encoder. ``synthetic_share``. And a table of subgroups: ``faces`` (generated, aged or real),
        ``attribute``, ``value``, ``n`` and errors with intervals.

    Raises:
        ValueError: A split has no row.
    """
    metrics: dict[str, float | None] = {}
    for split, other in (("test", "val"), ("val", "test")):
        rows = predictions[predictions["split"] == split]
        if len(rows) < 2:
            raise ValueError(
                f"{len(rows)} of {len(predictions)} predictions are of split {split}: nothing to measure. Set the "
                "dataset's reader.validation_fraction and test_fraction so that some faces are held out."
            )
        measured = _measures(rows, predictions[predictions["split"] == other], evaluation)
        metrics |= {f"{METRIC_PREFIX[split]}/{name}": value for name, value in measured.items()}
    test = predictions[predictions["split"] == "test"]
    metrics["synthetic_share"] = float(test["synthetic"].mean())
    if metrics["test/collapsed"]:
        logger.warning("The generated faces are nearly alike (diversity %.3f): collapsed", metrics["test/diversity"])
    return metrics, _subgroups(test, evaluation)


def _measures(rows: pd.DataFrame, others: pd.DataFrame, evaluation: AgingEvaluationParams) -> dict[str, Any]:
    from mien.metrics import frechet_distance

    real, made = (_features(rows, kind) for kind in ("real", "generated"))
    diversity = float(rows["distance/generated"].mean() / max(rows["distance/real"].mean(), 1e-12))
    estimator = _errors(rows["target"], rows["estimated_age"], evaluation)
    encoded = rows["aged_age"].notna().all()
    aged = _errors(rows["requested_age"], rows["aged_age"], evaluation) if encoded else {}
    ends = ("", "_low", "_high")
    return {
        "n": len(rows),
        **_errors(rows["target"], rows["value"], evaluation),
        "estimator_mae_years": estimator["mae_years"],
        "frechet_distance": frechet_distance(real, made),
        "frechet_distance_of_real": frechet_distance(real, _features(others, "real")) if len(others) > 1 else None,
        "diversity": diversity,
        "collapsed": float(diversity < evaluation.least_diversity),
        **_of_critic(rows),
        **{f"aged_{name}{end}": aged.get(f"{name}{end}") for name in ("mae_years", "pearson") for end in ends},
        "reconstruction": float(rows["reconstruction"].mean()) if encoded else None,
    }


def _errors(requested: pd.Series, evaluated: pd.Series, evaluation: AgingEvaluationParams) -> dict[str, Any]:
    from mien.metrics import regression_metrics

    options = {"resamples": evaluation.resamples, "seed": evaluation.seed}
    measured = regression_metrics(requested.to_numpy(np.float64), evaluated.to_numpy(np.float64), **options)
    ends = ("", "_low", "_high")
    return {
        **{f"mae_years{end}": measured[f"mae{end}"] for end in ends},
        **{f"pearson{end}": measured[f"pearson{end}"] for end in ends},
    }


def critic_scores(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Targets (2 n,), 1 for real, and scores (2 n, 2) of the critic on real and generated faces."""
    real = np.concatenate([rows["critic/real"], rows["critic/generated"]]).astype(np.float64)
    return np.repeat([1, 0], len(rows)), np.stack([1 - real, real], axis=1)


def _of_critic(rows: pd.DataFrame) -> dict[str, float]:
    from mien.metrics.calibration import expected_calibration_error

    target, scores = critic_scores(rows)
    return {
        "critic_accuracy": float((scores.argmax(axis=1) == target).mean()),
        "critic_calibration_error": expected_calibration_error(target, scores),
    }


def _features(rows: pd.DataFrame, kind: str) -> np.ndarray:
    return rows[[name for name in rows if name.startswith(f"{kind}_feature/")]].to_numpy(np.float64)


def _subgroups(test: pd.DataFrame, evaluation: AgingEvaluationParams) -> pd.DataFrame:
    """Errors by subgroup: a generated face has an age alone, a real or an aged one what its person has."""
    generated = evaluation.model_copy(update={"subgroups": tuple({"age"} & set(evaluation.subgroups))})
    kinds = [
        ("generated", test, generated),
        ("real", test.assign(value=test["estimated_age"]), evaluation),
        ("aged", test.assign(target=test["requested_age"], value=test["aged_age"]), evaluation),
    ]
    tables = [
        subgroup_table(rows, of_kind, number=True).assign(faces=kind)
        for kind, rows, of_kind in kinds
        if rows["value"].notna().all() and of_kind.subgroups
    ]
    if not tables:
        return pd.DataFrame(columns=["faces", "attribute", "value", "n"])
    joined = pd.concat(tables, ignore_index=True).rename(columns=lambda name: name.replace("mae", "mae_years"))
    return joined[["faces", *(name for name in joined if name != "faces")]]
