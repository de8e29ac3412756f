"""The drawn twin is a RAF-DB to the reader, the same on every machine, and never in the place of something real."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.data import raf_db_twin
from mien.data.images import read_image
from mien.data.raf_db import LIST_FILE, PUBLISHED_COUNTS, count_deviations, read_raf_db
from mien.data.raf_db_twin import MARKER, MAX_ROLL_DEGREES, class_counts, draw_raf_db
from mien.data.synthetic import draw_scene, sample_face
from mien.labels import RAF_DB_EXPRESSIONS

TEMPLATE = np.float32([[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]]) * (100 / 112)
SMALL = {"num_train": 16, "num_test": 14, "seed": 3, "image_size": 96}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("twin") / "raf_db"
    draw_raf_db(root, **SMALL)
    return root


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_reader_reads_it_as_raf_db(drawn):
    for source, size in (("original", 96), ("aligned", 100)):
        samples = read_raf_db(drawn, source)
        assert samples["split"].value_counts().to_dict() == {"train": 16, "test": 14}
        for split in ("train", "test"):
            labels = samples.loc[samples["split"] == split, "label"]
            assert np.bincount(labels, minlength=7).tolist() == class_counts(split, len(labels))
            assert labels.tolist() != sorted(labels), (
                "classes come one after the other, so a plain head() has one class"
            )
        images = [read_image(drawn / image) for image in samples["image"]]
        assert {image.shape for image in images} == {(size, size, 3)}
        assert len({image.tobytes() for image in images}) == 30
    assert len(count_deviations(samples)) == 16


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
    for image in raf_db_twin._images(SMALL):
        rng = np.random.default_rng(image.seed)
        roll = rng.uniform(-MAX_ROLL_DEGREES, MAX_ROLL_DEGREES)
        scene = draw_scene(sample_face(rng, RAF_DB_EXPRESSIONS[image.label], roll_degrees=roll), (96, 96))
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
    monkeypatch.setattr(raf_db_twin, "_SERIAL_IMAGES", 0)
    raf_db_twin._draw_folder(tmp_path / "two", SMALL, num_workers=2)
    assert files(tmp_path / "two") == files(drawn)


def test_the_seed_changes_every_image(drawn, tmp_path):
    draw_raf_db(tmp_path / "raf", **SMALL | {"seed": 4})
    mine, other = files(drawn), files(tmp_path / "raf")
    assert mine.keys() == other.keys()
    assert all(mine[name] != other[name] for name in mine)


def test_a_second_call_does_nothing_and_other_arguments_draw_anew(drawn, tmp_path, monkeypatch):
    root = shutil.copytree(drawn, tmp_path / "raf")
    with monkeypatch.context() as patch:
        patch.setattr(raf_db_twin, "_draw_folder", lambda *_, **__: pytest.fail("drawn again"))
        draw_raf_db(root, **SMALL)
    draw_raf_db(root, **SMALL | {"num_train": 14})
    assert len(read_raf_db(root, "aligned")) == 28
    assert len(list((root / "basic/Image/original").iterdir())) == 28
    assert [path.name for path in tmp_path.iterdir()] == ["raf"]
    assert json.loads((root / MARKER).read_text())["arguments"] == SMALL | {"num_train": 14}


def test_an_interruption_leaves_what_was_there_before(tmp_path, monkeypatch):
    draw, calls = raf_db_twin._draw_image, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) > 5:
            raise KeyboardInterrupt
        draw(*arguments)

    monkeypatch.setattr(raf_db_twin, "_draw_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        draw_raf_db(tmp_path / "raf", **SMALL)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "raf").mkdir()
    (tmp_path / "raf" / MARKER).write_text(json.dumps({"drawn_by": raf_db_twin.__name__, "arguments": SMALL}))
    before = files(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        draw_raf_db(tmp_path / "raf", **SMALL | {"seed": 9})
    assert files(tmp_path) == before


def test_a_folder_without_the_marker_is_never_touched(tmp_path):
    root = tmp_path / "raf"
    (root / "basic" / "EmoLabel").mkdir(parents=True)
    (root / "basic" / LIST_FILE).write_text("train_00001.jpg 5")
    before = files(root)
    with pytest.raises(ValueError, match=r"raf is not replaced.*no drawn.json.*real RAF-DB.*move this one away"):
        draw_raf_db(root, **SMALL)
    (root / MARKER).write_text('{"num_train": 16}')
    with pytest.raises(ValueError, match=r"no drawn\.json"):
        draw_raf_db(root, **SMALL)
    assert files(root) == before | {MARKER: b'{"num_train": 16}'}


def test_a_drawn_folder_with_other_files_in_it_is_not_replaced(drawn, tmp_path):
    root = shutil.copytree(drawn, tmp_path / "raf")
    (root / "basic/Image/original/train_00099.jpg").write_bytes(b"a real one")
    before = files(root)
    with pytest.raises(ValueError, match=r"1 files in it were not drawn here, the first .*train_00099.jpg"):
        draw_raf_db(root, **SMALL | {"seed": 4})
    assert files(root) == before


def test_a_file_in_the_place_of_the_folder_is_not_replaced(tmp_path):
    (tmp_path / "raf").write_text("mine")
    with pytest.raises(ValueError, match="is not replaced"):
        draw_raf_db(tmp_path / "raf", **SMALL)


def test_an_empty_folder_behind_a_link_is_drawn_into(tmp_path, monkeypatch):
    monkeypatch.setattr(raf_db_twin, "_draw_image", lambda *_: None)
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    draw_raf_db(tmp_path / "link", **SMALL)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / MARKER).is_file()


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("num_images", [14, 100, 999])
def test_classes_are_half_as_frequent_as_published_and_half_even(split, num_images):
    published = np.array(list(PUBLISHED_COUNTS[split].values()))
    counts = np.array(class_counts(split, num_images))
    assert counts.sum() == num_images
    assert counts.min() >= 1
    assert abs(counts - num_images * (published / published.sum() / 2 + 1 / 14)).max() < 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_train": 13}, "num_train of the drawn RAF-DB is 13: give a whole number from 14 to 99999"),
        ({"num_test": 10_000}, "num_test .* from 14 to 9999"),
        ({"seed": -1}, "seed .* from 0"),
        ({"image_size": 32}, "image_size .* from 64 to 2048"),
    ],
)
def test_an_argument_out_of_range_is_named_before_anything_is_written(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        draw_raf_db(tmp_path / "raf", **SMALL | change)
    assert list(tmp_path.iterdir()) == []


def test_faces_of_another_version_of_the_renderer_are_drawn_anew(tmp_path, monkeypatch):
    arguments = {"num_train": 14, "num_test": 14, "seed": 0, "image_size": 64}
    draw_raf_db(tmp_path / "raf_db", **arguments)
    old = (tmp_path / "raf_db" / MARKER).read_text()
    monkeypatch.setattr("mien.data.raf_db_twin._renderer_digest", lambda: "another")
    draw_raf_db(tmp_path / "raf_db", **arguments)
    assert (tmp_path / "raf_db" / MARKER).read_text() != old
