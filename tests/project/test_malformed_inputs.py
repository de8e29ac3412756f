"""What people give that is malformed, counted: datasets, weights, files of other runs, parameters.

Each input ends in a clear error or in the right result; `pytest -s` writes how many in which. Nothing is a traceback,
and nothing silently wrong.
"""

import math
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from kedro.io import DatasetError
from pydantic import ValidationError
from safetensors.torch import save_file
from tests.data.corrupted_reading import (
    CLEAR,
    OUTCOMES,
    RIGHT,
    TRACEBACK,
    WRONG,
    Outcome,
    build,
    corrupted,
    evaluated,
    files,
    outcome,
)
from tests.data.corruptions import CORRUPTIONS, fits
from tests.data.tiny_datasets import TINY
from tests.io.test_damaged_files import CASES, saved
from tests.models.test_weights import NOT_PLAIN, Opaque
from tests.nodes.test_params import EVERY, PUBLISHED, changed
from tests.test_parameter_names import KNOWN, SECTIONS, nested
from torch import nn

from mien.cli import mistake
from mien.errors import MienError
from mien.models.weights import load_classifier, load_weights
from mien.parameter_names import check_names

pytestmark = pytest.mark.slow

WANTED = 662
"""How many inputs of these kinds there have to be."""

NUM_KINDS = 5

IN_ANY_FILE = [name for name in CORRUPTIONS if fits(name, Path("a.png")) and fits(name, Path("a.wav"))]


class Counts:
    """Outcomes by kind of input, with what went wrong."""

    def __init__(self) -> None:
        self.kinds: dict[str, Counter[str]] = {}
        self.wrong: list[str] = []
        self.reported = 0

    def add(self, kind: str, what: str, got: Outcome) -> None:
        self.kinds.setdefault(kind, Counter())[got.kind] += 1
        if got.kind not in (CLEAR, RIGHT):
            self.wrong.append(f"{what}: {got.kind}: {got.reported}")

    def new_faults(self) -> list[str]:
        """What went wrong since this was requested last."""
        faults, self.reported = self.wrong[self.reported :], len(self.wrong)
        return faults

    def total(self, kind: str) -> int:
        return sum(counter[kind] for counter in self.kinds.values())


@pytest.fixture(scope="module")
def counts() -> Iterator[Counts]:
    counts = Counts()
    yield counts
    for kind, counter in [*counts.kinds.items(), ("all", Counter({each: counts.total(each) for each in OUTCOMES}))]:
        reported = ", ".join(f"{each} {counter[each]}" for each in OUTCOMES)
        sys.stdout.write(f"\n{kind}: {counter.total()} inputs: {reported}")
    sys.stdout.write("\n")


@pytest.mark.parametrize("dataset", TINY)
def test_datasets(dataset, counts, tmp_path):
    """Every corruption of the first file of each kind and part."""
    sound = build(dataset, tmp_path / "sound")
    first: dict[str, str] = {}
    for file in files(sound):
        part = Path(file).parts[0] if "/" in file else file
        first.setdefault(f"{part.rstrip('0123456789')} {Path(file).suffix}", file)
    for number, (file, what) in enumerate((file, what) for file in first.values() for what in CORRUPTIONS):
        if not fits(what, Path(file)):
            continue
        here = tmp_path / str(number)
        got = outcome(sound, corrupted(sound, here, file, what, number), what, lenient=number % 2 == 0)
        shutil.rmtree(here)
        counts.add("datasets", f"{dataset}, {file}, {what}", got)
    assert counts.new_faults() == []


def weights(kind: str, place: str) -> dict[str, torch.Tensor]:
    tensors = {"head.weight": torch.ones(3, 4), "head.bias": torch.zeros(3)}
    return {**tensors, place: NOT_PLAIN[kind][0](tuple(tensors[place].shape))}


def loaded(load: Any, path: Path, right: dict[str, torch.Tensor] | None) -> Outcome:
    """Load weights, which are ``right`` or refused; what they leave in the module has to be what it was before."""
    module = nn.ModuleDict({"head": nn.Linear(4, 3)})
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    try:
        load(module, path)
    except Exception as error:
        got = evaluated(error, (str(path),))
        same = all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
        return got if same else Outcome(WRONG, "a refused file has changed the network")
    state = module.state_dict()
    if right is not None and all(torch.equal(state[name], tensor) for name, tensor in right.items()):
        return Outcome(RIGHT, "")
    return Outcome(WRONG, "is loaded as other weights")


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.parametrize("load", [load_weights, load_classifier])
def test_weights(load, counts, tmp_path):
    right = {"head.weight": torch.ones(3, 4), "head.bias": torch.zeros(3)}
    for kind in NOT_PLAIN:
        for place in right if kind != "compressed" else ("head.weight",):  # which has rows and columns
            for container in ("", "state_dict", "model"):
                path = tmp_path / "bad.pth"
                state = weights(kind, place)
                torch.save({container: state} if container else state, path)
                counts.add("weights", f"{load.__name__}, {kind} {place} {container}", loaded(load, path, None))
    for suffix in (".pth", ".safetensors"):
        for number, what in enumerate(IN_ANY_FILE):
            folder = tmp_path / f"{number}{suffix}"
            folder.mkdir()
            path = folder / f"weights{suffix}"
            torch.save(right, path) if suffix == ".pth" else save_file(right, path)
            if suffix == ".safetensors" and "flipped" in what:
                continue  # the format has no checksum
            CORRUPTIONS[what].apply(folder, path, Random(number))
            counts.add("weights", f"{load.__name__}, {suffix}, {what}", loaded(load, path, right))
    for bit in range(0, 8 * 48, 7):  # of a number
        path = tmp_path / "flipped.pth"
        torch.save(right, path)
        content = bytearray(path.read_bytes())
        content[content.index(right["head.weight"].numpy().tobytes()) + bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        counts.add("weights", f"{load.__name__}, bit {bit}", loaded(load, path, right))
    for content in ({"a": Opaque()}, Opaque, [1], {}, 3, {"epoch": 3}, {"a": torch.ones(2)}, {"head": right}):
        torch.save(content, tmp_path / "other.pth")
        got = loaded(load, tmp_path / "other.pth", right)
        counts.add("weights", f"{load.__name__}, {str(content)[:40]}", got)
    assert counts.new_faults() == []


@pytest.mark.parametrize("seed", range(3))
def test_files_of_other_runs(seed, counts, tmp_path):
    """Packed faces and sound, tables, networks, arrays and figures, damaged in every way that a class can tell."""
    for dataset, damage in CASES:
        folder = tmp_path / f"{dataset.__name__}{damage.__name__}"
        folder.mkdir()
        entry, path = saved(dataset, folder, seed)
        path.write_bytes(damage(path.read_bytes()))
        try:
            entry.load()
            got = Outcome(WRONG, "is loaded")
        except DatasetError as error:
            reported = mistake(error)
            clear = (
                reported.startswith(str(path))
                and reported.endswith(".")
                and "Delete it" in reported
                and "\n" not in reported
            )
            got = Outcome(CLEAR if clear else TRACEBACK, reported)
        except Exception as error:
            got = Outcome(TRACEBACK, repr(error))
        counts.add("files of other runs", f"{dataset.__name__}, {damage.__name__}, {seed}", got)
    assert counts.new_faults() == []


def test_names_of_parameters(counts):
    """Unknown names at every level of every system, and misspelt ones."""
    given = [f"{name}.{wrong}" for name in KNOWN for wrong in ("nonsense", "trainig.max_epochs", "")]
    given += [f"{name}.{section}.{wrong}" for name, section in SECTIONS for wrong in ("nonsense", "Seed ", "a.b")]
    given += [f"{name}.{section}" for name, section in SECTIONS]  # a section that is set to a value
    for path in given:
        try:
            check_names(nested(path), KNOWN, "--params")
            got = Outcome(WRONG, "is taken")
        except Exception as error:
            got = evaluated(error, (path, path.rpartition(".")[0]))
            if isinstance(error, MienError) and re.search(r"Did you mean|there are|Set |Remove|It is", str(error)):
                got = Outcome(CLEAR, str(error))
        counts.add("names of parameters", path, got)
    assert counts.new_faults() == []


NO_NUMBERS: tuple[Any, ...] = (math.nan, math.inf, -math.inf, "x", "1,5", "", [1, 2], {"a": 1}, True)


def numbers_of(values: dict[str, Any], above: str = "") -> Iterator[str]:
    """Paths of the numbers of a section."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from numbers_of(value, f"{above}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{above}{name}"


@pytest.mark.parametrize("section", EVERY)
def test_values_of_parameters(section, counts):
    """What is no number where a number belongs."""
    system, name = section.split(".")
    for path in numbers_of(PUBLISHED.get(system, {}).get(name) or {}):
        for value in NO_NUMBERS:
            try:
                EVERY[section].model_validate(changed(section, path, value))
                got = Outcome(WRONG, "is taken")
            except ValidationError as error:
                where = {str(part) for each in error.errors() for part in each["loc"]} | {str(error)}
                named = any(word in part for part in where for word in path.split(".")[-2:])
                got = Outcome(CLEAR if named else TRACEBACK, str(error))
            except Exception as error:
                got = Outcome(TRACEBACK, repr(error))
            counts.add("values of parameters", f"{section}.{path}={value!r}", got)
    assert counts.new_faults() == []


def test_there_are_enough_and_none_is_a_traceback_or_silently_wrong(counts):
    if len(counts.kinds) < NUM_KINDS:
        pytest.skip("the tests above have not all run")
    assert sum(counter.total() for counter in counts.kinds.values()) >= WANTED
    assert counts.total(TRACEBACK) == 0
    assert counts.total(WRONG) == 0
