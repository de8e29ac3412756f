"""Kedro's settings of the project: the first file that every ``kedro`` command reads, so it imports nothing heavy."""

from typing import Any

from mien.hooks import ProjectHooks
from mien.tracking import TrackingHooks

HOOKS = (ProjectHooks(), TrackingHooks())

DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)


def overlay(section: Any, changes: Any) -> Any:
    """A section of parameters with some values changed, such as ``${overlay:${sae},{model: {depth: 4}}}``."""
    from omegaconf import OmegaConf

    return OmegaConf.merge(section, changes)


CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "demo",
    "merge_strategy": {"parameters": "soft"},
    "custom_resolvers": {"overlay": overlay},
    "config_patterns": {"project": ["project*"], "sweeps": ["sweeps*"]},
}
