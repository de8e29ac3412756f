"""Outputs that are never half-written and never written by two runs at once: locks, temporary names, faults in words.

A lock is the operating system's (``flock``): it ends with the process that holds it, however that ends, so the lock
file of a killed run locks nothing. On a shared disk it holds between machines where the disk's protocol carries it, as
NFS does from version 4 on; every temporary name has machine and process in it, so that two runs do not write one file
even where it does not.
"""

import errno
import logging
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mien.errors import MienError

logger = logging.getLogger(__name__)

REMINDER = 60.0
"""Seconds after which a run that waits says so again."""

STALE = 3600.0
"""Seconds after which another machine's temporary file that is not written to any more is left over.

A batch takes seconds.
"""

_POLL = 0.1  # seconds between two tries for a lock: short beside what is waited for
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP}
_HOST = re.sub(r"[^A-Za-z0-9_]", "_", socket.gethostname()) or "host"
_PART = re.compile(r"\.(?P<final>.+?)(?:\.(?P<host>[A-Za-z0-9_]+)-[0-9]+-[0-9a-f]{8}|\.[0-9a-f]{8})?\.part(?:\.old)?")
"""Temporary names; those without an owner are of earlier versions."""

_FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM}
_DISK_WORDS = re.compile(
    r"os error [0-9]+|No space left|I/O error|file write failed|PytorchStreamWriter", re.IGNORECASE
)
_ERROR_NUMBER = re.compile(r"os error ([0-9]+)")


class FileError(OSError, MienError):
    """A file that cannot be read or written: what is wrong, where, what to do."""


class Hold:
    """A lock that is held.

    Attributes:
        waited: Whether another run had it before: what it wrote may be what is wanted.
    """

    def __init__(self, waited: bool) -> None:
        self.waited = waited


@contextmanager
def sole_use(final: Path) -> Iterator[Hold]:
    """Keep other runs from a file or folder for the length of the block; one that comes later waits, and says so.

    Args:
        final: What is written. It need not exist; the lock file lies beside it, hidden, and goes at the end.

    Example:
        >>> with sole_use(Path("faces.npy")) as hold:  # doctest: +SKIP
        ...     hold.waited
        False
    """
    file = _lock_file(final)
    lock = FileLock(file)
    with in_words(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            waited = _acquire(lock, file, final)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            logger.warning("The disk of %s has no locks: do not start two runs that write there at once", final)
            waited = False
    try:
        yield Hold(waited)
    finally:
        with suppress(OSError):  # removed while it is held: who waits for it looks whether it is still there
            file.unlink()
        lock.release()


def _lock_file(final: Path) -> Path:
    return final.with_name(f".{final.name}.lock")


def _acquire(lock: FileLock, file: Path, final: Path) -> bool:
    """Take the lock, and leave in it who has it; whether it had to be waited for."""
    waited = False
    while True:
        try:
            lock.acquire(timeout=REMINDER if waited else 0, poll_interval=_POLL)
            break
        except Timeout:
            logger.info("%s is in use by %s: waiting until it is done", final, _owner(file) or "another run")
            waited = True
    if waited:
        logger.info("%s is free: going on", final)
    elif owner := _owner(file):
        logger.info("%s was left by %s, which has ended: going on", final, owner)
    with suppress(OSError):  # a full disk still locks
        file.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
    return waited


def _owner(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")[:200]
    except OSError:
        return ""


def part_path(final: Path) -> Path:
    """A temporary name beside ``final`` that no other process has: hidden, so that no listing shows it.

    Example:
        >>> part_path(Path("faces.npy")).name  # doctest: +SKIP
        '.faces.npy.laptop-4711-1f0c9a3e.part'
    """
    return final.with_name(f".{final.name}.{_HOST}-{os.getpid()}-{uuid.uuid4().hex[:8]}.part")


@contextmanager
def written(final: Path) -> Iterator[Path]:
    """Give a temporary name; a file or folder of that name takes the place of ``final`` when the block has ended well.

    A folder that is replaced is moved aside first and removed after: a kill at any instant leaves one of the two whole.
    The caller holds the lock; else ``replacing``.
    """
    part = part_path(final)
    try:
        yield part
        with in_words(final):
            _move(part, final)
    finally:
        _remove(part)


@contextmanager
def replacing(final: Path) -> Iterator[Path]:
    """As ``written``, with the lock of ``final`` held; what killed runs left of it is removed first."""
    with sole_use(final):
        remove_dead_parts(final)
        with written(final) as part:
            yield part


def _move(part: Path, final: Path) -> None:
    if not final.is_dir() or final.is_symlink():
        part.replace(final)
        return
    old = part.with_name(f"{part.name}.old")
    final.rename(old)
    try:
        part.rename(final)
    except BaseException:
        old.rename(final)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink()


def remove_dead_parts(final: Path) -> None:
    """Remove what killed runs left of ``final`` under temporary names; the lock of ``final`` is held.

    Another machine's are removed when they have not been written to for an hour: its locks may not be seen here.
    """
    for part, name, host in _parts(final.parent):
        if name == final.name and (host == _HOST or is_stale(part)):
            logger.info("Removed %s, which a run that was killed had left", part)
            _remove(part)


def remove_all_dead_parts(folders: Iterable[Path]) -> None:
    """Remove what killed runs left in these folders; outputs that a run is writing are passed over."""
    for folder in folders:
        for final in {folder / name for _, name, _ in _parts(folder)}:
            lock = FileLock(_lock_file(final))
            try:
                lock.acquire(timeout=0)
            except (Timeout, OSError):  # in use, or on a disk that the run itself will complain of
                continue
            try:
                remove_dead_parts(final)
            finally:
                with suppress(OSError):
                    _lock_file(final).unlink()
                lock.release()


def _parts(folder: Path) -> Iterator[tuple[Path, str, str | None]]:
    """Temporary files and folders, each with the name of its output and its machine; None where it has no owner."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return
    for path in paths:
        if part := _PART.fullmatch(path.name):
            yield path, part["final"], part["host"]


def is_stale(path: Path) -> bool:
    """Whether a file or folder has not been written to for an hour."""
    newest = 0.0
    for each in (path, *(path.rglob("*") if path.is_dir() else ())):
        with suppress(OSError):
            newest = max(newest, each.lstat().st_mtime)
    return time.time() - newest > STALE


def is_own_host(name: str) -> bool:
    """Whether a temporary name, as ``part_path`` makes them, is one of this machine's."""
    return f".{_HOST}-" in name


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Tell a fault of the disk on which ``path`` is written in three parts; all other errors pass through.

    Raises:
        FileError: The disk is full or read-only, or the file cannot be written for another reason of that kind.
    """
    try:
        yield
    except FileError:
        raise
    except Exception as error:  # libraries have classes of their own for what the disk says
        found = _disk_fault(error)
        if found is None:
            raise
        raise FileError(write_fault(path, *found)) from error


def _disk_fault(error: BaseException) -> tuple[int, str] | None:
    """Number and words of the disk's error below ``error``; None if there is none."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError):
            return link.errno or 0, link.strerror or _words(link)
        if _DISK_WORDS.search(str(link)):
            number = _ERROR_NUMBER.search(str(link))
            full = errno.ENOSPC if "no space left" in str(link).lower() else 0
            return int(number[1]) if number else full, _words(link)
        link = link.__cause__
    return None


def write_fault(path: Path | str, number: int, words: str) -> str:
    """The message for a file that the operating system does not let be written.

    Args:
        path: The file, or a folder.
        number: ``errno`` of the error; 0 if it is not known.
        words: What the system says.
    """
    again = "and run the same command again"
    elsewhere = "or point data in conf/<env>/globals.yml to another disk"
    if number in _FULL:
        return (
            f"The disk is full: {path} could not be written.\n"
            f"Nothing half-written is left under its own name. Make room, {elsewhere}, {again}."
        )
    if number == errno.EROFS:
        return f"The disk is read-only: {path} could not be written.\nMake it writable, {elsewhere}, {again}."
    if number in _DENIED:
        return (
            f"{path} could not be written: {words}.\n"
            f"Give yourself the right to write there (ls -ld shows it), {elsewhere}, {again}."
        )
    return (
        f"{path} could not be written: {words}.\nCheck the disk and the folder that it lies in, {elsewhere}, {again}."
    )


@contextmanager
def reading(path: Path, kind: str, to_do: str = "Delete it and run its pipeline again.") -> Iterator[None]:
    """Tell in three parts that ``path`` cannot be read; the block does nothing but read it.

    Args:
        path: The file.
        kind: What it should be, as in ``a table``.
        to_do: What helps where it is damaged.

    Raises:
        FileError: The file is missing, may not be read, or is damaged.
    """
    try:
        yield
    except FileError:
        raise
    except Exception as error:  # whatever a decoder stumbles over, the file is not what it should be
        raise FileError(_read_fault(path, kind, to_do, error)) from error


def _read_fault(path: Path, kind: str, to_do: str, error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    if not path.exists():
        return f"{path} does not exist. Run the pipeline that writes it, or without --from-nodes the whole one."
    if isinstance(error, OSError) and error.errno in _DENIED:
        return f"{path} cannot be read: {error.strerror}. Give yourself the right to read it (ls -l shows it)."
    if isinstance(error, OSError) and error.errno == errno.EIO:
        return f"{path} cannot be read: the disk says {error.strerror}. Check the disk; {to_do[0].lower()}{to_do[1:]}"
    size = path.stat().st_size if path.is_file() else None
    what = "it is empty" if size == 0 else f"it is damaged, or not {kind} ({_words(error)})"
    return f"{path} cannot be read: {what}. {to_do}"


def _words(error: BaseException) -> str:
    """What an error says, in one line of at most 200 letters."""
    return (" ".join(str(error).split()) or type(error).__name__)[:200].rstrip(".:")
