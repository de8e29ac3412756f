"""What became of every file below a dataset's folder, and the counts of its samples beside the published ones.

A file was used, passed over for a reason, or is listed and missing.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from mien.data.folders import walk_folder
from mien.data.images import is_image, printable
from mien.data.media_file import is_media
from mien.errors import MienError

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

USED, PASSED_OVER, MISSING = "used", "passed_over", "missing"

MAX_PASSED_OVER = 0.01
"""Share of a split above which lost samples are an error. Source: ours, a point of accuracy at most."""

COLUMNS = ("split", "class", "status", "reason", "lost", "count", "first")
"""Of the table of an account: one row per split, class, status and reason."""

NUM_NAMED = 3
"""Names that an account gives of each reason."""

_SYSTEM = frozenset({"thumbs.db", "desktop.ini", "__macosx", "lost+found", "$recycle.bin"})
_ARCHIVES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"})
_SYNTHETIC_MARKERS = ("synthetic.json", "drawn.json")


class Verdict(NamedTuple):
    """Why a file is passed over, whether a sample is lost by that, and whose it would be."""

    reason: str
    lost: bool = False
    split: str = ""
    group: str = ""


class _Note(NamedTuple):
    status: str
    verdict: Verdict


Explain = Callable[[str], Verdict | None]
"""Says of a path relative to the dataset's folder why no sample names it; None where the dataset cannot tell."""


class FileAccount:
    """Collects what a reader does with the files below a dataset's folder, and refuses to lose too many in silence.

    A reader says what it uses and what it knows to be missing or unfit; ``finish`` walks the folder and adds all other
    files. Rows of a file that holds many images count like files, under their references.

    Args:
        root: The dataset's folder.
        dataset: Its name, for messages.
        max_passed_over: Share of a split above which lost samples are an error.

    Example:
        >>> account = FileAccount(Path("data/01_raw/raf_db"), "RAF-DB")  # doctest: +SKIP
        >>> read_raf_db(account.root, "aligned", account=account)  # doctest: +SKIP
        >>> account.table()  # doctest: +SKIP
           split class  status reason   lost  count                          first
        0  train  fear    used         False    281  Image/aligned/train_00007 ...
    """

    def __init__(self, root: Path, dataset: str, max_passed_over: float = MAX_PASSED_OVER) -> None:
        self.root, self.dataset, self.max_passed_over = root, dataset, max_passed_over
        self._notes: dict[str, _Note] = {}

    def use(self, references: Iterable[str | Path], split: str = "", group: str = "") -> None:
        """Note files, or rows of files, as used by samples of a split and class; label files have neither."""
        for reference in references:
            name = self._name(reference)
            self._notes[name] = _Note(USED, Verdict("", split=split, group=group))
            inside, hash_sign, _ = name.partition("#")
            if hash_sign:
                self._notes.setdefault(inside, _Note(USED, Verdict("")))

    def use_samples(self, samples: pd.DataFrame, columns: Sequence[str], group: str) -> None:
        """Note what a samples table refers to in some columns, by its split and the column that names the class."""
        for column in columns:
            for reference, split, name in zip(samples[column], samples["split"], samples[group], strict=True):
                if isinstance(reference, str):
                    self.use([reference], str(split), str(name))

    def pass_over(
        self, names: Iterable[str | Path], reason: str, split: str = "", group: str = "", *, lost: bool = False
    ) -> None:
        """Note files or samples that are not used, with the reason in one word, unless they are used elsewhere."""
        for name in names:
            self._notes.setdefault(self._name(name), _Note(PASSED_OVER, Verdict(reason, lost, split, group)))

    def miss(
        self, names: Iterable[str | Path], reason: str, split: str = "", group: str = "", *, lost: bool = True
    ) -> None:
        """Note what is listed and not there."""
        for name in names:
            self._notes.setdefault(self._name(name), _Note(MISSING, Verdict(reason, lost, split, group)))

    def missing_groups(self) -> set[tuple[str, str]]:
        """Split and class of what is listed and not there."""
        return {(note.verdict.split, note.verdict.group) for note in self._notes.values() if note.status == MISSING}

    def missing_names(self) -> set[str]:
        """What is listed and not there."""
        return {name for name, note in self._notes.items() if note.status == MISSING}

    def finish(self, explain: Explain, way_on: str) -> None:
        """Account for every other file and folder below the root, log it all, and refuse a loss that is too large.

        Args:
            explain: Why no sample names a file.
            way_on: What to do about lost samples, a sentence.

        Raises:
            MienError: More than ``max_passed_over`` of a split is lost.
        """
        for name, verdict in self._walk():
            if name not in self._notes:
                reported = _system_file(name) or verdict or explain(name) or self._unexplained(name)
                self._notes[name] = _Note(PASSED_OVER, reported)
        self._log()
        self.check(way_on)

    def check(self, way_on: str) -> None:
        """Refuse a loss that is too large.

        Raises:
            MienError: More than ``max_passed_over`` of a split, or of the whole, is lost.
        """
        kept: Counter[str] = Counter()
        lost: Counter[str] = Counter()
        for note in self._notes.values():
            if note.verdict.lost:
                lost[note.verdict.split] += 1
            elif note.status == USED:
                kept[note.verdict.split] += 1
        whole = lost.total() + sum(count for split, count in kept.items() if split)
        for split in sorted(lost, key=lambda split: (not split, split)):
            total = lost[split] + kept[split] if split else whole
            if lost[split] > self.max_passed_over * total:
                raise MienError(self._refusal(split, lost[split], total, way_on))

    def table(self) -> pd.DataFrame:
        """One row per split, class, status and reason, used files first.

        Returns:
            ``split`` and ``class`` (empty where a file tells neither), ``status`` (used, passed_over, missing),
            ``reason`` (in one word; empty where used), ``lost`` (whether samples are lost by it), ``count`` and
            ``first`` (up to three names).
        """
        import pandas as pd

        names: dict[tuple[str, str, str, str, bool], list[str]] = {}
        for name, note in self._notes.items():
            reason, lost, split, group = note.verdict
            names.setdefault((split, group, note.status, reason, lost), []).append(name)
        order = {USED: 0, PASSED_OVER: 1, MISSING: 2}
        keys = sorted(names, key=lambda key: (order[key[2]], key[0] == "", key[0], key[3], key[1]))
        rows = [(*key, len(names[key]), _first(names[key])) for key in keys]
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"lost": bool, "count": "int64"})

    def _name(self, name: str | Path) -> str:
        if isinstance(name, Path):
            return name.relative_to(self.root).as_posix() if name.is_relative_to(self.root) else name.as_posix()
        return name

    def _walk(self) -> Iterator[tuple[str, Verdict | None]]:
        """Every file below the root, relative to it, and every folder that is a link, empty or cannot be listed."""
        unlisted: list[str] = []
        linked: list[Path] = []

        def note(error: OSError) -> None:
            unlisted.append(os.path.relpath(error.filename, self.root))

        for here, folders, files in walk_folder(self.root, note, linked.append):
            relative = here.relative_to(self.root)
            folders[:] = [name for name in folders if name.lower() not in _SYSTEM]
            if not folders and not files and here != self.root:
                yield relative.as_posix(), Verdict("empty_folder")
            for name in files:
                yield (relative / name).as_posix(), None
        for link in linked:
            yield link.relative_to(self.root).as_posix(), Verdict("link_back_into_the_folder")
        for name in unlisted:
            yield Path(name).as_posix(), Verdict("unreadable_folder", lost=True)

    def _unexplained(self, name: str) -> Verdict:
        path = self.root / name
        if path.suffix.lower() in _ARCHIVES:
            return Verdict("packed_archive")
        if is_image(path) or is_media(path):
            return Verdict("no_sample_names_it", lost=True)
        return Verdict("another_kind_of_file")

    def _groups(self) -> dict[tuple[str, str, str, bool], list[str]]:
        found: dict[tuple[str, str, str, bool], list[str]] = {}
        for name, note in self._notes.items():
            key = (note.verdict.split, note.status, note.verdict.reason, note.verdict.lost)
            found.setdefault(key, []).append(name)
        return found

    def _log(self) -> None:
        groups = self._groups()
        used = sum(len(names) for (_, status, _, _), names in groups.items() if status == USED)
        logger.info("%s: %d files or rows are used of %s", self.dataset, used, printable(self.root))
        for (split, status, reason, lost), names in sorted(groups.items()):
            if status != USED:
                logger.log(
                    logging.WARNING if lost else logging.INFO,
                    "%s: %d %s%s (%s, the first %s)",
                    self.dataset,
                    len(names),
                    status.replace("_", " "),
                    f" of the {split} split" if split else "",
                    reason,
                    _first(names),
                )

    def _refusal(self, split: str, lost: int, total: int, way_on: str) -> str:
        reasons = [
            f"{len(names):,} {status.replace('_', ' ')} ({reason}, the first {_first(names)})"
            for (of, status, reason, is_lost), names in sorted(self._groups().items())
            if is_lost and of == split
        ]
        what = f"its {split} split" if split else "the whole"
        return (
            f"{self.dataset} loses too many samples: {lost:,} of the {total:,} of {what} ({lost / total:.1%}, above "
            f"{self.max_passed_over:.1%}) under {printable(self.root)}: {'; '.join(reasons)}. {way_on} Set "
            f"reader.max_passed_over to {_rounded_up(lost / total)} to go on without them."
        )


def check_unreadable(
    reasons: pd.Series, splits: pd.Series, names: pd.Series, max_passed_over: float, what: str
) -> None:
    """Refuse to go on when too many samples of a split cannot be read.

    Args:
        reasons: Why each unreadable sample is not read, missing where one is.
        splits: Of each sample.
        names: Of each sample, for the message.
        max_passed_over: Share of a split above which it is an error.
        what: Is not read, such as ``images``.

    Raises:
        MienError: More than ``max_passed_over`` of a split cannot be read.
    """
    for split in splits.drop_duplicates():
        of_split = splits == split
        lost = of_split & reasons.notna()
        if lost.sum() > max_passed_over * of_split.sum():
            counts = reasons[lost].value_counts()
            reported = "; ".join(
                f"{count:,} {reason} (the first {_first(names[lost & (reasons == reason)].astype(str).tolist())})"
                for reason, count in counts.items()
            )
            share = lost.sum() / of_split.sum()
            raise MienError(
                f"Too many {what} cannot be read: {lost.sum():,} of the {of_split.sum():,} of the {split} split "
                f"({share:.1%}, above {max_passed_over:.1%}): {reported}. Copy them again, or set "
                f"reader.max_passed_over to {_rounded_up(share)} to go on without them."
            )


def _first(names: Sequence[str]) -> str:
    return ", ".join(printable(Path(name)) for name in names[:NUM_NAMED])


def _rounded_up(share: float) -> float:
    return min(1.0, round(share + 0.005, 2))


def _system_file(name: str) -> Verdict | None:
    parts = PurePosixPath(name).parts
    if name in _SYNTHETIC_MARKERS:
        return Verdict("marker_of_a_synthetic_folder")
    if any(part.startswith(".") or part.lower() in _SYSTEM for part in parts):
        return Verdict("hidden_or_of_the_system")
    return None


PublishedCounts = Mapping[str, Mapping[str, int]]
"""Number of samples by split, then by class."""

WHOLE = "all"
"""Split of counts that are published for the whole dataset: all rows are counted together."""

NOT_PUBLISHED = {"val": "train"}
"""Splits that a reader sets aside from another, whose published count holds both."""


def count_table(samples: pd.DataFrame, published: PublishedCounts, column: str) -> pd.DataFrame:
    """Count samples per split and class, beside the published counts.

    Args:
        samples: With the columns ``split`` and ``column``.
        published: By split and class; a split "val" that is not in it is counted as "train", from which it is taken.
            By ``WHOLE`` and class where no split is published.
        column: Names the class, as ``expression``.

    Returns:
        One row per split and class, in the order of ``published``, then the others as they come: ``split``, ``class``,
        ``found``, ``published`` (missing where the authors name no number) and ``difference``.

    Example:
        >>> import pandas as pd
        >>> samples = pd.DataFrame({"split": ["train", "val", "test"], "expression": ["sad", "sad", "happy"]})
        >>> count_table(samples, {"train": {"sad": 2}}, "expression")["difference"].tolist()
        [0, <NA>]
    """
    import pandas as pd

    splits = samples["split"].astype(str)
    splits = splits.mask(splits.isin(NOT_PUBLISHED) & ~splits.isin(list(published)), splits.map(NOT_PUBLISHED))
    counts = samples.groupby([splits, samples[column].astype(str)], sort=True).size()
    if WHOLE in published and not (splits == WHOLE).any():
        counts = samples.groupby(samples[column].astype(str), sort=True).size()
        counts.index = pd.MultiIndex.from_product([[WHOLE], counts.index])
    pairs = [(split, name) for split, classes in published.items() for name in classes]
    pairs += [pair for pair in counts.index if pair not in pairs]
    table = pd.DataFrame(pairs, columns=["split", "class"])
    table["found"] = [int(counts.get(pair, 0)) for pair in pairs]
    numbers = [published.get(split, {}).get(name) for split, name in pairs]
    table["published"] = pd.array(numbers, dtype="Int64")
    table["difference"] = table["found"] - table["published"]
    return table


def count_deviations(counts: pd.DataFrame) -> list[str]:
    """Say in sentences where found counts depart from published ones; empty where they do not.

    Args:
        counts: The table of ``count_table``.
    """
    known = counts.dropna(subset=["published"])
    rows = []
    for split, classes in known.groupby("split", sort=False):
        rows.append((f"{split} split", int(classes["found"].sum()), int(classes["published"].sum())))
        rows += [
            (f"class {name} of the {split} split", int(found), int(should))
            for name, found, should in zip(classes["class"], classes["found"], classes["published"], strict=True)
            if name  # what is not labelled has one number, the split's
        ]
    return [
        f"The {what} has {has:,} samples, {abs(has - should):,} {'more' if has > should else 'fewer'} "
        f"than the {should:,} published."
        for what, has, should in rows
        if has != should
    ]
