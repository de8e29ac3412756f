"""Node function of ``face_aging`` that trains generator and critic in turn."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.models.network import Network
from mien.nodes.digest import array_digest, table_digest, training_fingerprint
from mien.pipelines.face_aging.params import AgingTrainingParams
from mien.pipelines.face_aging.sheets import by_age

GRID_AGES = tuple(range(21, 31))
"""Ages of the grid that is drawn while training goes on: those of the paper's Fig. 25."""

_GRID_ROWS = 4
_MOST_EVALUATED = 500  # faces evaluated after an epoch: more would take longer than they tell


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
    from mien.data.grey_faces import GreyFaces
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
