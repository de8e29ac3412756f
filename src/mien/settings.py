"""Kedro's settings of the project: the first file that every ``kedro`` command reads, so it imports nothing heavy."""

from mien.hooks import ProjectHooks
from mien.tracking import TrackingHooks

HOOKS = (ProjectHooks(), TrackingHooks())

DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "demo",
    "merge_strategy": {"parameters": "soft"},
    "config_patterns": {"project": ["project*"], "sweeps": ["sweeps*"]},
}
