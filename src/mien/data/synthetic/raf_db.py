"""A synthetic version of RAF-DB basic: synthetic faces in the published layout.

So that all runs without the download.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mien.data.alignment import align_face
from mien.data.raf_db import LIST_FILE, PUBLISHED_COUNTS
from mien.data.synthetic import render_scene, sample_face
from mien.data.synthetic.folder import check_range, class_counts, synthesize_each, synthesize_folder, synthetic_stream
from mien.labels import RAF_DB_EXPRESSIONS

ALIGNED_SIZE = 100
MAX_ROLL_DEGREES = 22.0
"""Originals are rolled by up to this much, evenly, so that alignment has something to undo."""

_JPEG_QUALITY = 95  # the synthetic camera has lost its share of detail before
_MIN_IMAGES = 14  # of a split: the rarest class, whose share is 0.083, then has one
_IMAGE_SIZES = (64, 2048)  # below, a face has no features left; above, the renderer stops


@dataclass(frozen=True)
class _Image:
    """What decides one image's bytes."""

    name: str  # without suffix
    label: int
    seed: tuple[int, ...]
    image_size: int


def synthesize_raf_db(root: Path, *, num_train: int, num_test: int, seed: int, image_size: int = 180) -> None:
    """Draw a folder in RAF-DB basic's published layout: list file, originals and aligned faces.

    The share of each class is half RAF-DB's own and half even. Each image depends on ``seed``, its split and its number
    alone. Processes are started afresh, one per core, so a script of your own calls this below
    ``if __name__ == "__main__":``. ``mien.data.synthetic.folder.synthesize_folder`` says what becomes of files that are
    there.

    Args:
        root: Becomes ``root/basic/...`` and ``root/synthetic.json``, which holds the arguments.
        num_train: Images of the training split, at least 14.
        num_test: Images of the test split, at least 14.
        seed: 0 or more.
        image_size: Height and width of the originals in pixels, at least 64; aligned faces are 100x100.

    Raises:
        MienError: An argument is out of range, or ``root`` holds files that were not made here.

    Source: ours, because RAF-DB may not be passed on.
    """
    arguments = {"num_train": num_train, "num_test": num_test, "seed": seed, "image_size": image_size}
    _check_arguments(arguments)
    synthesize_folder(root, arguments, _write_files)


def _check_arguments(arguments: dict[str, int]) -> None:
    # RAF-DB's names have five digits in train and four in test.
    ranges = {
        "num_train": (_MIN_IMAGES, 99_999),
        "num_test": (_MIN_IMAGES, 9_999),
        "seed": (0, 2**63),
        "image_size": _IMAGE_SIZES,
    }
    for name, value in arguments.items():
        check_range(name, value, *ranges[name], "RAF-DB")


def _write_files(folder: Path, **arguments: int) -> None:
    images = list(_images(arguments))
    for name in ("EmoLabel", "Image/original", "Image/aligned"):
        (folder / "basic" / name).mkdir(parents=True)
    synthesize_each(functools.partial(_write_image, folder / "basic"), images)
    lines = [f"{image.name}.jpg {image.label + 1}" for image in images]
    (folder / "basic" / LIST_FILE).write_bytes("\n".join(lines).encode())


def _images(arguments: dict[str, int]) -> Iterator[_Image]:
    """Every image of the folder in the order of the list file."""
    seed = arguments["seed"]
    for split_id, (split, digits) in enumerate((("train", 5), ("test", 4))):
        counts = list(class_counts(PUBLISHED_COUNTS[split], arguments[f"num_{split}"]).values())
        labels = synthetic_stream("raf_db", seed, split_id).permutation(np.repeat(np.arange(len(counts)), counts))
        for number, label in enumerate(labels.tolist(), start=1):
            name = f"{split}_{number:0{digits}d}"
            yield _Image(name, label, (seed, split_id, number), arguments["image_size"])


def _write_image(folder: Path, image: _Image) -> None:
    rng = synthetic_stream("raf_db", *image.seed)
    roll = rng.uniform(-MAX_ROLL_DEGREES, MAX_ROLL_DEGREES)
    parameters = sample_face(rng, RAF_DB_EXPRESSIONS[image.label], roll_degrees=roll)
    scene = render_scene(parameters, image_size=(image.image_size, image.image_size))
    aligned = align_face(scene.image, scene.five_points, ALIGNED_SIZE)
    for path, pixels in zip(_image_files(image.name), (scene.image, aligned), strict=True):
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        (folder / path).write_bytes(content.tobytes())


def _image_files(name: str) -> tuple[str, str]:
    return f"Image/original/{name}.jpg", f"Image/aligned/{name}_aligned.jpg"
