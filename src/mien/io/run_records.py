"""What each finished run leaves beside its metrics, and all of it read back for a report."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from mien.errors import MienError
from mien.io.tables import CHECKED
from mien.outputs import in_words, reading, replacing

RECORD = "run.json"
METRICS = "metrics.json"
PREDICTIONS = "predictions.parquet"
FEATURE_MAP = "feature_map.parquet"

_NOT_WRITTEN = ("metrics", "predictions")

_SEED = re.compile(r"(?P<variant>.+)-seed_(?P<seed>[0-9]+)")


def seeded_variant(variant: str, seed: int) -> str:
    """Name of a variant's run with one seed, as its folders have it.

    Example:
        >>> seeded_variant("keep_0.6", 2)
        'keep_0.6-seed_2'
    """
    return f"{variant}-seed_{seed}"


@dataclass(frozen=True)
class RunRecord:
    """One run of one system: what was run, where, when, and what it scored.

    Attributes:
        system: As in ``sae``.
        variant: Name of its folders, a seed included: ``keep_0.6-seed_2``.
        env: Configuration environment.
        dataset: As in ``raf_db``.
        command: That repeats it.
        machine: Processor, cores, accelerator, torch's version.
        date: Of the end, in UTC, ISO 8601.
        run_id: MLflow's.
        commit: git's; "+" at its end says that files had changed.
        parameters: Flat, the system's without its name.
        metrics: The run's ``metrics.json``; not part of ``run.json``.
        predictions: The file of its scores; not part of ``run.json``.
    """

    system: str
    variant: str
    env: str
    dataset: str
    command: str
    machine: str
    date: str
    run_id: str
    commit: str
    parameters: dict[str, Any]
    metrics: dict[str, float | None] = field(default_factory=dict, compare=False)
    predictions: Path | None = field(default=None, compare=False)

    @property
    def base_variant(self) -> str:
        """The variant without its seed: runs that share it are averaged."""
        seeded = _SEED.fullmatch(self.variant)
        return seeded["variant"] if seeded else self.variant

    def write(self, folder: Path) -> None:
        """Write ``run.json`` into the folder of the run's metrics."""
        content = {name: value for name, value in asdict(self).items() if name not in _NOT_WRITTEN}
        text = json.dumps(content, indent=2, sort_keys=True, default=str) + "\n"
        with replacing(folder / RECORD) as part, in_words(folder / RECORD):
            part.write_text(text, encoding="utf-8")

    def load_predictions(self) -> pd.DataFrame:
        """The table of its scores.

        Raises:
            MienError: The file is gone or damaged.
        """
        if self.predictions is None or not self.predictions.is_file():
            raise MienError(
                f"The predictions of {self.system} {self.variant} are gone: {self.predictions} does not exist. "
                f"Run it again: {self.command}"
            )
        return self._table(self.predictions)

    def load_feature_map(self) -> pd.DataFrame | None:
        """The table of its test samples' features in a plane, beside its predictions; None where it has none."""
        file = None if self.predictions is None else self.predictions.with_name(FEATURE_MAP)
        return self._table(file) if file is not None and file.is_file() else None

    def _table(self, file: Path) -> pd.DataFrame:
        with reading(file, "a Parquet table", f"Run it again: {self.command}"):
            return pd.read_parquet(file, **CHECKED)  # type: ignore[call-overload]


def read_record(folder: Path) -> RunRecord | None:
    """The record in a run's reporting folder, without metrics; None where there is none.

    Raises:
        MienError: The record is damaged.
    """
    if not (folder / RECORD).is_file():
        return None
    content = _read_json(folder / RECORD)
    missing = [each.name for each in fields(RunRecord) if each.name not in (*_NOT_WRITTEN, *content)]
    if missing:
        raise _damaged(folder / RECORD, f"it lacks {', '.join(missing)}")
    named = [each.name for each in fields(RunRecord)]
    return RunRecord(**{name: value for name, value in content.items() if name in named})


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(file, f"it is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise _damaged(file, f"it holds a {type(content).__name__}, not names with values")
    return content


def _damaged(file: Path, what: str) -> MienError:
    return MienError(f"{file} cannot be read: {what}. Run that variant again, or delete its folder {file.parent}.")


class RunRecords(AbstractDataset[None, list[RunRecord]]):
    """Every finished run below a reporting folder, sorted by system and variant.

    Args:
        filepath: Folder that holds ``<system>/<variant>/run.json`` beside ``metrics.json``.
        predictions: ``filepath`` of the folder that holds ``<system>/<variant>/predictions.parquet``, nested because
            Kedro makes paths absolute by that key.
    """

    def __init__(self, *, filepath: str, predictions: dict[str, str], metadata: dict[str, Any] | None = None) -> None:
        self._filepath, self._predictions = Path(filepath), Path(predictions["filepath"])
        self.metadata = metadata

    def load(self) -> list[RunRecord]:
        """Read the records; a folder without one, or without metrics, is a run that has not ended.

        Raises:
            MienError: A record or its metrics are damaged, or lie in another run's folder.
        """
        return list(self._records())

    def _records(self) -> Iterator[RunRecord]:
        for file in sorted(self._filepath.glob(f"*/*/{RECORD}")):
            record, metrics = read_record(file.parent), file.with_name(METRICS)
            if record is not None and metrics.is_file():
                predictions = self._predictions / record.system / record.variant / PREDICTIONS
                if (record.system, record.variant) != (file.parent.parent.name, file.parent.name):
                    raise MienError(
                        f"{file} is the record of {record.system} {record.variant}, as if its folder had been copied "
                        "or renamed, and would count for that variant. Delete the folder, or move it out of the "
                        "reporting folder."
                    )
                yield replace(record, metrics=_read_json(metrics), predictions=predictions)

    def save(self, data: None) -> None:
        """Refuse: each run writes its own record."""
        raise DatasetError("Runs write their own records; a report only reads them.")

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def params_option(values: dict[str, Any]) -> str:
    """The option that sets parameters by their dotted names, as a shell takes it.

    Example:
        >>> params_option({"variant": "lite", "sae.model.backbone_units": [3, 4, 2]})
        "'--params=variant=lite,sae.model.backbone_units=[3,4,2]'"
    """
    items = (f"{name}={_written(value)}" for name, value in values.items())
    return shlex.quote(f"--params={','.join(items)}")


def _written(value: Any) -> str:
    if isinstance(value, list | tuple):
        return str(value).replace(", ", ",")
    return f'"{value}"' if isinstance(value, str) and "," in value else str(value)
