"""From located faces to packed ones: which crop each sample gives, in which row, and how much is held at a time."""

import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from tests.nodes.located import alignment, listed_pairs, located, scene

from mien.data.alignment import align_face, centre_crop_face
from mien.data.face_images import resize_as_poster
from mien.data.images import read_image
from mien.io.packed_faces import PackedFaces
from mien.nodes import cropping
from mien.nodes.alignment import image_columns, locate_faces
from mien.nodes.cropping import crop_faces

IMAGES = ("one.png", "broken.png", "none.png", "two.png", "one.png")


def pack(stream, start: int = 0) -> np.ndarray:
    return np.concatenate(list(stream.batches(start)))


def test_each_kind_of_crop_becomes_a_face_in_its_row(raw):
    given = located(raw, "two.png", method="given").assign(face_index=2)
    samples = pd.concat([located(raw, "one.png", "none.png"), given]).iloc[::-1]
    stream = crop_faces(samples, raw, alignment(), size=32)
    assert stream.shape == (3, 32, 32, 3)
    faces = pack(stream)
    none = cv2.cvtColor(cv2.imread(str(raw / "none.png")), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(faces[0], align_face(scene(0).image, np.float32(scene(0).five_points), 32))
    np.testing.assert_array_equal(faces[1], centre_crop_face(none, 32))
    whole = cv2.resize(scene(1).image, (32, 32), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(faces[2], whole)


def test_an_image_that_is_taken_whole_comes_to_its_size_by_posters_route_where_that_is_set(raw):
    samples = located(raw, "two.png", method="given")
    streams = [crop_faces(samples, raw, alignment(resize=resize), size=32) for resize in ("direct", "poster")]
    np.testing.assert_array_equal(pack(streams[1])[0], resize_as_poster(scene(1).image, 32))
    assert not np.array_equal(pack(streams[0]), pack(streams[1]))
    assert streams[0].key != streams[1].key, "faces of the one are not taken for finished ones of the other"


def test_grey_faces_are_the_colour_faces_luminance(raw):
    samples = located(raw, "one.png", "two.png")
    colour = pack(crop_faces(samples, raw, alignment(), size=32))
    grey = pack(crop_faces(samples, raw, alignment(), size=32, channels="grey"))
    assert grey.shape == (2, 32, 32, 1)
    luminance = colour @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    assert np.abs(grey[..., 0] - luminance).max() <= 0.51


def test_onset_and_apex_are_cut_by_one_transform(raw):
    samples = locate_faces(listed_pairs(("one.png", "two.png")), raw, raw / "unfinished", alignment())
    stream = crop_faces(samples, raw, alignment(), size=48, channels="grey")
    assert stream.shape == (1, 2, 48, 48, 1)
    (pair,) = pack(stream)
    points = np.float32(scene(0).five_points)
    for face, image in zip(pair, (scene(0).image, scene(1).image), strict=True):
        expected = cv2.cvtColor(align_face(image, points, 48), cv2.COLOR_RGB2GRAY)
        np.testing.assert_array_equal(face[..., 0], expected)


def test_all_images_of_a_sequence_are_cut_by_the_onsets_points_in_the_order_of_time(raw):
    listed = listed_pairs(("one.png", "none.png")).assign(**{f"frame_{number}": "two.png" for number in (10, 2, 1)})
    listed["frame_2"] = "none.png"
    samples = locate_faces(listed, raw, raw / "unfinished", alignment())
    assert image_columns(samples) == ("onset", "frame_1", "frame_2", "frame_10", "apex")
    (sequence,) = pack(crop_faces(samples, raw, alignment(), size=48, channels="grey"))
    assert sequence.shape == (5, 48, 48, 1)
    points = np.float32(scene(0).five_points)
    for face, name in zip(sequence, ("one", "two", "none", "two", "none"), strict=True):
        expected = cv2.cvtColor(align_face(read_image(raw / f"{name}.png"), points, 48), cv2.COLOR_RGB2GRAY)
        np.testing.assert_array_equal(face[..., 0], expected)


def test_faces_are_cropped_batch_by_batch_and_not_before_they_are_requested(raw, monkeypatch):
    monkeypatch.setattr(cropping, "CROP_BATCH", 2)
    samples = located(raw, *IMAGES, "absent.png")
    samples.loc[5, "face_index"] = 4  # a file that has gone since: found out only when its batch is cropped
    batches = iter(crop_faces(samples, raw, alignment(), size=16).batches(0))
    assert [len(next(batches)), len(next(batches))] == [2, 2]
    with pytest.raises(ValueError, match=r"absent\.png"):
        next(batches)


@pytest.mark.parametrize("start", [0, 1, 3, 4])
def test_an_interrupted_stream_goes_on_at_any_row_with_the_same_faces(raw, monkeypatch, start):
    monkeypatch.setattr(cropping, "CROP_BATCH", 2)
    samples = located(raw, *IMAGES)
    stream = crop_faces(samples, raw, alignment(), size=16)
    rest = list(stream.batches(start))
    assert sum(map(len, rest)) == 4 - start
    if rest:
        np.testing.assert_array_equal(np.concatenate(rest), pack(stream)[start:])


def test_the_key_changes_with_whatever_changes_the_bytes_and_with_nothing_else(raw):
    samples = located(raw, *IMAGES)

    def key(table=samples, **options):
        return crop_faces(table, raw, alignment(**options.pop("alignment", {})), **{"size": 16, **options}).key

    assert key() == key(alignment={"workers": 2, "batch_size": 7})
    moved = samples.assign(nose_x=samples["nose_x"] + 1)
    assert len({key(), key(size=17), key(channels="grey"), key(moved)}) == 4


@pytest.mark.slow
def test_the_number_of_processes_changes_no_byte(raw, monkeypatch):
    monkeypatch.setattr(cropping, "CROP_BATCH", 1)
    samples = located(raw, *IMAGES)
    one, two = (pack(crop_faces(samples, raw, alignment(workers=workers), size=24)) for workers in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_a_rolled_face_comes_out_upright(raw):
    """A second detector's eye: the eye line of the aligned face, from the known points, is level."""
    faces = pack(crop_faces(located(raw, "one.png", "two.png"), raw, alignment(), size=112))
    for face, drawn in zip(faces, (scene(0), scene(1)), strict=True):
        target = np.float32([[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]])
        matrix, _ = cv2.estimateAffinePartial2D(drawn.five_points, target, ransacReprojThreshold=50)
        expected = cv2.warpAffine(drawn.image, matrix, (112, 112))
        assert np.abs(face.astype(int) - expected).mean() < 6


def test_faces_are_the_same_file_whatever_folder_the_dataset_lies_in(raw, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(raw, moved, ignore=shutil.ignore_patterns("unfinished"))
    written = []
    for number, folder in enumerate((raw, moved)):
        entry = PackedFaces(filepath=str(tmp_path / f"faces_{number}.npy"))
        entry.save(crop_faces(located(raw, "one.png", "two.png"), folder, alignment(), size=16))
        written.append((tmp_path / f"faces_{number}.npy").read_bytes())
    assert written[0] == written[1]
