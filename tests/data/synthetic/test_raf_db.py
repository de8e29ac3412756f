"""The synthetic version is a RAF-DB to the reader, and the same on every machine."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.data.file_account import count_deviations, count_table
from mien.data.images import read_image
from mien.data.raf_db import LIST_FILE, PUBLISHED_COUNTS, read_raf_db
from mien.data.synthetic import folder as synthetic_folder
from mien.data.synthetic import raf_db as synthetic_raf_db
from mien.data.synthetic import render_scene, sample_face
from mien.data.synthetic.folder import class_counts, synthetic_stream
from mien.data.synthetic.raf_db import MAX_ROLL_DEGREES, synthesize_raf_db
from mien.labels import RAF_DB_EXPRESSIONS

TEMPLATE = np.float32([[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]]) * (100 / 112)
SMALL = {"num_train": 16, "num_test": 14, "seed": 3, "image_size": 96}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "raf_db"
    synthesize_raf_db(root, **SMALL)
    return root


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_reader_reads_it_as_raf_db(drawn):
    for source, size in (("original", 96), ("aligned", 100)):
        samples = read_raf_db(drawn, source)
        assert samples["split"].value_counts().to_dict() == {"train": 16, "test": 14}
        for split in ("train", "test"):
            labels = samples.loc[samples["split"] == split, "label"]
            counts = class_counts(PUBLISHED_COUNTS[split], len(labels))
            assert np.bincount(labels, minlength=7).tolist() == list(counts.values())
            assert labels.tolist() != sorted(labels), (
                "classes come one after the other, so a plain head() has one class"
            )
        images = [read_image(drawn / image) for image in samples["image"]]
        assert {image.shape for image in images} == {(size, size, 3)}
        assert len({image.tobytes() for image in images}) == 30
    assert len(count_deviations(count_table(samples, PUBLISHED_COUNTS, "expression"))) == 16


def test_the_list_file_has_the_published_format(drawn):
    content = (drawn / "basic" / LIST_FILE).read_bytes().decode("ascii")
    lines = content.split("\n")
    assert len(lines) == 30
    assert all(re.fullmatch(r"train_\d{5}\.jpg [1-7]", line) for line in lines[:16])
    assert all(re.fullmatch(r"test_\d{4}\.jpg [1-7]", line) for line in lines[16:])
    assert lines[0].startswith("train_00001.jpg ")
    assert lines[-1].startswith("test_0014.jpg ")


def test_originals_show_the_listed_expression_off_centre_and_rolled_and_aligned_faces_are_upright(drawn):
    rolls, centres = [], []
    for image in synthetic_raf_db._images(SMALL):
        rng = synthetic_stream("raf_db", *image.seed)
        roll = rng.uniform(-MAX_ROLL_DEGREES, MAX_ROLL_DEGREES)
        scene = render_scene(sample_face(rng, RAF_DB_EXPRESSIONS[image.label], roll_degrees=roll), (96, 96))
        written = read_image(drawn / f"basic/Image/original/{image.name}.jpg")
        assert abs(written.astype(int) - scene.image).mean() < 4, image.name
        # Robust fit and plain warp by OpenCV, onto face.evoLVe's points scaled from 112 to 100 pixels.
        matrix, _ = cv2.estimateAffinePartial2D(scene.five_points, TEMPLATE, ransacReprojThreshold=50)
        upright = cv2.warpAffine(scene.image, matrix, (100, 100))
        aligned = read_image(drawn / f"basic/Image/aligned/{image.name}_aligned.jpg")
        assert abs(aligned.astype(int) - upright).mean() < 6, image.name
        rolls.append(roll)
        centres.append(scene.five_points.mean(axis=0))
    assert np.std(rolls) > 8
    assert np.abs(rolls).max() <= 25
    assert np.std(centres, axis=0).min() > 2


def test_the_bytes_do_not_depend_on_the_number_of_processes(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic_folder, "SERIAL_ITEMS", 0)
    synthesize_raf_db(tmp_path / "several", **SMALL)
    assert files(tmp_path / "several") == files(drawn)


def test_the_seed_changes_every_image(drawn, tmp_path):
    synthesize_raf_db(tmp_path / "raf", **SMALL | {"seed": 4})
    mine, other = files(drawn), files(tmp_path / "raf")
    assert mine.keys() == other.keys()
    assert all(mine[name] != other[name] for name in mine)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_train": 13}, "num_train of the synthetic RAF-DB is 13: give a whole number from 14 to 99999"),
        ({"num_test": 10_000}, "num_test .* from 14 to 9999"),
        ({"seed": -1}, "seed .* from 0"),
        ({"image_size": 32}, "image_size .* from 64 to 2048"),
    ],
)
def test_an_argument_out_of_range_is_named_before_anything_is_written(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        synthesize_raf_db(tmp_path / "raf", **SMALL | change)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_fewest_images_allowed_still_show_every_class(split):
    assert min(class_counts(PUBLISHED_COUNTS[split], 14).values()) == 1
