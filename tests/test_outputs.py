"""Outputs: one run at a time, no name shared, nothing left of killed runs, faults of the disk in words."""

import errno
import logging
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from mien import outputs
from mien.outputs import FileError, in_words, part_path, reading, remove_all_dead_parts, replacing, sole_use, written

FORK = multiprocessing.get_context("fork")  # these children import nothing and start no thread


def hold(final: Path, begun, seconds: float) -> None:
    with sole_use(final):
        begun.set()
        time.sleep(seconds)


def write_for_ever(final: Path, begun) -> None:
    with replacing(final) as part:
        part.write_text("half")
        begun.set()
        time.sleep(600)


def started(function, *args):
    begun = FORK.Event()
    process = FORK.Process(target=function, args=(args[0], begun, *args[1:]))
    process.start()
    assert begun.wait(60)
    return process


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def foreign(part: Path) -> Path:
    """The same name, of another machine."""
    return part.with_name(part.name.replace(f".{outputs._HOST}-", ".elsewhere-"))


def test_the_second_waits_says_for_whom_and_leaves_no_lock_file(tmp_path, caplog):
    caplog.set_level(logging.INFO, "mien")
    final = tmp_path / "faces.npy"
    other = started(hold, final, 0.5)
    with sole_use(final) as second:
        assert second.waited
    other.join()
    assert f"faces.npy is in use by process {other.pid} on " in caplog.text
    assert "is free: going on" in caplog.text
    assert names(tmp_path) == []
    with sole_use(final) as third:
        assert not third.waited


def test_threads_of_one_process_wait_for_each_other_too(tmp_path):
    inside, most = [], []

    def work() -> None:
        with sole_use(tmp_path / "x"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5


def test_a_killed_holder_holds_nothing_and_what_it_left_is_removed(tmp_path, caplog):
    caplog.set_level(logging.INFO, "mien")
    final = tmp_path / "table.csv"
    other = started(write_for_ever, final)
    assert len(names(tmp_path)) == 2, "its lock and its temporary file"
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    with replacing(final) as part:
        part.write_text("whole")
    assert f"was left by process {other.pid} on " in caplog.text
    assert "which a run that was killed had left" in caplog.text
    assert names(tmp_path) == ["table.csv"]
    assert final.read_text() == "whole"


def test_a_run_removes_what_killed_runs_left_but_not_what_is_being_written(tmp_path):
    killed, alive = (started(write_for_ever, tmp_path / name) for name in ("killed.csv", "alive.csv"))
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    (tmp_path / ".raf_db.12345678.part").mkdir()  # as earlier versions named it, and just now
    remove_all_dead_parts([tmp_path, tmp_path / "missing"])
    assert [name for name in names(tmp_path) if "killed" in name] == []
    assert sum(name.startswith(".alive.csv.") for name in names(tmp_path)) == 2
    assert (tmp_path / ".raf_db.12345678.part").is_dir()
    alive.kill()
    alive.join()


def test_what_another_machine_writes_stays_until_nobody_has_written_to_it_for_an_hour(tmp_path):
    final = tmp_path / "synthetic"
    recent, old = foreign(part_path(final)), foreign(part_path(final))
    for part in (recent, old):
        (part / "deep").mkdir(parents=True)
        (part / "deep" / "image.png").write_bytes(b"x")
    before = time.time() - outputs.STALE - 60
    for path in (old, old / "deep", old / "deep" / "image.png", recent):
        os.utime(path, (before, before))
    with replacing(final) as part:
        part.mkdir()
    assert names(tmp_path) == sorted(["synthetic", recent.name])


def test_no_two_temporary_names_are_equal_and_each_names_machine_and_process(tmp_path):
    found = {part_path(tmp_path / "a.b.npy").name for _ in range(100)}
    assert len(found) == 100
    assert all(name.startswith(f".a.b.npy.{outputs._HOST}-{os.getpid()}-") for name in found)


def raise_after(write, part: Path, error: type[BaseException]) -> None:
    write(part, "half")
    raise error


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_block_that_fails_leaves_what_was_there(tmp_path, is_folder):
    final = tmp_path / "out"

    def write(path: Path, text: str) -> None:
        if is_folder:
            path.mkdir()
        (path / "x" if is_folder else path).write_text(text)

    def text() -> str:
        return (final / "x" if is_folder else final).read_text()

    for content in ("old", "new"):
        with replacing(final) as part:
            write(part, content)
        assert text() == content
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error), replacing(final) as part:
            raise_after(write, part, error)
    assert text() == "new"
    assert names(tmp_path) == ["out"]


def test_a_disk_without_locks_is_written_to_with_a_warning(tmp_path, monkeypatch, caplog):
    def refuse(*args, **kwargs):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with replacing(tmp_path / "x") as part:
        part.write_text("there")
    assert (tmp_path / "x").read_text() == "there"
    assert "has no locks: do not start two runs" in caplog.text


class SafetensorError(Exception):
    """As the library's, which is no OSError."""


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full: {}"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "The disk is full: {}"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "The disk is full: {}"),
        (OSError(errno.EROFS, "Read-only file system"), "The disk is read-only: {}"),
        (SafetensorError("I/O error: Read-only file system (os error 30)"), "The disk is read-only: {}"),
        (OSError(errno.EACCES, "Permission denied"), "{} could not be written: Permission denied.\nGive yourself"),
        (OSError(errno.EIO, "Input/output error"), "{} could not be written: Input/output error"),
        (RuntimeError("[enforce fail at inline_container.cc:664] . PytorchStreamWriter failed"), "{} could not be"),
    ],
)
def test_a_fault_of_the_disk_has_three_parts(tmp_path, error, what):
    path = tmp_path / "network.safetensors"
    with pytest.raises(FileError) as reported, in_words(path):
        raise error
    assert str(reported.value).startswith(what.format(path))
    assert "point data in conf/<env>/globals.yml to another disk" in str(reported.value)
    assert "run the same command again" in str(reported.value)


def test_a_fault_of_the_program_passes_through(tmp_path):
    with pytest.raises(ValueError, match=r"^shapes differ$"), in_words(tmp_path):
        raise ValueError("shapes differ")


def test_a_missing_a_forbidden_and_an_empty_file_are_distinguished(tmp_path):
    path = tmp_path / "t.csv"
    with (
        pytest.raises(FileError, match=r"t\.csv does not exist\. Run the pipeline"),
        reading(path, "a table"),
    ):
        path.read_text()
    path.write_text("")
    with pytest.raises(FileError, match=r"t\.csv cannot be read: it is empty\. Delete it"), reading(path, "a table"):
        raise EOFError
    path.write_text("x")
    with pytest.raises(FileError, match=r"cannot be read: Permission denied\. Give yourself"), reading(path, "a table"):
        raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(FileError, match=r"damaged, or not a table \(line 3\)\. Delete it"), reading(path, "a table"):
        raise ValueError("line 3")


def test_a_folder_swap_that_is_interrupted_keeps_the_old_one(tmp_path, monkeypatch):
    final = tmp_path / "figures"
    final.mkdir()
    rename = Path.rename

    def interrupted(path: Path, target: Path) -> Path:
        if path.name.endswith(".part"):
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), written(final) as part:
        part.mkdir()
    assert names(tmp_path) == ["figures"]
