"""Node functions of ``comp_cnn`` that lay out its trials, build, train and apply its nets."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.data.folds import FOLD
from mien.errors import MienError
from mien.models.network import Network
from mien.nodes.alignment import image_columns
from mien.nodes.params import PredictionParams
from mien.nodes.prediction import PREDICTED, apply_to_images, described, score_columns, softmax, unseen_samples
from mien.outputs import sole_use
from mien.pipelines.comp_cnn.params import CompCNNModelParams, CompCNNTrainingParams, ProtocolParams
from mien.pipelines.comp_cnn.trials import MEMBER, TrialJob, TrialResult, from_arrays, to_arrays, train_trial

logger = logging.getLogger(__name__)

ARCHITECTURE = "fold_ensemble"

START = "start_0"
"""The trial of nets that are not trained yet."""

_OF_ONE_NET = ("accuracy", "mean_class_accuracy")
"""Val metrics whose mean over nets is not what the run's metrics of this name are: accuracies of the best row."""


def split_by_folds(samples: pd.DataFrame, protocol: ProtocolParams) -> pd.DataFrame:
    """Lay out every trial: one per fold, and those of the learning curve.

    Args:
        samples: A samples table with ``fold``.
        protocol: How the subjects outside a fold are divided.

    Returns:
        The table of ``mien.data.folds.fold_trials``.
    """
    from mien.data.folds import fold_trials

    trials = fold_trials(
        samples,
        validation_fraction=protocol.validation_fraction,
        seed=protocol.seed,
        **protocol.curve.model_dump(),
    )
    counts = trials.groupby("split").size() / trials["trial"].nunique()
    logger.info(
        "%d trials with %.0f train, %.0f val and %.0f test samples on average",
        trials["trial"].nunique(),
        *(counts[split] for split in ("train", "val", "test")),
    )
    return trials


def initialise(samples: pd.DataFrame, model: CompCNNModelParams, training: CompCNNTrainingParams) -> Network:
    """Build every net once per seed: the start is the same in all trials, and in all nets but for their comparison.

    Args:
        samples: Rows of split train and val of all trials.
        model: Which rows, and the sizes of their nets.
        training: The recipe; its seeds draw the weights.

    Raises:
        MienError: The samples are of other classes than posed and spontaneous, or of another number of images than
            ``model.num_frames``.
    """
    from mien.engine.seed import seed_everything
    from mien.models import create_model

    names = kind_names(samples)
    check_num_frames(samples, model.num_frames)
    networks = model.networks()
    config = {
        "num_classes": len(names),
        "networks": networks,
        "stacks": {name: list(of) for name, of in model.stacks().items()},
        "trainings": [[START, seed] for seed in training.seeds],
        "primary": model.members[0],
        "voters": [START],
        "crop_from": model.crop_from,
    }
    ensemble: Any = create_model(ARCHITECTURE, **config)
    for seed in training.seeds:
        for name, own in networks.items():
            seed_everything(seed, 0)
            start = create_model(MEMBER, num_classes=len(names), **own)
            ensemble.net(START, seed, name).load_state_dict(start.state_dict())
    sizes = {
        name: sum(each.numel() for each in ensemble.net(START, training.seed, name).parameters()) for name in networks
    }
    logger.info(
        "%d nets of %.2f to %.2f M parameters, each with %d seeds in every trial",
        len(networks),
        min(sizes.values()) / 1e6,
        max(sizes.values()) / 1e6,
        len(training.seeds),
    )
    return Network(ARCHITECTURE, config, names, ensemble)


def kind_names(samples: pd.DataFrame) -> tuple[str, ...]:
    """The kinds in label order, as a pairs table has them.

    Raises:
        MienError: There are others, or one has no sample.
    """
    from mien.labels import KINDS

    found = dict(zip(samples["label"], samples["kind"], strict=True))
    if found != dict(enumerate(KINDS)):
        raise MienError(
            f"The training samples are of the kinds {found}, not of {' and '.join(KINDS)}. Prepare the dataset again."
        )
    return tuple(KINDS)


def check_num_frames(samples: pd.DataFrame, num_frames: int) -> None:
    """Refuse samples of another number of images than the nets are built for.

    Args:
        samples: Rows of a pairs table.
        num_frames: Images that the nets take.

    Raises:
        MienError: The two numbers differ.
    """
    packed = len(image_columns(samples))
    if packed != num_frames:
        raise MienError(
            f"The dataset and the nets disagree: nvie.reader.num_frames (of SPOS spos.reader.num_frames) was {packed} "
            f"when the samples were prepared, comp_cnn.model.num_frames is {num_frames}. Set both to one number, and "
            "prepare the dataset again if its own was changed."
        )


def train(
    samples: pd.DataFrame,
    faces: np.ndarray,
    checkpoints: Path,
    initial_network: Network,
    training: CompCNNTrainingParams,
) -> tuple[Network, pd.DataFrame]:
    """Train every net in every trial with every seed, several trials at a time.

    Args:
        samples: Rows of split train and val of all trials.
        faces: Packed pairs (n, K, H, W, 1) uint8.
        checkpoints: Folder to resume from; nets that were finished before an interruption are not trained again.
        initial_network: What training starts from in every trial.
        training: The recipe.

    Returns:
        All nets as one network, which predicts with the row that is best on the val rows; and the history, one row per
        epoch: means over all nets, trials and seeds (as ``val/net_accuracy`` and ``best/net_epoch``), and the mean of
        each net's val accuracy as ``<net>/val_accuracy``.
    """
    from mien.models import create_model

    jobs = list(dict.fromkeys((trial, seed) for trial in samples["trial"] for seed in training.seeds))
    with sole_use(checkpoints):  # another run's trials are cleared at its end
        results = _run_trials(jobs, samples, faces, checkpoints, initial_network, training)
        voters = [trial for trial in dict.fromkeys(samples["trial"]) if trial.startswith(f"{FOLD}_")]
        start: Any = initial_network.model
        config = {
            **initial_network.config,
            "trainings": [list(job) for job in jobs],
            "primary": best_row(results, voters, [*start.stacks, *initial_network.config["networks"]]),
            "voters": voters,
        }
        ensemble: Any = create_model(ARCHITECTURE, **config)
        for result in results:
            _fill(ensemble, result)
        shutil.rmtree(checkpoints / "trials")
    return Network(ARCHITECTURE, config, initial_network.class_names, ensemble.eval()), _mean_history(results)


def _run_trials(
    jobs: list[tuple[str, int]],
    samples: pd.DataFrame,
    faces: np.ndarray,
    checkpoints: Path,
    initial_network: Network,
    training: CompCNNTrainingParams,
) -> list[TrialResult]:
    """Train all jobs, several at a time."""
    from mien.data.worker_processes import map_in_order

    work = _jobs(jobs, samples, faces, checkpoints, initial_network, training)
    results = []
    for number, result in enumerate(map_in_order(train_trial, work, training.workers), start=1):
        scores = ", ".join(f"{name} {100 * value:.1f}" for name, value in result.val_accuracy.items())
        logger.info(
            "Trial %s, seed %d (%d of %d): val/accuracy %s", result.trial, result.seed, number, len(jobs), scores
        )
        results.append(result)
    return results


def _jobs(
    jobs: list[tuple[str, int]],
    samples: pd.DataFrame,
    faces: np.ndarray,
    checkpoints: Path,
    initial_network: Network,
    training: CompCNNTrainingParams,
) -> Iterator[TrialJob]:
    """One job after the other, so that no more are in memory than are worked on."""
    start: Any = initial_network.model
    config = initial_network.config
    for trial, seed in jobs:
        rows = samples[samples["trial"] == trial].reset_index(drop=True)
        networks = {name: {**own, "num_classes": config["num_classes"]} for name, own in config["networks"].items()}
        yield TrialJob(
            trial,
            seed,
            rows.assign(face_index=np.arange(len(rows))),
            np.asarray(faces[rows["face_index"].to_numpy()]),
            initial_network.class_names,
            networks,
            {name: to_arrays(start.net(START, seed, name)) for name in networks},
            start.stacks,
            start.crop_from,
            checkpoints / "trials" / f"{trial}-seed_{seed}",
            training,
        )


def best_row(results: list[TrialResult], trials: list[str], names: list[str]) -> str:
    """The net or stack with the best mean accuracy on the val rows of the trials; the first of equals."""
    means = {
        name: np.mean([result.val_accuracy[name] for result in results if result.trial in trials]) for name in names
    }
    return max(names, key=lambda name: means[name])


def _fill(ensemble: Any, result: TrialResult) -> None:
    for name, weights in result.weights.items():
        part = ensemble.margin if name in ensemble.stacks else ensemble.net
        part(result.trial, result.seed, name).load_state_dict(from_arrays(weights))


def _mean_history(results: list[TrialResult]) -> pd.DataFrame:
    everything = pd.concat([result.history for result in results], ignore_index=True)
    of_nets = {f"val/{name}": f"val/net_{name}" for name in _OF_ONE_NET} | {"best/epoch": "best/net_epoch"}
    everything = everything.rename(columns=of_nets)
    means = everything.drop(columns="model").groupby("epoch").mean()
    by_model = everything.groupby(["epoch", "model"], sort=False)["val/net_accuracy"].mean()
    by_model = by_model.unstack("model")
    return means.join(by_model.add_suffix("/val_accuracy")).reset_index()


def predict(samples: pd.DataFrame, faces: np.ndarray, network: Network, prediction: PredictionParams) -> pd.DataFrame:
    """Scores of every row of the tables, by the nets that were not trained on a sample's subject.

    Args:
        samples: The rows of all trials.
        faces: Packed pairs (n, K, H, W, 1) uint8.
        network: The trained nets.
        prediction: Batch size and device.

    Returns:
        One row per net or support vector machine (``model``), ``trial``, ``seed`` and sample of split val or test, with
        what ``mien.nodes.prediction.described`` says of the sample, its own ``fold``, ``emotion``, whether the row
        counts for the run's metrics (``primary``: best row on val, trial that tests a fold), and the scores.
    """
    from mien.data.face_images import PairImages, decode_sequences

    ensemble: Any = network.model
    tables = []
    for trial, seed in ensemble.trainings:
        rows = unseen_samples(samples[samples["trial"] == trial], PREDICTED)
        decoded = decode_sequences(
            faces,
            rows["face_index"].to_numpy(),
            num_frames=ensemble.num_frames,
            size=ensemble.crop_from,
            mean=ensemble.mean,
            std=ensemble.std,
        )
        images = PairImages(decoded, rows["label"].to_numpy(), image_size=ensemble.image_size)
        known = described(rows).assign(emotion=rows["expression"], fold=rows["fold"], trial=trial, seed=seed)
        for name, logits in _trial_logits(ensemble, trial, seed, images, prediction).items():
            counts = name == ensemble.primary and trial.startswith(f"{FOLD}_")
            scores = score_columns(softmax(logits), network.class_names)
            tables.append(pd.concat([known.assign(model=name, primary=counts), scores], axis=1))
    return pd.concat(tables, ignore_index=True)


def _trial_logits(
    ensemble: Any, trial: str, seed: int, images: Any, prediction: PredictionParams
) -> dict[str, np.ndarray]:
    """Logits (n, M) of each net and each support vector machine of a trial."""
    import torch

    logits, features = {}, {}
    for name in dict.fromkeys(key.rsplit("__", 1)[1] for key in ensemble.nets):
        net = ensemble.net(trial, seed, name)
        features[name] = apply_to_images(images, net, prediction, net.features)
        with torch.no_grad():
            logits[name] = net.head.cpu()(torch.from_numpy(features[name])).numpy()
    for name, of in ensemble.stacks.items():
        joined = torch.from_numpy(np.concatenate([features[each] for each in of], axis=1))
        logits[name] = ensemble.margin(trial, seed, name)(joined).numpy()
    return logits
