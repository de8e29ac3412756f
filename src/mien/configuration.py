"""How configuration is put together: base, the environment, the user's own ``conf/local``, the command line."""

import operator
import os
from collections.abc import Mapping
from copy import deepcopy
from functools import reduce
from glob import glob
from pathlib import Path, PurePath
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from kedro.config import OmegaConfigLoader

from mien.errors import MienError

LOCAL = "local"
"""Folder of ``conf`` that git ignores: a user's own paths and settings."""

EXTENDS = "extends"
"""Key of a section that says which other section it begins as."""

GLOBALS = "globals:"
"""Before the name of a section that stands in globals."""

KINDS = ("optimizer", "scheduler")
"""Sections with a ``name`` that says which other keys they have: one that names another kind replaces the first."""


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Sections of both, the other's values where both have one.

    Example:
        >>> merged({"sae": {"model": {"depth": 1}}}, {"sae": {"model": {"heads": 2}}})
        {'sae': {'model': {'depth': 1, 'heads': 2}}}
        >>> merged({"scheduler": {"name": "step", "step_size": 30}}, {"scheduler": {"name": "cosine"}})
        {'scheduler': {'name': 'cosine'}}
    """
    result = dict(one)
    for name, value in other.items():
        below = result.get(name)
        if isinstance(value, Mapping) and isinstance(below, Mapping) and _same_kind(name, below, value):
            value = merged(below, value)
        result[name] = value
    return result


def _same_kind(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return name not in KINDS or other.get("name", one.get("name")) == one.get("name")


def expanded(sections: Mapping[str, Any], global_sections: Mapping[str, Any]) -> dict[str, Any]:
    """Sections that extend another one, with what the other has and they do not say themselves.

    Args:
        sections: All environments together, so that what changes a section changes those that extend it.
        global_sections: Those that ``globals:`` names.

    Raises:
        MienError: A section extends one that is not there, or itself.

    Example:
        >>> expanded({"sae": {"depth": 8}, "sae_ferplus": {"extends": "sae", "heads": 4}}, {})["sae_ferplus"]
        {'depth': 8, 'heads': 4}
    """

    def other(name: Any, where: str, above: tuple[str, ...]) -> Any:
        """The section of a name, whole, where it is extended after those above."""
        text = str(name)
        place, key = (global_sections, text[len(GLOBALS) :]) if text.startswith(GLOBALS) else (sections, text)
        if text in above:
            raise MienError(f"{where} extends {text}, which extends it again. Let one of them stand by itself.")
        if not isinstance(place.get(key), Mapping):
            known = ", ".join(sorted(name for name, value in place.items() if isinstance(value, Mapping)))
            raise MienError(f"{where} extends {text}, and there is no such section. There are: {known}.")
        return whole(place[key], text, (*above, text))

    def whole(value: Any, where: str, above: tuple[str, ...]) -> Any:
        """A value with all that the sections in it extend."""
        if isinstance(value, list):
            return [whole(each, where, above) for each in value]
        if not isinstance(value, Mapping):
            return value
        own = {name: whole(each, f"{where}.{name}", above) for name, each in value.items() if name != EXTENDS}
        return merged(other(value[EXTENDS], where, above), own) if EXTENDS in value else own

    return {name: whole(value, name, (name,)) for name, value in sections.items()}


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
    """Kedro's loader with ``conf/local``, sections that extend others, ``~``, and brackets in its folder's path.

    Values of parameters count in this order: command line, ``conf/local``, the environment, base. Globals count
    environment before ``conf/local``, so that a user's folder of datasets is not the demo's. Of parameters and globals
    sections are merged value by value; of all else, such as the catalog, a whole entry replaces another. Each kind is
    read once: hooks, context and catalog read the same parameters.

    Source: ours, because Kedro resolves references within one environment before it merges two.
    """

    @staticmethod
    def _initialise_filesystem_and_protocol(conf_source: str) -> tuple[Any, str]:
        files, protocol = OmegaConfigLoader._initialise_filesystem_and_protocol(conf_source)
        return _FilesBelow(Path(conf_source)) if protocol == "file" else files, protocol

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The configuration of one kind as a copy that may be changed."""
        if key in self.config_patterns and key not in self:
            self._register_runtime_params_resolver()  # another loader may have registered its own since
            read = with_home(self._read(key))
            self[key] = {name: read[name] for name in sorted(read)}  # Kedro reads a folder's files in any order
        return deepcopy(super().__getitem__(key))

    def folders(self, key: str = "parameters") -> list[Path]:
        """Folders in the order in which their values replace each other, those that are there."""
        env = self.env or self.default_run_env
        names = (self.base_env, LOCAL, env) if key == "globals" else (self.base_env, env, LOCAL)
        folders = [Path(self.conf_source) / name for name in dict.fromkeys(names)]
        return [folder for folder in folders if folder.is_dir()]

    def _read(self, key: str) -> dict[str, Any]:
        layers = [self._read_folder(folder, key) for folder in self.folders(key)]
        if key == "parameters":
            return expanded(reduce(merged, [*layers, dict(self.runtime_params or {})]), self["globals"])
        return reduce(merged if key == "globals" else operator.or_, layers)

    def _read_folder(self, folder: Path, key: str) -> dict[str, Any]:
        secret = key == "credentials"  # whose values may name environment variables
        files = self._read_dir_configs(str(folder), list(self.config_patterns[key]), key, set(), secret)
        # Of another name than "parameters", to which Kedro would add the runtime parameters of every folder
        return self._merge_and_resolve("sections" if key == "parameters" else key, files)
