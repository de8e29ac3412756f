"""Packed faces: many faces in one memory-mapped file, written batch by batch."""

import base64

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.io import DatasetError

from mien.io.packed_faces import FaceStream, PackedFaces


def pixels(n: int, size: int = 4) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@given(n=st.integers(1, 20), batch=st.integers(1, 25))
def test_faces_come_back_whatever_the_batches(tmp_path_factory, n, batch):
    faces = pixels(n)
    entry = PackedFaces(filepath=str(tmp_path_factory.mktemp("packed") / "faces.npy"))
    entry.save(FaceStream(faces.shape, (faces[start : start + batch] for start in range(0, n, batch))))
    np.testing.assert_array_equal(entry.load(), faces)


def test_faces_are_mapped_not_loaded_and_cannot_be_changed(tmp_path):
    entry = PackedFaces(filepath=str(tmp_path / "faces.npy"))
    entry.save(FaceStream((3, 4, 4, 3), [pixels(3)]))
    loaded = entry.load()
    assert isinstance(loaded, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        loaded[0] = 0


def test_faces_are_computed_while_they_are_written(tmp_path):
    """No more than one batch is asked for ahead of what is on the disk."""
    path = tmp_path / "faces.npy"

    def batches():
        for number in range(1, 4):
            yield np.full((2, 4, 4, 3), number, np.uint8)
            written = np.load(tmp_path / ".faces.npy.part", mmap_mode="r")
            assert (written[2 * number - 2 : 2 * number] == number).all()

    PackedFaces(filepath=str(path)).save(FaceStream((6, 4, 4, 3), batches()))
    assert np.load(path)[:, 0, 0, 0].tolist() == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("cropped", [3, 5, 9])
def test_a_wrong_number_of_faces_is_refused_and_leaves_no_file(tmp_path, cropped):
    entry = PackedFaces(filepath=str(tmp_path / "faces.npy"))
    with pytest.raises(DatasetError) as error:
        entry.save(FaceStream((4, 4, 4, 3), [pixels(cropped)[:2], pixels(cropped)[2:], pixels(1)[:0]]))
    assert isinstance(error.value.__cause__, ValueError)
    assert f"{cropped} faces were cropped where 4 were announced" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_no_face_at_all_is_refused_with_what_to_change(tmp_path):
    entry = PackedFaces(filepath=str(tmp_path / "faces.npy"))
    with pytest.raises(DatasetError, match=r"No face is left.*without_face to centre_crop"):
        entry.save(FaceStream((0, 4, 4, 3), []))
    assert not entry.exists()


def test_the_preview_is_a_sheet_of_the_first_32_faces(tmp_path):
    entry = PackedFaces(filepath=str(tmp_path / "faces.npy"))
    faces = pixels(40)
    entry.save(FaceStream(faces.shape, [faces]))
    png = np.frombuffer(base64.b64decode(entry.preview()), np.uint8)
    sheet = cv2.cvtColor(cv2.imdecode(png, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert sheet.shape == (4 * 4, 8 * 4, 3)
    np.testing.assert_array_equal(sheet[4:8, 8:12], faces[10])  # row 1, column 2
