"""Synthetic data in a dataset's published layout: marked, complete or absent, never in the place of real files."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mien.data import synthetic
from mien.data.worker_processes import map_in_order
from mien.outputs import in_words, remove_dead_parts, sole_use, written

Item = TypeVar("Item")

MARKER = "synthetic.json"
"""The file that tells a synthetic folder from a downloaded one, and with which arguments it was drawn."""

SERIAL_ITEMS = 64
"""Fewer items are drawn sooner than the processes start."""


def is_synthetic(root: Path) -> bool:
    """Whether a dataset's folder holds synthetic faces, by its marker."""
    return (root / MARKER).is_file()


def draw_folder(root: Path, arguments: dict[str, Any], draw: Callable[..., None]) -> None:
    """Have a folder filled by ``draw(folder, **arguments)``, unless it holds just that already.

    The folder appears when it is complete; an interruption leaves what was there before. A folder drawn with the same
    arguments by the same code is left as it is, one drawn otherwise is replaced, and any other is left alone.

    Args:
        root: becomes the dataset's folder, with ``synthetic.json``, which holds the arguments and the names of all
            files.
        arguments: what decides the content; JSON values.
        draw: fills an empty folder; a function of a module, whose source counts as its version.

    Raises:
        ValueError: ``root`` holds files that were not drawn here.

    Source: ours, because the datasets may not be passed on and must not be mistaken for synthetic ones.
    """
    root = root.resolve()  # a link to another disk stays a link
    with sole_use(root):  # another run that draws it too waits, and finds it drawn
        remove_dead_parts(root)
        _draw_folder(root, arguments, draw)


def _draw_folder(root: Path, arguments: dict[str, Any], draw: Callable[..., None]) -> None:
    marker = _read_marker(root)
    key = {"generated_by": draw.__module__, "code": _code_digest(draw.__module__), "arguments": arguments}
    key = json.loads(json.dumps(key))  # tuples as the marker has them
    if marker is not None and key.items() <= marker.items():
        return
    _check_replaceable(root, marker if marker is not None and marker["generated_by"] == draw.__module__ else None)
    with written(root) as part, in_words(root):
        part.mkdir()
        draw(part, **arguments)
        files = sorted(_files(part))
        (part / MARKER).write_text(json.dumps({**key, "files": files}, indent=1) + "\n", encoding="utf-8")


def draw_each(draw: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Draw items in one process per core, and few of them in the calling one.

    Args:
        draw: draws one item from what the item says alone; a function of a module, or ``functools.partial`` of one.
        items: the order does not matter.

    Raises:
        Exception: what ``draw`` raises passes through.
    """
    for _ in map_in_order(draw, items, workers=1 if len(items) < SERIAL_ITEMS else 0):
        pass


def class_counts(published: Mapping[str, int], num_samples: int) -> dict[str, int]:
    """Samples per class of a drawn split; they add up to ``num_samples``.

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
    """Check an argument of a function that draws a dataset.

    Args:
        name: of the argument.
        value: that it has.
        least: that it may have; a whole number asks for whole numbers.
        most: that it may have.
        dataset: that is drawn.
        even: ask for even numbers.

    Raises:
        ValueError: ``value`` is below ``least`` or above ``most``, or not of the numbers that are requested.
    """
    whole = isinstance(least, int)
    if not least <= value <= most or (whole and not isinstance(value, int)) or (even and value % 2):
        number = "an even number" if even else "a whole number" if whole else "a number"
        raise ValueError(f"{name} of the synthetic {dataset} is {value}: give {number} from {least} to {most}.")


def _code_digest(module: str) -> str:
    """Digest of the source of all that draws, and of the drawing module: what another version drew is drawn anew."""
    digest = hashlib.blake2b(digest_size=16)
    own, here = sys.modules[module].__file__, Path(__file__)
    renderer = [*Path(synthetic.__file__).parent.glob("*.py"), *set(here.parent.glob("synthetic_*.py")) - {here}]
    for file in [*sorted(renderer), *([Path(own)] if own else [])]:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _read_marker(root: Path) -> dict[str, Any] | None:
    """The folder's marker, None where there is none of ours."""
    try:
        marker = json.loads((root / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(marker, dict) and {"generated_by", "arguments", "files"} <= marker.keys()
    return marker if ours else None


def _check_replaceable(root: Path, marker: dict[str, Any] | None) -> None:
    """Refuse a folder with anything in it that was not drawn here."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return
    where = f"{root} is not replaced by synthetic faces"
    to_do = "Give a folder that does not exist yet, or move this one away."
    if marker is None:
        raise ValueError(f"{where}: it has no {MARKER} of this dataset, so it may be the real one or yours. {to_do}")
    others = sorted(_files(root) - set(marker["files"]) - {MARKER})
    if others:
        raise ValueError(
            f"{where}: {len(others)} files in it were not drawn here, the first {root / others[0]}. {to_do}"
        )


def _files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}
