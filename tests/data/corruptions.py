"""What becomes of people's files, as functions that spoil one file of a dataset, by what they can be done to."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tests.data.spoiling import (
    Spoil,
    animation,
    as_image,
    beside,
    bitmap,
    columns,
    content,
    declared,
    encoded,
    field,
    flip,
    folder,
    folder_moved_out,
    full_folder,
    insert,
    lines,
    link_to,
    moved_out,
    no_rights,
    number,
    other_file,
    pipe,
    rename,
    swap_files,
    swapped,
    text_as,
    with_line,
)

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

    apply: Spoil
    suffixes: str = ANY
    harmless: bool = False
    adds: bool = False


CORRUPTIONS: dict[str, Corruption] = {
    # what is in the file
    "cut off": Corruption(content(lambda data, rng: data[: rng.randrange(len(data))])),
    "empty": Corruption(content(lambda data, rng: b"")),
    "random bytes": Corruption(content(lambda data, rng: rng.randbytes(rng.randrange(1, 3000)))),
    "random bytes of its length": Corruption(content(lambda data, rng: rng.randbytes(len(data)))),
    "zeros of its length": Corruption(content(lambda data, rng: bytes(len(data)))),
    "a bit flipped": Corruption(content(flip)),
    "sixteen bits flipped": Corruption(content(lambda data, rng: [data := flip(data, rng) for _ in range(16)][-1])),
    "zero bytes inside": Corruption(content(insert(bytes(8)))),
    "the end missing, zeros for it": Corruption(
        content(lambda data, rng: data[: (cut := rng.randrange(len(data)))] + bytes(len(data) - cut))
    ),
    "twice in a row": Corruption(content(lambda data, rng: data + data)),
    "something after its end": Corruption(content(lambda data, rng: data + rng.randbytes(40))),
    "a pointer of Git LFS": Corruption(content(lambda data, rng: POINTER)),
    "a page of the web": Corruption(content(lambda data, rng: b"<!DOCTYPE html><html>404 not found</html>\n")),
    "another file of the dataset": Corruption(other_file),
    "exchanged with another": Corruption(swap_files, ".png .jpg .bmp .wav .mp4 .flv"),
    # where and what the file is
    "deleted": Corruption(lambda root, path, rng: path.unlink()),
    "another ending": Corruption(rename(lambda path: path.with_suffix(".bin"))),
    "no ending": Corruption(rename(lambda path: path.with_suffix(""))),
    "an ending in capitals": Corruption(rename(lambda path: path.with_suffix(path.suffix.upper()))),
    "a name in capitals": Corruption(rename(lambda path: path.with_name(path.name.upper()))),
    "a space after its name": Corruption(rename(lambda path: path.with_name(path.name + " "))),
    "a space before its name": Corruption(rename(lambda path: path.with_name(" " + path.name))),
    "a copy's name": Corruption(rename(lambda path: path.with_name(f"{path.stem} (1){path.suffix}"))),
    "a name of line ends": Corruption(rename(lambda path: path.with_name(f"{path.stem}\n{path.suffix}"))),
    "a name that is not UTF-8": Corruption(
        rename(lambda path: path.with_name(os.fsdecode(b"caf\xe9_" + os.fsencode(path.name))))
    ),
    "a hidden name": Corruption(rename(lambda path: path.with_name("." + path.name))),
    "one folder deeper": Corruption(rename(lambda path: path.parent / "more" / path.name)),
    "one folder up": Corruption(
        lambda root, path, rng: (
            None if path.parent == root else rename(lambda each: each.parent.parent / each.name)(root, path, rng)
        )
    ),
    "its folder renamed": Corruption(
        lambda root, path, rng: (
            None
            if path.parent == root
            else rename(lambda each: each.with_name(f"{each.name} (1)"))(root, path.parent, rng)
        )
    ),
    "its folder in capitals": Corruption(
        lambda root, path, rng: (
            None
            if path.parent == root
            else rename(lambda each: each.with_name(each.name.upper()))(root, path.parent, rng)
        )
    ),
    "its folder deleted": Corruption(
        lambda root, path, rng: shutil.rmtree(path.parent) if path.parent != root else path.unlink()
    ),
    "a folder": Corruption(folder),
    "a folder that holds it": Corruption(full_folder),
    "a pipe": Corruption(pipe),
    "no rights": Corruption(no_rights),
    "a link to nothing": Corruption(link_to(lambda root, path: root / "nowhere")),
    "a link to itself": Corruption(link_to(lambda root, path: path)),
    "a link to the dataset": Corruption(link_to(lambda root, path: root)),
    "a link to the same in a cache": Corruption(link_to(moved_out), harmless=True),
    "its folder a link into a cache": Corruption(folder_moved_out, harmless=True),
    # what comes beside it
    "a file of no kind beside it": Corruption(beside(lambda path: "notes", lambda path: b"x"), harmless=True),
    "a hidden file beside it": Corruption(beside(lambda path: f"._{path.name}", lambda path: b"x"), harmless=True),
    "a folder beside it": Corruption(
        lambda root, path, rng: (path.parent / "new folder").mkdir(exist_ok=True), harmless=True
    ),
    "a copy beside it": Corruption(beside(lambda path: f"{path.stem} copy{path.suffix}"), adds=True),
    "a copy in another format's name": Corruption(beside(lambda path: f"{path.stem}.tif"), adds=True),
    "an archive beside it": Corruption(beside(lambda path: "all.zip", lambda path: b"PK"), harmless=True),
    # texts
    "a byte order mark": Corruption(content(lambda data, rng: b"\xef\xbb\xbf" + data), TEXTS, harmless=True),
    "two byte order marks": Corruption(content(lambda data, rng: b"\xef\xbb\xbf" * 2 + data), TEXTS),
    "lines that end in CRLF": Corruption(content(lambda data, rng: data.replace(b"\n", b"\r\n")), TEXTS, harmless=True),
    "lines that end in CR": Corruption(content(lambda data, rng: data.replace(b"\n", b"\r")), TEXTS, harmless=True),
    "lines that end in a tab": Corruption(
        content(lambda data, rng: data.replace(b"\n", b"\t\n")), TEXTS, harmless=True
    ),
    "no last line end": Corruption(content(lambda data, rng: data.rstrip(b"\n")), TEXTS, harmless=True),
    "blank lines at the end": Corruption(content(lambda data, rng: data + b"\n\n"), TEXTS, harmless=True),
    "semicolons": Corruption(content(lambda data, rng: data.replace(b",", b";")), TEXTS, harmless=True),
    "tabs for commas": Corruption(content(lambda data, rng: data.replace(b",", b"\t")), TEXTS, harmless=True),
    "UTF-16": Corruption(content(text_as("utf-16")), TEXTS, harmless=True),
    "UTF-16 without a mark": Corruption(content(text_as("utf-16-le")), TEXTS, harmless=True),
    "a letter of Latin-1": Corruption(content(insert(b"\xe9")), TEXTS),
    "a quotation mark": Corruption(content(insert(b'"')), TEXTS),
    "a separator of lines of Unicode": Corruption(content(insert("\u2028".encode())), TEXTS),
    "digits of another script": Corruption(lines(lambda lines, rng: number(lines, rng, "\u0663".encode())), TEXTS),
    "a column twice": Corruption(columns(lambda fields, one, other: [*fields, fields[one]]), TEXTS),
    "a column lost": Corruption(columns(lambda fields, one, other: fields[:one] + fields[one + 1 :]), TEXTS),
    "two columns exchanged": Corruption(columns(swapped), TEXTS, harmless=True),
    "two fields of a line exchanged": Corruption(columns(swapped, one_line=True), TEXTS),
    "a field lost": Corruption(
        columns(lambda fields, one, other: fields[:one] + fields[one + 1 :], one_line=True), TEXTS
    ),
    "a field too many": Corruption(columns(lambda fields, one, other: [*fields, b"1"], one_line=True), TEXTS),
    "a line deleted": Corruption(
        lines(lambda lines, rng: lines[: (row := rng.randrange(len(lines)))] + lines[row + 1 :]), TEXTS
    ),
    "a line twice": Corruption(
        lines(lambda lines, rng: with_line(lines, rng, lines[rng.randrange(len(lines))])), TEXTS
    ),
    "a blank line": Corruption(lines(lambda lines, rng: with_line(lines, rng, b"")), TEXTS),
    "lines in another order": Corruption(
        lines(lambda lines, rng: [lines[0], *rng.sample(lines[1:], len(lines) - 1)]), TEXTS
    ),
    "the header deleted": Corruption(lines(lambda lines, rng: lines[1:]), TEXTS),
    "one line alone": Corruption(lines(lambda lines, rng: lines[:1]), TEXTS),
    "a number of 99": Corruption(lines(lambda lines, rng: number(lines, rng, b"99")), TEXTS),
    "a number of -1": Corruption(lines(lambda lines, rng: number(lines, rng, b"-1")), TEXTS),
    "a number of 1.5": Corruption(lines(lambda lines, rng: number(lines, rng, b"1.5")), TEXTS),
    "a number without end": Corruption(lines(lambda lines, rng: number(lines, rng, b"9" * 5000)), TEXTS),
    "no number": Corruption(lines(lambda lines, rng: number(lines, rng, b"nan")), TEXTS),
    "a path out of the folder": Corruption(lines(lambda lines, rng: number(lines, rng, b"../x.png")), TEXTS),
    # images
    "a PNG under its name": Corruption(as_image(encoded(".png")), PICTURES),
    "a JPEG under its name": Corruption(as_image(encoded(".jpg")), PICTURES),
    "a WebP under its name": Corruption(as_image(encoded(".webp")), PICTURES),
    "a TIFF under its name": Corruption(as_image(encoded(".tif")), PICTURES),
    "16 bits": Corruption(as_image(lambda pixels: encoded(".png")(pixels.astype(np.uint16) * 257)), PICTURES),
    "floating-point pixels": Corruption(as_image(lambda pixels: encoded(".tif")(pixels.astype(np.float32))), PICTURES),
    "grey": Corruption(as_image(lambda pixels: encoded(".png")(pixels[..., 0])), PICTURES),
    "alpha": Corruption(as_image(lambda pixels: encoded(".png")(np.dstack([pixels, pixels[..., 0]]))), PICTURES),
    "an animation": Corruption(as_image(animation), PICTURES),
    "a photograph of 580x260": Corruption(
        as_image(lambda pixels: encoded(".jpg")(cv2.resize(pixels, (580, 260)))), PICTURES
    ),
    "one pixel": Corruption(as_image(lambda pixels: encoded(".png")(pixels[:1, :1])), PICTURES),
    "a header of 2^31 pixels a side": Corruption(as_image(declared(2**31 - 1, 2**31 - 1)), PICTURES),
    "a header of 20,000 pixels a side": Corruption(as_image(declared(20_000, 20_000)), PICTURES),
    "a header of no pixel": Corruption(as_image(declared(0, 0)), PICTURES),
    "a header of negative height": Corruption(as_image(bitmap), PICTURES),
    # sounds: the header's fields
    "a length that is unknown": Corruption(field(4, "<I", 0x7FFFFFFF), SOUNDS),
    "a length of data that is unknown": Corruption(field(40, "<I", 0x7FFFFFFF), SOUNDS),
    "a length of data of 4 GB": Corruption(field(40, "<I", 0xFFFFFFFF), SOUNDS),
    "a length of data of zero": Corruption(field(40, "<I", 0), SOUNDS),
    "a length beyond the end": Corruption(field(4, "<I", 1_000_000), SOUNDS),
    "one sample a second": Corruption(field(24, "<I", 1), SOUNDS),
    "no sample a second": Corruption(field(24, "<I", 0), SOUNDS),
    "two billion samples a second": Corruption(field(24, "<I", 0x7FFFFFFF), SOUNDS),
    "no channel": Corruption(field(22, "<H", 0), SOUNDS),
    "65,535 channels": Corruption(field(22, "<H", 65_535), SOUNDS),
    "no bits": Corruption(field(34, "<H", 0), SOUNDS),
    "an unknown codec": Corruption(field(20, "<H", 0x4242), SOUNDS),
    "blocks of zero bytes": Corruption(field(32, "<H", 0), SOUNDS),
    "a form of 0xFFFFFFFF bytes": Corruption(field(16, "<I", 0xFFFFFFFF), SOUNDS),
    # videos: boxes and tags
    "a first length without end": Corruption(field(0, ">I", 0x7FFFFFFF), VIDEOS),
    "a first length of zero": Corruption(field(0, ">I", 0), VIDEOS),
    "its index overwritten": Corruption(
        content(lambda data, rng: data.replace(b"moov", b"moox").replace(b"FLV\x01", b"FLV\x09")), VIDEOS
    ),
    "its frames overwritten": Corruption(
        content(
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
