"""MLflow's database in the project: made whole or not at all, by one run at a time.

Its faults become plain messages.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from mien.errors import MienError
from mien.outputs import FileError, in_words, remove_dead_parts, sole_use, written

SQLITE = "sqlite:///"
"""Begins the address of a store that is a file."""

_PASSING = ("locked", "busy")
"""What SQLite says while another run writes: nothing is damaged."""


def database_file(uri: str) -> Path | None:
    """The file of a store that is one.

    Example:
        >>> database_file("sqlite:////mlflow.db?timeout=60"), database_file("http://tracking:5000")
        (PosixPath('/mlflow.db'), None)
    """
    name = uri.removeprefix(SQLITE).partition("?")[0]
    return Path(name).absolute() if uri.startswith(SQLITE) and name and not name.startswith(":") else None


def store_lock(uri: str) -> Any:
    """The lock of a store that is a file, for what has to be looked up and written as one; nothing for a server."""
    file = database_file(uri)
    return nullcontext() if file is None else sole_use(file)


def prepare_database(file: Path) -> None:
    """Make the database if there is none, or check the one that is there.

    MLflow makes it by some fifty migrations, which fail for ever when they were begun twice or cut off. So it is made
    under another name, by one run, and then moved.

    Raises:
        FileError: The file is damaged, no database, or cannot be made.
    """
    if not _has_content(file):
        with sole_use(file):
            remove_dead_parts(file)
            if not _has_content(file):
                _make(file)
            return
    _check(file)


def _has_content(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def _make(file: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with written(file) as part, in_words(file), configured_store(f"{SQLITE}{file}"):
        store = SqlAlchemyStore(f"{SQLITE}{part}", "./mlruns")  # MLflow's own default, for what names no place
        store.engine.dispose()


def _check(file: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        found = "ok" if any(word in str(error) for word in _PASSING) else str(error)
    if found != "ok":
        raise FileError(
            f"MLflow's database {file} is damaged, or no database ({' '.join(found.split())[:200]}).\n"
            f"Move it away, and a new one is made (mv {file.name} {file.name}.damaged); the files of its runs stay as "
            "they are. Or name another store in MLFLOW_TRACKING_URI."
        )


@contextmanager
def configured_store(uri: str) -> Iterator[None]:
    """Tell in three parts that a store does not answer or take anything.

    Raises:
        MienError: MLflow or the database failed within the block.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, ImportError) as error:  # the last: a database without its driver
        raise MienError(
            f"MLflow cannot keep runs in {uri}: {' '.join(str(error).split())[:200]}.\n{_way_on(uri)} "
            "Without MLFLOW_TRACKING_URI runs go to mlflow.db in the project."
        ) from error


def _way_on(uri: str) -> str:
    if uri.startswith("sqlite:"):
        return "Check that the disk has room and that the file may be written; move it away, and a new one is made."
    if uri.startswith(("http:", "https:")):
        return "Start the server, or name another store in MLFLOW_TRACKING_URI."
    return (
        "Name a database in MLFLOW_TRACKING_URI, as sqlite:////data/mlflow.db, or a server, as http://localhost:5000."
    )
