"""Folders of a dataset: all files below one, and images sorted into one folder per class.

Symbolic links are followed, since data are linked into caches and shared disks. What a class folder means is read from
a table and never from the order of the names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from mien.data.images import IMAGE_SUFFIXES, is_image
from mien.errors import MienError


def walk_folder(
    root: Path, on_error: Callable[[OSError], None], on_skip: Callable[[Path], None] | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Go through a folder and all below it, in the order of their names.

    Links to folders are followed, but not those that lead back into ``root``: what they show is met there.

    Args:
        root: The folder.
        on_error: Is reported of a folder that cannot be listed.
        on_skip: Is reported of a link that is not followed.

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
        folder: Of the dataset, or below it.
        name: Of the file, relative to it.
        dataset: Its name, for the message.

    Raises:
        MienError: The folder may not be entered, so that nobody can tell.
    """
    path = folder / name
    try:
        return path.is_file()
    except OSError as error:
        raise MienError(
            f"{dataset}'s folder cannot be entered: {path.parent} ({error.strerror}). Make it readable, with its files."
        ) from error


def class_folders(folder: Path, classes: Mapping[str, str], dataset: str) -> dict[str, Path]:
    """Find the class folders that lie in a folder.

    Upper and lower case are the same. Other folders may lie beside them as long as no images lie directly in them.

    Args:
        folder: Of one split.
        classes: Class by folder name in lower case, several names of a class allowed.
        dataset: Its name, for messages.

    Returns:
        Folder by class, in the order in which ``classes`` first names the class; empty where no folder is a class's.

    Raises:
        MienError: Two folders mean one class, or a folder of images beside class folders means none.

    Source: ours, because ImageFolder numbers classes by the alphabetical order of whatever folders it finds.

    Example:
        >>> class_folders(Path("data/train"), {"1": "surprise", "2": "fear"}, "RAF-DB")  # doctest: +SKIP
        {'surprise': PosixPath('data/train/1'), 'fear': PosixPath('data/train/2')}
    """
    found: dict[str, Path] = {}
    others = []
    for name in subfolders(folder, dataset):
        label = classes.get(name.lower())
        if label is None:
            others.append(name)
        elif label in found:
            raise MienError(
                f"Two folders of {dataset} mean the class {label}: {found[label].name}/ and {name}/ in {folder}. "
                "Keep one of them, or put their images together."
            )
        else:
            found[label] = folder / name
    for name in others if found else []:
        if image_names(folder / name, dataset):
            raise MienError(
                f"A folder of {dataset} names no class: there are images in {name}/ beside class folders in {folder}. "
                f"Rename it to one of {', '.join(classes)}, or move it away."
            )
    return {label: found[label] for label in dict.fromkeys(classes.values()) if label in found}


def subfolders(folder: Path, dataset: str) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones and what macOS leaves in archives are passed over.

    Raises:
        MienError: The folder cannot be listed, or a name is not UTF-8.
    """
    # What is called like an image is not looked at: thousands of look-ups take seconds on a network disk.
    names = [name for name in _names(folder, dataset) if not _is_image_name(name) and name != "__MACOSX"]
    return [name for name in names if (folder / name).is_dir()]


def image_names(folder: Path, dataset: str) -> list[str]:
    """Names of the images in a folder, by their endings or else by what they begin with, sorted.

    Hidden files are passed over. Whether images can be read shows when they are.

    Raises:
        MienError: The folder cannot be listed, or a name is not UTF-8.
    """
    return [name for name in _names(folder, dataset) if is_image(folder / name)]


class ImageNames:
    """The images in a folder, found by a listed name whatever its ending: a copy may be in another format.

    Args:
        folder: That is listed once.
        dataset: Its name, for messages.

    Raises:
        MienError: The folder cannot be listed, or a name is not UTF-8.

    Example:
        >>> ImageNames(Path("basic/Image/aligned"), "RAF-DB").find("train_00001_aligned.jpg")  # doctest: +SKIP
        'train_00001_aligned.PNG'
    """

    def __init__(self, folder: Path, dataset: str) -> None:
        self.folder, self.dataset = folder, dataset
        self._there = set(image_names(folder, dataset)) if folder.is_dir() else set()
        self._stems: dict[str, list[str]] = {}
        for name in sorted(self._there):
            self._stems.setdefault(Path(name).stem, []).append(name)

    def find(self, listed: str) -> str | None:
        """The name of the listed image as it is there, None where it is not.

        Raises:
            MienError: It is not there, and two others differ from it in their endings alone.
        """
        if listed in self._there:
            return listed
        found = self._stems.get(Path(listed).stem, [])
        if len(found) > 1:
            raise MienError(
                f"An image of {self.dataset} is there twice: {listed} as {found[0]} and as {found[1]} in "
                f"{self.folder}. Keep the one that is right."
            )
        return found[0] if found else None


def _is_image_name(name: str) -> bool:
    return Path(name).suffix.lower() in IMAGE_SUFFIXES


def _names(folder: Path, dataset: str) -> list[str]:
    try:
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise MienError(
            f"A folder of {dataset} cannot be listed: {folder} ({error.strerror}). Check that it is a folder that you "
            "may read."
        ) from error
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise MienError(
                f"A file name of {dataset} is not UTF-8: {name!a} in {str(folder)!a}. Rename it; tables hold text."
            ) from error
    return names
