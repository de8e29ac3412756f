"""Opening files of pictures or sound that change over time, with a named reason where that fails."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mien.data.images import DOCUMENT_SUFFIXES, IMAGE_SUFFIXES, POINTER, POINTER_BYTES, first_bytes, printable

if TYPE_CHECKING:
    from av.container import InputContainer

# What a container begins with: cut off or damaged, it is still reported from a file of another kind.
_SIGNATURE = re.compile(
    rb"RIFF|RIFX|RF64|FLV|ID3|\xff[\xe2-\xff]|OggS|fLaC|\x1aE\xdf\xa3|FORM|.{4}(ftyp|moov|mdat|free|wide)", re.DOTALL
)
_MEDIA = (
    "mp4 m4v mov avi flv f4v mkv webm mpg mpeg mpe m2ts mts ts wmv asf 3gp ogv vob mxf wav wave mp3 mp2 "
    "flac ogg oga opus m4a aac aif aiff aifc wma au snd caf amr w64 rf64 ape wv mka ac3"
)
MEDIA_SUFFIXES = frozenset(f".{suffix}" for suffix in _MEDIA.split())
"""Endings, in lower case, by which a file counts as a recording; with any other, what it begins with decides."""


Failure = Callable[[str, str], Exception]
"""Makes the error from a reason in one word and a message."""

SOUND_SUFFIXES = frozenset(
    {".wav", ".wave", ".mp3", ".mp2", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".wma", ".au"}
)
"""Endings, in lower case, of recordings without a picture."""


def is_media(path: Path) -> bool:
    """Whether a file counts as a recording: by its ending, or, with another or none, by what it begins with."""
    suffix = path.suffix.lower()
    if suffix in MEDIA_SUFFIXES:
        return True
    if suffix in IMAGE_SUFFIXES | DOCUMENT_SUFFIXES:
        return False
    return _SIGNATURE.match(first_bytes(path)) is not None


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is the note that Git LFS leaves in the place of a large file that has not been fetched.

    What cannot be read is taken for none: whoever opens it tells why.

    Source: the Git LFS specification.
    """
    return len(POINTER) <= path.stat().st_size < POINTER_BYTES and first_bytes(path, len(POINTER)) == POINTER


def open_media(path: Path, failure: Failure, what: str) -> InputContainer:
    """Open a media file for decoding; the caller closes it.

    Args:
        path: A file of any format that FFmpeg reads.
        failure: Class of the error that is raised, such as ``ImageError``.
        what: The kind of file that is wanted, for the message and the reason: ``video`` gives ``not_a_video``.

    Raises:
        What ``failure`` makes, of reason missing, directory, empty, git_lfs_pointer, unreadable, truncated or
        ``not_a_<what>`` (``not_an_audio``).
    """
    import av

    where = printable(path)
    try:
        with path.open("rb") as file:
            begin = file.read(16)
        pointer = is_lfs_pointer(path)
    except FileNotFoundError:
        why = f"No {what}: {where} does not exist. Check the path and that the dataset is unpacked."
        raise failure("missing", why) from None
    except IsADirectoryError:
        raise failure("directory", f"Not a file: {where} is a directory. Give a file in it.") from None
    except (OSError, ValueError) as error:  # rights, disks, links in a circle; a name with a zero byte
        raise failure("unreadable", f"Not readable: {where} ({error}). Check its rights and the disk.") from error
    if not begin:
        raise failure("empty", f"Empty {what}: {where} has zero bytes. Copy it again.")
    if pointer:
        raise failure(
            "git_lfs_pointer", f"Not fetched: {where} is a Git LFS pointer. Run `git lfs pull` in its repository."
        )
    if where != str(path):
        raise failure("unreadable", f"Not readable: the name of {where} is not UTF-8, as FFmpeg needs it. Rename it.")
    try:
        return av.open(str(path), mode="r", metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        if _SIGNATURE.match(begin):
            raise failure(
                "truncated", f"Broken {what}: {where} begins well but is cut off or damaged. Copy it again."
            ) from error
        article = "an" if what[0] in "aeiou" else "a"
        raise failure(
            f"not_{article}_{what}", f"No {what}: {where} is of no format that FFmpeg reads. Remove or convert it."
        ) from error
