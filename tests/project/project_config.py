"""The project as the guards see it: configuration and catalog of each environment, through Kedro's own loader."""

from pathlib import Path
from typing import Any

from kedro.io import DataCatalog

from mien.configuration import ConfigLoader
from mien.settings import CONFIG_LOADER_ARGS


def environments(conf: Path) -> list[str]:
    """Names of the environments, base left out."""
    return sorted(folder.name for folder in conf.iterdir() if folder.is_dir() and folder.name not in ("base", "local"))


def load_config(conf: Path, env: str, **runtime_params: Any) -> ConfigLoader:
    """Base and one environment, merged as in a run."""
    return ConfigLoader(str(conf), env=env, runtime_params=runtime_params, **CONFIG_LOADER_ARGS)


def load_catalog(conf: Path, env: str, **runtime_params: Any) -> DataCatalog:
    """The catalog of one environment; entries are made when they are requested."""
    return DataCatalog.from_config(load_config(conf, env, **runtime_params)["catalog"])


def file_path(catalog: DataCatalog, entry: str) -> str | None:
    """Where an entry lies, relative to the project; None where it has no file or is not in the catalog."""
    if entry not in catalog:
        return None
    return catalog.config_resolver.resolve_pattern(entry).get("filepath")


def data_entries(pipeline: Any) -> set[str]:
    """Every entry that a pipeline reads or writes, parameters left out."""
    return {entry for entry in pipeline.datasets() if entry != "parameters" and not entry.startswith("params:")}
