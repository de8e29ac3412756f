"""A random file of a dataset, corrupted in a random way: an error in words, or the right labels and every loss told.

Of every layout of the eight readers: never another exception, never a label that is not the image's, and no sample that
is gone without a line in the account of files.
"""

import random
import shutil
import wave
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.test_bad_input import WHAT_TO_DO
from tests.data.test_file_account import EVERY

from mien.data.audio import AudioError, read_or_reason
from mien.data.file_account import FileAccount
from mien.data.image_source import ImageSource
from mien.data.images import ImageError
from mien.outputs import FileError

LABEL_FILES = {
    "list_patition_label.txt",
    "train_labels.csv",
    "test_labels.csv",
    "fer2013.csv",
    "fer2013new.csv",
    "label.csv",
    "sfew_2.0_labels.csv",
    "manifest.csv",
    "age_gender.csv",
}
BY_ROW = {"ferplus_csv", "age_csv"}
"""Whose samples are rows: a row that is gone is no file that an account could tell."""

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
OURS = (ValueError, FileError, ImageError, AudioError)

Corruption = Callable[[Path, Path, random.Random], None]
"""Takes the root, the file in it and the source of chance."""

CORRUPTIONS: dict[str, Corruption] = {}


def corruption(change: Corruption) -> Corruption:
    CORRUPTIONS[change.__name__] = change
    return change


@corruption
def truncate(root, file, rng):
    content = file.read_bytes()
    file.write_bytes(content[: rng.randrange(len(content) + 1)])


@corruption
def empty(root, file, rng):
    file.write_bytes(b"")


@corruption
def noise(root, file, rng):
    file.write_bytes(rng.randbytes(rng.randrange(1, 3000)))


@corruption
def flip_a_byte(root, file, rng):
    content = bytearray(file.read_bytes() or b"x")
    content[rng.randrange(len(content))] ^= rng.randrange(1, 256)
    file.write_bytes(content)


@corruption
def zero_bytes_inside(root, file, rng):
    content = file.read_bytes()
    place = rng.randrange(len(content) + 1)
    file.write_bytes(content[:place] + b"\0" * rng.randrange(1, 9) + content[place:])


@corruption
def delete(root, file, rng):
    file.unlink()


@corruption
def other_ending(root, file, rng):
    file.rename(file.with_suffix(rng.choice([".tif", ".PNG", ".bak", "", ".jpeg", ".mp4", ".txt"])))


@corruption
def upper_case(root, file, rng):
    file.rename(file.with_name(file.name.upper()))


@corruption
def blank_at_the_end(root, file, rng):
    file.rename(file.with_name(file.name + " "))


@corruption
def not_utf8_name(root, file, rng):
    file.rename(Path(str(file.parent) + "/caf\udce9" + file.suffix))


@corruption
def deeper(root, file, rng):
    (file.parent / "deeper").mkdir()
    file.rename(file.parent / "deeper" / file.name)


@corruption
def to_the_root(root, file, rng):
    if file.parent != root:
        file.rename(root / file.name)


@corruption
def folder_for_a_file(root, file, rng):
    file.unlink()
    file.mkdir()


@corruption
def lfs_pointer(root, file, rng):
    file.write_bytes(POINTER)


@corruption
def another_files_content(root, file, rng):
    others = [path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix != file.suffix]
    file.write_bytes(rng.choice(others).read_bytes() if others else b"\x89PNG")


@corruption
def dangling_link(root, file, rng):
    file.unlink()
    file.symlink_to(root.parent / "nowhere")


@corruption
def circle_of_links(root, file, rng):
    file.unlink()
    file.symlink_to(file)


@corruption
def link_into_a_cache(root, file, rng):
    cache = root.parent / f"cache_{rng.randrange(10**9)}"
    file.rename(cache)
    file.symlink_to(cache)


@corruption
def folder_linked_into_a_cache(root, file, rng):
    if file.parent != root:
        cache = root.parent / f"cache_{rng.randrange(10**9)}"
        file.parent.rename(cache)
        file.parent.symlink_to(cache)


@corruption
def byte_order_mark(root, file, rng):
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())


@corruption
def windows_lines(root, file, rng):
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))


@corruption
def utf_16(root, file, rng):
    file.write_bytes(file.read_bytes().decode("latin-1").encode("utf-16"))


def _with_lines(file: Path, change: Callable[[list[bytes]], None]) -> None:
    lines = file.read_bytes().split(b"\n")
    change(lines)
    file.write_bytes(b"\n".join(lines))


@corruption
def line_deleted(root, file, rng):
    _with_lines(file, lambda lines: lines.pop(rng.randrange(len(lines))))


@corruption
def line_doubled(root, file, rng):
    _with_lines(file, lambda lines: lines.insert(0, rng.choice(lines)))


@corruption
def column_twice(root, file, rng):
    _with_lines(file, lambda lines: lines.__setitem__(slice(None), [line + b"," + line[:3] for line in lines]))


@corruption
def odd_field(root, file, rng):
    def change(lines: list[bytes]) -> None:
        row = rng.randrange(len(lines))
        fields = lines[row].split(b",")
        fields[rng.randrange(len(fields))] = rng.choice([b"99", b"-1", b"NaN", b"", b"1e9", b"\xd9\xa1", b"'", b'"'])
        lines[row] = b",".join(fields)

    _with_lines(file, change)


@corruption
def sixteen_bits(root, file, rng):
    file.write_bytes(cv2.imencode(".png", np.full((48, 48, 3), 40_000, np.uint16))[1].tobytes())


@corruption
def other_shape(root, file, rng):
    size = rng.choice([(1, 1, 3), (260, 580, 3), (48, 48, 1), (3000, 2, 3)])
    file.write_bytes(cv2.imencode(".png", np.zeros(size, np.uint8))[1].tobytes())


@corruption
def huge_announced_image(root, file, rng):
    content = bytearray(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    content[16:24] = rng.choice([b"\x7f\xff\xff\xff" * 2, b"\x00\x0f\x00\x00" * 2, b"\0" * 8])
    file.write_bytes(content)


@corruption
def odd_sound_header(root, file, rng):
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(b"\1\0" * 1600)
    content = bytearray(file.read_bytes())
    place, value = rng.choice([(4, 0x7FFFFFFF), (40, 0x7FFFFFFF), (24, 1), (24, 0), (22, 0), (34, 0), (40, 0), (28, 1)])
    content[place : place + 4] = value.to_bytes(4, "little")
    file.write_bytes(content)


@corruption
def something_else_too(root, file, rng):
    name = rng.choice(["notes.md", "a.jpg", ".hidden", "x.zip", "copy of it.png", "thumbs.db", "\u0436.wav"])
    (file.parent / name).write_bytes(rng.choice([b"", b"x", POINTER]))


@corruption
def an_empty_folder_too(root, file, rng):
    (file.parent / "empty folder").mkdir()


MAKES_NO_OTHER_LABEL = {"line_deleted", "line_doubled"}


def files_of(root: Path) -> list[Path]:
    return [path for path in sorted(root.rglob("*")) if path.is_file()]


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> dict[str, tuple[Path, pd.DataFrame]]:
    """Every layout as it should be, with images and voices that can be decoded, and its table."""
    found = {}
    for name, (build, read) in EVERY.items():
        root = tmp_path_factory.mktemp("sound") / name
        build(root)
        rng = np.random.default_rng(0)
        for file in files_of(root):
            if file.suffix in (".png", ".jpg"):
                side = 100 if "raf" in name else 48
                pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
                file.write_bytes(cv2.imencode(file.suffix, pixels)[1].tobytes())
            elif file.suffix == ".wav":
                with wave.open(str(file), "wb") as voice:
                    voice.setnchannels(1)
                    voice.setsampwidth(2)
                    voice.setframerate(16_000)
                    voice.writeframes(rng.integers(-9000, 9000, 1600, dtype=np.int16).tobytes())
        found[name] = root, read(root, FileAccount(root, "It"))
    return found


def decode(root: Path, samples: pd.DataFrame) -> int:
    """Read all images and sounds as preparation does; how many cannot be, each with its reason."""
    source, failed = ImageSource(root), 0
    for column in ("image", "onset", "apex"):
        for reference in samples.get(column, ()):
            try:
                image = source.read(reference)
                assert image.dtype == np.uint8
                assert image.ndim == 3
            except ImageError:
                failed += 1
    for reference in samples["audio"].dropna() if "audio" in samples else ():
        waveform, reason, _ = read_or_reason(root / reference)
        assert reason
        assert len(waveform) <= 16_000 * 60
        failed += reason not in ("read", "silent")
    return failed


def labels(samples: pd.DataFrame) -> dict[str, int]:
    columns = [name for name in ("label", "age", "gender") if name in samples]
    return dict(zip(samples["sample_id"], samples[columns].itertuples(index=False, name=None), strict=True))


def check(sound, name: str, tmp_path: Path, kind: str, which: int, seed: int, lenient: bool) -> str:
    """Corrupt a copy and read it; returns what became of it in one word."""
    clean_root, clean = sound[name]
    root = tmp_path / name
    shutil.copytree(clean_root, root)
    try:
        every = files_of(root)
        file = every[which % len(every)]
        CORRUPTIONS[kind](root, file, random.Random(seed))
        account = FileAccount(root, "It", **({"max_passed_over": 1.0} if lenient else {}))
        samples, refused = None, None
        try:
            samples = EVERY[name][1](root, account)
        except ValueError as error:
            refused = error
        if samples is None:
            assert type(refused) in OURS, repr(refused)
            assert WHAT_TO_DO.search(str(refused)), str(refused)
            return "refused"
        failed = decode(root, samples)
        before, now = labels(clean), labels(samples)
        changed = [key for key in now if key in before and now[key] != before[key]]
        touches_rows = file.name in LABEL_FILES
        if not touches_rows:
            assert not changed, (kind, file.name, changed)
        elif not (name in BY_ROW and kind in MAKES_NO_OTHER_LABEL):
            assert len(changed) <= (kind in ("flip_a_byte", "odd_field", "truncate")), (kind, file.name, changed)
        gone = before.keys() - now.keys() if len(now) < len(before) else set()  # a renamed file has another id
        table = account.table()
        told = table.loc[table["status"] != "used", "count"].sum()
        if gone and not (name in BY_ROW and touches_rows):
            assert told >= len(gone), (kind, file.name, gone, table.to_string())
        return "lost, told" if gone or failed else "whole"
    finally:
        shutil.rmtree(root)
        for cache in tmp_path.glob("cache_*"):
            shutil.rmtree(cache) if cache.is_dir() else cache.unlink()


COUNTS: Counter[tuple[str, str]] = Counter()

cases = {
    "kind": st.sampled_from(sorted(CORRUPTIONS)),
    "which": st.integers(0, 10**6),
    "seed": st.integers(0, 10**6),
    "lenient": st.booleans(),
}
RULES = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=8, **RULES)
@given(**cases)
def test_a_corrupted_file_is_told_and_no_label_changes(sound, tmp_path, name, kind, which, seed, lenient):
    check(sound, name, tmp_path, kind, which, seed, lenient)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=170, **RULES)
@given(**cases)
def test_two_thousand_corrupted_files_are_told_and_no_label_changes(sound, tmp_path, name, kind, which, seed, lenient):
    COUNTS[name, check(sound, name, tmp_path, kind, which, seed, lenient)] += 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", CORRUPTIONS)
@pytest.mark.parametrize("name", EVERY)
def test_every_way_of_corrupting_every_layout_is_told(sound, tmp_path, name, kind):
    files = files_of(sound[name][0])
    others = [place for place, file in enumerate(files) if file.name not in LABEL_FILES]
    for which in {0, len(files) - 1, *others[:1], *(set(range(len(files))) - set(others))}:
        COUNTS[kind, check(sound, name, tmp_path, kind, which, which, which % 2 == 0)] += 1
