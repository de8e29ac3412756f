"""What training resumes from: the last two epochs' states and the best epoch's weights, whole or set aside."""

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mien.models.weight_file import read_weights, write_weights
from mien.outputs import FileError, in_words, remove_all_dead_parts, sole_use, written

logger = logging.getLogger(__name__)

RUN_FILE = "run.json"
BEST_FILE = "best.safetensors"
WEIGHTS_FILE = "weights.safetensors"
STATE_FILE = "state.pt"
CHECKSUMS_FILE = "checksums.json"

KEPT = 2
"""Epochs that are kept: the last one, and the one before for where the last is damaged."""

SET_ASIDE = "damaged-"
"""Begins the name of what was found damaged."""

_EPOCH = re.compile(r"epoch_[0-9]{5,}")


class DamagedError(Exception):
    """Why a checkpoint cannot be resumed from, in words."""


@dataclass(frozen=True)
class EpochState:
    """Everything that the next epoch depends on.

    Attributes:
        epoch: The finished epoch, counted from 1.
        weights: The model's state.
        optimizer: The optimiser's state.
        scheduler: The schedule's state.
        history: One record per finished epoch.
        scaler: The gradient scaler's state, empty where none is at work.
    """

    epoch: int
    weights: dict[str, Tensor]
    optimizer: dict[str, Any]
    scheduler: dict[str, Any]
    history: list[dict[str, float]]
    scaler: dict[str, Any] = field(default_factory=dict)


class Checkpoints:
    """The checkpoint folder of one run.

    A folder belongs to one fingerprint (parameters, data, devices and precision). Begun with the same fingerprint after
    an interruption, training goes on; with another one, or after a finished run, it starts anew.

    Each epoch is a folder ``epoch_00007`` that appears by renaming, so a kill at any instant leaves a whole one. The
    best weights are written before the epoch that they belong to: an epoch repeated after a kill writes them again.
    Every file has a checksum. An epoch that is damaged is set aside under another name, and training goes on from the
    one before; nothing of it is opened, because a state that is not ours could hold code.

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

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs from the folder for the length of a training; one that comes later waits.

        What the run before it finished meanwhile, with the same fingerprint, is taken and not repeated. What killed
        runs left half-written is removed.
        """
        with sole_use(self.folder) as hold:
            self.keep_finished = self.keep_finished or hold.waited
            remove_all_dead_parts([self.folder])
            yield

    def begin(self) -> EpochState | None:
        """Return the state to go on from, or clear the folder and return None for a new run."""
        run = self._read_run()
        goes_on = self.keep_finished or not run.get("finished")
        if run.get("fingerprint") == self.fingerprint and goes_on:
            state = self._last_whole()
            if state is not None:
                logger.info("Resuming after epoch %d from %s", state.epoch, self.folder)
                return state
        elif self._epochs() and not run.get("finished"):
            logger.warning(
                "The interrupted run in %s had other parameters, data, devices or precision: it is discarded and "
                "training starts anew",
                self.folder,
            )
        self._clear()
        self._write_run(finished=False)
        return None

    def save(self, state: EpochState) -> None:
        """Write the state of a finished epoch and remove those before the one before it.

        Raises:
            FileError: The disk does not take it.
        """
        final = self.folder / f"epoch_{state.epoch:05d}"
        with written(final) as part, in_words(final):
            part.mkdir(parents=True)
            write_weights(state.weights, part / WEIGHTS_FILE)
            rest = {name: getattr(state, name) for name in ("epoch", "optimizer", "scheduler", "history", "scaler")}
            torch.save(rest, part / STATE_FILE)
            sums = {name: _checksum(part / name) for name in (WEIGHTS_FILE, STATE_FILE)}
            (part / CHECKSUMS_FILE).write_text(json.dumps({"fingerprint": self.fingerprint, "files": sums}))
        for older in self._epochs()[:-KEPT]:
            shutil.rmtree(older)

    def save_best(self, weights: Mapping[str, Tensor]) -> None:
        """Replace the best weights.

        Raises:
            FileError: The disk does not take them.
        """
        final = self.folder / BEST_FILE
        with written(final) as part, in_words(final):
            write_weights(weights, part)

    def load_best(self) -> dict[str, Tensor]:
        """The weights of the best epoch so far.

        Raises:
            FileError: They are damaged or gone.
        """
        try:
            return self._read_best()
        except DamagedError as error:
            raise FileError(
                f"The best epoch's weights cannot be read: {error}, in {self.folder / BEST_FILE}. "
                "Run the same command again: the file is set aside and training starts anew."
            ) from error

    def finish(self) -> None:
        """Mark the run as finished: the next one with the same fingerprint starts anew."""
        self._write_run(finished=True)

    def _epochs(self) -> list[Path]:
        """Folders of epochs, the last one last."""
        found = (path for path in self.folder.glob("epoch_*") if _EPOCH.fullmatch(path.name))
        return sorted(found, key=lambda path: int(path.name.removeprefix("epoch_")))

    def _last_whole(self) -> EpochState | None:
        """The last epoch that is whole, those after it set aside; None if there is none, or the best weights are lost.

        Without the best weights nothing can be gone on from: they may belong to an epoch long gone.
        """
        state = None
        for epoch in reversed(self._epochs()):
            try:
                state = self._read_epoch(epoch)
                break
            except DamagedError as error:
                self._set_aside(epoch, str(error), "training goes on from the epoch before, if that is whole")
        if state is not None:
            try:
                self._read_best()
            except DamagedError as error:
                self._set_aside(self.folder / BEST_FILE, str(error), "training starts anew")
                return None
        return state

    def _read_epoch(self, epoch: Path) -> EpochState:
        try:
            manifest = json.loads((epoch / CHECKSUMS_FILE).read_text(encoding="utf-8"))
            sums, fingerprint = dict(manifest["files"]), manifest["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedError(f"{CHECKSUMS_FILE} is missing or damaged") from error
        if fingerprint != self.fingerprint:
            raise DamagedError("it is the epoch of another run")
        for name in (WEIGHTS_FILE, STATE_FILE):
            try:
                found = _checksum(epoch / name)
            except OSError as error:
                raise DamagedError(f"{name} cannot be read ({error.strerror})") from error
            if found != sums.get(name):
                raise DamagedError(f"{name} has another checksum than {CHECKSUMS_FILE} says")
        rest = torch.load(epoch / STATE_FILE, map_location="cpu", weights_only=True)
        return EpochState(weights=read_weights(epoch / WEIGHTS_FILE), **rest)

    def _read_best(self) -> dict[str, Tensor]:
        from safetensors import SafetensorError

        try:
            return read_weights(self.folder / BEST_FILE)
        except FileNotFoundError as error:
            raise DamagedError("they are gone") from error
        except (OSError, ValueError, SafetensorError) as error:
            raise DamagedError(str(error).splitlines()[0] if str(error) else type(error).__name__) from error

    def _set_aside(self, path: Path, what: str, goes_on: str) -> None:
        """Rename what is damaged, and say so."""
        aside = path.with_name(f"{SET_ASIDE}{path.name}")
        number = 1
        while aside.exists():
            number += 1
            aside = path.with_name(f"{SET_ASIDE}{path.name}-{number}")
        if path.exists():
            with in_words(path):
                path.rename(aside)
        logger.warning(
            "The checkpoint %s is damaged: %s. It is set aside as %s, which may be deleted; %s",
            path,
            what,
            aside.name,
            goes_on,
        )

    def _read_run(self) -> dict[str, Any]:
        """What the folder says of its run; where it says nothing, the epochs do, each of which names its run too."""
        file = self.folder / RUN_FILE
        run: dict[str, Any] = {"fingerprint": self.fingerprint}
        if not file.exists():
            return run
        try:
            run = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(run, dict):
                raise TypeError(f"it holds a {type(run).__name__}, not names with values")
        except (OSError, ValueError, TypeError) as error:
            self._set_aside(file, str(error), "the epochs that are whole are gone on from")
            return {"fingerprint": self.fingerprint}
        return run

    def _write_run(self, *, finished: bool) -> None:
        final = self.folder / RUN_FILE
        with in_words(final):
            self.folder.mkdir(parents=True, exist_ok=True)
        with written(final) as part, in_words(final):
            part.write_text(json.dumps({"fingerprint": self.fingerprint, "finished": finished}))

    def _clear(self) -> None:
        for epoch in self._epochs():
            _remove(epoch)
        for name in (RUN_FILE, BEST_FILE):
            _remove(self.folder / name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _checksum(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
