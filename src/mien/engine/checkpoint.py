"""What training resumes from: the last epoch's state and the best epoch's weights, never half-written."""

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

logger = logging.getLogger(__name__)

RUN_FILE = "run.json"
BEST_FILE = "best.safetensors"
WEIGHTS_FILE = "weights.safetensors"
STATE_FILE = "state.pt"


@dataclass(frozen=True)
class EpochState:
    """Everything that the next epoch depends on.

    Attributes:
        epoch: The finished epoch, counted from 1.
        weights: The model's state.
        optimizer: The optimiser's state.
        scheduler: The schedule's state.
        history: One record per finished epoch.
    """

    epoch: int
    weights: dict[str, Tensor]
    optimizer: dict[str, Any]
    scheduler: dict[str, Any]
    history: list[dict[str, float]]


class Checkpoints:
    """The checkpoint folder of one run.

    A folder belongs to one fingerprint (parameters and data). Begun with the same fingerprint after an interruption,
    training goes on; with another one, or after a finished run, it starts anew.

    Each epoch is a folder ``epoch_00007`` that appears by renaming, so a kill at any instant leaves a whole one. The
    best weights are written before the epoch that they belong to: an epoch repeated after a kill writes them again.

    Args:
        folder: Where the checkpoints lie.
        fingerprint: Digest of what the result depends on.
        keep_finished: Go on from a finished run too, which leaves nothing to do: of many runs that belong together,
            those that were finished before an interruption are not repeated. Who asks for it clears the folder.
    """

    def __init__(self, folder: Path, fingerprint: str, keep_finished: bool = False) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self.keep_finished = keep_finished

    def begin(self) -> EpochState | None:
        """Return the state to go on from, or clear the folder and return None for a new run."""
        run = self._read_run()
        last = max(self.folder.glob("epoch_*"), default=None)
        goes_on = self.keep_finished or not run.get("finished")
        if run.get("fingerprint") == self.fingerprint and goes_on and last is not None:
            state = torch.load(last / STATE_FILE, map_location="cpu", weights_only=True)
            logger.info("Resuming after epoch %d from %s", state["epoch"], self.folder)
            return EpochState(weights=load_file(last / WEIGHTS_FILE), **state)
        if last is not None and not run.get("finished"):
            logger.warning(
                "The interrupted run in %s had other parameters or data: it is discarded and training starts anew",
                self.folder,
            )
        self._clear()
        self._write_run(finished=False)
        return None

    def save(self, state: EpochState) -> None:
        """Write the state of a finished epoch and remove the one before it."""
        final = self.folder / f"epoch_{state.epoch:05d}"
        part = self.folder / f".{final.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _save_weights(state.weights, part / WEIGHTS_FILE)
        rest = {name: getattr(state, name) for name in ("epoch", "optimizer", "scheduler", "history")}
        torch.save(rest, part / STATE_FILE)
        part.replace(final)
        for older in self.folder.glob("epoch_*"):
            if older != final:
                shutil.rmtree(older)

    def save_best(self, weights: Mapping[str, Tensor]) -> None:
        """Replace the best weights."""
        part = self.folder / f".{BEST_FILE}.part"
        _save_weights(weights, part)
        part.replace(self.folder / BEST_FILE)

    def load_best(self) -> dict[str, Tensor]:
        """The weights of the best epoch so far."""
        return load_file(self.folder / BEST_FILE)

    def finish(self) -> None:
        """Mark the run as finished: the next one with the same fingerprint starts anew."""
        self._write_run(finished=True)

    def _read_run(self) -> dict[str, Any]:
        file = self.folder / RUN_FILE
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    def _write_run(self, *, finished: bool) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f".{RUN_FILE}.part"
        part.write_text(json.dumps({"fingerprint": self.fingerprint, "finished": finished}), encoding="utf-8")
        part.replace(self.folder / RUN_FILE)

    def _clear(self) -> None:
        for epoch in [*self.folder.glob("epoch_*"), *self.folder.glob(".epoch_*.part")]:
            shutil.rmtree(epoch)
        for name in (RUN_FILE, BEST_FILE):
            (self.folder / name).unlink(missing_ok=True)


def _save_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, path)
