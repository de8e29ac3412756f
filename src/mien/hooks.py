"""What happens around a run: environments are announced, faults found early, the end says where to look."""

import difflib
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.hooks import hook_impl

from mien.configuration import LOCAL
from mien.errors import MienError
from mien.labels import synthetic_share
from mien.names import DEFAULT_PIPELINE
from mien.outputs import remove_all_dead_parts
from mien.own_outputs import OwnOutputs
from mien.parameter_names import check_parameters
from mien.run_inputs import check_inputs

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline

logger = logging.getLogger(__name__)

ANNOUNCEMENTS = {
    "demo": "Environment demo: synthetic faces and small networks, minutes on a CPU. "
    "For the published protocol on your own data add --env=paper",
    "paper": "Environment paper: the published protocol on your own data. Without --env=paper the demo runs",
    "reduced": "Environment reduced: your own data with small networks and few epochs, for a machine without GPU. "
    "Its scores are no results of the published setting: for that add --env=paper",
}

HEADLINES = {
    "accuracy": ("accuracy", "%", 100),
    "mae_years": ("mean absolute error", "years", 1),
    "gender_accuracy": ("accuracy of gender", "%", 100),
    "ethnicity_accuracy": ("accuracy of ethnicity", "%", 100),
}
"""Test scores that are logged at the end of a run, where a system has them: words, unit and factor."""


REPORT = "report.html"
"""The catalog entry of the report's page."""


class ProjectHooks:
    """Announcement, preflight and farewell of a run."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: "KedroContext") -> None:
        """Refuse an unknown environment and unknown parameters, and announce the environment."""
        from kedro.framework.project import pipelines

        conf = Path(context.config_loader.conf_source)
        folders = {folder.name for folder in conf.iterdir() if folder.is_dir()}
        known = sorted(folders - {context.config_loader.base_env, LOCAL})
        env = context.env or context.config_loader.default_run_env
        if env not in known:
            near = difflib.get_close_matches(env, known)
            raise click.ClickException(
                f"There is no environment '{env}' in {conf}.\n"
                f"{f'Did you mean {near[0]}? ' if near else ''}Environments are folders there: {', '.join(known)}."
            )
        with _as_message():
            check_parameters(context.config_loader, pipelines)
        logger.info(ANNOUNCEMENTS.get(env, f"Environment {env}"))
        self._project = context.config_loader["project"]
        self._root, self._data = context.project_path, context.config_loader["globals"]["data"]

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: "Pipeline", catalog: "DataCatalog") -> None:
        """Find missing data and a full disk before the first node runs; remove what killed runs left."""
        from kedro.framework.project import pipelines

        with _as_message():
            check_inputs(pipeline, catalog, run_params, pipelines)
        check_raw_folders(pipeline, catalog)
        for folder in written_folders(self._root, self._data, pipeline, catalog):
            check_disk(folder, self._project["min_free_gb"])
        remove_all_dead_parts(output_folders(pipeline, catalog))
        self._catalog, self._own = catalog, OwnOutputs()

    @hook_impl(tryfirst=True)
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Remember what this run has written."""
        if (file := self._file(dataset_name)) is not None:
            self._own.saved(file)

    @hook_impl(tryfirst=True)
    def before_dataset_loaded(self, dataset_name: str) -> None:
        """Refuse to read back what another run has written meanwhile."""
        if (file := self._file(dataset_name)) is not None:
            self._own.check(file)

    def _file(self, dataset_name: str) -> Path | None:
        file = getattr(self._catalog.get(dataset_name), "_filepath", None)
        return None if file is None else Path(file)

    @hook_impl(trylast=True)
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: "Pipeline", catalog: "DataCatalog") -> None:
        """Say what came out and where to look next."""
        variant = (run_params["runtime_params"] or {}).get("variant")
        for entry in sorted(entry for entry in pipeline.all_outputs() if entry.endswith(".metrics")):
            metrics = catalog.load(entry)
            name = " ".join([entry.split(".")[0], *([str(variant)] if variant else [])])
            for words in headlines(metrics):
                logger.info("%s: %s", name, words)
            logger.info("Metrics and figures as files: %s", Path(catalog.get(entry)._filepath).parent)
        logger.info("Runs side by side: mlflow ui, in the project's folder, then http://localhost:5000")
        env = f" --env={run_params['env']}" if run_params["env"] else ""
        if REPORT in pipeline.all_outputs():
            logger.info("Report, to be opened in a browser: %s", catalog.get(REPORT)._filepath)
        else:
            logger.info("Report of all finished runs: kedro run --pipelines=report%s", env)
        options = env + (f" --params=variant={variant}" if variant else "")
        names = run_params["pipeline_names"] or [DEFAULT_PIPELINE]
        logger.info("Lineage and figures: kedro viz run --pipeline=%s%s", names[0], options)


@contextmanager
def _as_message() -> Iterator[None]:
    """Tell what is wrong in its own words alone, whichever command of Kedro's it is."""
    try:
        yield
    except MienError as error:
        raise click.ClickException(str(error)) from error


def headlines(metrics: dict[str, float | None]) -> list[str]:
    """A system's main test scores in words, with their intervals; those that it has.

    Example:
        >>> headlines({"test/accuracy": 0.5, "test/accuracy_low": 0.4, "test/accuracy_high": 0.6, "test/n": 25})
        ['test accuracy 50.0 % (95 % interval 40.0 to 60.0, n = 25)']
    """
    kind = ", on synthetic faces" if synthetic_share(metrics) == 1 else ""
    found = []
    for name, (words, unit, factor) in HEADLINES.items():
        value, low, high = (metrics.get(f"test/{name}{end}") for end in ("", "_low", "_high"))
        if value is None:
            continue
        notes = [f"n = {metrics['test/n']}{kind}"]
        if low is not None and high is not None:
            notes.insert(0, f"95 % interval {factor * low:.1f} to {factor * high:.1f}")
        found.append(f"test {words} {factor * value:.1f} {unit} ({', '.join(notes)})")
    return found


def check_raw_folders(pipeline: "Pipeline", catalog: "DataCatalog") -> None:
    """Check the folders that users provide, with the reader's own words if one is missing.

    Raises:
        click.ClickException: A folder is missing or not in its published layout.
    """
    for step in pipeline.nodes:
        for entry in step.outputs:
            if not entry.endswith(".raw"):
                continue
            synthetic = catalog.load(step.inputs[0])
            if synthetic.generate:
                continue
            with _as_message():
                step.func(synthetic)(catalog.get(entry).path)


def output_folders(pipeline: "Pipeline", catalog: "DataCatalog") -> list[Path]:
    """Folders in which a run's outputs lie, and what killed runs may have left of them."""
    entries = (catalog.get(name) for name in sorted(pipeline.all_outputs()) if name in catalog)
    files = (getattr(entry, "_filepath", None) for entry in entries)
    return sorted({Path(file).parent for file in files if file is not None})


def written_folders(root: Path, data: str, pipeline: "Pipeline", catalog: "DataCatalog") -> list[Path]:
    """Where a run writes: the project, which MLflow's files lie in, its layers, and the raw folders that it generates.

    Args:
        root: The project's folder.
        data: The layers', relative to it or absolute.
        pipeline: That is run.
        catalog: Its entries.
    """
    generated = [
        catalog.get(entry).path
        for step in pipeline.nodes
        for entry in step.outputs
        if entry.endswith(".raw") and catalog.load(step.inputs[0]).generate
    ]
    return list(dict.fromkeys([root, root / data, *generated]))


def check_disk(folder: Path, min_free_gb: float) -> None:
    """Check that the disk of a folder, which need not exist yet, has room for what a run writes.

    Raises:
        click.ClickException: Less is free than ``min_free_gb``.
    """
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(existing).free / 1e9
    if free < min_free_gb:
        raise click.ClickException(
            f"Only {free:.1f} GB are free on the disk of {folder}; a run of this environment needs "
            f"{min_free_gb} GB.\n"
            "Make room, point data and raw in conf/<env>/globals.yml to another disk, or lower min_free_gb in "
            "conf/<env>/project.yml."
        )
