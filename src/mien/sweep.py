"""Several runs for one table: every member of a sweep with every seed, as children of one MLflow run."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from mien.configuration import merged
from mien.errors import MienError
from mien.io.run_records import seeded_variant
from mien.io.sweep_records import SweepRecord
from mien.nodes.params import Name, Params

logger = logging.getLogger(__name__)

REPORT = "report"
"""The pipeline that a sweep ends with."""

RECORDS = f"{REPORT}.sweeps"
"""The entry by which it knows whose members to compare."""


class SweepMember(Params):
    """Variants of one system.

    Attributes:
        system: Its pipeline.
        variants: Their names, without a seed. What each sets stands in the report's table of the system.
        set: Parameters of variants that the report's table does not have, by dotted name without the system's.
    """

    system: str
    variants: tuple[Name, ...] = Field(min_length=1)
    set: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _leaves_the_seed_to_the_sweep(self) -> "SweepMember":
        if "training.seed" in self.set:
            raise MienError(
                f"Member {self.system} {self.variants[0]} sets training.seed. Give the sweep seeds instead."
            )
        return self


class Sweep(Params):
    """Members that are run with every seed."""

    seeds: tuple[int, ...] = Field(min_length=1)
    members: tuple[SweepMember, ...] = Field(min_length=1)

    @property
    def names(self) -> list[tuple[str, str]]:
        """System and variant of each, in order."""
        return [(member.system, variant) for member in self.members for variant in member.variants]

    @model_validator(mode="after")
    def _names_are_different(self) -> "Sweep":
        names = self.names
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated or len(set(self.seeds)) < len(self.seeds):
            raise MienError(
                f"A sweep names {repeated or self.seeds} twice: runs would overwrite each other. Name each once."
            )
        return self


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep: a system and the runtime parameters that make it this variant with this seed."""

    system: str
    variant: str
    params: dict[str, Any]


def sweep_runs(sweep: Sweep, seeds: Sequence[int] = ()) -> Iterator[SweepRun]:
    """The runs of a sweep, seed by seed, so that a sweep that is cut short has whole rows.

    Args:
        sweep: Its members and seeds.
        seeds: Instead of the sweep's own, where given.

    Example:
        >>> sweep = Sweep(seeds=(0,), members=(SweepMember(system="sae", variants=("small",), set={"model.depth": 1}),))
        >>> next(sweep_runs(sweep)).params
        {'variant': 'small-seed_0', 'sae': {'model': {'depth': 1}, 'training': {'seed': 0}}}
    """
    for seed in seeds or sweep.seeds:
        for member in sweep.members:
            for name in member.variants:
                variant = seeded_variant(name, seed)
                section = _nested({**member.set, "training.seed": seed})
                yield SweepRun(member.system, variant, {"variant": variant, member.system: section})


def _nested(dotted: dict[str, Any]) -> dict[str, Any]:
    """Parameters by dotted name as sections in sections."""
    nested: dict[str, Any] = {}
    for name, value in dotted.items():
        *sections, last = name.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return nested


def read_sweep(loader: Any, name: str) -> Sweep:
    """Read one sweep from ``conf/<env>/sweeps*.yml``, each variant with what the report's table says that it sets.

    Args:
        loader: Kedro's configuration loader.
        name: Of the sweep.

    Raises:
        MienError: There is no such sweep, it does not validate, or a variant's settings stand in two places.
    """
    sweeps = loader["sweeps"]
    if name not in sweeps:
        raise MienError(
            f"There is no sweep '{name}'. Known are: {', '.join(sorted(sweeps))}. Add it to conf/base/sweeps.yml."
        )
    sweep = Sweep(**sweeps[name])
    papers = loader["parameters"]["report"]["tables"]["papers"]
    members = []
    for member in sweep.members:
        listed = {
            each: row.get("set", {})
            for row in papers.get(member.system, {}).get("rows", ())
            for each in row["variants"]
        }
        if member.set and (twice := sorted(set(member.variants) & set(listed))):
            raise MienError(
                f"Sweep {name} sets what {', '.join(twice)} of {member.system} means, and so does the report's table "
                "in conf/base/parameters_report.yml. Remove set from the sweep, or name the variant otherwise."
            )
        members += [
            SweepMember(system=member.system, variants=(variant,), set=member.set or listed.get(variant, {}))
            for variant in member.variants
        ]
    return Sweep(seeds=sweep.seeds, members=tuple(members))


class SweepRunner:
    """Runs a sweep in this process, one Kedro session per run.

    Args:
        root: The project's folder.
        env: Configuration environment; None for the default one.
        params: Runtime parameters of every run, such as ``sae.training.max_epochs``.
    """

    def __init__(self, root: Path, env: str | None, params: dict[str, Any]) -> None:
        self._root, self._env, self._params = root, env, params

    def run(self, name: str, seeds: Sequence[int] = ()) -> None:
        """Run what is missing of a sweep, then report, every two of its members compared.

        A run whose metrics are there from the same command is not repeated, so an interrupted sweep goes on.

        Args:
            name: Of the sweep.
            seeds: Instead of its own, where given.

        Raises:
            MienError: The sweep is not known, or a system in it is no pipeline.
        """
        from mien.mlflow_run import MlflowRun, connect, experiment_id

        with self._session(self._params) as session:
            context = session.load_context()
            loader = context.config_loader
            sweep, experiment = read_sweep(loader, name), loader["project"]["experiment"]
        runs = list(sweep_runs(sweep, seeds))
        self._check_systems(runs)
        context.catalog.save(RECORDS, SweepRecord(name, tuple(sweep.names), tuple(seeds or sweep.seeds)))
        client = connect(self._root)
        tags = {"sweep": name, "env": self._env or "", "system": ",".join(sorted({run.system for run in runs}))}
        parent = MlflowRun(client, experiment_id(client, experiment, self._root), f"sweep {name}", tags)
        status = "FAILED"
        try:
            self._prepare({run.system for run in runs})
            for number, run in enumerate(runs, start=1):
                logger.info("Sweep %s, run %d of %d: %s %s", name, number, len(runs), run.system, run.variant)
                self._run_one(run, parent.run_id)
            self._report(parent)
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            parent.end(status)

    def _check_systems(self, runs: Sequence[SweepRun]) -> None:
        from kedro.framework.project import pipelines

        from mien.pipeline_registry import is_system

        systems = [name for name, pipeline in pipelines.items() if is_system(name, pipeline)]
        unknown = sorted({run.system for run in runs} - set(systems))
        if unknown:
            raise MienError(f"The sweep names {', '.join(unknown)}, no system. Systems are: {', '.join(systems)}.")

    def _session(self, params: dict[str, Any]) -> Any:
        from kedro.framework.session import KedroSession

        return KedroSession.create(self._root, env=self._env, runtime_params=params)

    def _prepare(self, systems: set[str]) -> None:
        """Make what the systems read and what is not there yet: datasets, and networks that no variant changes."""
        from kedro.framework.project import pipelines

        from mien.pipeline_registry import is_system

        for name, pipeline in pipelines.items():
            read = any(set(pipeline.nodes) <= set(pipelines[system].nodes) for system in systems)
            if name == "__default__" or is_system(name, pipeline) or not read:
                continue
            with self._session(self._params) as session:
                catalog = session.load_context().catalog
                if not all(catalog.exists(entry) for entry in pipeline.outputs()):
                    session.run(pipeline_names=[name])

    def _run_one(self, run: SweepRun, parent: str) -> None:
        params = {**merged(self._params, run.params), "parent_run": parent}
        with self._session(params) as session:
            if self._is_done(session, run, params):
                logger.info("%s %s is there already, by the same command and parameters", run.system, run.variant)
            else:
                session.run(pipeline_names=[run.system], namespaces=[run.system])

    def _is_done(self, session: Any, run: SweepRun, params: dict[str, Any]) -> bool:
        """Whether metrics and a record of the same command with the same parameters and training targets are there.

        The command alone would not do: parameters also change in their files, and targets by another preparation.
        """
        from mien.io.run_records import METRICS, read_record
        from mien.nodes.training import training_target
        from mien.tracking import TARGETS_PARAMETER, command, run_parameters

        context = session.load_context()
        folder = Path(context.catalog.get(f"{run.system}.metrics")._filepath).parent
        record = read_record(folder)
        if record is None or not (folder / METRICS).is_file():
            return False
        options = {"pipeline_names": [run.system], "namespaces": [run.system], "env": self._env}
        datasets = record.dataset.split(",")
        flat = run_parameters(context.config_loader["parameters"], [run.system], datasets)
        requested = command({**options, "runtime_params": params}), json.loads(json.dumps(flat, default=str))
        recorded = dict(record.parameters)
        targets = recorded.pop(TARGETS_PARAMETER, None)
        if (record.command, recorded) != requested:
            return False
        # Of a system whose table has targets, which others have not
        tables = [context.catalog.load(f"{name}_samples") for name in datasets] if targets else []
        return all(training_target(each) == targets for each in tables)

    def _report(self, parent: Any) -> None:
        with self._session(self._params) as session:
            session.run(pipeline_names=[REPORT])
            catalog = session.load_context().catalog
            for entry in ("report.html", "report.markdown"):
                file = Path(catalog.get(entry)._filepath)
                parent.log_file(file.stem, file)
