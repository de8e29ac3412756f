"""A drawn twin of RAF-DB basic: synthetic faces in the published layout, so that all runs without the download."""

from __future__ import annotations

import functools
import hashlib
import json
import multiprocessing
import os
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mien.data import synthetic
from mien.data.alignment import align_face
from mien.data.raf_db import LIST_FILE, PUBLISHED_COUNTS
from mien.data.synthetic import draw_scene, sample_face
from mien.labels import RAF_DB_EXPRESSIONS

MARKER = "drawn.json"
"""The file that tells a drawn folder from a downloaded one, and with which arguments it was drawn."""

ALIGNED_SIZE = 100
MAX_ROLL_DEGREES = 22.0
"""Originals are rolled by up to this much, evenly, so that alignment has something to undo."""

_JPEG_QUALITY = 95  # the drawn camera has lost its share of detail before
_MIN_IMAGES = 14  # of a split: the rarest class, whose share is 0.083, then has one
_IMAGE_SIZES = (64, 2048)  # below, a face has no features left; above, the renderer stops
_SERIAL_IMAGES = 64  # fewer are drawn sooner than the processes start


@dataclass(frozen=True)
class _Image:
    """What decides one image's bytes."""

    name: str  # without suffix
    label: int
    seed: tuple[int, ...]
    image_size: int


def draw_raf_db(root: Path, *, num_train: int, num_test: int, seed: int, image_size: int = 180) -> None:
    """Draw a folder in RAF-DB basic's published layout: list file, originals and aligned faces.

    The share of each class is half RAF-DB's own and half even. Each image depends on ``seed``, its split and its number
    alone, so the bytes do not depend on how many processes draw; there is one per core, started afresh, so a script of
    your own calls this below ``if __name__ == "__main__":``. The folder appears when it is complete; an interruption
    leaves what was there before. A folder drawn with the same arguments by the same renderer is left as it is, one
    drawn otherwise is replaced, and any other is left alone.

    Args:
        root: becomes ``root/basic/...`` and ``root/drawn.json``, which holds the arguments.
        num_train: images of the training split, at least 14.
        num_test: images of the test split, at least 14.
        seed: 0 or more.
        image_size: height and width of the originals in pixels, at least 64; aligned faces are 100x100.

    Raises:
        ValueError: an argument is out of range, or ``root`` holds files that were not drawn here.

    Source: ours, because RAF-DB may not be passed on. Half even, because with its own shares (fear: 2.3 %) a demo of
        some hundred images would leave rare classes two or three; half its own, because the imbalance is what the
        metrics have to show.
    """
    arguments = {"num_train": num_train, "num_test": num_test, "seed": seed, "image_size": image_size}
    _check_arguments(arguments)
    root = root.resolve()  # a link to another disk stays a link
    marker = _read_marker(root)
    if marker is not None and (marker["arguments"], marker.get("renderer")) == (arguments, _renderer_digest()):
        return
    _check_replaceable(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    part = root.with_name(f".{root.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        _draw_folder(part, arguments, num_workers=os.cpu_count() or 1)
        _replace(root, part)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def class_counts(split: str, num_images: int) -> list[int]:
    """Images per class of a drawn split, in the order of ``RAF_DB_EXPRESSIONS``; they add up to ``num_images``.

    Source: half RAF-DB's published share, half even; what rounding leaves goes to the largest remainders.

    Example:
        >>> class_counts("train", 200)
        [25, 17, 20, 53, 30, 20, 35]
    """
    published = np.array(list(PUBLISHED_COUNTS[split].values()))
    share = (published / published.sum() + 1 / len(published)) / 2
    counts = np.floor(share * num_images).astype(int)
    remainders = share * num_images - counts
    counts[np.argsort(-remainders, kind="stable")[: num_images - counts.sum()]] += 1
    return counts.tolist()


def _check_arguments(arguments: dict[str, int]) -> None:
    # RAF-DB's names have five digits in train and four in test.
    ranges = {
        "num_train": (_MIN_IMAGES, 99_999),
        "num_test": (_MIN_IMAGES, 9_999),
        "seed": (0, 2**63),
        "image_size": _IMAGE_SIZES,
    }
    for name, value in arguments.items():
        least, most = ranges[name]
        if not least <= value <= most:
            raise ValueError(f"{name} of the drawn RAF-DB is {value}: give a whole number from {least} to {most}.")


def _renderer_digest() -> str:
    """Digest of the renderer's source: faces drawn by another version are drawn anew."""
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(Path(synthetic.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _read_marker(root: Path) -> dict[str, Any] | None:
    """The folder's marker, None where there is none of ours."""
    try:
        marker = json.loads((root / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(marker, dict) and marker.get("drawn_by") == __name__
    return marker if ours else None


def _check_replaceable(root: Path) -> None:
    """Refuse a folder with anything in it that was not drawn here."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return
    where = f"{root} is not replaced by drawn faces"
    to_do = "Give a folder that does not exist yet, or move this one away."
    marker = _read_marker(root)
    if marker is None:
        raise ValueError(
            f"{where}: it has no {MARKER}, so it may be the real RAF-DB or something else of yours. {to_do}"
        )
    ours = {MARKER, f"basic/{LIST_FILE}"}
    for image in _images(marker["arguments"]):
        ours |= {f"basic/{path}" for path in _image_files(image.name)}
    others = [path for path in root.rglob("*") if not path.is_dir() and path.relative_to(root).as_posix() not in ours]
    if others:
        raise ValueError(f"{where}: {len(others)} files in it were not drawn here, the first {others[0]}. {to_do}")


def _image_files(name: str) -> tuple[str, str]:
    return f"Image/original/{name}.jpg", f"Image/aligned/{name}_aligned.jpg"


def _images(arguments: dict[str, int]) -> Iterator[_Image]:
    """Every image of the folder in the order of the list file."""
    seed = arguments["seed"]
    for split_id, (split, digits) in enumerate((("train", 5), ("test", 4))):
        counts = class_counts(split, arguments[f"num_{split}"])
        labels = np.random.default_rng([seed, split_id]).permutation(np.repeat(np.arange(len(counts)), counts))
        for number, label in enumerate(labels.tolist(), start=1):
            name = f"{split}_{number:0{digits}d}"
            yield _Image(name, label, (seed, split_id, number), arguments["image_size"])


def _draw_folder(folder: Path, arguments: dict[str, int], num_workers: int) -> None:
    images = list(_images(arguments))
    for name in ("EmoLabel", "Image/original", "Image/aligned"):
        (folder / "basic" / name).mkdir(parents=True)
    draw = functools.partial(_draw_image, folder / "basic")
    if num_workers == 1 or len(images) < _SERIAL_IMAGES:
        for image in images:
            draw(image)
    else:
        # Fresh processes: forked ones would inherit the locks of OpenCV's and torch's threads, and could hang.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(num_workers, context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
            try:
                for _ in pool.map(draw, images, chunksize=8):
                    pass
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    lines = [f"{image.name}.jpg {image.label + 1}" for image in images]
    (folder / "basic" / LIST_FILE).write_bytes("\n".join(lines).encode())
    marker = {"drawn_by": __name__, "renderer": _renderer_digest(), "arguments": arguments}
    (folder / MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")


def _draw_image(folder: Path, image: _Image) -> None:
    rng = np.random.default_rng(image.seed)
    roll = rng.uniform(-MAX_ROLL_DEGREES, MAX_ROLL_DEGREES)
    parameters = sample_face(rng, RAF_DB_EXPRESSIONS[image.label], roll_degrees=roll)
    drawn = draw_scene(parameters, image_size=(image.image_size, image.image_size))
    aligned = align_face(drawn.image, drawn.five_points, ALIGNED_SIZE)
    for path, pixels in zip(_image_files(image.name), (drawn.image, aligned), strict=True):
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        (folder / path).write_bytes(content.tobytes())


def _replace(root: Path, part: Path) -> None:
    """Put the complete folder in the place of the drawn one, or of none."""
    if not root.exists():
        part.rename(root)
        return
    old = root.with_name(f"{part.name}.old")
    root.rename(old)
    part.rename(root)
    shutil.rmtree(old)
