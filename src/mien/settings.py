"""Kedro's settings of the project: the first file that every ``kedro`` command reads, so it imports nothing heavy."""

import os
from collections.abc import Mapping
from copy import deepcopy
from glob import glob
from pathlib import Path, PurePath
from typing import Any

import yaml
from fsspec.implementations.local import LocalFileSystem
from kedro.config import OmegaConfigLoader
from kedro.framework.project import LOGGING, find_config_file

from mien.hooks import ProjectHooks
from mien.tracking import TrackingHooks

HOOKS = (ProjectHooks(), TrackingHooks())

DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)


def overlay(section: Any, changes: Any) -> Any:
    """A section of parameters with some values changed, such as ``${overlay:${sae},{model: {depth: 4}}}``."""
    from omegaconf import OmegaConf

    return OmegaConf.merge(section, changes)


def with_home(value: Any) -> Any:
    """A section with the user's home for ``~`` at the beginning of its texts, as a shell writes it.

    Example:
        >>> with_home({"raw": "~/faces"})["raw"] == os.path.expanduser("~/faces")
        True
    """
    if isinstance(value, Mapping):
        return {name: with_home(each) for name, each in value.items()}
    if isinstance(value, list):
        return [with_home(each) for each in value]
    return os.path.expanduser(value) if isinstance(value, str) and value.startswith("~") else value  # noqa: PTH111


class _FilesBelow(LocalFileSystem):
    """The local files, where a pattern is one only below ``folder``, whose own name may have brackets.

    Source: ours, because Kedro searches ``<conf>/<pattern>`` and takes the ``[1]`` of a project's path for a set.
    """

    cachable = False

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def glob(self, path: str, **options: Any) -> list[str]:
        """Files and folders below ``folder`` that fit; as in fsspec, ``**`` at the end means every depth."""
        pattern = PurePath(path).relative_to(self._folder).as_posix()
        wanted = f"{pattern}/*" * pattern.endswith("/**") or pattern
        found = glob(wanted, root_dir=self._folder, recursive=True, include_hidden=True)  # noqa: PTH207 - Path.glob follows no links
        return sorted((self._folder / name).as_posix() for name in found)


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader, which reads each of the large kinds of configuration once and not at every use.

    It knows ``~``, and its folder may have brackets in its path.

    Source: ours, because hooks, context and catalog ask for the same parameters, and a second passes each time.
    """

    READ_ONCE = ("parameters", "catalog", "globals")

    @staticmethod
    def _initialise_filesystem_and_protocol(conf_source: str) -> tuple[Any, str]:
        files, protocol = OmegaConfigLoader._initialise_filesystem_and_protocol(conf_source)
        return _FilesBelow(Path(conf_source)) if protocol == "file" else files, protocol

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The configuration of one kind, as Kedro reads it, ``~`` filled in; a copy that may be changed."""
        if key in self.READ_ONCE and key not in self:
            self[key] = with_home(super().__getitem__(key))
        return deepcopy(super().__getitem__(key))


def log_as_the_project(root: Path) -> None:
    """Apply ``conf/logging.yml`` where Kedro, which looks for it from the working directory on, has not found it.

    Args:
        root: The project's folder; nothing happens where the package is installed elsewhere.
    """
    file = root / "conf" / "logging.yml"
    if file.is_file() and find_config_file("conf/logging") is None and "KEDRO_LOGGING_CONFIG" not in os.environ:
        LOGGING.configure(yaml.safe_load(file.read_text(encoding="utf-8")))


log_as_the_project(Path(__file__).parents[2])

CONFIG_LOADER_CLASS = ConfigLoader

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "demo",
    "merge_strategy": {"parameters": "soft"},
    "custom_resolvers": {"overlay": overlay},
    "config_patterns": {"project": ["project*"], "sweeps": ["sweeps*"]},
}
