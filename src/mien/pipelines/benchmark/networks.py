"""Node functions of ``benchmark`` about networks: what they cost, part by part, and what pruning saves."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from mien.pipelines.benchmark.machine import computing_on, machine
from mien.pipelines.benchmark.network_memory import peak_memory
from mien.pipelines.benchmark.network_modes import Mode, runner
from mien.pipelines.benchmark.network_parts import build, costs, parts_of, random_images
from mien.pipelines.benchmark.params import WHOLE, Aim, NetworksBenchmark
from mien.pipelines.benchmark.timing import Lap, interleaved, spread

if TYPE_CHECKING:
    import torch
    from torch import nn

logger = logging.getLogger(__name__)

TRAINING_STEP = "training step"
"""The part that is a pass forward and back, twice with SAM, and the optimiser's step."""

BY_CPU, BY_CLOCK = "CPU time", "the clock"
"""What ratios are evaluated by: on a CPU the time of this process, so that what other programs take does not count."""

Laps = Mapping[tuple[str, str], Sequence[Lap]]
"""By network and part."""


def measure_networks(networks: NetworksBenchmark) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Count and time networks and their parts, all in turn in one process.

    Args:
        networks: Which, and how.

    Returns:
        Table: one row per network, part, mode, threads and batch size: ``ms`` per batch, ``images_per_s``, ``cpu_ms``
        of the process, ``ratio`` and ``cpu_ratio`` to the same part of the baseline, each as median over the rounds
        with ``_low`` and ``_high``; ``precision``; ``parameters``, ``gmac`` and ``gflop`` (twice that) of one image;
        ``peak_mb`` of a batch of ``memory_batch_size``; ``rounds``, ``baseline``, ``device``, and ``estimated_by``:
        BY_CPU or BY_CLOCK.
        Aims: one row per aim, mode and threads, with the ``ratio`` evaluated by that, and whether it is ``met``.
    """
    from mien.engine.device import make_fabric

    fabric = make_fabric(networks.accelerator, precision=networks.precision)
    device = fabric.device
    estimated_by = BY_CPU if device.type == "cpu" else BY_CLOCK
    counted = {way.name: costs(way, networks) for way in networks.measured}
    models = {way.name: build(way, networks, device) for way in networks.measured}
    rows: list[dict[str, Any]] = []
    aims: list[dict[str, Any]] = []
    for threads in networks.threads:
        with computing_on(threads):
            for mode in networks.modes:
                for batch_size in networks.batch_sizes:
                    laps = _time_passes(models, networks, mode, batch_size, device)
                    setting = {"mode": mode, "threads": threads, "batch_size": batch_size}
                    rows += _rows(laps, networks, setting)
                    aims += _aims(laps, networks, setting, estimated_by)
            if networks.training:
                laps = _time_training(models, networks, fabric)
                setting = {"mode": "eager", "threads": threads, "batch_size": networks.train_batch_size}
                rows += _rows(laps, networks, setting)
    peaks = {way.name: peak_memory(way, networks, device) for way in networks.measured}
    for row in rows:
        cost = counted[row["way"]].get(row["part"])
        if cost is not None:
            row |= {"parameters": cost.parameters, "gmac": cost.macs / 1e9, "gflop": 2 * cost.macs / 1e9}
        if row["part"] == WHOLE:
            row["peak_mb"] = peaks[row["way"]]
    table = pd.DataFrame(rows).assign(
        memory_batch_size=networks.memory_batch_size,
        baseline=networks.baseline,
        estimated_by=estimated_by,
        precision=networks.precision,
        device=machine(device.type),
    )
    return table, pd.DataFrame(
        aims, columns=[*Aim.model_fields, "mode", "threads", *_with_ends("ratio"), "met", "estimated_by"]
    )


def _time_passes(
    models: "Mapping[str, nn.Module]", networks: NetworksBenchmark, mode: Mode, batch_size: int, device: "torch.device"
) -> Laps:
    """Time every network and part on batches of one size. The pass that finds out the parts' inputs warms them up."""
    import torch
    from torch._dynamo import config as dynamo

    passes: dict[tuple[str, str], Callable[[Lap], object]] = {}
    for way in networks.measured:
        model = models[way.name]
        images = random_images(model, batch_size, networks, device)
        for part, (module, inputs) in parts_of(model, images, networks.parts.get(way.architecture, {})).items():
            once = runner(module, inputs, mode, networks.precision, device)
            passes[way.name, part] = partial(_run, once, device)
    # One limit holds for all networks of a class, and each of them is compiled anew for each batch size.
    with torch.no_grad(), dynamo.patch(recompile_limit=len(passes) * len(networks.batch_sizes) + 8):
        if mode == "compiled":
            for number, ((way, part), run) in enumerate(passes.items(), 1):
                run(Lap())
                logger.info("compiled %d of %d: %s of %s", number, len(passes), part, way)
        return interleaved(passes, networks.repeats, networks.seconds)


def _run(once: Callable[[], object], device: "torch.device", lap: Lap) -> None:
    import torch

    once()
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _time_training(models: "Mapping[str, nn.Module]", networks: NetworksBenchmark, fabric: Any) -> Laps:
    """Time one optimiser step of the networks that are named for it."""
    import torch

    from mien.engine.fit import Task, train_batch
    from mien.losses import ExpressionLoss
    from mien.optim import build_optimizer

    task = Task(loss=ExpressionLoss(), metrics=lambda outputs, target: {}, monitor="loss", mode="min")
    steps: dict[tuple[str, str], Callable[[Lap], object]] = {}
    for name in (way.name for way in networks.measured if way.name in networks.training):
        model = models[name].train()
        optimizer = build_optimizer("adam", model.parameters(), lr=1e-6, sam_rho=networks.sam_rho)
        network, stepper = fabric.setup(model, optimizer)
        images = random_images(model, networks.train_batch_size, networks, fabric.device)
        target = torch.arange(networks.train_batch_size, device=fabric.device) % networks.num_classes
        # a step ends by reading its loss, so that it needs no synchronisation beyond the optimiser's own
        step = partial(train_batch, fabric, network, optimizer, stepper, ((images,), target), task)
        steps[name, TRAINING_STEP] = partial(_run, step, fabric.device)
    try:
        for step in steps.values():
            step(Lap())
        return interleaved(steps, networks.repeats, networks.seconds)
    finally:
        for name, _ in steps:
            models[name].zero_grad()
            models[name].eval()


def _rows(laps: Laps, networks: NetworksBenchmark, setting: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    architectures = {way.name: way.architecture for way in networks.measured}
    for (name, part), own in laps.items():
        measured = {
            "ms": [1e3 * lap.seconds for lap in own],
            "images_per_s": [setting["batch_size"] / lap.seconds for lap in own],
            "cpu_ms": [1e3 * lap.cpu_seconds for lap in own],
        }
        baseline = laps.get((networks.baseline, part))
        if baseline is not None:
            measured |= {"ratio": _ratios(own, baseline, False), "cpu_ratio": _ratios(own, baseline, True)}
        row = {"way": name, "architecture": architectures[name], "part": part, **setting, "rounds": len(own)}
        for column, values in measured.items():
            row |= dict(zip(_with_ends(column), spread(values), strict=True))
        rows.append(row)
    return rows


def _aims(laps: Laps, networks: NetworksBenchmark, setting: dict[str, Any], estimated_by: str) -> list[dict[str, Any]]:
    """Evaluate the aims that this batch size is about and whose networks are measured."""
    rows = []
    for aim in networks.aims:
        own, other = laps.get((aim.way, aim.part)), laps.get((aim.of, aim.part))
        if own is None or other is None or aim.batch_size != setting["batch_size"]:
            continue
        ratio = spread(_ratios(own, other, estimated_by == BY_CPU))
        row = aim.model_dump() | {name: setting[name] for name in ("mode", "threads")}
        row |= dict(zip(_with_ends("ratio"), ratio, strict=True))
        rows.append(row | {"met": ratio[0] <= aim.at_most, "estimated_by": estimated_by})
    return rows


def _ratios(own: Sequence[Lap], other: Sequence[Lap], by_cpu: bool) -> list[float]:
    """Own time over the other's, round by round."""
    if by_cpu:
        return [lap.cpu_seconds / base.cpu_seconds for lap, base in zip(own, other, strict=True)]
    return [lap.seconds / base.seconds for lap, base in zip(own, other, strict=True)]


def _with_ends(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"
