"""What libraries written in C print to the standard error, caught so that it can be reported with a file's name."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator

_LOCK = threading.Lock()
_MAX_BYTES = 10_000


@contextlib.contextmanager
def caught_stderr() -> Iterator[list[str]]:
    """Catch what is written to file descriptor 2 in a block; the list that is yielded has its lines afterwards.

    Decoders of images warn there without saying of which file. One block at a time; where there is no descriptor 2, as
    in a process without a console, nothing is caught.

    Example:
        >>> with caught_stderr() as reported:
        ...     _ = os.write(2, b"Corrupt JPEG data")
        >>> reported
        ['Corrupt JPEG data']
    """
    reported: list[str] = []
    with _LOCK:
        try:
            kept = os.dup(2)
        except OSError:
            yield reported
            return
        try:
            with tempfile.TemporaryFile(buffering=0) as file:
                os.dup2(file.fileno(), 2)
                try:
                    yield reported
                finally:
                    os.dup2(kept, 2)
                if os.fstat(file.fileno()).st_size:
                    file.seek(0)
                    text = file.read(_MAX_BYTES).decode("utf-8", "replace")
                    reported += [line.strip() for line in text.splitlines() if line.strip()]
        finally:
            os.close(kept)
