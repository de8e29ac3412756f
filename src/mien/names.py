"""Names that a user gives to a run, and the known name that a mistyped one stands for."""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mien.errors import MienError

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline

DEFAULT_ENV = "demo"
"""Environment that runs where none is named."""

DEFAULT_PIPELINE = "sae"
"""What runs where none is named: the system of README's first command."""

NEAR = 0.6
"""Likeness from which a name is suggested.

Source: the default of ``difflib.get_close_matches``.
"""

SYNONYMS: Mapping[str, str] = {
    "epochs": "max_epochs",
    "num_epochs": "max_epochs",
    "n_epochs": "max_epochs",
    "learning_rate": "lr",
    "weight_decay_rate": "weight_decay",
    "l2": "weight_decay",
    "dropout": "drop_rate",
    "dropout_rate": "drop_rate",
    "layers": "depth",
    "num_layers": "depth",
    "dim": "embed_dim",
    "hidden_size": "embed_dim",
    "resolution": "image_size",
    "img_size": "image_size",
    "input_size": "image_size",
    "gpu": "accelerator",
    "gpus": "devices",
    "device": "accelerator",
    "amp": "precision",
    "fp16": "precision",
    "mixed_precision": "precision",
    "pretrained": "weights",
    "checkpoint": "weights",
    "early_stopping": "patience",
    "random_state": "seed",
}
"""Other libraries' words for ours, which no likeness of letters finds."""

NODE_OPTIONS = {"node_names": "--nodes", "from_nodes": "--from-nodes", "to_nodes": "--to-nodes"}
ENTRY_OPTIONS = {"from_inputs": "--from-inputs", "to_outputs": "--to-outputs"}


def likeness(given: str, known: str) -> float:
    """How much a given name is like a known one, from 0 to 1: by letters, by words, by meaning.

    Example:
        >>> likeness("epochs", "max_epochs") > likeness("epochs", "spos")
        True
        >>> likeness("SAE", "sae"), likeness("learning_rate", "lr")
        (1.0, 0.95)
    """
    one, other = _words(given), _words(known)
    if one == other:
        return 1.0
    if SYNONYMS.get("_".join(one)) == known:
        return 0.95
    if _holds(one, other) or _holds(other, one):
        return 0.8 + 0.1 * min(len(one), len(other)) / max(len(one), len(other))
    return difflib.SequenceMatcher(None, "_".join(one), "_".join(other)).ratio()


def _words(name: str) -> list[str]:
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return [word for word in re.split(r"[^a-z0-9]+", parts.lower()) if word]


def _holds(whole: Sequence[str], part: Sequence[str]) -> bool:
    """Whether every word of ``part``, a plural or not, is one of ``whole``."""
    singular = [{word, word.removesuffix("s")} for word in whole]
    return bool(part) and all(
        len(word) > 2 and any({word, word.removesuffix("s")} & each for each in singular) for word in part
    )


def nearest(given: str, known: Iterable[str]) -> str | None:
    """The known name that is most like the given one; None where none is near. The first of equals.

    A given name without a namespace is also compared with what follows the namespace of a known one.

    Example:
        >>> nearest("trian", ["train", "predict"])
        'train'
    """
    inside = "." not in given
    scored = [
        (max(likeness(given, name), likeness(given, name.split(".")[-1]) if inside else 0), name) for name in known
    ]
    best = max(scored, key=lambda each: each[0], default=(0.0, ""))
    return best[1] if best[0] >= NEAR else None


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """``Did you mean …? `` with a blank at its end, or nothing."""
    near = nearest(given, known)
    return f"Did you mean {near}? " if near else ""


def check_run_names(options: Mapping[str, Any], pipelines: Mapping[str, "Pipeline"]) -> None:
    """Check that the pipelines, nodes, tags, namespaces and entries that a run is requested exist.

    Args:
        options: Of ``kedro run``, by Kedro's names: ``pipelines``, ``from_nodes`` …
        pipelines: Those of the project by name.

    Raises:
        MienError: A name is none of the project's, or not of the pipelines that are run.

    Example:
        >>> check_run_names({"pipelines": ["sae"]}, {"sae": None})
    """
    names = list(options.get("pipelines") or [DEFAULT_PIPELINE])
    for name in names:
        if name not in pipelines:
            known = [each for each in pipelines if each != "__default__"]
            raise MienError(
                f"--pipelines names '{name}', and there is no such pipeline.\n"
                f"{did_you_mean(name, known)}Pipelines are: {', '.join(sorted(known))}."
            )
    for option, spelling in NODE_OPTIONS.items():
        _check_each(options.get(option), spelling, "node", names, pipelines, _nodes)
    for option, spelling in ENTRY_OPTIONS.items():
        _check_each(options.get(option), spelling, "entry", names, pipelines, _entries)
    _check_each(options.get("namespaces"), "--namespaces", "namespace", names, pipelines, _namespaces)
    _check_each(options.get("tags"), "--tags", "tag", names, pipelines, _tags)


def _nodes(pipeline: "Pipeline") -> set[str]:
    return {step.name for step in pipeline.nodes}


def _entries(pipeline: "Pipeline") -> set[str]:
    return pipeline.datasets()


def _namespaces(pipeline: "Pipeline") -> set[str]:
    return {step.namespace for step in pipeline.nodes if step.namespace}


def _tags(pipeline: "Pipeline") -> set[str]:
    return {tag for step in pipeline.nodes for tag in step.tags}


def _check_each(
    given: Collection[str] | None,
    option: str,
    kind: str,
    names: Sequence[str],
    pipelines: Mapping[str, "Pipeline"],
    of: Any,
) -> None:
    here = sorted({each for name in names for each in of(pipelines[name])})
    for each in given or ():
        if each in here:
            continue
        where = f"{option} names '{each}', and {' + '.join(names)} has no such {kind}.\n"
        homes = [name for name in pipelines if name != "__default__" and each in of(pipelines[name])]
        if homes:
            smallest = min(homes, key=lambda name: len(pipelines[name].nodes))
            raise MienError(f"{where}It is one of the pipeline {smallest}: add --pipelines={smallest}.")
        if not here:
            raise MienError(f"{where}There is no {kind} at all. Choose by --nodes or --namespaces instead.")
        everywhere = {name for pipeline in pipelines.values() for name in of(pipeline)}
        own = [known for known in here if known.partition(".")[0] in names]  # before what they are joined with
        advice = did_you_mean(each, [*own, *here]) or did_you_mean(each, sorted(everywhere))
        raise MienError(f"{where}{advice}Known there are: {', '.join(here)}.")
