"""The training loop: epochs of optimiser steps, validation, checkpoints and one log line each."""

import logging
import math
import warnings
from collections.abc import Callable, Sized
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, Dataset

from mien.engine.checkpoint import Checkpoints, EpochState
from mien.engine.device import limited_threads
from mien.engine.precision import GradientScaling
from mien.engine.predict import predict
from mien.engine.progress import EpochClock, OnEpochEnd, batch_bar
from mien.engine.sampling import EpochBatches
from mien.engine.seed import seed_everything
from mien.errors import DivergedError, MienError
from mien.optim import SAM, frozen_batch_norm_statistics

if TYPE_CHECKING:
    from lightning_fabric import Fabric

logger = logging.getLogger(__name__)


class SizedDataset(Sized, Protocol):
    """A map-style dataset: ``[key]`` → (inputs, target), inputs being a tuple of the model's arguments."""

    def __getitem__(self, key: int) -> tuple[tuple[Tensor, ...], Tensor]: ...


@runtime_checkable
class ChangesByEpoch(Protocol):
    """A model that trains differently from epoch to epoch, such as one that drops more and more tokens.

    What it does may depend on the epoch alone, so that a resumed run does the same.
    """

    def begin_epoch(self, epoch: int) -> None:
        """Prepare for the training steps of an epoch, counted from 0."""


@dataclass(frozen=True)
class Task:
    """What is trained and how it is evaluated.

    Attributes:
        loss: Outputs (B, M) and targets, class ids (B,) or shares (B, M) → scalar to minimise.
        metrics: All validation outputs and targets as arrays → named numbers, without the prefix ``val/``.
        monitor: Which of ``loss`` or the metrics selects the best epoch.
        mode: Whether more or less of it is better.
        name: Of the model, where one run trains several: it leads the log lines and stands in the records.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    metrics: Callable[[np.ndarray, np.ndarray], dict[str, float]]
    monitor: str
    mode: Literal["max", "min"] = "max"
    name: str = ""

    def better(self, value: float, than: float) -> bool:
        """Whether ``value`` beats ``than``; the first of equals stays."""
        return value > than if self.mode == "max" else value < than


@dataclass(frozen=True)
class Recipe:
    """How training goes.

    Attributes:
        max_epochs: Passes over the training set.
        batch_size: Samples per optimiser step, over all devices.
        drop_last: Leave out the last, partial batch of an epoch.
        seed: Seed of data order, augmentation, dropout and drop-path.
        optimizer: Builds the optimiser from the model.
        scheduler: Builds the schedule from the optimiser; stepped once per epoch.
        num_workers: Processes that load and augment; 0 does it in this one.
        channels_last: Lay images and convolutions out with channels last, which most processors compute faster.
        threads: Most threads per process; 0 leaves torch's own choice.
        patience: Epochs without a better one after which training stops; 0 trains to the last epoch.
    """

    max_epochs: int
    batch_size: int
    seed: int
    optimizer: Callable[[nn.Module], Optimizer]
    scheduler: Callable[[Optimizer], LRScheduler]
    num_workers: int = 0
    channels_last: bool = False
    threads: int = 0
    patience: int = 0
    drop_last: bool = False


def fit(
    fabric: "Fabric",
    model: nn.Module,
    train_set: SizedDataset,
    val_set: SizedDataset,
    task: Task,
    recipe: Recipe,
    checkpoints: Checkpoints,
    on_epoch_end: OnEpochEnd | None = None,
) -> list[dict[str, Any]]:
    """Train ``model`` and load the best epoch's weights into it.

    An interrupted run goes on after its last finished epoch and ends with the same weights as an uninterrupted one,
    because each epoch is seeded by (seed, epoch) alone.

    Args:
        fabric: Where to compute. With several devices, one process each is spawned here and ends here.
        model: The network; on return it holds the weights of the best epoch and is on the CPU, in eval mode. One that
            ``ChangesByEpoch`` is reported when an epoch begins.
        train_set: Samples by key ``epoch * n + i`` (see ``engine.sampling``).
        val_set: Samples by index. The best epoch is chosen on these, never on test data.
        task: Loss and metrics.
        recipe: Epochs, batches, optimiser, schedule.
        checkpoints: Where to resume from and to save to.
        on_epoch_end: Called after each epoch with its record. With several devices it runs in the first one's process,
            which does not share the caller's memory, and must be picklable.

    Returns:
        One record per epoch: ``epoch``, ``train/loss``, ``val/loss``, ``val/<metric>``, ``lr``, ``best/epoch`` (the
        best until then: the last record names the one whose weights are kept), ``images_per_second`` …, and where a
        gradient scaler is at work ``train/skipped_steps``.

    Raises:
        MienError: A set is empty.
        DivergedError: Loss or gradients are no longer finite, but for overflows that a gradient scaler mends.
    """
    for name, samples in (("training", train_set), ("validation", val_set)):
        if len(samples) == 0:
            raise MienError(
                f"The {name} set is empty: nothing to train on or to choose the best epoch by. "
                "Look at the column split of the samples table, and at validation_fraction of the dataset's parameters."
            )
    one_process = partial(
        _fit_limited,
        train_set=train_set,
        val_set=val_set,
        task=task,
        recipe=recipe,
        checkpoints=checkpoints,
        on_epoch_end=on_epoch_end,
    )
    # In this process, which outlives those of the devices; where each device was started apart, in the first alone.
    with checkpoints.alone() if fabric.is_global_zero else nullcontext():
        history = fabric.launch(one_process, model)  # as an argument, because Fabric unshares such a model's memory
        model.cpu().load_state_dict(checkpoints.load_best())
        model.eval()
        checkpoints.finish()
    return history


def _fit_limited(fabric: "Fabric", model: nn.Module, *, recipe: Recipe, **parts: Any) -> list[dict[str, float]]:
    """One process of ``fit``, on its share of threads."""
    with limited_threads(recipe.threads):
        return _fit(fabric, model, recipe=recipe, **parts)


def _fit(
    fabric: "Fabric",
    model: nn.Module,
    train_set: SizedDataset,
    val_set: SizedDataset,
    task: Task,
    recipe: Recipe,
    checkpoints: Checkpoints,
    on_epoch_end: OnEpochEnd | None,
) -> list[dict[str, float]]:
    """Train from the last checkpoint to the last epoch."""
    state = checkpoints.begin() if fabric.is_global_zero else None
    state = fabric.broadcast(state)
    if state is not None:
        model.load_state_dict(state.weights)
    optimizer = recipe.optimizer(model)
    scheduler, scaling = recipe.scheduler(optimizer), GradientScaling(fabric)
    if state is not None:
        optimizer.load_state_dict(state.optimizer)
        scheduler.load_state_dict(state.scheduler)
        scaling.load_state_dict(state.scaler)
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    network, stepper = fabric.setup(model.to(memory_format=layout), optimizer)  # type: ignore[call-overload]  # torch's stubs
    batches = _epoch_batches(fabric, len(train_set), recipe)
    loader = epoch_loader(fabric, train_set, recipe.num_workers, batch_sampler=batches)
    val_loader = epoch_loader(fabric, val_set, recipe.num_workers, batch_size=recipe.batch_size)

    history = [] if state is None else list(state.history)
    best = _best(history, task)
    clock = EpochClock(done=len(history), max_epochs=recipe.max_epochs)
    for epoch in range(len(history) + 1, recipe.max_epochs + 1):
        if best is not None and recipe.patience and epoch - 1 - best["epoch"] >= recipe.patience:
            logger.info("No better epoch than %d for %d epochs: training stops", best["epoch"], recipe.patience)
            break
        batches.epoch = epoch - 1
        seed_everything(recipe.seed, epoch, fabric.global_rank)
        if isinstance(model, ChangesByEpoch):
            model.begin_epoch(epoch - 1)
        clock.start()
        record: dict[str, Any] = {"model": task.name, "epoch": epoch} if task.name else {"epoch": epoch}
        record |= _train_epoch(fabric, network, optimizer, stepper, loader, task, epoch)
        record |= {**_validate(fabric, network, val_loader, task), "lr": optimizer.param_groups[0]["lr"]}
        record |= clock.stop(images=batches.samples_per_epoch)
        _next_epoch(scheduler)
        history.append(record)
        if best is None or task.better(record[task.monitor], best[task.monitor]):
            best = record
            if fabric.is_global_zero:
                checkpoints.save_best(model.state_dict())
        record["best/epoch"] = best["epoch"]
        if fabric.is_global_zero:
            weights = dict(model.state_dict())
            states = optimizer.state_dict(), scheduler.state_dict(), history, scaling.state_dict()
            checkpoints.save(EpochState(epoch, weights, *states))
            logger.info(f"{task.name} {clock.line(record, best, task.monitor)}".lstrip())
            if on_epoch_end is not None:
                on_epoch_end(record, {})
        fabric.barrier()
    return history


def _epoch_batches(fabric: "Fabric", num_samples: int, recipe: Recipe) -> EpochBatches:
    ranks = fabric.global_rank, fabric.world_size
    return EpochBatches(num_samples, recipe.batch_size, recipe.seed, *ranks, recipe.drop_last)


def _next_epoch(scheduler: LRScheduler) -> None:
    """Move the schedule on, also after an epoch in which a gradient scaler skipped every step."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler\.step\(\)` before", UserWarning)
        scheduler.step()


def _train_epoch(
    fabric: "Fabric", network: nn.Module, optimizer: Optimizer, stepper: Any, loader: DataLoader, task: Task, epoch: int
) -> dict[str, float]:
    """Step through the loader once; mean loss and mean gradient norm of the first passes, and how many were skipped."""
    network.train()
    steps = []
    for number, batch in enumerate(batch_bar(loader, epoch), 1):
        where = f"epoch {epoch}, batch {number}"
        steps.append(train_batch(fabric, network, optimizer, stepper, batch, task, where))
    record = {"train/loss": float(np.mean([step.loss for step in steps]))}
    norms = [step.grad_norm for step in steps if math.isfinite(step.grad_norm)]
    if norms:  # a mean of none, where every gradient overflowed, is left out
        record["train/grad_norm"] = float(np.mean(norms))
    if GradientScaling(fabric).at_work:
        record["train/skipped_steps"] = sum(not step.taken for step in steps)
    return record


class TrainedBatch(NamedTuple):
    """What one optimiser step measures.

    Attributes:
        loss: Of the first pass.
        grad_norm: Of the first pass, unscaled; not finite where a gradient scaler is at work and found an overflow.
        taken: Whether the optimiser stepped; false where a gradient scaler skipped it.
    """

    loss: float
    grad_norm: float
    taken: bool


def train_batch(
    fabric: "Fabric",
    network: nn.Module,
    optimizer: Optimizer,
    stepper: Any,
    batch: tuple[tuple[Tensor, ...], Tensor],
    task: Task,
    where: str = "the batch",
) -> TrainedBatch:
    """Take one optimiser step: one pass forward and back, two with SAM.

    Where a gradient scaler is at work, gradients are unscaled before their norm is taken and before SAM climbs by them;
    where they have overflowed, SAM's second pass is left out, the optimiser does not step and the scale is lowered.

    Args:
        fabric: Where to compute; it has set up the network and the optimiser.
        network: The model, in training mode.
        optimizer: As built.
        stepper: The optimiser as Fabric gave it back.
        batch: Inputs and targets.
        task: Whose loss is minimised.
        where: Named by an error.

    Raises:
        DivergedError: Loss or gradients are not finite, but for overflows that a gradient scaler mends.
    """
    optimizer.zero_grad()
    if not isinstance(optimizer, SAM):
        loss, norm = _backward(fabric, network, optimizer, batch, task, where)
        return TrainedBatch(loss, norm, GradientScaling(fabric).step(stepper, where))
    # A scaler unscales an optimiser's gradients once a step: those of the first pass in the base optimiser's name.
    loss, norm = _backward(fabric, network, optimizer.base, batch, task, where)
    if math.isfinite(norm):
        statistics = nullcontext() if optimizer.bn_both_passes else frozen_batch_norm_statistics(network)
        with optimizer.perturbed(), statistics:
            _backward(fabric, network, optimizer, batch, task, f"{where}, SAM's second pass")
    return TrainedBatch(loss, norm, GradientScaling(fabric).step(stepper, where))


def _backward(
    fabric: "Fabric",
    network: nn.Module,
    optimizer: Optimizer,
    batch: tuple[tuple[Tensor, ...], Tensor],
    task: Task,
    where: str,
) -> tuple[float, float]:
    """Loss and gradient norm of one batch; the gradients are left in the parameters, unscaled.

    The norm is infinite or no number only where a gradient scaler is at work, which then skips the step.
    """
    inputs, target = batch
    scaling = GradientScaling(fabric)
    loss = task.loss(network(*inputs), target)
    fabric.backward(loss)
    scaling.unscale(optimizer)
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    value, length = torch.stack([loss.detach().float(), norm.float()]).tolist()  # one wait for the device, not two
    if math.isfinite(value) and (math.isfinite(length) or (scaling.at_work and _overflowed(gradients))):
        return value, length
    raise DivergedError(
        f"Loss {value:.4g} with gradient norm {length:.4g} in {where}. "
        "Lower training.optimizer.lr, or set training.device.precision to 32-true."
    )


def _overflowed(gradients: list[Tensor]) -> bool:
    """Whether a gradient itself is not finite, which a scaler sees, and not their norm alone."""
    return not all(torch.isfinite(gradient).all() for gradient in gradients)


def _validate(fabric: "Fabric", network: nn.Module, loader: DataLoader, task: Task) -> dict[str, float]:
    outputs, targets = predict(fabric, network, loader)
    loss = task.loss(torch.from_numpy(outputs), torch.from_numpy(targets)).item()
    measured = {"loss": loss, **task.metrics(outputs, targets)}
    return {f"val/{name}": value for name, value in measured.items()}


def _best(history: list[dict[str, float]], task: Task) -> dict[str, float] | None:
    best = None
    for record in history:
        if best is None or task.better(record[task.monitor], best[task.monitor]):
            best = record
    return best


def epoch_loader(fabric: "Fabric", samples: SizedDataset, num_workers: int, **batching: Any) -> DataLoader:
    """A loader on the fabric's device, without state of its own that a resumed epoch would depend on."""
    dataset: Dataset = samples  # type: ignore[assignment]  # torch asks for its own class, uses len and []
    # A loader draws its workers' seed from torch's global generator, once per process: a resumed epoch would differ.
    batching["generator"] = torch.Generator()
    batching["pin_memory"] = fabric.device.type == "cuda"  # a copy from pinned memory is several times faster
    loader = DataLoader(dataset, num_workers=num_workers, persistent_workers=num_workers > 0, **batching)
    set_up = fabric.setup_dataloaders(loader, use_distributed_sampler=False)
    return cast(DataLoader, set_up)  # a list only for several loaders
