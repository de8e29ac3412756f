"""The smallest folders that the readers take for their datasets, and ways to spoil them.

Layouts are the published ones, images have a few pixels. What spoils a folder takes its path.
"""

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from mien.data.age_csv import FILE as AGE_CSV
from mien.data.crema_d import CODES
from mien.data.file_account import FileAccount
from mien.data.onset_apex import COLUMNS
from mien.data.ravdess import RAVDESS_EMOTIONS
from mien.labels import EMOTIONS, SFEW_EXPRESSIONS

FER_PARTS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
NEW_VOTES_HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"

PNG = cv2.imencode(".png", np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3))[1].tobytes()


def lenient(root: Path) -> FileAccount:
    """An account that refuses no loss."""
    return FileAccount(root, "It", max_passed_over=1)


def put(path: Path, content: bytes | str = PNG) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def edit(path: Path, old: bytes | str, new: bytes | str) -> None:
    """Replace the first occurrence, which has to be there."""
    old, new = (text.encode() if isinstance(text, str) else text for text in (old, new))
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def raf_db(root: Path) -> None:
    names = [f"{split}_{number:0{digits}d}" for split, digits in (("train", 5), ("test", 4)) for number in range(1, 8)]
    put(root / "EmoLabel/list_patition_label.txt", "\n".join(f"{name}.jpg {name[-1]}" for name in names))
    for name in names:
        put(root / "Image/aligned" / f"{name}_aligned.jpg")


def raf_db_folders(root: Path) -> None:
    for split, digits in (("train", 5), ("test", 4)):
        for number in range(1, 8):
            put(root / split / str(number) / f"{split}_{number:0{digits}d}_aligned.jpg")


def raf_db_csv(root: Path) -> None:
    raf_db_folders(root / "DATASET")
    for split, digits in (("train", 5), ("test", 4)):
        rows = [f"{split}_{number:0{digits}d}_aligned.jpg,{number}" for number in range(1, 8)]
        put(root / f"{split}_labels.csv", "\n".join(["image,label", *rows]) + "\n")


def _fer_rows() -> list[tuple[str, str, str, str]]:
    """Part, name, pixels and votes, one image per class in each part."""
    parts = [(part, label) for part in FER_PARTS for label in range(8)]
    return [
        (
            part,
            f"fer{number:07d}.png",
            " ".join([str(number)] * 2304),
            ",".join("10" if column == label else "0" for column in range(10)),
        )
        for number, (part, label) in enumerate(parts)
    ]


def ferplus_csv(root: Path) -> None:
    rows = _fer_rows()
    pixels = [f"0,{pixels},{part}" for part, _, pixels, _ in rows]
    put(root / "fer2013.csv", "\n".join(["emotion,pixels,Usage", *pixels]) + "\n")
    votes = [f"{part},{name},{votes}" for part, name, _, votes in rows]
    put(root / "fer2013new.csv", "\n".join([NEW_VOTES_HEADER, *votes]) + "\n")


def ferplus_folders(root: Path) -> None:
    for part, folder in FER_PARTS.items():
        rows = [row for row in _fer_rows() if row[0] == part]
        lines = [f'{name},"(0, 0, 48, 48)",{votes}' for _, name, _, votes in rows]
        put(root / folder / "label.csv", "\n".join(lines) + "\n")
        for _, name, _, _ in rows:
            put(root / folder / name)


def sfew(root: Path) -> None:
    for split in ("Train", "Val"):
        for name in SFEW_EXPRESSIONS:
            put(root / split / name.capitalize() / f"Film{split}_000519240_00000005.png")
    put(root / "Test/FilmTest_000519240_00000005.png")


def sfew_repack(root: Path) -> None:
    rows = [(split, label) for split in ("Train", "Val") for label in range(7)]
    words = ["Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"]
    lines = [
        f"image_{number:06d}.png,{label},{words[label]},{split}_Aligned_Faces"
        for number, (split, label) in enumerate(rows)
    ]
    put(root / "sfew_2.0_labels.csv", "\n".join(["image_name,label,emotion,original_split", *lines]) + "\n")
    for number in range(len(rows)):
        put(root / "sfew2.0_images" / f"image_{number:06d}.png")


def _manifest(root: Path, subjects: int) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with (root / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number in range(1, subjects + 1):
            for kind in ("posed", "spontaneous"):
                paths = [f"{number:03d}/{kind}/{role}.png" for role in ("onset", "apex")]
                writer.writerow((f"{number}_{kind}", f"{number:03d}", kind, EMOTIONS[0], "", "", *paths))
                for path in paths:
                    put(root / path)


def nvie(root: Path) -> None:
    _manifest(root, subjects=10)


def spos(root: Path) -> None:
    _manifest(root, subjects=2)


def age_csv(root: Path) -> None:
    rows = [
        f"{20 + number},{number % 5},{number % 2},{number}.jpg,{' '.join([str(number)] * 2304)}" for number in range(40)
    ]
    put(root / AGE_CSV, "\n".join(["age,ethnicity,gender,img_name,pixels", *rows]) + "\n")


def ravdess(root: Path) -> None:
    for actor in range(1, 7):
        for emotion in range(1, len(RAVDESS_EMOTIONS) + 1):
            put(root / f"Actor_{actor:02d}" / f"03-01-{emotion:02d}-01-01-01-{actor:02d}.wav", "sound")


def crema_d(root: Path) -> None:
    for actor in range(1001, 1007):
        for code in CODES:
            put(root / "AudioWAV" / f"{actor}_DFA_{code}_XX.wav", "sound" * 300)


def swap(name: str, old: bytes | str, new: bytes | str) -> Callable[[Path], None]:
    return lambda root: edit(root / name, old, new)


def write(name: str, content: bytes | str) -> Callable[[Path], None]:
    return lambda root: put(root / name, content)


def remove(pattern: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        files = [path for path in root.glob(pattern) if path.is_file()]
        assert files
        for path in files:
            path.unlink()

    return damage


def move(old: str, new: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)

    return damage


def link_out(name: str) -> Callable[[Path], None]:
    """Move a file out of the folder and leave a symbolic link to it."""

    def damage(root: Path) -> None:
        outside = root.parent / f"outside_{Path(name).name}"
        (root / name).rename(outside)
        (root / name).symlink_to(outside)

    return damage


def copy_line(name: str, line: int) -> Callable[[Path], None]:
    """Repeat a line of a table at its end."""

    def damage(root: Path) -> None:
        lines = (root / name).read_text().rstrip("\n").split("\n")
        (root / name).write_text("\n".join([*lines, lines[line - 1]]) + "\n")

    return damage


def drop_lines(name: str, with_text: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        lines = (root / name).read_text().split("\n")
        kept = [line for line in lines if with_text not in line]
        assert len(kept) < len(lines)
        (root / name).write_text("\n".join(kept))

    return damage


def empty_folder(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def no_folder(root: Path) -> None:
    empty_folder(root)
    root.rmdir()


def file_for_a_folder(root: Path) -> None:
    no_folder(root)
    root.write_bytes(b"")
