"""Node functions of ``face_aging`` that build, train and apply generator, critic and encoder."""

import logging
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.errors import MienError
from mien.models.network import Network
from mien.nodes.digest import array_digest, table_digest, training_fingerprint
from mien.nodes.prediction import described, unseen_samples
from mien.nodes.training import report_epoch
from mien.pipelines.face_aging.params import (
    AgingModelParams,
    AgingPredictionParams,
    AgingTrainingParams,
)
from mien.pipelines.face_aging.sheets import by_age

logger = logging.getLogger(__name__)

ARCHITECTURE = "face_aging"

YEARS = (1, 90)
"""Ages that persons are given: from the youngest to about the oldest of whom there are enough faces. Source: ours."""

GRID_AGES = tuple(range(21, 31))
"""Ages of the grid that is drawn while training goes on: those of the paper's Fig. 25."""

_GRID_ROWS = 4

_MOST_EVALUATED = 500  # faces evaluated after an epoch: more would take longer than they tell


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
        MienError: The estimator is none of them, or does not say an age of an image.
    """
    from mien.engine.seed import seed_everything
    from mien.models import create_model

    members: Any = attribute_networks.model
    names = {name: attribute_networks.class_names[members.columns(name)] for name in members.members}
    suitable = [name for name, reads in members.reads.items() if reads == "image" and names[name][0].startswith("age/")]
    if model.estimator not in suitable:
        raise MienError(
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
        One row per sample: ``sample_id``, ``split``, ``synthetic``, ``gender``, ``age``, ``ethnicity``, ``target`` (its
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
    from mien.data.face_images import GreyFaces

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


def train(
    samples: pd.DataFrame,
    faces: np.ndarray,
    checkpoints: Path,
    initial_network: Network,
    training: AgingTrainingParams,
) -> tuple[Network, pd.DataFrame]:
    """Train on the train rows; the best epoch is the one whose faces are most like those of split val.

    For the estimator.

    Args:
        samples: Rows of split train and val.
        faces: Packed faces (n, H, W, C) uint8.
        checkpoints: Folder to resume from and to save to.
        initial_network: What training starts from. It is copied, not changed.
        training: The recipe.

    Returns:
        The networks with the best epoch's weights, the generator's averaged where the recipe says so, and the history:
        one row per epoch.
    """
    from mien.data.face_images import GreyFaces
    from mien.engine.adversarial import fit_adversaries
    from mien.engine.checkpoint import Checkpoints
    from mien.engine.device import make_fabric

    network = deepcopy(initial_network)
    sets = {}
    for split in ("train", "val"):
        rows = samples[samples["split"] == split]
        sets[split] = GreyFaces(
            faces,
            rows["face_index"].to_numpy(),
            rows["age"].to_numpy(),
            image_size=network.model.image_size,
            flip=training.flip if split == "train" else 0.0,
            seed=training.seed,
        )
    device = training.device
    fabric = make_fabric(device.accelerator, device.devices, device.precision)
    seen = table_digest(samples), array_digest(faces)
    history = fit_adversaries(
        fabric,
        network.model,
        sets["train"],
        _recipe(training),
        Checkpoints(checkpoints, training_fingerprint(network, training, fabric, seen)),
        observer(network.model, sets["val"], fabric, training),
        training.monitor,
        report_epoch,
    )
    return network, pd.DataFrame(history)


def _recipe(training: AgingTrainingParams) -> Any:
    from torch.optim import Adam

    from mien.engine.adversarial import AdversarialRecipe

    return AdversarialRecipe(
        max_epochs=training.max_epochs,
        batch_size=training.batch_size,
        seed=training.seed,
        optimizer=partial(Adam, lr=training.optimizer.lr, betas=(training.optimizer.beta1, 0.999)),
        loss=training.loss,
        mismatch_weight=training.mismatch_weight,
        reconstruction_weight=training.reconstruction_weight,
        noise_weight=training.noise_weight,
        average=training.average,
        least_diversity=training.collapse.least_diversity,
        collapse_patience=training.collapse.patience,
        threads=training.device.threads,
    )


def observer(
    model: Any, val_set: Any, fabric: Any, training: AgingTrainingParams
) -> Callable[[int], tuple[dict[str, float], dict[str, np.ndarray]]]:
    """What is measured on split val after each epoch, and the grid that is drawn every few.

    Returns:
        A function of the epoch's number: the estimator's error and correlation on faces generated at the ages of split
        val, and their Fréchet distance from its real faces, under names that no final metric has; the grid, from noise
        that stays the same.
    """
    import torch

    from mien.metrics import frechet_distance

    number = min(len(val_set), _MOST_EVALUATED)
    images = fabric.to_device(val_set.images()[:number])
    ages = fabric.to_device(torch.tensor(val_set.targets[:number], dtype=torch.float32))
    generator = torch.Generator().manual_seed(training.seed)
    noise = fabric.to_device(torch.randn(number, model.noise_dim, generator=generator))
    with torch.no_grad():
        fabric.to_device(model)
        real = model.estimator.eval().features(images).cpu().numpy()

    def observe(epoch: int) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        with torch.no_grad():
            made = torch.cat([model(*part).clamp(0, 1) for part in zip(noise.split(64), ages.split(64), strict=True)])
            evaluated = model.estimator(made)[:, 0]
            features = model.estimator.features(made).cpu().numpy()
        varied = float(evaluated.std()) > 0 and float(ages.std()) > 0
        measured = {
            "val/epoch_mae_years": float((evaluated - ages).abs().mean()),
            "val/epoch_pearson": float(np.corrcoef(evaluated.cpu().numpy(), ages.cpu().numpy())[0, 1])
            if varied
            else 0.0,
            "val/epoch_frechet_distance": frechet_distance(real, features),
        }
        drawn = epoch % training.grid_every == 0 or epoch in (1, training.max_epochs)
        pictures = {"faces_by_age": by_age(model, noise[:_GRID_ROWS], GRID_AGES, f"Epoch {epoch}")} if drawn else {}
        return measured, pictures

    return observe
