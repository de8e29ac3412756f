"""Every folder and file below a dataset's folder, links followed: data are linked into caches and shared disks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def walk_folder(
    root: Path, on_error: Callable[[OSError], None], on_skip: Callable[[Path], None] | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Go through a folder and all below it, in the order of their names.

    Links to folders are followed, but not those that lead back into ``root``: what they show is met there.

    Args:
        root: the folder.
        on_error: is reported of a folder that cannot be listed.
        on_skip: is reported of a link that is not followed.

    Yields:
        A folder, the names of the folders in it, which the caller may shorten, and those of the other entries.

    Example:
        >>> [files for _, _, files in walk_folder(Path("data/01_raw/spos"), print)]  # doctest: +SKIP
        [['manifest.csv'], ['0.bmp', '9.bmp']]
    """
    real_root = root.resolve()
    ancestors: dict[Path, tuple[Path, ...]] = {root: (real_root,)}
    for path, folders, files in os.walk(root, onerror=on_error, followlinks=True):
        here = Path(path)
        above = ancestors.pop(here)
        for name in sorted(folders):
            link = here / name
            if not link.is_symlink():
                ancestors[link] = above
                continue
            target = link.resolve()
            if target.is_relative_to(real_root) or any(each.is_relative_to(target) for each in above):
                folders.remove(name)
                if on_skip is not None:
                    on_skip(link)
            else:
                ancestors[link] = (*above, target)
        folders.sort()
        yield here, folders, sorted(files)
        for left_out in set(ancestors) - {here / each for each in folders}:
            if left_out.parent == here:
                del ancestors[left_out]


def holds_file(folder: Path, name: str, dataset: str) -> bool:
    """Whether a folder, or one in it, holds a file.

    Args:
        folder: of the dataset, or below it.
        name: of the file, relative to it.
        dataset: its name, for the message.

    Raises:
        ValueError: the folder may not be entered, so that nobody can tell.
    """
    path = folder / name
    try:
        return path.is_file()
    except OSError as error:
        raise ValueError(
            f"{dataset}'s folder cannot be entered: {path.parent} ({error.strerror}). Make it readable, with its files."
        ) from error
