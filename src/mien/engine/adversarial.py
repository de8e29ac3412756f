"""The training loop of two adversaries: critic and generator step in turn, with checkpoints of both."""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mien.engine.checkpoint import Checkpoints, EpochState
from mien.engine.device import limited_threads
from mien.engine.fit import SizedDataset, epoch_loader
from mien.engine.precision import GradientScaling
from mien.engine.progress import EpochClock, OnEpochEnd, batch_bar
from mien.engine.sampling import EpochBatches
from mien.engine.seed import seed_everything
from mien.errors import DivergedError
from mien.losses import critic_loss, generator_loss

if TYPE_CHECKING:
    from lightning_fabric import Fabric

logger = logging.getLogger(__name__)


class Adversaries(Protocol):
    """A model of three parts.

    ``generator`` makes images of noise (B, Z) and labels (B,), ``critic`` logits (B, 1) of images and labels,
    ``encoder``, which may be None, noise of images and labels.
    """

    noise_dim: int
    generator: nn.Module
    critic: nn.Module
    encoder: nn.Module | None


@dataclass(frozen=True)
class AdversarialRecipe:
    """How two adversaries are trained.

    Attributes:
        max_epochs: Passes over the training set.
        batch_size: Samples per step.
        seed: Seed of data order and noise.
        optimizer: Builds an optimiser from parameters.
        loss: ``bce`` (binary cross-entropy; the generator wants its images taken for real) or ``hinge``.
        mismatch_weight: Weight of real images with another one's label, which the critic is to reject; 0 for none.
        reconstruction_weight: Weight of the mean absolute difference of an encoded face and its reconstruction.
        noise_weight: Weight of the squared difference of noise and what the encoder finds in its image.
        average: Share of the generator's running average that each step keeps; 0 keeps none.
        least_diversity: Part of the real images' mean distance below which generated ones count as collapsed.
        collapse_patience: Epochs in a row after which a collapse ends the training.
        threads: Most threads; 0 leaves torch's own choice.
    """

    max_epochs: int
    batch_size: int
    seed: int
    optimizer: Callable[[Any], Optimizer]
    loss: Literal["bce", "hinge"] = "bce"
    mismatch_weight: float = 0.0
    reconstruction_weight: float = 10.0
    noise_weight: float = 1.0
    average: float = 0.0
    least_diversity: float = 0.05
    collapse_patience: int = 5
    threads: int = 0


Observe = Callable[[int], tuple[dict[str, float], dict[str, np.ndarray]]]
"""What is measured after an epoch, and pictures to log, by the epoch's number."""


def fit_adversaries(
    fabric: "Fabric",
    model: Any,
    train_set: SizedDataset,
    recipe: AdversarialRecipe,
    checkpoints: Checkpoints,
    observe: Observe,
    monitor: str,
    on_epoch_end: OnEpochEnd | None = None,
) -> list[dict[str, Any]]:
    """Train ``model`` and load the best epoch's weights into it.

    An interrupted run goes on after its last finished epoch and ends with the same weights as an uninterrupted one.

    Args:
        fabric: Where to compute, on one device.
        model: ``Adversaries``; on return it holds the weights of the best epoch and is on the CPU, in eval mode.
        train_set: Images with labels by key ``epoch * n + i`` (see ``engine.sampling``).
        recipe: Epochs, batches, optimiser, losses.
        checkpoints: Where to resume from and to save to.
        observe: Called with the model in eval mode.
        monitor: Which of the measured numbers chooses the best epoch; less is better.
        on_epoch_end: Called after each epoch with its record and pictures.

    Returns:
        One record per epoch: ``epoch``, ``train/loss`` (the generator's), ``train/critic_loss``, the mean probability
        of being real that the critic gives real and generated images, ``train/diversity`` (mean distance of generated
        images over that of real ones), where a gradient scaler is at work ``train/skipped_steps`` of both, what
        ``observe`` says, ``lr``, ``best/epoch`` (the best until then) …

    Raises:
        DivergedError: A loss was not finite in an epoch, said at its end with the first such batch; or gradients
            overflow however little a gradient scaler scales them.
    """
    with checkpoints.alone():
        with limited_threads(recipe.threads):
            history = _AdversarialTrainer(fabric, model, train_set, recipe, checkpoints).train(
                observe, monitor, on_epoch_end
            )
        model.cpu().load_state_dict(checkpoints.load_best())
        model.eval()
        checkpoints.finish()
    return history


class _AdversarialTrainer:
    """Model, optimisers and data of one training."""

    def __init__(
        self, fabric: "Fabric", model: Any, train_set: SizedDataset, recipe: AdversarialRecipe, checkpoints: Checkpoints
    ) -> None:
        self.fabric, self.model, self.recipe, self.checkpoints = fabric, model, recipe, checkpoints
        state = checkpoints.begin()
        if state is not None:
            model.load_state_dict({name: value for name, value in state.weights.items() if not _averaged(name)})
        made = [*model.generator.parameters(), *(model.encoder.parameters() if model.encoder is not None else ())]
        optimizers = {"generator": recipe.optimizer(made), "critic": recipe.optimizer(model.critic.parameters())}
        self.history: list[dict[str, Any]] = []
        if state is not None:
            self.history = list(state.history)
            for name, optimizer in optimizers.items():
                optimizer.load_state_dict(state.optimizer[name])
        self.optimizers: dict[str, Any] = {name: fabric.setup_optimizers(each) for name, each in optimizers.items()}
        self.plain = optimizers
        self.scaling = GradientScaling(fabric)
        if state is not None:
            self.scaling.load_state_dict(state.scaler)
        self.skipped_steps = 0
        self.generator, self.critic = fabric.setup_module(model.generator), fabric.setup_module(model.critic)
        self.encoder = None if model.encoder is None else fabric.setup_module(model.encoder)
        fabric.to_device(model)
        self.average: dict[str, Tensor] = {}
        if recipe.average:
            self.average = {name: value.detach().clone() for name, value in model.generator.state_dict().items()}
        if state is not None:
            found = {name: value for name, value in state.weights.items() if _averaged(name)}
            self.average = {name: found[_AVERAGE + name].to(value) for name, value in self.average.items()}
        self.batches = EpochBatches(len(train_set), recipe.batch_size, recipe.seed, drop_last=True)
        self.loader = epoch_loader(fabric, train_set, 0, batch_sampler=self.batches)

    def train(self, observe: Observe, monitor: str, on_epoch_end: OnEpochEnd | None) -> list[dict[str, Any]]:
        """Train from the last checkpoint to the last epoch, or to a collapse."""
        recipe = self.recipe
        best = min(self.history, key=lambda record: record[monitor], default=None)
        clock = EpochClock(done=len(self.history), max_epochs=recipe.max_epochs)
        for epoch in range(len(self.history) + 1, recipe.max_epochs + 1):
            if self._collapsed():
                break
            self.batches.epoch = epoch - 1
            seed_everything(recipe.seed, epoch)
            clock.start()
            record: dict[str, Any] = {"epoch": epoch, **self._train_epoch(epoch)}
            with self._averaged_generator():
                seed_everything(recipe.seed, epoch, 1)
                self.model.eval()
                measured, pictures = observe(epoch)
                record |= {**measured, "lr": self.plain["generator"].param_groups[0]["lr"]}
                record |= clock.stop(images=self.batches.samples_per_epoch)
                self.history.append(record)
                if best is None or record[monitor] < best[monitor]:
                    best = record
                    self.checkpoints.save_best(self.model.state_dict())
                record["best/epoch"] = best["epoch"]
            self._save(epoch)
            logger.info(clock.line(record, best, monitor))
            if on_epoch_end is not None:
                on_epoch_end(record, pictures)
        return self.history

    def _save(self, epoch: int) -> None:
        weights = dict(self.model.state_dict()) | {_AVERAGE + name: value for name, value in self.average.items()}
        optimizers = {name: each.state_dict() for name, each in self.plain.items()}
        self.checkpoints.save(EpochState(epoch, weights, optimizers, {}, self.history, self.scaling.state_dict()))

    @contextmanager
    def _averaged_generator(self) -> Iterator[None]:
        """Let the generator have its running average, where one is kept, and then again what it trains."""
        if not self.average:
            yield
            return
        training = {name: value.clone() for name, value in self.model.generator.state_dict().items()}
        self.model.generator.load_state_dict(self.average)
        yield
        self.model.generator.load_state_dict(training)

    def _collapsed(self) -> bool:
        """Whether generated images have been nearly alike for too long; said in the log."""
        patience, least = self.recipe.collapse_patience, self.recipe.least_diversity
        last = [record["train/diversity"] for record in self.history[-patience:]]
        if len(last) < patience or max(last) >= least:
            return False
        logger.warning(
            "The generator has collapsed: for %d epochs its images differ by less than %g of what real ones do. "
            "Training stops; the best epoch before is kept. Set model.output to sigmoid, training.loss to hinge with "
            "model.spectral_norm, or training.optimizer.lr lower.",
            patience,
            least,
        )
        return True

    def _train_epoch(self, epoch: int) -> dict[str, float]:
        self.model.train()
        names: list[str] = []
        steps: list[Tensor] = []
        self.skipped_steps = 0
        for number, ((images,), labels) in enumerate(batch_bar(self.loader, epoch), 1):
            where = f"epoch {epoch}, batch {number}"
            numbers = self._critic_step(images, labels, where) | self._generator_step(images, labels, where)
            names = list(numbers)
            steps.append(torch.stack([value.detach().float() for value in numbers.values()]))
        table = torch.stack(steps).tolist()  # one wait for the device an epoch, not several a step
        for number, values in enumerate(table, 1):
            if not all(map(math.isfinite, values)):
                raise DivergedError(
                    f"A loss is not finite in epoch {epoch}, batch {number}: {dict(zip(names, values, strict=True))}. "
                    "Lower training.optimizer.lr, or set training.device.precision to 32-true."
                )
        columns = zip(names, zip(*table, strict=True), strict=True)
        means = {f"train/{name}": float(np.mean(values)) for name, values in columns}
        means["train/diversity"] = means.pop("train/distance") / max(means.pop("train/real_distance"), 1e-12)
        if self.scaling.at_work:
            means["train/skipped_steps"] = self.skipped_steps
        return means

    def _noise(self, n: int) -> Tensor:
        return torch.randn(n, self.model.noise_dim, device=self.fabric.device)

    def _critic_step(self, images: Tensor, labels: Tensor, where: str) -> dict[str, Tensor]:
        with torch.no_grad():
            generated = self.generator(self._noise(len(images)), labels)
        real, made = self.critic(images, labels), self.critic(generated, labels)
        loss = critic_loss(real, made, self.recipe.loss)
        if self.recipe.mismatch_weight:
            others = labels[torch.randperm(len(labels), device=labels.device)]
            differ = others != labels
            if differ.any():
                wrong = self.critic(images[differ], others[differ])
                loss = loss + self.recipe.mismatch_weight * critic_loss(None, wrong, self.recipe.loss)
        self._step("critic", loss, where)
        return {
            "critic_loss": loss,
            "critic_of_real": torch.sigmoid(real.detach()).mean(),
            "critic_of_generated": torch.sigmoid(made.detach()).mean(),
            "distance": mean_distance(generated),
            "real_distance": mean_distance(images),
        }

    def _generator_step(self, images: Tensor, labels: Tensor, where: str) -> dict[str, Tensor]:
        noise = self._noise(len(images))
        generated = self.generator(noise, labels)
        loss = adversarial = generator_loss(self.critic(generated, labels), self.recipe.loss)
        parts = {}
        if self.encoder is not None:
            code = self.encoder(images, labels)
            reconstruction = (self.generator(code, labels) - images).abs().mean()
            found = (self.encoder(generated, labels) - noise).square().mean()
            loss = loss + self.recipe.reconstruction_weight * reconstruction + self.recipe.noise_weight * found
            parts = {"reconstruction": reconstruction, "noise": found}
        self._step("generator", loss, where)
        if self.recipe.average:
            keep = self.recipe.average
            for name, value in self.model.generator.state_dict().items():
                mean = self.average[name]
                mean.copy_(torch.lerp(value, mean, keep) if value.is_floating_point() else value)
        return {"loss": adversarial, **parts}

    def _step(self, name: str, loss: Tensor, where: str) -> None:
        for optimizer in self.plain.values():
            optimizer.zero_grad()
        self.fabric.backward(loss)
        self.skipped_steps += not self.scaling.step(self.optimizers[name], f"{where}, the {name}'s step")


_AVERAGE = "average/"


def _averaged(name: str) -> bool:
    return name.startswith(_AVERAGE)


@torch.no_grad()
def mean_distance(images: Tensor) -> Tensor:
    """Root mean squared difference of each image from the next, over the pixels, averaged over the batch."""
    return (images - images.roll(1, dims=0)).square().flatten(1).mean(dim=1).sqrt().mean()
