"""Guards on the configuration files."""

import re
from pathlib import Path
from typing import Any

import yaml

from mien.configuration import LOCAL, expanded

COMMENT = re.compile(r"\s#\s*\S")
NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?")


def override_faults(conf: Path) -> list[str]:
    """Keys of an environment that base does not have, and sections on one side that are values on the other."""
    base = _by_kind(conf / "base")
    faults = []
    for folder in sorted(conf.iterdir()):
        if not folder.is_dir() or folder.name in ("base", LOCAL):
            continue
        for kind, content in _by_kind(folder).items():
            if kind not in base:
                faults.append(
                    f"conf/{folder.name}/{kind}*.yml has no counterpart in conf/base. Environments only override: "
                    "put the file into base."
                )
            else:
                faults += _new_keys(base[kind], content, f"conf/{folder.name}/{kind}*.yml", "")
    return faults


def _by_kind(folder: Path) -> dict[str, dict[str, Any]]:
    """Content of a folder's files by kind: parameters_sae.yml and parameters_raf_db.yml are one.

    Sections of parameters have what they extend.
    """
    kinds: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.rglob("*.yml")):
        kinds.setdefault(re.split(r"[_.]", file.name)[0], {}).update(yaml.safe_load(file.read_text()) or {})
    if "parameters" in kinds and folder.name == "base":
        kinds["parameters"] = expanded(kinds["parameters"], kinds.get("globals", {}))
    return kinds


def _new_keys(base: dict[str, Any], override: dict[str, Any], file: str, prefix: str) -> list[str]:
    faults = []
    for key, value in override.items():
        path = f"{prefix}{key}"
        if key not in base:
            faults.append(
                f"{file} sets {path}, which conf/base does not have. Environments only override: correct the name, or "
                "put the key with its published value into base."
            )
        elif isinstance(value, dict) != isinstance(base[key], dict):
            faults.append(f"{file} sets {path} to {value!r}, conf/base to {base[key]!r}: one of them is a section.")
        elif isinstance(value, dict):
            faults += _new_keys(base[key], value, file, f"{path}.")
    return faults


def origin_faults(file: Path) -> list[str]:
    """Lines with a number and without a comment that says where the number comes from."""
    text = file.read_text()
    lines = text.splitlines()
    numbers: dict[int, list[str]] = {}
    for scalar in _scalars(yaml.compose(text)):
        if scalar.style is None and NUMBER.fullmatch(scalar.value):
            numbers.setdefault(scalar.start_mark.line, []).append(scalar.value)
    return [
        f"{file.parent.name}/{file.name}, line {line + 1}: no origin of {', '.join(values)}. "
        "Add a comment: the paper or code it comes from, or 'ours' with the reason."
        for line, values in sorted(numbers.items())
        if not COMMENT.search(lines[line])
    ]


def _scalars(node: yaml.Node | None) -> list[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        return [node]
    if isinstance(node, yaml.MappingNode):
        return [scalar for _, value in node.value for scalar in _scalars(value)]
    if isinstance(node, yaml.SequenceNode):
        return [scalar for value in node.value for scalar in _scalars(value)]
    return []
