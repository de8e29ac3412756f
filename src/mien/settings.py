"""Kedro's settings of the project: the first file that every ``kedro`` command reads, so it imports nothing heavy."""

from copy import deepcopy
from typing import Any

from kedro.config import OmegaConfigLoader

from mien.hooks import ProjectHooks
from mien.tracking import TrackingHooks

HOOKS = (ProjectHooks(), TrackingHooks())

DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)


def overlay(section: Any, changes: Any) -> Any:
    """A section of parameters with some values changed, such as ``${overlay:${sae},{model: {depth: 4}}}``."""
    from omegaconf import OmegaConf

    return OmegaConf.merge(section, changes)


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader, which reads each of the large kinds of configuration once and not at every use.

    Source: ours, because hooks, context and catalog ask for the same parameters, and a second passes each time.
    """

    READ_ONCE = ("parameters", "catalog")

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The configuration of one kind, as Kedro reads it; a copy that may be changed."""
        if key in self.READ_ONCE and key not in self:
            self[key] = super().__getitem__(key)
        return deepcopy(super().__getitem__(key))


CONFIG_LOADER_CLASS = ConfigLoader

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "demo",
    "merge_strategy": {"parameters": "soft"},
    "custom_resolvers": {"overlay": overlay},
    "config_patterns": {"project": ["project*"], "sweeps": ["sweeps*"]},
}
