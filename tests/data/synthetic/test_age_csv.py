"""The synthetic version is the published file to the reader, and its bytes depend on its arguments alone."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.data.age_csv import FILE, PUBLISHED_COUNTS, list_age_csv, read_age_csv
from mien.data.image_source import ImageSource
from mien.data.synthetic import age_csv as synthetic_age_csv
from mien.data.synthetic.age_csv import synthesize_age_csv
from mien.data.synthetic.folder import class_counts, is_synthetic

SMALL = {"num_samples": 65, "seed": 3}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "age_csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic_age_csv, "_REPEATED_EVERY", 60)
        synthesize_age_csv(root, **SMALL)
    return root


def test_the_reader_reads_it_as_the_published_file(drawn):
    assert is_synthetic(drawn)
    assert (drawn / FILE).read_text().startswith("age,ethnicity,gender,img_name,pixels\n")
    rows = list_age_csv(drawn)
    assert len(rows) == 65
    assert rows["duplicate_of"].dropna().to_dict() == {59: "row_00029"}
    assert rows["age"].between(1, 100).all()
    assert rows["age"].std() > 15
    assert 0.3 < rows["gender"].mean() < 0.7
    counts = rows["ethnicity_name"].value_counts().to_dict()
    expected = class_counts(PUBLISHED_COUNTS["all"], 65)
    assert all(abs(counts[name] - expected[name]) <= 1 for name in expected)  # a repeated face brings its own
    samples = read_age_csv(drawn)
    assert len(samples) == 64
    assert set(samples["split"]) == {"train", "val", "test"}


def test_every_hundredth_row_repeats_an_earlier_face_with_another_age_every_other_time():
    faces = list(synthetic_age_csv._faces(400, 0))
    for number, same_age in ((99, False), (199, True), (299, False), (399, True)):
        first = faces[number - 50]
        assert (faces[number].seed, faces[number].synthetic_age) == (first.seed, first.age)
        assert (faces[number].age == first.age) is same_age
        assert faces[number].name != first.name
    assert len({face.seed for face in faces}) == 396


def test_faces_show_the_age_that_is_written(drawn):
    rows = list_age_csv(drawn)
    row = int(rows["age"].argmax())
    face = list(synthetic_age_csv._faces(**SMALL))[row]
    np.testing.assert_array_equal(
        ImageSource(drawn).read(rows["image"][row])[..., 0], synthetic_age_csv._render_pixels(face)
    )
    younger = synthetic_age_csv._render_pixels(replace(face, synthetic_age=5))
    assert abs(synthetic_age_csv._render_pixels(face).astype(int) - younger).mean() > 3


def test_the_bytes_do_not_depend_on_the_number_of_processes(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic_age_csv, "SERIAL_ITEMS", 10**6)
    monkeypatch.setattr(synthetic_age_csv, "_REPEATED_EVERY", 60)
    synthesize_age_csv(tmp_path / "age_csv", **SMALL)
    assert (tmp_path / "age_csv" / FILE).read_bytes() == (drawn / FILE).read_bytes()


def test_the_same_arguments_draw_nothing(drawn, tmp_path, monkeypatch):
    root = shutil.copytree(drawn, tmp_path / "age_csv")
    monkeypatch.setattr(synthetic_age_csv, "map_in_order", lambda *_, **__: pytest.fail("drawn again"))
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    synthesize_age_csv(root, **SMALL)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_another_seed_gives_other_persons():
    one, other = (list(synthetic_age_csv._faces(60, seed)) for seed in (0, 1))
    assert [face.ethnicity for face in one] != [face.ethnicity for face in other]
    assert not {face.seed for face in one} & {face.seed for face in other}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_samples": 39}, "num_samples of the synthetic age CSV is 39: give a whole number from 40"),
        ({"seed": -1}, "seed .* from 0"),
    ],
)
def test_an_argument_out_of_range_is_named_before_anything_is_written(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        synthesize_age_csv(tmp_path / "age_csv", **SMALL | change)
    assert list(tmp_path.iterdir()) == []


def test_a_real_file_is_never_replaced(tmp_path):
    (tmp_path / FILE).write_text("mine")
    with pytest.raises(ValueError, match="is not replaced by synthetic faces"):
        synthesize_age_csv(tmp_path, **SMALL)
    assert (tmp_path / FILE).read_text() == "mine"
