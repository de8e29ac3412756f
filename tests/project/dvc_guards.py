"""Guards that keep dvc.yaml and the catalog in step."""

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from tests.project.project_config import data_entries, file_path

from mien.io.figures import PaperFigure
from mien.io.raw_folder import CheckpointFolder, RawFolder


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml as DVC resolves it, paths relative to the project.

    ``outs`` holds metrics and plots too; ``params`` has the sections that it depends on by file.
    """

    name: str
    cmd: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def load_stages(root: Path) -> list[Stage]:
    """Every stage of ``root/dvc.yaml``, variables and matrices filled in."""
    from dvc.repo import Repo

    with Repo(str(root)) as repository:
        return [
            Stage(
                stage.name,
                stage.cmd,
                tuple(_relative(dep, root) for dep in stage.deps),
                tuple(_relative(out, root) for out in stage.outs),
                {_relative(dep, root): tuple(dep.params) for dep in stage.params},
            )
            for stage in repository.index.stages
        ]


def _relative(output: Any, root: Path) -> str:
    return Path(output.fs_path).relative_to(root).as_posix()


CatalogOf = Callable[..., DataCatalog]
"""(env, **runtime parameters) → catalog."""


def stage_faults(
    stages: Iterable[Stage], pipelines: Mapping[str, Pipeline], catalog_of: CatalogOf, data_folder: str = "data"
) -> list[str]:
    """Where stages and the pipelines that they run differ in what they read and write."""
    stages = list(stages)
    faults = []
    owners = Counter(out for stage in stages for out in stage.outs)
    for path, count in owners.items():
        if count > 1:
            names = [stage.name for stage in stages if path in stage.outs]
            faults.append(f"{path} is an output of stages {' and '.join(names)}. Every file belongs to one stage.")
    for stage in stages:
        run = _Run(stage)
        missing = [name for name in run.pipelines if name not in pipelines]
        if missing or not run.pipelines:
            faults.append(
                f"Stage {stage.name} runs {', '.join(missing) or 'no pipeline'}: {stage.cmd}. "
                f"Name one of {', '.join(sorted(pipelines))} with --pipelines."
            )
            continue
        pipeline = sum((pipelines[name] for name in run.pipelines), Pipeline([]))
        if run.namespaces:
            pipeline = pipeline.filter(node_namespaces=run.namespaces)
        catalog = catalog_of(run.env, **run.params)
        faults += _files_faults(stage, pipeline, catalog, data_folder)
    return faults


class _Run:
    """What a stage's command tells ``kedro run``."""

    def __init__(self, stage: Stage) -> None:
        options = dict(re.findall(r"--([\w-]+)[= ](\S+)", " ".join(shlex.split(stage.cmd))))
        named = options.get("pipelines") or options.get("pipeline", "")
        self.pipelines = [name for name in named.split(",") if name]
        self.namespaces = [name for name in options.get("namespaces", "").split(",") if name]
        self.env = options.get("env", "demo")
        pairs = [pair.split("=", 1) for pair in options.get("params", "").split(",") if pair]
        self.params = {key: value for key, value in pairs if "." not in key}


def _files_faults(stage: Stage, pipeline: Pipeline, catalog: DataCatalog, data_folder: str) -> list[str]:
    paths = {entry: file_path(catalog, entry) for entry in data_entries(pipeline)}
    files = {entry: path for entry, path in paths.items() if path is not None}
    folders = {entry for entry in files if isinstance(catalog.get(entry), RawFolder | CheckpointFolder)}
    outputs = {files[entry]: entry for entry in pipeline.all_outputs() & files.keys() if entry not in folders}
    inputs = {files[entry]: entry for entry in pipeline.inputs() if entry in files and entry not in folders}
    checkpoints = {files[entry] for entry in files if isinstance(catalog.get(entry), CheckpointFolder)}
    faults = [
        f"{entry} of stage {stage.name} lies at {path}, which is no output of the stage. "
        "Add it to outs, metrics or plots."
        for path, entry in sorted(outputs.items())
        if not any(_within(path, out) for out in stage.outs)
    ]
    faults += [
        f"{entry} is read by stage {stage.name} from {path}, which is no dependency of it. Add it to deps."
        for path, entry in sorted(inputs.items())
        if path not in stage.deps
    ]
    written = [*outputs, *_vectors(pipeline, catalog)]
    for out in stage.outs:
        if any(_within(out, folder) or _within(folder, out) for folder in checkpoints):
            faults.append(
                f"Stage {stage.name} owns the checkpoints in {out}, and DVC deletes outputs before a stage runs: "
                "nothing could be resumed. Take it out of outs."
            )
        elif not any(_within(path, out) for path in written):
            faults.append(
                f"Stage {stage.name} declares {out}, which its pipeline does not write. Correct the path, or run the "
                "pipeline that writes it."
            )
    for dep in stage.deps:
        if dep.startswith(f"{data_folder}/") and dep not in files.values():
            faults.append(
                f"Stage {stage.name} depends on {dep}, which its pipeline neither reads nor writes. Correct the path."
            )
    return faults


def _vectors(pipeline: Pipeline, catalog: DataCatalog) -> list[str]:
    """The SVG beside each figure that is printed."""
    plots = [entry for entry in pipeline.all_outputs() if isinstance(catalog.get(entry), PaperFigure)]
    return [str(Path(str(file_path(catalog, entry))).with_suffix(".svg")) for entry in plots]


def _within(path: str, folder: str) -> bool:
    """Whether a path is an output, or lies in one that is a folder."""
    return Path(path) == Path(folder) or Path(folder) in Path(path).parents


def unstaged_faults(stages: Iterable[Stage], pipelines: Iterable[str]) -> list[str]:
    """Pipelines that no stage runs: DVC would never say that they are out of date."""
    staged = {name for stage in stages for name in _Run(stage).pipelines}
    return [
        f"No stage of dvc.yaml runs {name}. Add one, or the dataset to conf/dvc.yml."
        for name in sorted(set(pipelines) - staged)
    ]


def missing_source_faults(stages: Iterable[Stage], root: Path, data_folder: str = "data") -> list[str]:
    """Dependencies outside the data folder that do not exist: DVC would refuse to run the stage."""
    return [
        f"Stage {stage.name} depends on {dep}, which does not exist. Correct the path in dvc.yaml."
        for stage in stages
        for dep in stage.deps
        if not dep.startswith(f"{data_folder}/") and not (root / dep).exists()
    ]
