"""From listed images to located faces: what becomes of each image, reported in the table."""

import shutil
import threading
import time

import cv2
import numpy as np
import pandas as pd
import pytest
from tests.nodes.located import KnowingDetector, alignment, box_of, listed, listed_pairs, located, scene, write_images

from mien.io.schemas import PairSamples, Samples
from mien.nodes import alignment as node
from mien.nodes.alignment import BOX_COLUMNS, POINT_COLUMNS, locate_faces
from mien.outputs import sole_use

IMAGES = ("one.png", "broken.png", "none.png", "two.png", "one.png")


@pytest.mark.parametrize(
    ("policy", "crop", "rows"),
    [
        ("drop", "none", [0, -1, -1, 1, 2]),
        ("keep_original", "whole", [0, -1, 1, 2, 3]),
        ("centre_crop", "centre", [0, -1, 1, 2, 3]),
    ],
)
def test_every_image_gets_a_reason_a_crop_and_its_row(raw, policy, crop, rows):
    samples = located(raw, *IMAGES, without_face=policy)
    assert samples["reason"].tolist() == ["aligned", "truncated", "no_face", "several_faces", "aligned"]
    assert samples["crop"].tolist() == ["points", "none", crop, "points", "points"]
    assert samples["face_index"].tolist() == rows
    assert samples["sample_id"].tolist() == ["s0", "s1", "s2", "s3", "s4"]
    Samples.validate(samples)


def test_the_table_tells_where_the_face_is_and_how_it_is_turned(raw):
    samples = located(raw, "one.png", "none.png")
    points = scene(0).five_points
    found = samples.iloc[0]
    np.testing.assert_allclose(found[POINT_COLUMNS].to_numpy(float), points.ravel(), rtol=1e-6)
    np.testing.assert_allclose(found[BOX_COLUMNS].to_numpy(float), box_of(points), rtol=1e-6)
    assert found["roll_degrees"] == pytest.approx(np.degrees(np.arctan2(*(points[1] - points[0])[::-1])), abs=1e-3)
    assert abs(found["roll_degrees"]) > 8
    assert (found["num_faces"], found["score"]) == (1, np.float32(0.99))
    assert (found["turned_degrees"], found["enlarged"]) == (0, 1)
    nothing = samples.iloc[1]
    assert nothing["num_faces"] == 0
    assert nothing[[*POINT_COLUMNS, *BOX_COLUMNS, "score", "roll_degrees"]].isna().all()


def test_the_table_tells_how_large_and_bright_every_readable_image_is(raw):
    samples = located(raw, "one.png", "none.png", "broken.png")
    assert samples["height"].tolist()[:2] == [80, 80]
    assert samples["width"].tolist()[:2] == [96, 96]
    assert samples["brightness"][0] == pytest.approx(scene(0).image.mean(), abs=1e-4)
    assert samples.loc[2, ["height", "width", "brightness"]].isna().all()


def test_a_face_on_its_side_is_found_by_turning_the_image(tmp_path):
    """With the real detector, since what is found turned is looked at more closely."""
    write_images(tmp_path)
    (tmp_path / "unfinished").mkdir()
    cv2.imwrite(str(tmp_path / "side.png"), np.rot90(scene(0).image, -1)[..., ::-1])  # clockwise
    found = located(tmp_path, "side.png", "one.png", turns=(180, 90))
    assert found["reason"].tolist() == ["aligned", "aligned"]
    assert found["turned_degrees"].tolist() == [90, 0]
    x, y = scene(0).five_points.T
    turned = np.column_stack([79 - y, x])  # the image was 80 px high
    np.testing.assert_allclose(found.loc[0, POINT_COLUMNS].to_numpy(float), turned.ravel(), atol=3.0)
    assert found.loc[0, "roll_degrees"] == pytest.approx(90 + found.loc[1, "roll_degrees"], abs=5)


def test_of_several_faces_the_large_central_one_is_taken_not_the_first(raw):
    found = located(raw, "two.png").iloc[0]
    np.testing.assert_allclose(found[POINT_COLUMNS].to_numpy(float), scene(1).five_points.ravel(), rtol=1e-6)
    assert found["num_faces"] == 2
    assert found["score"] == np.float32(0.9), "the chosen face's own score"


def test_an_unreadable_file_is_named_in_the_log_and_left_out_under_every_policy(raw, caplog):
    samples = located(raw, "broken.png", "absent.png", "one.png", without_face="keep_original")
    assert samples["reason"].tolist() == ["truncated", "missing", "aligned"]
    assert samples["crop"].tolist() == ["none", "none", "points"]
    assert "broken.png" in caplog.text
    assert "absent.png" in caplog.text
    assert "2 of 3 samples give no face" in caplog.text


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_batch_size_changes_nothing(raw, batch_size):
    pd.testing.assert_frame_equal(located(raw, *IMAGES, batch_size=batch_size), located(raw, *IMAGES, batch_size=2))


def test_the_detector_is_reported_its_parameters(raw):
    located(raw, "one.png", min_face_size=31)
    assert KnowingDetector.made_with == {"min_face_size": 31, "thresholds": (0.6, 0.7, 0.8)}


def test_given_alignment_takes_every_readable_image_whole(raw):
    samples = located(raw, "one.png", "absent.jpg", "none.png", method="given")
    assert samples["reason"].tolist() == ["already_aligned", "missing", "already_aligned"]
    assert samples["crop"].tolist() == ["whole", "none", "whole"]
    assert samples["face_index"].tolist() == [0, -1, 1]
    assert samples[POINT_COLUMNS].isna().all(axis=None)
    assert samples["width"].tolist()[::2] == [96, 96]
    Samples.validate(samples)


PAIRS = [("one.png", "two.png"), ("none.png", "two.png"), ("none.png", "none.png"), ("one.png", "broken.png")]


def test_a_pair_has_one_place_of_the_face_the_onsets_or_else_the_apexs(raw):
    samples = locate_faces(listed_pairs(*PAIRS), raw, raw / "unfinished", alignment())
    PairSamples.validate(samples)
    assert samples["reason"].tolist() == ["aligned", "several_faces", "no_face", "truncated"]
    assert samples["face_index"].tolist() == [0, 1, 2, -1]
    points = samples[POINT_COLUMNS].to_numpy(float)
    np.testing.assert_allclose(points[0], scene(0).five_points.ravel(), rtol=1e-6)
    np.testing.assert_allclose(points[1], scene(1).five_points.ravel(), rtol=1e-6)


def test_a_pair_of_two_sizes_is_left_out_because_one_transform_does_not_fit_both(raw):
    cv2.imwrite(str(raw / "small.png"), scene(1).image[::2, ::2, ::-1])
    samples = locate_faces(listed_pairs(("one.png", "small.png")), raw, raw / "unfinished", alignment())
    assert samples.loc[0, ["reason", "crop", "face_index"]].tolist() == ["sizes_differ", "none", -1]


class StoppedError(Exception):
    pass


def stop_after(monkeypatch, parts: int) -> list[object]:
    """Let the search be stopped after so many parts; the list holds the parts that were searched."""
    locate, done = node._locate, []

    def stopping(chunk):
        if len(done) == parts:
            raise StoppedError
        done.append(chunk)
        return locate(chunk)

    monkeypatch.setattr(node, "_locate", stopping)
    return done


def test_an_interrupted_search_goes_on_where_it_stopped(raw, monkeypatch, caplog):
    caplog.set_level("INFO", "mien")
    whole = located(raw, *IMAGES)
    monkeypatch.setattr(node, "CHUNK", 2)
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(StoppedError):
            located(raw, *IMAGES)
    assert len(list((raw / "unfinished").glob("located-*"))) == 2
    done = stop_after(monkeypatch, 1)
    pd.testing.assert_frame_equal(located(raw, *IMAGES), whole)
    assert len(done) == 1
    assert "2 of 3 parts are located already" in caplog.text
    assert not (raw / "unfinished").exists()


def test_a_damaged_part_of_an_interrupted_search_is_named_and_looked_for_again(raw, monkeypatch, caplog):
    whole = located(raw, *IMAGES)
    monkeypatch.setattr(node, "CHUNK", 2)
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(StoppedError):
            located(raw, *IMAGES)
    for number, file in enumerate(sorted((raw / "unfinished").glob("located-*"))):
        file.write_bytes(file.read_bytes()[:-9] if number else b"")
    pd.testing.assert_frame_equal(located(raw, *IMAGES), whole)
    assert caplog.text.count("is damaged: its faces are looked for again") == 2


def test_of_two_searches_at_once_the_second_waits(raw, monkeypatch, caplog):
    """Both empty the folder in which they keep what an interruption would leave."""
    caplog.set_level("INFO", "mien")
    (raw / "unfinished").mkdir(exist_ok=True)
    results = []
    with sole_use(raw / "unfinished"):
        second = threading.Thread(target=lambda: results.append(located(raw, *IMAGES)))
        second.start()
        while "unfinished is in use by" not in caplog.text:
            time.sleep(0.01)
        shutil.rmtree(raw / "unfinished")  # as the first run does at its end
    second.join()
    assert len(results[0]) == len(IMAGES)


@pytest.mark.parametrize("change", ["settings", "file"])
def test_what_an_interruption_left_is_not_used_for_other_settings_or_files(raw, monkeypatch, change):
    monkeypatch.setattr(node, "CHUNK", 1)
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(StoppedError):
            located(raw, "none.png", "one.png")
    if change == "file":
        (raw / "none.png").write_bytes((raw / "two.png").read_bytes())
        assert located(raw, "none.png", "one.png")["reason"].tolist() == ["several_faces", "aligned"]
    else:
        assert located(raw, "none.png", "one.png", without_face="drop")["face_index"].tolist() == [-1, 0]


def test_an_empty_list_gives_an_empty_table_with_every_column(raw):
    samples = locate_faces(listed(), raw, raw / "unfinished", alignment())
    assert len(samples) == 0
    required = {name for name, column in Samples.columns.items() if column.required}
    assert required <= set(samples.columns)
