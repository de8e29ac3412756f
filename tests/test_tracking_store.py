"""MLflow's database: made whole by one run, and its damages reported in words."""

import shutil
import sqlite3
import threading
import time

import pytest

from mien import tracking_store
from mien.cli import mistake
from mien.mlflow_run import connect
from mien.outputs import FileError, part_path
from mien.tracking_store import configured_store, prepare_database


def test_two_first_runs_make_one_database(tmp_path, monkeypatch):
    made = []

    def make(file) -> None:
        made.append(file)
        time.sleep(0.1)
        file.write_bytes(b"made")

    monkeypatch.setattr(tracking_store, "_make", make)
    monkeypatch.setattr(tracking_store, "_check", lambda file: None)
    threads = [threading.Thread(target=prepare_database, args=(tmp_path / "mlflow.db",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [tmp_path / "mlflow.db"]
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


@pytest.mark.parametrize("begun", [False, True])
def test_a_database_whose_making_was_cut_off_is_made_anew(tmp_path, monkeypatch, begun):
    import mlflow.store.tracking.sqlalchemy_store as stores

    def cut_off(uri: str, artifacts: str) -> None:
        sqlite3.connect(uri.removeprefix("sqlite:///")).execute("CREATE TABLE metrics (key TEXT)")
        raise KeyboardInterrupt

    if begun:
        (tmp_path / "mlflow.db").touch()  # as SQLite leaves one that was opened and not written
    with monkeypatch.context() as patch:
        patch.setattr(stores, "SqlAlchemyStore", cut_off)
        with pytest.raises(KeyboardInterrupt):
            prepare_database(tmp_path / "mlflow.db")
    part_path(tmp_path / "mlflow.db").write_bytes(b"half, by one that was killed")
    client = connect(tmp_path)
    assert [each.name for each in client.search_experiments()] == ["Default"]
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def flipped(content: bytes) -> bytes:
    return content[:4096] + bytes(len(content) - 4096)


DAMAGES = {
    "truncated": lambda content: content[: len(content) // 2],
    "overwritten": flipped,
    "foreign": lambda content: b"version https://git-lfs.github.com/spec/v1\n" * 30,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_database_is_reported_with_what_to_do(tmp_path, mlflow_store, damage):
    file = tmp_path / "mlflow.db"
    shutil.copy(mlflow_store, file)
    connect(tmp_path)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(FileError) as error:
        connect(tmp_path)
    reported = mistake(error.value)
    assert reported.startswith(f"MLflow's database {file} is damaged, or no database (")
    assert "mv mlflow.db mlflow.db.damaged" in reported
    assert len(reported.splitlines()) == 2


def test_what_the_database_does_not_take_is_reported_in_words():
    from sqlalchemy.exc import OperationalError

    error = OperationalError("INSERT INTO runs\n(...)", {}, Exception("attempt to write a readonly database"))
    with pytest.raises(
        ValueError, match=r"cannot keep runs in .*readonly database(?s:.*)MLFLOW_TRACKING_URI"
    ) as reported:
        refuse(error)
    assert mistake(reported.value) == str(reported.value)


def refuse(error: Exception) -> None:
    with configured_store("sqlite:////project/mlflow.db"):
        raise error
