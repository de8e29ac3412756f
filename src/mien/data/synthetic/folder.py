"""Synthetic data in a dataset's published layout: marked, complete or absent, never in the place of real files.

Each purpose of each dataset has its own random numbers.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mien.data.worker_processes import map_in_order
from mien.errors import MienError
from mien.outputs import in_words, remove_dead_parts, sole_use, written

Item = TypeVar("Item")

MARKER = "synthetic.json"
"""The file that marks a synthetic folder, and says with which arguments it was made."""

OLD_MARKER = "drawn.json"
"""The marker that version 0.1 wrote, with ``drawn_by`` in the place of ``generated_by``."""

SERIAL_ITEMS = 64
"""Fewer items are made sooner than the processes start."""


def is_synthetic(root: Path) -> bool:
    """Whether a dataset's folder holds synthetic faces, by its marker."""
    return any((root / name).is_file() for name in (MARKER, OLD_MARKER))


def synthesize_folder(root: Path, arguments: dict[str, Any], synthesize: Callable[..., None]) -> None:
    """Have a folder filled by ``synthesize(folder, **arguments)``, unless it holds just that already.

    The folder appears when it is complete; an interruption leaves what was there before. A folder made with the same
    arguments by the same code is left as it is. One of other arguments or of another version is replaced, and any other
    is left alone.

    Args:
        root: Becomes the dataset's folder, with ``synthetic.json``, which holds the arguments and the names of all
            files.
        arguments: What decides the content; JSON values.
        synthesize: Fills an empty folder; a function of a module, whose source counts as its version.

    Raises:
        MienError: ``root`` holds files that were not made here.

    Source: ours, because the datasets may not be passed on and must not be mistaken for synthetic ones.
    """
    root = root.resolve()  # a link to another disk stays a link
    with sole_use(root):  # another run that makes the same folder waits, and finds it complete
        remove_dead_parts(root)
        _replace_folder(root, arguments, synthesize)


def _replace_folder(root: Path, arguments: dict[str, Any], synthesize: Callable[..., None]) -> None:
    module = synthesize.__module__
    marker = _read_marker(root)
    key = {"generated_by": module, "code": _code_digest(module), "arguments": arguments}
    key = json.loads(json.dumps(key))  # tuples as the marker has them
    if marker is not None and key.items() <= marker.items():
        return
    same = marker is not None and _dataset(marker["generated_by"]) == _dataset(module)
    _check_replaceable(root, marker if same else None)
    with written(root) as part, in_words(root):
        part.mkdir()
        synthesize(part, **arguments)
        files = sorted(_files(part))
        (part / MARKER).write_text(json.dumps({**key, "files": files}, indent=1) + "\n", encoding="utf-8")


def _dataset(module: str) -> str:
    """Name of the dataset that a module makes, also as earlier versions spelled the module.

    Example:
        >>> [_dataset(name) for name in ("mien.data.raf_db_twin", "mien.data.synthetic.raf_db")]
        ['raf_db', 'raf_db']
    """
    return module.rpartition(".")[2].removeprefix("synthetic_").removesuffix("_twin")


def synthesize_each(synthesize: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Make items in one process per core, and few of them in the calling one.

    Args:
        synthesize: Makes one item from what the item says alone; a function of a module, or ``functools.partial`` of
            one.
        items: The order does not matter.

    Raises:
        Exception: What ``synthesize`` raises passes through.
    """
    for _ in map_in_order(synthesize, items, workers=1 if len(items) < SERIAL_ITEMS else 0):
        pass


def class_counts(published: Mapping[str, int], num_samples: int) -> dict[str, int]:
    """Samples per class of a synthetic split; they add up to ``num_samples``.

    Source: half the published share, half even; what rounding leaves goes to the largest remainders. Half even, because
        with a dataset's own shares (fear: 2.3 % of RAF-DB) some hundred samples would leave rare classes two or three;
        half its own, because the imbalance is what the metrics have to show.

    Example:
        >>> class_counts({"happy": 90, "fear": 10}, 20)
        {'happy': 14, 'fear': 6}
    """
    shares = np.array(list(published.values()))
    exact = (shares / shares.sum() + 1 / len(shares)) / 2 * num_samples
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: num_samples - counts.sum()]] += 1
    return dict(zip(published, counts.tolist(), strict=True))


def check_range(name: str, value: float, least: float, most: float, dataset: str, *, even: bool = False) -> None:
    """Check an argument of a function that makes a synthetic dataset.

    Args:
        name: Of the argument.
        value: That it has.
        least: That it may have; a whole number asks for whole numbers.
        most: That it may have.
        dataset: That is made.
        even: Ask for even numbers.

    Raises:
        MienError: ``value`` is below ``least`` or above ``most``, or not of the numbers that are requested.
    """
    whole = isinstance(least, int)
    if not least <= value <= most or (whole and not isinstance(value, int)) or (even and value % 2):
        number = "an even number" if even else "a whole number" if whole else "a number"
        raise MienError(f"{name} of the synthetic {dataset} is {value}: give {number} from {least} to {most}.")


def _code_digest(module: str) -> str:
    """Digest of the source of all modules that make synthetic data, and of the given one: the version of a folder."""
    digest = hashlib.blake2b(digest_size=16)
    own = sys.modules[module].__file__
    for file in [*sorted(Path(__file__).parent.glob("*.py")), *([Path(own)] if own else [])]:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _read_marker(root: Path) -> dict[str, Any] | None:
    """The folder's marker, also that of version 0.1; None where there is none of ours."""
    for name, generated_by in ((MARKER, "generated_by"), (OLD_MARKER, "drawn_by")):
        try:
            marker = json.loads((root / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(marker, dict) and {generated_by, "arguments", "files"} <= marker.keys():
            return {**marker, "generated_by": marker[generated_by]}
    return None


def _check_replaceable(root: Path, marker: dict[str, Any] | None) -> None:
    """Refuse a folder with anything in it that was not made here."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return
    where = f"{root} is not replaced by synthetic faces"
    to_do = "Give a folder that does not exist yet, or move this one away."
    if marker is None:
        raise MienError(f"{where}: it has no {MARKER} of this dataset, so it may be the real one or yours. {to_do}")
    others = sorted(_files(root) - set(marker["files"]) - {MARKER, OLD_MARKER})
    if others:
        raise MienError(f"{where}: {len(others)} files in it were not made here, the first {root / others[0]}. {to_do}")


def _files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}


def synthetic_stream(dataset: str, *numbers: int) -> np.random.Generator:
    """Return the random generator of one synthetic thing; no two things of two datasets share it.

    With the seed and numbers alone, which all datasets count from 0 or 1, the first persons of one dataset would be
    those of another: a network trained on synthetic faces would know whom the next dataset shows.

    Args:
        dataset: Its name.
        *numbers: The seed first, then what tells the thing from others of the dataset; 0 or more. Their number counts,
            so that (seed, split) and (seed, split, 0) are two things.

    Source: numpy's ``SeedSequence``, whose outputs are independent for distinct numbers; it takes zeros at the end for
        nothing, hence the count.

    Example:
        >>> one, other = synthetic_stream("raf_db", 0, 1), synthetic_stream("ferplus", 0, 1)
        >>> bool(one.integers(10**9) == other.integers(10**9))
        False
    """
    return np.random.default_rng([zlib.crc32(dataset.encode()), len(numbers), *numbers])
