"""Ways to spoil one file: each makes a function of the dataset's folder, the file and a source of chance."""

import io
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import cv2
import numpy as np
from PIL import Image

Spoil = Callable[[Path, Path, Random], None]


def new(path: Path, content: bytes) -> None:
    path.unlink()  # the old one may be a hard link to the sound dataset
    path.write_bytes(content)


def content(change: Callable[[bytes, Random], bytes]) -> Spoil:
    return lambda root, path, rng: new(path, change(path.read_bytes(), rng))


def rename(change: Callable[[Path], Path]) -> Spoil:
    def apply(root: Path, path: Path, rng: Random) -> None:
        target = change(path)
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)

    return apply


def lines(change: Callable[[list[bytes], Random], list[bytes]]) -> Spoil:
    return content(lambda data, rng: b"\n".join(change(data.rstrip(b"\n").split(b"\n"), rng)) + b"\n")


def separator(lines: list[bytes]) -> bytes:
    return b"," if b"," in lines[0] else b" "


def columns(change: Callable[[list[bytes], int, int], list[bytes]], one_line: bool = False):
    def apply(lines: list[bytes], rng: Random) -> list[bytes]:
        comma = separator(lines)
        width = len(lines[0].split(comma))
        one, other = rng.sample(range(width), 2) if width > 1 else (0, 0)
        row = rng.randrange(len(lines)) if one_line else None
        return [
            comma.join(change(line.split(comma), one, other))
            if row in (None, number) and len(line.split(comma)) == width
            else line
            for number, line in enumerate(lines)
        ]

    return lines(apply)


def swapped(fields: list[bytes], one: int, other: int) -> list[bytes]:
    fields[one], fields[other] = fields[other], fields[one]
    return fields


def with_line(lines: list[bytes], rng: Random, line: bytes) -> list[bytes]:
    row = rng.randrange(len(lines))
    return [*lines[:row], line, *lines[row:]]


def number(lines: list[bytes], rng: Random, value: bytes) -> list[bytes]:
    """Put a value in the place of a number of a row."""
    comma = separator(lines)
    row = rng.randrange(len(lines))
    fields = lines[row].split(comma)
    places = [place for place, field in enumerate(fields) if field.strip().isdigit()] or [len(fields) - 1]
    fields[rng.choice(places)] = value
    return [*lines[:row], comma.join(fields), *lines[row + 1 :]]


def flip(data: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    if changed:
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def insert(what: bytes) -> Callable[[bytes, Random], bytes]:
    def change(data: bytes, rng: Random) -> bytes:
        place = rng.randrange(len(data) + 1)
        return data[:place] + what + data[place:]

    return change


def other_file(root: Path, path: Path, rng: Random) -> None:
    others = [each for each in sorted(root.rglob("*")) if each.is_file() and each != path]
    new(path, rng.choice(others or [path]).read_bytes())


def swap_files(root: Path, path: Path, rng: Random) -> None:
    others = [each for each in sorted(root.rglob(f"*{path.suffix}")) if each.is_file() and each != path]
    if others:
        other = rng.choice(others)
        one, two = path.read_bytes(), other.read_bytes()
        new(path, two)
        new(other, one)


def folder(root: Path, path: Path, rng: Random) -> None:
    path.unlink()
    path.mkdir()


def full_folder(root: Path, path: Path, rng: Random) -> None:
    content = path.read_bytes()
    folder(root, path, rng)
    (path / path.name).write_bytes(content)


def link_to(target: Callable[[Path, Path], Path]) -> Spoil:
    def apply(root: Path, path: Path, rng: Random) -> None:
        to = target(root, path)
        path.unlink()
        path.symlink_to(to)

    return apply


def moved_out(root: Path, path: Path) -> Path:
    cache = root.parent / f"{root.name}.cache"
    cache.mkdir(exist_ok=True)
    shutil.copyfile(path, cache / "0a1b2c")
    return cache / "0a1b2c"


def folder_moved_out(root: Path, path: Path, rng: Random) -> None:
    cache = root.parent / f"{root.name}.cache"
    cache.mkdir(exist_ok=True)
    folder = path.parent
    if folder == root:
        link_to(moved_out)(root, path, rng)
        return
    folder.rename(cache / "folder")
    folder.symlink_to(cache / "folder")


def no_rights(root: Path, path: Path, rng: Random) -> None:
    data = path.read_bytes()
    new(path, data)
    path.chmod(0)


def pipe(root: Path, path: Path, rng: Random) -> None:
    path.unlink()
    os.mkfifo(path)


def beside(name: Callable[[Path], str], content: Callable[[Path], bytes] | None = None):
    def apply(root: Path, path: Path, rng: Random) -> None:
        target = path.with_name(name(path))
        target.parent.mkdir(exist_ok=True)
        if not target.exists():
            target.write_bytes(content(path) if content else path.read_bytes())

    return apply


def as_image(make: Callable[[np.ndarray], bytes]) -> Spoil:
    """Write an image's own pixels in another way under the same name."""

    def apply(root: Path, path: Path, rng: Random) -> None:
        new(path, make(cv2.imread(str(path))))

    return apply


def encoded(suffix: str) -> Callable[[np.ndarray], bytes]:
    return lambda pixels: cv2.imencode(suffix, pixels)[1].tobytes()


def animation(pixels: np.ndarray) -> bytes:
    frames = [Image.fromarray(np.roll(pixels, step, 0)) for step in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def declared(width: int, height: int) -> Callable[[np.ndarray], bytes]:
    def make(pixels: np.ndarray) -> bytes:
        data = bytearray(encoded(".png")(pixels))
        data[16:24] = struct.pack(">II", width, height)
        return bytes(data)

    return make


def bitmap(pixels: np.ndarray) -> bytes:
    data = bytearray(encoded(".bmp")(pixels))
    data[18:26] = struct.pack("<ii", 2**30, -(2**31))
    return bytes(data)


def field(place: int, form: str, value: int) -> Spoil:
    """Overwrite a number of a header."""

    def change(data: bytes, rng: Random) -> bytes:
        changed = bytearray(data)
        changed[place : place + struct.calcsize(form)] = struct.pack(form, value)
        return bytes(changed)

    return content(change)


def text_as(encoding: str) -> Callable[[bytes, Random], bytes]:
    return lambda data, rng: data.decode("utf-8").encode(encoding)
