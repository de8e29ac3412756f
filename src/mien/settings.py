"""Kedro's settings of the project: the first file that every ``kedro`` command reads, so it imports nothing heavy."""

import os
from pathlib import Path

import yaml
from kedro.framework.project import LOGGING, find_config_file

from mien.configuration import ConfigLoader
from mien.hooks import ProjectHooks
from mien.names import DEFAULT_ENV
from mien.tracking import TrackingHooks

HOOKS = (ProjectHooks(), TrackingHooks())

DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)


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
    "default_run_env": DEFAULT_ENV,
    "config_patterns": {"project": ["project*"], "sweeps": ["sweeps*"]},
}
