"""Images of a dataset's folder by the references of its samples table: files, rows of pixels, frames of videos.

A reference is a path relative to the folder, with forward slashes, and for an image inside a file a fragment:

```
basic/Image/original/train_00001.jpg            a file
fer2013.csv#byte=123456                         the row of a CSV file that begins there, with its pixels as numbers
Actor_01/01-01-03-01-01-01-01.mp4#frame=12      a frame of a video, counted from 0
```
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from mien.data.images import ImageError, printable, read_image

if TYPE_CHECKING:
    from mien.data.video import VideoFrames

# A name may itself hold a "#"; more digits than these count no file's bytes.
_INSIDE_A_FILE = re.compile(r"(?P<name>.+)#(?P<kind>byte|frame)=(?P<number>[0-9]{1,12})", re.DOTALL)


class ImageSource:
    """Reads the images that references name.

    Frames of one video are fastest in their order: the video then stays open and is decoded once.

    Args:
        root: The dataset's folder; no reference may lead out of it by ``..``; symbolic links are followed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._video: VideoFrames | None = None

    def read(self, reference: str) -> np.ndarray:
        """Read an image.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            ImageError: The file is missing, outside the folder or broken; ``reason`` names why in one word.
        """
        inside = _INSIDE_A_FILE.fullmatch(reference)
        path = self.root / (inside["name"] if inside else reference)
        try:
            self._check_inside(inside["name"] if inside else reference)
            with suppress(FileNotFoundError, NotADirectoryError):  # what is missing is named by who reads it
                path.stat()
            if inside is None:
                return read_image(path)
            if path.exists() and not (path.is_file() or path.is_dir()):  # opening a pipe would wait for its other end
                where = printable(path)
                raise ImageError("not_a_file", f"Not a file: {where} is a pipe, socket or device. Give a file.")
            if inside["kind"] == "byte":
                from mien.data.csv_files import read_pixel_row

                return read_pixel_row(path, int(inside["number"]))
            return self._frame(path, int(inside["number"]))
        except (OSError, RuntimeError) as error:  # rights, disks, names too long, links in a circle
            why = f"{printable(path)} ({getattr(error, 'strerror', None) or error})"
            raise ImageError("unreadable", f"Image not readable: {why}. Check its rights and the disk.") from error

    def _check_inside(self, reference: str) -> None:
        """Refuse names that lead out; links are followed, since data are linked into caches and shared disks."""
        if "\0" in reference:
            raise ImageError(
                "missing", f"No image: {printable(Path(reference))!r} is no file name. List the images anew."
            )
        path = PurePosixPath(reference)
        if ".." in path.parts or (path.is_absolute() and not path.is_relative_to(self.root)):
            raise ImageError(
                "outside_root",
                f"Image outside its folder: {printable(self.root / reference)} leads out of {printable(self.root)}. "
                "Name a file in the folder.",
            )

    def _frame(self, path: Path, number: int) -> np.ndarray:
        if self._video is None or self._video.path != path:
            from mien.data.video import VideoFrames

            self.close()
            self._video = VideoFrames(path)
        return self._video.read(number)

    def close(self) -> None:
        """Close the video that is open, if one is."""
        if self._video is not None:
            self._video.close()
            self._video = None
