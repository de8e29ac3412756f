"""Packed faces: many faces in one memory-mapped file, written batch by batch."""

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.io import DatasetError

from mien.io.packed_faces import FaceStream, PackedFaces


def stream(faces: np.ndarray, batch: int = 2, key: str = "key") -> FaceStream:
    return FaceStream(
        faces.shape, lambda first: (faces[start : start + batch] for start in range(first, len(faces), batch)), key
    )


def pixels(n: int, size: int = 4) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@given(n=st.integers(1, 20), batch=st.integers(1, 25))
def test_faces_come_back_whatever_the_batches(tmp_path_factory, n, batch):
    faces = pixels(n)
    entry = PackedFaces(filepath=str(tmp_path_factory.mktemp("packed") / "faces.npy"))
    entry.save(stream(faces, batch))
    np.testing.assert_array_equal(entry.load(), faces)


def test_faces_are_mapped_not_loaded_and_cannot_be_changed(tmp_path):
    entry = PackedFaces(filepath=str(tmp_path / "faces.npy"))
    entry.save(stream(pixels(3)))
    loaded = entry.load()
    assert isinstance(loaded, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        loaded[0] = 0


def test_faces_are_computed_while_they_are_written(tmp_path):
    """Nothing is requested before it is needed, and nothing is kept."""
    requested = []

    def batches(start):
        for number in range(1, 4):
            requested.append(number)
            yield np.full((2, 4, 4, 3), number, np.uint8)
            assert requested[-1] == number, "a batch ahead of the one that is written"

    PackedFaces(filepath=str(tmp_path / "faces.npy")).save(FaceStream((6, 4, 4, 3), batches, "key"))
    assert np.load(tmp_path / "faces.npy")[:, 0, 0, 0].tolist() == [1, 1, 2, 2, 3, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["faces.npy"]


def begun(folder: Path) -> Path:
    (only,) = folder.glob(".faces.npy.*.begun")
    return only


class StoppedError(Exception):
    pass


def interrupted(faces: np.ndarray, after: int, key: str = "key") -> FaceStream:
    def batches(start):
        yield faces[start:after]
        raise StoppedError

    return FaceStream(faces.shape, batches, key)


@pytest.mark.parametrize("torn", [0, 1, 47, 48])
def test_an_interrupted_file_is_continued_from_its_last_whole_row(tmp_path, torn):
    entry, faces, starts = PackedFaces(filepath=str(tmp_path / "faces.npy")), pixels(6), []
    with pytest.raises(DatasetError):
        entry.save(interrupted(faces, after=4))
    assert not entry.exists()
    part = begun(tmp_path)
    part.write_bytes(part.read_bytes()[: -torn or None])  # the disk kept less than was written

    def batches(start):
        starts.append(start)
        yield faces[start:]

    entry.save(FaceStream(faces.shape, batches, "key"))
    assert starts == [4 - (torn + 47) // 48]
    np.testing.assert_array_equal(entry.load(), faces)
    assert [path.name for path in tmp_path.iterdir()] == ["faces.npy"]


def test_what_an_interruption_left_of_other_faces_is_not_continued(tmp_path):
    entry = PackedFaces(filepath=str(tmp_path / "faces.npy"))
    with pytest.raises(DatasetError):
        entry.save(interrupted(pixels(6), after=4, key="other"))
    entry.save(stream(pixels(5)))
    np.testing.assert_array_equal(entry.load(), pixels(5))


def test_a_file_cut_off_within_its_header_is_begun_anew(tmp_path):
    entry = PackedFaces(filepath=str(tmp_path / "faces.npy"))
    with pytest.raises(DatasetError):
        entry.save(interrupted(pixels(6), after=4))
    begun(tmp_path).write_bytes(b"\x93NUM")
    entry.save(stream(pixels(6)))
    np.testing.assert_array_equal(entry.load(), pixels(6))


def test_pairs_keep_their_axis_and_the_file_is_plain_npy(tmp_path):
    pairs = pixels(6).reshape(3, 2, 4, 4, 3)
    PackedFaces(filepath=str(tmp_path / "faces.npy")).save(stream(pairs))
    np.testing.assert_array_equal(np.load(tmp_path / "faces.npy"), pairs)


@pytest.mark.parametrize("cropped", [3, 5, 9])
def test_a_wrong_number_of_faces_is_refused_and_leaves_no_file(tmp_path, cropped):
    entry = PackedFaces(filepath=str(tmp_path / "faces.npy"))
    batches = [pixels(cropped)[:2], pixels(cropped)[2:], pixels(1)[:0]]
    with pytest.raises(DatasetError) as error:
        entry.save(FaceStream((4, 4, 4, 3), lambda start: batches, "key"))
    assert isinstance(error.value.__cause__, ValueError)
    assert f"{cropped} faces were cropped where 4 were announced" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_no_face_at_all_is_refused_with_what_to_change(tmp_path):
    entry = PackedFaces(filepath=str(tmp_path / "faces.npy"))
    with pytest.raises(DatasetError, match=r"No face is left.*without_face to centre_crop"):
        entry.save(stream(pixels(0)))
    assert not entry.exists()


def test_the_preview_is_a_sheet_of_the_first_32_faces(tmp_path):
    entry = PackedFaces(filepath=str(tmp_path / "faces.npy"))
    faces = pixels(40)
    entry.save(stream(faces))
    png = np.frombuffer(base64.b64decode(entry.preview()), np.uint8)
    sheet = cv2.cvtColor(cv2.imdecode(png, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert sheet.shape == (4 * 4, 8 * 4, 3)
    np.testing.assert_array_equal(sheet[4:8, 8:12], faces[10])  # row 1, column 2
