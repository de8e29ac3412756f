"""Whatever is wrong with a user's files ends in a named reason or in an error that says what, where and what to do.

Every fault is put into a folder that is sound otherwise, and reading must leave the folder as it was.
"""

import os
import re
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.data import small_datasets as small
from tests.data.small_datasets import copy_line, drop_lines, link_out, move, put, remove, swap, write
from tests.nodes.located import alignment

from mien.data.age_csv import read_age_csv
from mien.data.crema_d import read_crema_d
from mien.data.ferplus import read_ferplus
from mien.data.image_source import ImageSource
from mien.data.images import ImageError
from mien.data.nvie import read_nvie
from mien.data.raf_db import read_raf_db
from mien.data.ravdess import read_ravdess
from mien.data.sfew import read_sfew
from mien.data.spos import read_spos
from mien.errors import MienError
from mien.io.packed_faces import PackedFaces
from mien.io.sheets import SheetImage
from mien.nodes.alignment import locate_faces
from mien.nodes.cropping import crop_faces
from mien.nodes.data_report import rejected_sheet

DATASETS: dict[str, tuple[Callable[[Path], None], Callable[[Path], pd.DataFrame]]] = {
    "raf_db": (small.raf_db, partial(read_raf_db, source="aligned")),
    "raf_db_folders": (small.raf_db_folders, partial(read_raf_db, source="aligned")),
    "raf_db_csv": (small.raf_db_csv, partial(read_raf_db, source="aligned")),
    "ferplus_csv": (small.ferplus_csv, read_ferplus),
    "ferplus_folders": (small.ferplus_folders, read_ferplus),
    "sfew": (small.sfew, read_sfew),
    "sfew_repack": (small.sfew_repack, partial(read_sfew, source="aligned")),
    "nvie": (small.nvie, read_nvie),
    "spos": (small.spos, read_spos),
    "age_csv": (small.age_csv, read_age_csv),
    "ravdess": (small.ravdess, read_ravdess),
    "crema_d": (small.crema_d, read_crema_d),
}

RAF_LIST, MANIFEST, AGES = "EmoLabel/list_patition_label.txt", "manifest.csv", "age_gender.csv"
LABELS = "FER2013Train/label.csv"
PIXELS, NEW_VOTES, REPACK = "fer2013.csv", "fer2013new.csv", "sfew_2.0_labels.csv"
WAV = "03-01-01-01-01-01-01.wav"
CLIP = "1001_DFA_ANG_XX.wav"
POINTER = "version https://git-lfs.github.com/spec/v1\n"

ORDERS = (
    "Add|Ask|Check|Choose|Clone|Close|Convert|Copy|Correct|Delete|Download|Fill|Give|Install|Keep|List|Make|Move|Name|"
    "Put|Remove|Rename|Run|Save|Scale|Set|Sign|Take|Unpack|Write"
)
WHAT_TO_DO = re.compile(
    rf"(?:[.;:,] |\band |\bor )(?:{ORDERS}|Labels are|Known are|It has to)\b",
    re.IGNORECASE,
)


NOT_UTF_8 = os.fsdecode(b"caf\xe9")

REFUSED: list[tuple[str, str, Callable[[Path], None], tuple[str, ...]]] = [
    # dataset, what is wrong, how it comes about, words that name the place
    *[(name, "no folder", small.no_folder, ()) for name in DATASETS],
    *[(name, "a file for the folder", small.file_for_a_folder, ()) for name in DATASETS],
    *[(name, "an empty folder", small.empty_folder, ()) for name in DATASETS],
    ("raf_db", "label out of range", swap(RAF_LIST, "00003.jpg 3", "00003.jpg 8"), (RAF_LIST, "line 3", "'8'")),
    ("raf_db", "label is no number", swap(RAF_LIST, "00003.jpg 3", "00003.jpg x"), (RAF_LIST, "line 3", "'x'")),
    ("raf_db", "wrong column", swap(RAF_LIST, "00003.jpg 3", "00003.jpg,3"), (RAF_LIST, "line 3")),
    ("raf_db", "duplicate id", copy_line(RAF_LIST, 2), (RAF_LIST, "train_00002", "line 2", "line 15")),
    ("raf_db", "empty split", drop_lines(RAF_LIST, "test_"), (RAF_LIST, "test split")),
    ("raf_db", "one class absent", drop_lines(RAF_LIST, "train_00003"), (RAF_LIST, "disgust", "train")),
    ("raf_db", "missing images", remove("Image/aligned/train_00004*"), ("train_00004_aligned.jpg", "Image/aligned")),
    ("raf_db", "no image at all", remove("Image/aligned/*"), ("7 of the 7", "Image/aligned")),
    ("raf_db", "list leads out of the folder", swap(RAF_LIST, "train_00001", "../train_00001"), (RAF_LIST, "line 1")),
    ("raf_db", "list is not text", swap(RAF_LIST, "train_00001", b"\xff\xfe\x00"), (RAF_LIST, "UTF-8")),
    ("raf_db", "list is empty", write(RAF_LIST, ""), (RAF_LIST,)),
    ("raf_db_folders", "one class absent", remove("test/6/*"), ("angry", "test")),
    ("raf_db_folders", "empty split", remove("test/*/*"), ("test",)),
    ("raf_db_folders", "an unknown class folder", move("train/7", "train/8"), ("8/", "train")),
    ("raf_db_folders", "a name of another split",
     move("train/1/train_00001_aligned.jpg", "test/1/train_00001_aligned.jpg"),
     ("train_00001_aligned.jpg", "test")),
    ("raf_db_folders", "non-UTF-8 name", write(f"train/1/{NOT_UTF_8}.jpg", small.PNG), ("udce9", "train/1")),
    ("raf_db_csv", "wrong column", swap("train_labels.csv", "image,label", "image,class"),
     ("train_labels.csv", "label")),
    ("raf_db_csv", "label out of range", swap("train_labels.csv", "_aligned.jpg,2", "_aligned.jpg,0"),
     ("train_labels.csv", "line 3", "'0'")),
    ("raf_db_csv", "duplicate id", copy_line("test_labels.csv", 2), ("test_labels.csv", "line 2")),
    ("raf_db_csv", "missing images", remove("DATASET/train/3/*"), ("train_00003_aligned.jpg",)),
    ("ferplus_csv", "wrong column", swap(PIXELS, "emotion,pixels,Usage", "emotion,pixel,Usage"),
     (PIXELS, "line 1", "pixels")),
    ("ferplus_csv", "wrong column of votes", swap(NEW_VOTES, "contempt", "scorn"), (NEW_VOTES, "line 1")),
    ("ferplus_csv", "wrong number of fields", swap(PIXELS, ",PrivateTest", ""), (PIXELS, "line 18")),
    ("ferplus_csv", "no row with its pixels",
     lambda root: [swap(PIXELS, f"{number} ", "")(root) for number in range(24)],
     (PIXELS, "2,303")),
    ("ferplus_csv", "votes out of range", swap(NEW_VOTES, ",10,", ",11,"), (NEW_VOTES, "line 2")),
    ("ferplus_csv", "files of different length", drop_lines(NEW_VOTES, "fer0000003"), (NEW_VOTES, PIXELS)),
    ("ferplus_csv", "an unknown part", swap(PIXELS, "PublicTest", "Validation"), (PIXELS, "line 10")),
    ("ferplus_csv", "one class absent", swap(NEW_VOTES, "10,0,0,0,0,0,0,0,0,0", "0,10,0,0,0,0,0,0,0,0"),
     ("neutral", "train")),
    ("ferplus_csv", "zero bytes", write(PIXELS, ""), (PIXELS,)),
    ("ferplus_csv", "a folder for a file", lambda root: [remove(PIXELS)(root), (root / PIXELS).mkdir()],
     (PIXELS,)),
    ("ferplus_folders", "duplicate id", copy_line(LABELS, 3), (LABELS, "line 9", "line 3")),
    ("ferplus_folders", "missing images", remove("FER2013Train/fer0000003.png"), ("FER2013Train", "fer0000003.png")),
    ("ferplus_folders", "empty split", write("FER2013Test/label.csv", ""), ("FER2013Test/label.csv",)),
    ("ferplus_folders", "an image in two parts", swap(LABELS, "fer0000000.png", "fer0000008.png"),
     ("fer0000008.png", "FER2013")),
    ("ferplus_folders", "votes are not UTF-8", swap(LABELS, "fer0000000.png", b"fer\xe9.png"), (LABELS, "UTF-8")),
    ("sfew", "one class absent", remove("Val/Fear/*"), ("fear", "Val")),
    ("sfew", "empty split", remove("Val/*/*"), ("Val",)),
    ("sfew", "an unknown class folder", move("Train/Angry", "Train/Furious"), ("Furious", "Train")),
    ("sfew", "non-UTF-8 name", write(f"Train/Angry/{NOT_UTF_8}.png", small.PNG), ("udce9", "Angry")),
    ("sfew", "duplicate id", write("Train/Angry/Angry/FilmTrain_000519240_00000005.png", small.PNG),
     ("FilmTrain_000519240_00000005.png",)),
    ("sfew_repack", "wrong column", swap(REPACK, "emotion", "feeling"), (REPACK, "emotion")),
    ("sfew_repack", "an unknown class", swap(REPACK, "Disgust", "Scorn"), (REPACK, "Scorn")),
    ("sfew_repack", "missing images", remove("sfew2.0_images/image_000003.png"), ("image_000003.png",)),
    ("nvie", "wrong column", swap(MANIFEST, "onset_path", "onset"), (MANIFEST, "line 1", "onset_path")),
    ("nvie", "wrong number of fields", swap(MANIFEST, "1_posed,", "1_posed,,"), (MANIFEST, "line 2")),
    ("nvie", "an unknown kind", swap(MANIFEST, ",posed,", ",acted,"), (MANIFEST, "line 2", "acted")),
    ("nvie", "an unknown emotion", swap(MANIFEST, f",{small.EMOTIONS[0]},", ",envy,"), (MANIFEST, "line 2", "envy")),
    ("nvie", "duplicate id", copy_line(MANIFEST, 2), (MANIFEST, "line 22", "line 2")),
    ("nvie", "one kind absent", drop_lines(MANIFEST, "_posed"), ("posed",)),
    ("nvie", "too few subjects for the folds", drop_lines(MANIFEST, "010"), ("9 subjects",)),
    ("nvie", "a path out of the folder", swap(MANIFEST, "001/posed/onset.png", "../onset.png"), (MANIFEST, "line 2")),
    ("nvie", "manifest is not UTF-8", swap(MANIFEST, "1_posed", b"caf\xe9"), (MANIFEST, "line 2")),
    ("nvie", "zero bytes", write(MANIFEST, ""), (MANIFEST,)),
    ("spos", "an open quote", swap(MANIFEST, "1_posed", '"1_posed'), (MANIFEST, "line")),
    ("spos", "every image missing", remove("*/*/*.png"), ("posed",)),
    ("spos", "one subject", drop_lines(MANIFEST, "002"), ("001",)),
    ("spos", "no pair", write(MANIFEST, ",".join(small.COLUMNS) + "\n"), (MANIFEST,)),
    ("age_csv", "wrong column", swap(AGES, "ethnicity", "ethnic"), (AGES, "line 1", "ethnicity")),
    ("age_csv", "label out of range", swap(AGES, "\n20,0,0,", "\n20,5,0,"), (AGES, "line 2", "'5'")),
    ("age_csv", "an age of zero", swap(AGES, "\n20,0,0,", "\n0,0,0,"), (AGES, "line 2", "'0'")),
    ("age_csv", "a code is no number", swap(AGES, "\n20,0,0,", "\nold,0,0,"), (AGES, "line 2", "'old'")),
    ("age_csv", "an enormous number", swap(AGES, "\n20,0,0,", f"\n{'9' * 5000},0,0,"), (AGES, "line 2")),
    ("age_csv", "wrong number of fields", swap(AGES, ",0.jpg,", ","), (AGES, "line 2")),
    ("age_csv", "too few rows", lambda root: [drop_lines(AGES, f",{number}.jpg")(root) for number in range(2, 40)],
     ("2 rows",)),
    ("age_csv", "zero bytes", write(AGES, ""), (AGES,)),
    ("age_csv", "no line end", write(AGES, "age,ethnicity,gender,img_name,pixels\n" + "1" * 100_000), (AGES, "line 2")),
    ("ravdess", "a code out of range", move(f"Actor_01/{WAV}", "Actor_01/03-01-09-01-01-01-01.wav"),
     ("03-01-09-01-01-01-01.wav",)),
    ("ravdess", "a clip of another actor", move(f"Actor_01/{WAV}", f"Actor_02/{WAV}"),
     (WAV,)),
    ("ravdess", "duplicate id", write(f"audio/Actor_01/{WAV}", "sound"), (WAV, "Actor_01")),
    ("ravdess", "too few actors", lambda root: [remove(f"Actor_0{number}/*")(root) for number in range(2, 7)],
     ("actors",)),
    ("ravdess", "non-UTF-8 name", write(f"Actor_01/{NOT_UTF_8}.wav", "sound"), (r"caf\xe9.wav",)),
    ("ravdess", "a folder for a file", lambda root: (root / "Actor_01/03-01-02-02-01-01-01.wav").mkdir(),
     ("03-01-02-02-01-01-01.wav",)),
    ("crema_d", "an unknown emotion", move(f"AudioWAV/{CLIP}", "AudioWAV/1001_DFA_JOY_XX.wav"),
     ("1001_DFA_JOY_XX.wav",)),
    ("crema_d", "pointers of Git LFS", lambda root: [put(path, POINTER) for path in root.rglob("*.wav")],
     ("AudioWAV", "git lfs pull")),
    ("crema_d", "fetched in part", write(f"AudioWAV/{CLIP}", POINTER),
     (CLIP,)),
    ("ferplus_csv", "a pointer of Git LFS", write(PIXELS, POINTER), (PIXELS, "git lfs pull")),
    ("ferplus_csv", "a pointer of Git LFS for votes", write(NEW_VOTES, POINTER), (NEW_VOTES, "git lfs pull")),
    ("age_csv", "a pointer of Git LFS", write(AGES, POINTER), (AGES, "git lfs pull")),
    ("nvie", "a pointer of Git LFS", write(MANIFEST, POINTER), (MANIFEST, "git lfs pull")),
    ("raf_db", "a pointer of Git LFS", write(RAF_LIST, POINTER), (RAF_LIST, "git lfs pull")),
    ("ferplus_csv", "a label of 7", swap(PIXELS, "\n0,", "\n7,"), (PIXELS, "line 2", "emotion", "'7'")),
    ("ferplus_csv", "a label of -1", swap(PIXELS, "\n0,", "\n-1,"), (PIXELS, "line 2", "emotion", "'-1'")),
    ("ferplus_csv", "a column twice", swap(PIXELS, "emotion,pixels,Usage", "pixels,pixels,Usage"),
     (PIXELS, "line 1", "column 1", "column 2")),
    ("age_csv", "a column twice", swap(AGES, "age,ethnicity,gender,img_name", "age,ethnicity,gender,age"),
     (AGES, "line 1", "age", "column 4")),
    ("raf_db_csv", "a column twice", swap("train_labels.csv", "image,label", "label,label"),
     ("train_labels.csv", "line 1", "column 2")),
    ("sfew_repack", "a label of 7", swap(REPACK, "png,6,Surprise", "png,7,Surprise"), (REPACK, "line 8", "'7'")),
    ("sfew_repack", "a label of -1", swap(REPACK, "png,0,Angry", "png,-1,Angry"), (REPACK, "line 2", "'-1'")),
    ("age_csv", "one gender", lambda root: [swap(AGES, f",1,{number}.jpg", f",0,{number}.jpg")(root)
                                            for number in range(1, 40, 2)], ("gender", "one class")),
    ("crema_d", "one class", remove("AudioWAV/*_DFA_[!S]*"), ("one class", "sad")),
    ("crema_d", "demographics of other people", write("VideoDemographics.csv", "ActorID,Sex\n7,Male\n"),
     ("VideoDemographics.csv", "line 2", "ActorID", "'7'")),
    ("crema_d", "demographics of other actors", write("VideoDemographics.csv", "ActorID,Sex\n1050,Male\n"),
     ("VideoDemographics.csv", "1001", "6 actors")),
    ("crema_d", "contradictory demographics",
     write("VideoDemographics.csv", "ActorID,Sex\n1001,Male\n1002,Female\n1001,Female\n"),
     ("VideoDemographics.csv", "line 4", "line 2", "1001")),
    ("crema_d", "a column twice", write("VideoDemographics.csv", "ActorID,Sex,Sex\n1001,Male,Female\n"),
     ("VideoDemographics.csv", "line 1", "Sex")),
    ("crema_d", "demographics without an actor", write("VideoDemographics.csv", "ActorID,Sex\n1001,unknown\n"),
     ("VideoDemographics.csv", "line 2")),
    ("crema_d", "demographics are not text", write("VideoDemographics.csv", b"\xff\xfe\x00"),
     ("VideoDemographics.csv",)),
]  # fmt: skip


def contents(folder: Path) -> dict[str, Any]:
    """Every entry below a folder with its size and time: whether anything was written or removed."""
    entries = {path: path.lstat() for path in sorted(folder.parent.rglob("*"))}
    return {str(path): (status.st_mode, status.st_size, status.st_mtime_ns) for path, status in entries.items()}


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_sound_folder_is_read(tmp_path, dataset):
    build, read = DATASETS[dataset]
    build(tmp_path / dataset)
    before = contents(tmp_path / dataset)
    samples = read(tmp_path / dataset)
    assert samples["sample_id"].is_unique
    assert contents(tmp_path / dataset) == before


@pytest.mark.parametrize(
    ("dataset", "name"),
    [("ferplus_csv", PIXELS), ("nvie", "001/posed/onset.png"), ("age_csv", AGES), ("ravdess", f"Actor_01/{WAV}"),
     ("crema_d", f"AudioWAV/{CLIP}"), ("raf_db", RAF_LIST), ("sfew", "Train/Angry/FilmTrain_000519240_00000005.png")],
)  # fmt: skip
def test_a_link_out_of_the_folder_is_followed(tmp_path, dataset, name):
    build, read = DATASETS[dataset]
    build(tmp_path / dataset)
    before = read(tmp_path / dataset)
    link_out(name)(tmp_path / dataset)
    pd.testing.assert_frame_equal(read(tmp_path / dataset), before)


@pytest.mark.parametrize(
    ("dataset", "damage", "words"),
    [pytest.param(dataset, damage, words, id=f"{dataset}: {what}") for dataset, what, damage, words in REFUSED],
)
def test_a_fault_is_refused_with_what_where_and_what_to_do(tmp_path, dataset, damage, words):
    build, read = DATASETS[dataset]
    root = tmp_path / dataset
    build(root)
    damage(root)
    before = contents(root)
    with pytest.raises(ValueError, match=r"\A.{20,}") as error:
        read(root)
    message = str(error.value)
    assert type(error.value) is MienError
    for word in words or (str(root),):
        assert word in message
    assert message[0].isupper() or message[0].isdigit() or message.startswith("source")
    assert message.endswith("."), message
    assert WHAT_TO_DO.search(message), f"does not say what to do: {message}"
    message.encode()  # a log can hold it
    assert contents(root) == before


def picture(height: int = 12, width: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(suffix: str, image: np.ndarray | None = None, cut: int | None = None) -> bytes:
    return cv2.imencode(suffix, picture() if image is None else image)[1].tobytes()[:cut]


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0) + bytes(99)


def painted_by_pillow(**options: Any) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        frames = [
            Image.fromarray(picture()).convert(options.get("mode", "RGB")) for _ in range(options.get("frames", 1))
        ]
        frames[0].save(path, save_all=len(frames) > 1, append_images=frames[1:]) if len(frames) > 1 else frames[0].save(
            path
        )

    return save


def link_outside(path: Path) -> None:
    path.symlink_to(next(folder for folder in path.parents if folder.name == "root").parent / "outside.png")


def link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(path.parent / target)


IMAGES: list[tuple[str, str, bytes | Callable[[Path], Any], str]] = [
    # what it is, name, content or how it is made, reason ("" where it is an image after all)
    ("a truncated JPEG", "a.jpg", encoded(".jpg", cut=-30), "truncated"),
    ("a JPEG of which the start is left", "a.jpg", encoded(".jpg", cut=30), "truncated"),
    ("a truncated PNG", "a.png", encoded(".png", cut=-30), "truncated"),
    ("a PNG with wrong bytes", "a.png", encoded(".png").replace(b"IDAT", b"IDAX"), "truncated"),
    ("a truncated WebP", "a.webp", encoded(".webp", cut=-30), "truncated"),
    ("a truncated bitmap", "a.bmp", encoded(".bmp", cut=-30), "truncated"),
    ("zero bytes", "a.jpg", b"", "empty"),
    ("text", "a.jpg", b"<html>404 not found</html>", "not_an_image"),
    ("a sound", "a.jpg", b"RIFF....WAVEfmt " + bytes(99), "not_an_image"),
    ("a PNG with alpha", "a.png", encoded(".png", np.dstack([picture(), picture()[..., 0]])), ""),
    ("16 bits", "a.png", encoded(".png", picture().astype(np.uint16) * 257), ""),
    ("floating-point pixels", "a.tif", encoded(".tif", picture().astype(np.float32)), "unsupported_depth"),
    ("CMYK", "a.jpg", painted_by_pillow(mode="CMYK"), ""),
    ("one bit", "a.png", painted_by_pillow(mode="1"), ""),
    ("an animated GIF", "a.gif", painted_by_pillow(frames=3), ""),
    ("one pixel", "a.png", encoded(".png", picture(1, 1)), ""),
    ("20,000 pixels wide", "a.png", encoded(".png", np.zeros((1, 20_000), np.uint8)), ""),
    ("20,001 pixels wide", "a.png", encoded(".png", np.zeros((1, 20_001), np.uint8)), "too_large"),
    ("a bomb of 20,000 x 20,000 pixels", "a.png", png_header(20_000, 20_000), "too_large"),
    ("a bomb of 2^31 x 2^31 pixels", "a.png", png_header(2**31 - 1, 2**31 - 1), "too_large"),
    ("no pixel", "a.png", png_header(0, 0), "truncated"),
    ("a wrong ending", "a.jpg", encoded(".png"), ""),
    ("no ending", "a", encoded(".jpg"), ""),
    ("a folder for a file", "a.jpg", Path.mkdir, "directory"),
    ("a symbolic link out of the root", "a.jpg", link_outside, ""),
    ("a path out of the root", "../outside.png", lambda path: None, "outside_root"),
    ("a pointer of Git LFS", "a.jpg", POINTER.encode(), "git_lfs_pointer"),
    ("a symbolic link to nothing", "a.jpg", link("nowhere.png"), "missing"),
    ("symbolic links in a circle", "a.jpg", link("a.jpg"), "unreadable"),
    ("a pipe", "a.jpg", os.mkfifo, "not_a_file"),
    ("nothing", "a.jpg", lambda path: None, "missing"),
    ("a non-UTF-8 name", f"{NOT_UTF_8}.png", encoded(".png"), ""),
    ("a name too long", "a" * 300, lambda path: None, "unreadable"),
    ("a row that begins elsewhere", "a.csv#byte=5", lambda path: put(path.parent / "a.csv", "pixels\n1 2 3\n"),
     "missing"),
    ("a row with too few pixels", "a.csv#byte=7", lambda path: put(path.parent / "a.csv", "pixels\n1 2 3\n"),
     "wrong_pixel_count"),
    ("a row with a pixel of 256", "a.csv#byte=0", lambda path: put(path.parent / "a.csv", " ".join(["256"] * 2304)),
     "out_of_range"),
    ("a row with a word", "a.csv#byte=0", lambda path: put(path.parent / "a.csv", " ".join(["x"] * 2304)),
     "not_a_number"),
    ("a frame of no video", "a.mp4#frame=0", lambda path: put(path.parent / "a.mp4", "no video"), "not_a_video"),
    ("a frame of an empty video", "a.mp4#frame=0", lambda path: put(path.parent / "a.mp4", ""), "empty"),
    ("a frame of a pointer of Git LFS", "a.mp4#frame=0",
     lambda path: put(path.parent / "a.mp4", POINTER), "git_lfs_pointer"),
]  # fmt: skip


def lay_out(folder: Path, name: str, content: bytes | Callable[[Path], Any]) -> Path:
    root = folder / "root"
    root.mkdir()
    put(folder / "outside.png", encoded(".png"))
    content(root / name) if callable(content) else put(root / name, content)
    return root


@pytest.mark.parametrize(("name", "content", "reason"), [pytest.param(*case[1:], id=case[0]) for case in IMAGES])
def test_an_image_is_read_or_has_a_reason(tmp_path, name, content, reason):
    root = lay_out(tmp_path, name, content)
    before = contents(root)
    source = ImageSource(root)
    if not reason:
        image = source.read(name)
        assert image.dtype == np.uint8
        assert image.shape[2] == 3
    else:
        with pytest.raises(ImageError) as error:
            source.read(name)
        message = str(error.value)
        assert error.value.reason == reason
        assert name.partition("#")[0] in message
        assert message.endswith(".")
        assert WHAT_TO_DO.search(message), f"does not say what to do: {message}"
        message.encode()
    assert contents(root) == before


def test_these_are_all_readers_and_enough_faults():
    folder = Path(read_raf_db.__code__.co_filename).parent
    readers = {path.stem for path in folder.glob("*.py") if f"def read_{path.stem}(" in path.read_text()}
    assert {
        read.func.__module__ if isinstance(read, partial) else read.__module__ for _, read in DATASETS.values()
    } == {f"mien.data.{name}" for name in readers}
    assert len(REFUSED) + len(IMAGES) >= 40
    assert {dataset for dataset, *_ in REFUSED} == set(DATASETS)


@pytest.mark.parametrize("method", ["given", "mtcnn"])
def test_a_dataset_of_bad_images_is_prepared_to_the_end_without_them(tmp_path, method):
    """One table with every kind: each has its reason in the samples, and the packed faces are whole.

    But for the name that is not UTF-8: no table can hold it, and readers refuse it.
    """
    cases = [case for case in IMAGES if NOT_UTF_8 not in case[1] and ".." not in case[1]]
    names = [f"{number}/{name}" for number, (_, name, _, _) in enumerate(cases)]
    root, out = tmp_path / "root", tmp_path / "out"
    put(tmp_path / "outside.png", encoded(".png"))
    for name, (_, _, content, _) in zip(names, cases, strict=True):
        path = root / name
        path.parent.mkdir(parents=True)
        content(path) if callable(content) else put(path, content)
    (out / "unfinished").mkdir(parents=True)
    listed = pd.DataFrame({"sample_id": names, "image": names, "label": 0, "expression": "happy", "split": "train"})
    listed = listed.assign(synthetic=False, subject=pd.NA)
    samples = locate_faces(listed, root, out / "unfinished", alignment(method=method, workers=1))
    expected = [reason or ("already_aligned" if method == "given" else "no_face") for *_, reason in cases]
    assert samples["reason"].tolist() == expected
    faces = PackedFaces(filepath=str(out / "faces.npy"))
    faces.save(crop_faces(samples, root, alignment(), size=16))
    assert faces.load().shape == (expected.count("already_aligned") + expected.count("no_face"), 16, 16, 3)
    rejected = SheetImage(filepath=str(out / "rejected.png"))
    rejected.save(rejected_sheet(samples, root))
    assert sorted(path.name for path in out.iterdir()) == ["faces.npy", "rejected.png"]
