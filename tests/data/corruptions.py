"""What becomes of people's files, as functions that spoil one file of a dataset, by what they can be done to."""

import io
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"

TEXTS, PICTURES, SOUNDS, VIDEOS = ".csv .txt", ".png .jpg .bmp", ".wav", ".mp4 .flv"
ANY = " ".join((TEXTS, PICTURES, SOUNDS, VIDEOS))


class Corruption(NamedTuple):
    """A change of one file.

    Attributes:
        apply: takes the dataset's folder, the file and a source of chance.
        suffixes: of the files that it can be done to.
        harmless: whether all samples stay as they are, if the reader takes the folder at all.
        adds: whether a sample may come to those there were.
    """

    apply: Callable[[Path, Path, Random], None]
    suffixes: str = ANY
    harmless: bool = False
    adds: bool = False


def _new(path: Path, content: bytes) -> None:
    path.unlink()  # the old one may be a hard link to the sound dataset
    path.write_bytes(content)


def _content(change: Callable[[bytes, Random], bytes]) -> Callable[[Path, Path, Random], None]:
    return lambda root, path, rng: _new(path, change(path.read_bytes(), rng))


def _rename(change: Callable[[Path], Path]) -> Callable[[Path, Path, Random], None]:
    def apply(root: Path, path: Path, rng: Random) -> None:
        target = change(path)
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)

    return apply


def _lines(change: Callable[[list[bytes], Random], list[bytes]]) -> Callable[[Path, Path, Random], None]:
    return _content(lambda data, rng: b"\n".join(change(data.rstrip(b"\n").split(b"\n"), rng)) + b"\n")


def _separator(lines: list[bytes]) -> bytes:
    return b"," if b"," in lines[0] else b" "


def _columns(change: Callable[[list[bytes], int, int], list[bytes]], one_line: bool = False):
    def apply(lines: list[bytes], rng: Random) -> list[bytes]:
        comma = _separator(lines)
        width = len(lines[0].split(comma))
        one, other = rng.sample(range(width), 2) if width > 1 else (0, 0)
        row = rng.randrange(len(lines)) if one_line else None
        return [
            comma.join(change(line.split(comma), one, other))
            if row in (None, number) and len(line.split(comma)) == width
            else line
            for number, line in enumerate(lines)
        ]

    return _lines(apply)


def _swapped(fields: list[bytes], one: int, other: int) -> list[bytes]:
    fields[one], fields[other] = fields[other], fields[one]
    return fields


def _with_line(lines: list[bytes], rng: Random, line: bytes) -> list[bytes]:
    row = rng.randrange(len(lines))
    return [*lines[:row], line, *lines[row:]]


def _number(lines: list[bytes], rng: Random, value: bytes) -> list[bytes]:
    """Put a value in the place of a number of a row."""
    comma = _separator(lines)
    row = rng.randrange(len(lines))
    fields = lines[row].split(comma)
    places = [place for place, field in enumerate(fields) if field.strip().isdigit()] or [len(fields) - 1]
    fields[rng.choice(places)] = value
    return [*lines[:row], comma.join(fields), *lines[row + 1 :]]


def _flip(data: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    if changed:
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _insert(what: bytes) -> Callable[[bytes, Random], bytes]:
    def change(data: bytes, rng: Random) -> bytes:
        place = rng.randrange(len(data) + 1)
        return data[:place] + what + data[place:]

    return change


def _other_file(root: Path, path: Path, rng: Random) -> None:
    others = [each for each in sorted(root.rglob("*")) if each.is_file() and each != path]
    _new(path, rng.choice(others or [path]).read_bytes())


def _swap_files(root: Path, path: Path, rng: Random) -> None:
    others = [each for each in sorted(root.rglob(f"*{path.suffix}")) if each.is_file() and each != path]
    if others:
        other = rng.choice(others)
        one, two = path.read_bytes(), other.read_bytes()
        _new(path, two)
        _new(other, one)


def _folder(root: Path, path: Path, rng: Random) -> None:
    path.unlink()
    path.mkdir()


def _full_folder(root: Path, path: Path, rng: Random) -> None:
    content = path.read_bytes()
    _folder(root, path, rng)
    (path / path.name).write_bytes(content)


def _link_to(target: Callable[[Path, Path], Path]) -> Callable[[Path, Path, Random], None]:
    def apply(root: Path, path: Path, rng: Random) -> None:
        to = target(root, path)
        path.unlink()
        path.symlink_to(to)

    return apply


def _moved_out(root: Path, path: Path) -> Path:
    cache = root.parent / f"{root.name}.cache"
    cache.mkdir(exist_ok=True)
    shutil.copyfile(path, cache / "0a1b2c")
    return cache / "0a1b2c"


def _folder_moved_out(root: Path, path: Path, rng: Random) -> None:
    cache = root.parent / f"{root.name}.cache"
    cache.mkdir(exist_ok=True)
    folder = path.parent
    if folder == root:
        _link_to(_moved_out)(root, path, rng)
        return
    folder.rename(cache / "folder")
    folder.symlink_to(cache / "folder")


def _no_rights(root: Path, path: Path, rng: Random) -> None:
    data = path.read_bytes()
    _new(path, data)
    path.chmod(0)


def _pipe(root: Path, path: Path, rng: Random) -> None:
    path.unlink()
    os.mkfifo(path)


def _beside(name: Callable[[Path], str], content: Callable[[Path], bytes] | None = None):
    def apply(root: Path, path: Path, rng: Random) -> None:
        target = path.with_name(name(path))
        target.parent.mkdir(exist_ok=True)
        if not target.exists():
            target.write_bytes(content(path) if content else path.read_bytes())

    return apply


def _as_image(make: Callable[[np.ndarray], bytes]) -> Callable[[Path, Path, Random], None]:
    """Write an image's own pixels in another way under the same name."""

    def apply(root: Path, path: Path, rng: Random) -> None:
        _new(path, make(cv2.imread(str(path))))

    return apply


def _encoded(suffix: str) -> Callable[[np.ndarray], bytes]:
    return lambda pixels: cv2.imencode(suffix, pixels)[1].tobytes()


def _animation(pixels: np.ndarray) -> bytes:
    frames = [Image.fromarray(np.roll(pixels, step, 0)) for step in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def _declared(width: int, height: int) -> Callable[[np.ndarray], bytes]:
    def make(pixels: np.ndarray) -> bytes:
        data = bytearray(_encoded(".png")(pixels))
        data[16:24] = struct.pack(">II", width, height)
        return bytes(data)

    return make


def _bitmap(pixels: np.ndarray) -> bytes:
    data = bytearray(_encoded(".bmp")(pixels))
    data[18:26] = struct.pack("<ii", 2**30, -(2**31))
    return bytes(data)


def _field(place: int, form: str, value: int) -> Callable[[Path, Path, Random], None]:
    """Overwrite a number of a header."""

    def change(data: bytes, rng: Random) -> bytes:
        changed = bytearray(data)
        changed[place : place + struct.calcsize(form)] = struct.pack(form, value)
        return bytes(changed)

    return _content(change)


def _text_as(encoding: str) -> Callable[[bytes, Random], bytes]:
    return lambda data, rng: data.decode("utf-8").encode(encoding)


CORRUPTIONS: dict[str, Corruption] = {
    # what is in the file
    "cut off": Corruption(_content(lambda data, rng: data[: rng.randrange(len(data))])),
    "empty": Corruption(_content(lambda data, rng: b"")),
    "random bytes": Corruption(_content(lambda data, rng: rng.randbytes(rng.randrange(1, 3000)))),
    "random bytes of its length": Corruption(_content(lambda data, rng: rng.randbytes(len(data)))),
    "zeros of its length": Corruption(_content(lambda data, rng: bytes(len(data)))),
    "a bit flipped": Corruption(_content(_flip)),
    "sixteen bits flipped": Corruption(_content(lambda data, rng: [data := _flip(data, rng) for _ in range(16)][-1])),
    "zero bytes inside": Corruption(_content(_insert(bytes(8)))),
    "the end missing, zeros for it": Corruption(
        _content(lambda data, rng: data[: (cut := rng.randrange(len(data)))] + bytes(len(data) - cut))
    ),
    "twice in a row": Corruption(_content(lambda data, rng: data + data)),
    "something after its end": Corruption(_content(lambda data, rng: data + rng.randbytes(40))),
    "a pointer of Git LFS": Corruption(_content(lambda data, rng: POINTER)),
    "a page of the web": Corruption(_content(lambda data, rng: b"<!DOCTYPE html><html>404 not found</html>\n")),
    "another file of the dataset": Corruption(_other_file),
    "exchanged with another": Corruption(_swap_files, ".png .jpg .bmp .wav .mp4 .flv"),
    # where and what the file is
    "deleted": Corruption(lambda root, path, rng: path.unlink()),
    "another ending": Corruption(_rename(lambda path: path.with_suffix(".bin"))),
    "no ending": Corruption(_rename(lambda path: path.with_suffix(""))),
    "an ending in capitals": Corruption(_rename(lambda path: path.with_suffix(path.suffix.upper()))),
    "a name in capitals": Corruption(_rename(lambda path: path.with_name(path.name.upper()))),
    "a space after its name": Corruption(_rename(lambda path: path.with_name(path.name + " "))),
    "a space before its name": Corruption(_rename(lambda path: path.with_name(" " + path.name))),
    "a copy's name": Corruption(_rename(lambda path: path.with_name(f"{path.stem} (1){path.suffix}"))),
    "a name of line ends": Corruption(_rename(lambda path: path.with_name(f"{path.stem}\n{path.suffix}"))),
    "a name that is not UTF-8": Corruption(
        _rename(lambda path: path.with_name(os.fsdecode(b"caf\xe9_" + os.fsencode(path.name))))
    ),
    "a hidden name": Corruption(_rename(lambda path: path.with_name("." + path.name))),
    "one folder deeper": Corruption(_rename(lambda path: path.parent / "more" / path.name)),
    "one folder up": Corruption(
        lambda root, path, rng: (
            None if path.parent == root else _rename(lambda each: each.parent.parent / each.name)(root, path, rng)
        )
    ),
    "its folder renamed": Corruption(
        lambda root, path, rng: (
            None
            if path.parent == root
            else _rename(lambda each: each.with_name(f"{each.name} (1)"))(root, path.parent, rng)
        )
    ),
    "its folder in capitals": Corruption(
        lambda root, path, rng: (
            None
            if path.parent == root
            else _rename(lambda each: each.with_name(each.name.upper()))(root, path.parent, rng)
        )
    ),
    "its folder deleted": Corruption(
        lambda root, path, rng: shutil.rmtree(path.parent) if path.parent != root else path.unlink()
    ),
    "a folder": Corruption(_folder),
    "a folder that holds it": Corruption(_full_folder),
    "a pipe": Corruption(_pipe),
    "no rights": Corruption(_no_rights),
    "a link to nothing": Corruption(_link_to(lambda root, path: root / "nowhere")),
    "a link to itself": Corruption(_link_to(lambda root, path: path)),
    "a link to the dataset": Corruption(_link_to(lambda root, path: root)),
    "a link to the same in a cache": Corruption(_link_to(_moved_out), harmless=True),
    "its folder a link into a cache": Corruption(_folder_moved_out, harmless=True),
    # what comes beside it
    "a file of no kind beside it": Corruption(_beside(lambda path: "notes", lambda path: b"x"), harmless=True),
    "a hidden file beside it": Corruption(_beside(lambda path: f"._{path.name}", lambda path: b"x"), harmless=True),
    "a folder beside it": Corruption(
        lambda root, path, rng: (path.parent / "new folder").mkdir(exist_ok=True), harmless=True
    ),
    "a copy beside it": Corruption(_beside(lambda path: f"{path.stem} copy{path.suffix}"), adds=True),
    "a copy in another format's name": Corruption(_beside(lambda path: f"{path.stem}.tif"), adds=True),
    "an archive beside it": Corruption(_beside(lambda path: "all.zip", lambda path: b"PK"), harmless=True),
    # texts
    "a byte order mark": Corruption(_content(lambda data, rng: b"\xef\xbb\xbf" + data), TEXTS, harmless=True),
    "two byte order marks": Corruption(_content(lambda data, rng: b"\xef\xbb\xbf" * 2 + data), TEXTS),
    "lines that end in CRLF": Corruption(
        _content(lambda data, rng: data.replace(b"\n", b"\r\n")), TEXTS, harmless=True
    ),
    "lines that end in CR": Corruption(_content(lambda data, rng: data.replace(b"\n", b"\r")), TEXTS, harmless=True),
    "lines that end in a tab": Corruption(
        _content(lambda data, rng: data.replace(b"\n", b"\t\n")), TEXTS, harmless=True
    ),
    "no last line end": Corruption(_content(lambda data, rng: data.rstrip(b"\n")), TEXTS, harmless=True),
    "blank lines at the end": Corruption(_content(lambda data, rng: data + b"\n\n"), TEXTS, harmless=True),
    "semicolons": Corruption(_content(lambda data, rng: data.replace(b",", b";")), TEXTS, harmless=True),
    "tabs for commas": Corruption(_content(lambda data, rng: data.replace(b",", b"\t")), TEXTS, harmless=True),
    "UTF-16": Corruption(_content(_text_as("utf-16")), TEXTS, harmless=True),
    "UTF-16 without a mark": Corruption(_content(_text_as("utf-16-le")), TEXTS, harmless=True),
    "a letter of Latin-1": Corruption(_content(_insert(b"\xe9")), TEXTS),
    "a quotation mark": Corruption(_content(_insert(b'"')), TEXTS),
    "a separator of lines of Unicode": Corruption(_content(_insert("\u2028".encode())), TEXTS),
    "digits of another script": Corruption(_lines(lambda lines, rng: _number(lines, rng, "\u0663".encode())), TEXTS),
    "a column twice": Corruption(_columns(lambda fields, one, other: [*fields, fields[one]]), TEXTS),
    "a column lost": Corruption(_columns(lambda fields, one, other: fields[:one] + fields[one + 1 :]), TEXTS),
    "two columns exchanged": Corruption(_columns(_swapped), TEXTS, harmless=True),
    "two fields of a line exchanged": Corruption(_columns(_swapped, one_line=True), TEXTS),
    "a field lost": Corruption(
        _columns(lambda fields, one, other: fields[:one] + fields[one + 1 :], one_line=True), TEXTS
    ),
    "a field too many": Corruption(_columns(lambda fields, one, other: [*fields, b"1"], one_line=True), TEXTS),
    "a line deleted": Corruption(
        _lines(lambda lines, rng: lines[: (row := rng.randrange(len(lines)))] + lines[row + 1 :]), TEXTS
    ),
    "a line twice": Corruption(
        _lines(lambda lines, rng: _with_line(lines, rng, lines[rng.randrange(len(lines))])), TEXTS
    ),
    "a blank line": Corruption(_lines(lambda lines, rng: _with_line(lines, rng, b"")), TEXTS),
    "lines in another order": Corruption(
        _lines(lambda lines, rng: [lines[0], *rng.sample(lines[1:], len(lines) - 1)]), TEXTS
    ),
    "the header deleted": Corruption(_lines(lambda lines, rng: lines[1:]), TEXTS),
    "one line alone": Corruption(_lines(lambda lines, rng: lines[:1]), TEXTS),
    "a number of 99": Corruption(_lines(lambda lines, rng: _number(lines, rng, b"99")), TEXTS),
    "a number of -1": Corruption(_lines(lambda lines, rng: _number(lines, rng, b"-1")), TEXTS),
    "a number of 1.5": Corruption(_lines(lambda lines, rng: _number(lines, rng, b"1.5")), TEXTS),
    "a number without end": Corruption(_lines(lambda lines, rng: _number(lines, rng, b"9" * 5000)), TEXTS),
    "no number": Corruption(_lines(lambda lines, rng: _number(lines, rng, b"nan")), TEXTS),
    "a path out of the folder": Corruption(_lines(lambda lines, rng: _number(lines, rng, b"../x.png")), TEXTS),
    # images
    "a PNG under its name": Corruption(_as_image(_encoded(".png")), PICTURES),
    "a JPEG under its name": Corruption(_as_image(_encoded(".jpg")), PICTURES),
    "a WebP under its name": Corruption(_as_image(_encoded(".webp")), PICTURES),
    "a TIFF under its name": Corruption(_as_image(_encoded(".tif")), PICTURES),
    "16 bits": Corruption(_as_image(lambda pixels: _encoded(".png")(pixels.astype(np.uint16) * 257)), PICTURES),
    "floating-point pixels": Corruption(
        _as_image(lambda pixels: _encoded(".tif")(pixels.astype(np.float32))), PICTURES
    ),
    "grey": Corruption(_as_image(lambda pixels: _encoded(".png")(pixels[..., 0])), PICTURES),
    "alpha": Corruption(_as_image(lambda pixels: _encoded(".png")(np.dstack([pixels, pixels[..., 0]]))), PICTURES),
    "an animation": Corruption(_as_image(_animation), PICTURES),
    "a photograph of 580x260": Corruption(
        _as_image(lambda pixels: _encoded(".jpg")(cv2.resize(pixels, (580, 260)))), PICTURES
    ),
    "one pixel": Corruption(_as_image(lambda pixels: _encoded(".png")(pixels[:1, :1])), PICTURES),
    "a header of 2^31 pixels a side": Corruption(_as_image(_declared(2**31 - 1, 2**31 - 1)), PICTURES),
    "a header of 20,000 pixels a side": Corruption(_as_image(_declared(20_000, 20_000)), PICTURES),
    "a header of no pixel": Corruption(_as_image(_declared(0, 0)), PICTURES),
    "a header of negative height": Corruption(_as_image(_bitmap), PICTURES),
    # sounds: the header's fields
    "a length that is unknown": Corruption(_field(4, "<I", 0x7FFFFFFF), SOUNDS),
    "a length of data that is unknown": Corruption(_field(40, "<I", 0x7FFFFFFF), SOUNDS),
    "a length of data of 4 GB": Corruption(_field(40, "<I", 0xFFFFFFFF), SOUNDS),
    "a length of data of zero": Corruption(_field(40, "<I", 0), SOUNDS),
    "a length beyond the end": Corruption(_field(4, "<I", 1_000_000), SOUNDS),
    "one sample a second": Corruption(_field(24, "<I", 1), SOUNDS),
    "no sample a second": Corruption(_field(24, "<I", 0), SOUNDS),
    "two billion samples a second": Corruption(_field(24, "<I", 0x7FFFFFFF), SOUNDS),
    "no channel": Corruption(_field(22, "<H", 0), SOUNDS),
    "65,535 channels": Corruption(_field(22, "<H", 65_535), SOUNDS),
    "no bits": Corruption(_field(34, "<H", 0), SOUNDS),
    "an unknown codec": Corruption(_field(20, "<H", 0x4242), SOUNDS),
    "blocks of zero bytes": Corruption(_field(32, "<H", 0), SOUNDS),
    "a form of 0xFFFFFFFF bytes": Corruption(_field(16, "<I", 0xFFFFFFFF), SOUNDS),
    # videos: boxes and tags
    "a first length without end": Corruption(_field(0, ">I", 0x7FFFFFFF), VIDEOS),
    "a first length of zero": Corruption(_field(0, ">I", 0), VIDEOS),
    "its index overwritten": Corruption(
        _content(lambda data, rng: data.replace(b"moov", b"moox").replace(b"FLV\x01", b"FLV\x09")), VIDEOS
    ),
    "its frames overwritten": Corruption(
        _content(
            lambda data, rng: data[: len(data) // 3] + rng.randbytes(len(data) // 3) + data[2 * (len(data) // 3) :]
        ),
        VIDEOS,
    ),
}
"""By name."""


def fits(name: str, path: Path) -> bool:
    """Whether a file can be corrupted in that way."""
    corruption = CORRUPTIONS[name]
    if name == "no rights" and os.geteuid() == 0:
        return False
    return path.suffix in corruption.suffixes.split()
