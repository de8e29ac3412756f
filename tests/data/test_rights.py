"""Files and folders that a user may not read: a message that names them, or a reason; never a traceback."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.data.corrupted_reading import CLEAR, RIGHT, Outcome, build, evaluated, files
from tests.data.small_datasets import lenient
from tests.data.tiny_datasets import TINY

from mien.data.audio import read_or_reason
from mien.data.image_source import ImageSource
from mien.data.images import ImageError

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Be a user whom rights bind, as they do not bind root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def read_to_the_end(dataset: str, root: Path) -> Outcome:
    try:
        samples = TINY[dataset].read(root, lenient(root))
        source = ImageSource(root)
        for column in ("image", "onset", "apex"):
            for name in samples.get(column, ()):
                with contextlib.suppress(ImageError):
                    source.read(name)
        for name in samples["audio"].dropna() if "audio" in samples else ():
            read_or_reason(root / name)
    except Exception as error:
        return evaluated(error, (str(root),))
    return Outcome(RIGHT, "")


@pytest.mark.parametrize("of", ["file", "folder", "root"])
@pytest.mark.parametrize("dataset", TINY)
def test_what_may_not_be_read_is_reported(dataset, of, folder):
    sound = build(dataset, folder / "sound")
    first = {(Path(file).parts[0].rstrip("0123456789"), Path(file).suffix): file for file in reversed(files(sound))}
    for number, file in enumerate(first.values()):
        root = folder / str(number)
        shutil.copytree(sound.root, root)
        closed = {"file": root / file, "folder": (root / file).parent, "root": root}[of]
        closed.chmod(0)
        with nobody():
            got = read_to_the_end(dataset, root)
        closed.chmod(0o755)
        assert got.kind in (CLEAR, RIGHT), (file, got)
        assert of != "root" or got.kind == CLEAR
