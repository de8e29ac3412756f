"""Which parameters there are, and the refusal of those that are given and are none: every level, every system."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel

from mien.configuration import EXTENDS
from mien.errors import MienError
from mien.names import DEFAULT_PIPELINE, NEAR, did_you_mean, likeness
from mien.nodes.params import NAME

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline

    from mien.configuration import ConfigLoader

Known = dict[str, Any]
"""A section: what is known in it by name. ``VALUE`` is one value, ``FREE`` takes anything, ``ANY`` is any name."""

VALUE, FREE, ANY = object(), object(), "*"

RUN_OPTIONS = ("variant", "raw", "parent_run")
"""Runtime parameters outside every section: name of the output folders, folder of raw datasets, MLflow's parent run."""

ELSEWHERE = 0.8
"""Likeness from which a name of another place is suggested: a typo or another word for it, not a chance of letters."""

MOST_REPORTED = 5
"""Faults that one message names."""

RUN_ID = r"^[A-Za-z0-9]{1,64}$"

Path_ = tuple[str, ...]


def known_parameters(pipelines: Mapping[str, "Pipeline"]) -> Known:
    """All parameters that nodes read, by the types that they are declared with.

    Args:
        pipelines: Those of the project.
    """
    from kedro.validation.type_extractor import TypeExtractor

    types = TypeExtractor(dict(pipelines)).extract_types_from_pipelines()
    steps = [step for each in pipelines.values() for step in each.nodes]
    read = dict.fromkeys(each[7:] for step in steps for each in step.inputs if each.startswith("params:"))
    known: Known = {}
    for name in sorted(read, key=lambda name: name.count(".")):  # a section before what is read of it alone
        *sections, last = name.split(".")
        place: Any = known
        for section in sections:
            place = place.setdefault(section, {})
        place.setdefault(last, _known(types.get(name, Any)))
    return known


def _known(kind: Any) -> Any:
    """What is known below a parameter of this type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: _known(field.annotation) for name, field in kind.model_fields.items()}
    if get_origin(kind) in (Union, UnionType):
        sections = [each for each in map(_known, get_args(kind)) if each is not VALUE]
        together = {name: known for section in sections if section is not FREE for name, known in section.items()}
        return together or (FREE if sections else VALUE)
    if get_origin(kind) is dict:
        below = _known(get_args(kind)[1])
        return {ANY: below}
    return FREE if kind in (Any, dict) else VALUE


def check_names(given: Mapping[str, Any], known: Known, where: str) -> None:
    """Check that every given parameter is a known one, at every level.

    Args:
        given: Sections in sections.
        known: As ``known_parameters`` has it.
        where: They come from, such as ``--params``.

    Raises:
        MienError: One is not; the nearest known one by name and place is suggested.

    Example:
        >>> check_names({"sae": {"model": {"depth": 4}}}, {"sae": {"model": {"depth": VALUE}}}, "--params")
    """
    faults = [_fault(path, rest, known, where) for path, rest in _unknown(given, known)]
    if faults:
        more = len(faults) - MOST_REPORTED
        raise MienError("\n".join([*faults[:MOST_REPORTED], *([f"And {more} more."] if more > 0 else [])]))


def _unknown(given: Mapping[str, Any], known: Any, above: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Paths that are not known, or are a section on one side and a value on the other, and what is given there."""
    for key, value in given.items():
        name = str(key)
        if name == EXTENDS or (isinstance(value, str) and value.startswith("${")):
            continue  # another section's, which is checked where it stands and where all are merged
        below = known.get(name, known.get(ANY))
        path = (*above, name)
        if below is None:
            yield path, value
        elif isinstance(below, dict) and isinstance(value, Mapping):
            yield from _unknown(value, below, path)
        elif below is not FREE and isinstance(below, dict) != isinstance(value, Mapping) and value is not None:
            yield path, value


def _fault(path: Path_, value: Any, known: Known, where: str) -> str:
    """What is wrong with one path, and what to do."""
    section = _section(known, path[:-1])
    below = section.get(path[-1], section.get(ANY))
    name = ".".join(path)
    if isinstance(below, dict):
        return f"{where} sets {name} to {value!r}, and it is a section.\nSet something in it: {_named(below)}."
    if below is VALUE:
        return f"{where} names {'.'.join([name, *_first_leaf(value)])}, and {name} is a value. Set {name} itself."
    given = (*path, *_first_leaf(value))
    near = _nearest_path(path, given, known)
    advice = f"Did you mean {near}? " if near else ""
    place = f"In {'.'.join(path[:-1])} there are" if path[:-1] else "Known are"
    options = RUN_OPTIONS if not path[:-1] else ()
    known_there = f"{place}: {_named(section, options)}."
    return f"{where} names {'.'.join(given)}, and there is no parameter {name}.\n{advice}{known_there}"


def _named(section: Known, options: tuple[str, ...] = ()) -> str:
    names = sorted(name for name in section if name != ANY)
    return ", ".join([*names, *options]) or "names of your own"


def _section(known: Any, path: Path_) -> Known:
    for name in path:
        known = known.get(name, known.get(ANY))
    return known


def _first_leaf(value: Any) -> Path_:
    """The names on the way to the first value below."""
    if not isinstance(value, Mapping) or not value:
        return ()
    key, below = next(iter(value.items()))
    return (str(key), *_first_leaf(below))


def _nearest_path(path: Path_, given: Path_, known: Known) -> str | None:
    """The known path that was probably meant: a sibling with a like name, or a like name in another place."""
    above, section, rest = path[:-1], _section(known, path[:-1]), given[len(path) :]
    scored: list[tuple[float, str]] = []
    for name in (*section, *(RUN_OPTIONS if not above else ())):
        like = likeness(path[-1], name)
        if name != ANY and like >= NEAR:
            fits = bool(rest) and _is_known(rest, section.get(name))
            scored.append((like + 0.3 * fits, ".".join([*above, name, *(rest if fits else ())])))
    elsewhere = [(like, other) for other in _leaves(known) if (like := likeness(given[-1], other[-1])) >= ELSEWHERE]
    for like, other in elsewhere:
        near = above[:1] == other[:1]
        if near or not above:
            place = 0.0 if near or other[0] == DEFAULT_PIPELINE else 0.01
            scored.append((like - 0.1 - (0.0 if near else 0.1) - place, ".".join(other)))
    return max(scored, key=lambda each: each[0])[1] if scored else None


def _is_known(path: Path_, known: Any) -> bool:
    for name in path:
        if known is FREE:
            return True
        if not isinstance(known, dict):
            return False
        known = known.get(name, known.get(ANY))
    return known is not None


def _leaves(known: Any, above: Path_ = ()) -> Iterator[Path_]:
    for name, below in known.items():
        if isinstance(below, dict):
            yield from _leaves(below, (*above, name))
        elif name != ANY:
            yield (*above, name)


def check_run_options(given: Mapping[str, Any]) -> None:
    """Check the runtime parameters that become names of folders and runs.

    Raises:
        MienError: A variant is no name but a path, empty, or no text; or a parent run is no identifier.

    Example:
        >>> check_run_options({"variant": "keep_0.1"})
    """
    for option, pattern, meant in (
        ("variant", NAME, "a name of letters, digits and . _ + = - that begins with a letter or digit, as keep_0.1"),
        ("parent_run", RUN_ID, "the identifier of an MLflow run, letters and digits"),
    ):
        value = given.get(option, "x")
        named = isinstance(value, str | int | float) and not isinstance(value, bool)
        if not named or not re.fullmatch(pattern, str(value)):
            raise MienError(
                f"{option} is {value!r}, which is no name. Folders and runs are called by it; a path leads elsewhere.\n"
                f"Give {meant}, of at most 100."
            )
    raw = given.get("raw", "x")
    if isinstance(raw, bool) or not isinstance(raw, str | int | float) or raw == "":
        raise MienError(f"raw is {raw!r}, which is no folder. Give the path of the folder with your datasets.")


def check_parameters(loader: "ConfigLoader", pipelines: Mapping[str, "Pipeline"]) -> None:
    """Check all parameters of a run by name before anything is made of them: from the command line and from files.

    Kedro takes any name; a mistyped one would change nothing and be stored as if it had.

    Args:
        loader: Kedro's, with the environment and the runtime parameters.
        pipelines: Those of the project.

    Raises:
        MienError: A parameter is unknown, or the variant is no name.
    """
    runtime = dict(loader.runtime_params or {})
    known = known_parameters(pipelines)
    check_names(_without_options(runtime), known, "--params")
    check_run_options(runtime)
    conf = Path(loader.conf_source)
    for folder in loader.folders():
        for file in sorted(folder.rglob("parameters*.y*ml")):
            check_names(_content(file), known, str(file))
    check_names(_without_options(_merged(loader)), known, f"{conf}/*/parameters*.yml")
    check_run_options({"variant": loader["globals"]["variant"]})
    for kind in ("globals", "project"):
        _check_settings(loader, kind)


def _merged(loader: "ConfigLoader") -> Mapping[str, Any]:
    from omegaconf.errors import OmegaConfBaseException

    try:
        return loader["parameters"]
    except OmegaConfBaseException as error:
        raise MienError(
            f"The parameters in {loader.conf_source} cannot be put together: {str(error).splitlines()[0]}.\n"
            "What ${...} names has to stand in the same environment's files; let a section extend another instead."
        ) from error


def _without_options(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in RUN_OPTIONS}


def _check_settings(loader: "ConfigLoader", kind: str) -> None:
    """Check that an environment's settings of one kind are those that base has."""
    conf = Path(loader.conf_source)
    known = {name for file in (conf / loader.base_env).glob(f"{kind}*.y*ml") for name in _content(file)}
    for name in loader[kind]:
        if name not in known:
            raise MienError(
                f"{conf}/{loader.env or loader.default_run_env}/{kind}*.yml names '{name}', which nothing reads.\n"
                f"{did_you_mean(str(name), sorted(known))}Known are: {', '.join(sorted(known))}."
            )


def _content(file: Path) -> Mapping[str, Any]:
    """What a file of configuration says, as it stands there.

    Source: ours, because Kedro's loader would read all values a second time, for a second, and name no file.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # some builds of PyYAML lack the fast one
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=loader) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MienError(
            f"{file} is no YAML: {error}.\nCorrect it; an editor that checks YAML shows the place."
        ) from error
    if not isinstance(content, Mapping):
        what = type(content).__name__
        raise MienError(f"{file} holds a {what}, not names with values. Begin with a section.")
    return content
