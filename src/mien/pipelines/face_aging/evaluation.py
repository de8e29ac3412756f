"""Node function of ``face_aging`` that evaluates generated faces."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from mien.errors import MienError
from mien.nodes.evaluation import METRIC_PREFIX, subgroup_table
from mien.pipelines.face_aging.params import (
    AgingEvaluationParams,
)

logger = logging.getLogger(__name__)


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
        MienError: A split has no row.
    """
    metrics: dict[str, float | None] = {}
    for split, other in (("test", "val"), ("val", "test")):
        rows = predictions[predictions["split"] == split]
        if len(rows) < 2:
            raise MienError(
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
