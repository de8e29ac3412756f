"""The synthetic version is an SFEW to the reader: films with people of their own.

Frames and the faces cut from them.
"""

import re
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from mien.data.images import read_image
from mien.data.sfew import PUBLISHED_COUNTS, hold_out_movies, read_sfew
from mien.data.synthetic import folder as synthetic_folder
from mien.data.synthetic import sfew as synthetic_sfew
from mien.data.synthetic.folder import class_counts
from mien.data.synthetic.sfew import SUBJECTS_PER_MOVIE, synthesize_sfew
from mien.labels import EXPRESSIONS

TEMPLATE = np.float32([[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]]) * (181 / 112) - [19, 0]
SMALL = {"num_train": 30, "num_val": 15, "num_unlabelled": 4, "seed": 5, "image_size": (96, 128)}
COUNTS = {"Train": 30, "Val": 15, "Test": 4}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "sfew"
    synthesize_sfew(root, **SMALL)
    return root


@pytest.fixture(scope="module")
def samples(drawn) -> dict[str, pd.DataFrame]:
    return {source: read_sfew(drawn, source) for source in ("original", "aligned")}


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_reader_reads_it_as_sfew(drawn, samples):
    for source, shape in (("original", (96, 128, 3)), ("aligned", (181, 143, 3))):
        listed = samples[source]
        assert listed["official_split"].value_counts().to_dict() == COUNTS
        for split in ("train", "test"):
            found = listed.loc[listed["split"] == split, "expression"].value_counts().to_dict()
            assert found == class_counts(PUBLISHED_COUNTS[split], sum(found.values()))
        images = [read_image(drawn / image) for image in listed["image"]]
        assert {image.shape for image in images} == {shape}
        assert len({image.tobytes() for image in images}) == len(listed)
    assert samples["original"]["sample_id"].tolist() == samples["aligned"]["sample_id"].tolist()


def test_names_are_those_of_frames_in_films(samples):
    names = samples["original"]["image"].str.extract(r"([^/]+)$")[0]
    assert names.str.fullmatch(r"\w+?_\d{9}_\d{8}\.png").all()
    seconds = names.str.extract(r"_(\d\d)(\d\d)(\d\d)(\d{3})_").astype(int)
    assert (seconds[[1, 2]] < 60).all(axis=None)
    assert seconds[0].max() < 2
    assert (seconds[3] % 40 == 0).all(), "films have 25 frames a second"


def test_the_test_split_does_not_tell_its_labels(drawn, samples):
    unlabelled = samples["original"].query("official_split == 'Test'")
    assert (unlabelled["label"] == -1).all()
    assert sorted(path.name for path in (drawn / "Test").iterdir() if path.is_dir()) == ["Test_Aligned_Faces"]


def test_no_film_is_in_two_official_splits_and_some_can_be_held_out(samples):
    movies = samples["original"].groupby("movie")["official_split"]
    assert (movies.nunique() == 1).all()
    assert hold_out_movies(samples["original"], 0.5)["split"].value_counts()["val"] > 5


def test_a_clip_shows_one_person_with_one_expression_in_one_light():
    frames = list(synthetic_sfew._frames(0, 0, 200))
    assert len(frames) == len({frame.name for frame in frames}) == 200
    clips = pd.DataFrame(vars(frame) for frame in frames).assign(
        start=[re.sub(r"_\d{8}\.png", "", frame.name) for frame in frames]
    )
    assert (clips.groupby("clip")[["start", "subject", "expression", "movie"]].nunique() == 1).all(axis=None)
    assert (clips.groupby("start")["clip"].nunique() == 1).all()
    assert clips.groupby("movie")["subject"].nunique().max() == SUBJECTS_PER_MOVIE
    assert clips["movie"].nunique() == 14
    # Several expressions of a person: who is shown does not give the answer away.
    assert clips.groupby(["movie", "subject"])["expression"].nunique().median() >= 2


def test_titles_do_not_repeat():
    titles = [synthetic_sfew._title(split, movie) for split in range(3) for movie in range(200)]
    assert len(set(titles)) == 600
    assert any("_" in title for title in titles)
    assert not any(re.search(r"_\d{9}$", title) for title in titles)


def test_frames_show_what_their_folder_says_and_aligned_faces_are_cut_upright_from_them(drawn):
    frames = [
        frame for split_id, count in enumerate(COUNTS.values()) for frame in synthetic_sfew._frames(5, split_id, count)
    ]
    assert len(frames) == 49
    for frame in frames[::6]:
        scene = synthetic_sfew._scene(5, (96, 128), frame)
        assert EXPRESSIONS[scene.parameters.expression] == frame.expression
        split, aligned = ("Train", "Val", "Test")[frame.split_id], synthetic_sfew._ALIGNED_FOLDERS
        inner = f"{frame.expression.capitalize()}/{frame.name}" if split != "Test" else frame.name
        np.testing.assert_array_equal(read_image(drawn / split / inner), scene.image)
        # Robust fit and plain warp by OpenCV, onto face.evoLVe's points scaled from 112 to 181 pixels, 19 cut off.
        matrix, _ = cv2.estimateAffinePartial2D(scene.five_points, TEMPLATE, ransacReprojThreshold=50)
        upright = cv2.warpAffine(scene.image, matrix, (143, 181))
        assert abs(read_image(drawn / split / aligned[split] / inner).astype(int) - upright).mean() < 6, frame.name


def test_the_bytes_do_not_depend_on_the_number_of_processes(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic_folder, "SERIAL_ITEMS", 0)
    synthesize_sfew(tmp_path / "several", **SMALL)
    assert files(tmp_path / "several") == files(drawn)


def test_the_seed_changes_every_image():
    def shown(seed: int) -> set[str]:
        return {frame.name for frame in synthetic_sfew._frames(seed, 0, 40)}

    assert shown(0) == shown(0)
    assert not shown(0) & shown(1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_train": 13}, "num_train of the synthetic SFEW is 13: give a whole number from 14 to 9999"),
        ({"num_val": 0}, "num_val .* from 14"),
        ({"num_unlabelled": -1}, "num_unlabelled .* from 0"),
        ({"seed": -1}, "seed .* from 0"),
        ({"image_size": (64, 128)}, "image_size .* from 96 to 1080"),
        ({"image_size": (128,)}, "image_size .* height and width"),
        ({"image_size": (181, 143)}, "the size of the aligned faces"),
    ],
)
def test_an_argument_out_of_range_is_named_before_anything_is_written(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        synthesize_sfew(tmp_path / "sfew", **SMALL | change)
    assert list(tmp_path.iterdir()) == []


def test_the_smallest_has_every_class_and_may_lack_test(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic_sfew, "_write_frame", write_an_empty_frame)
    synthesize_sfew(tmp_path / "sfew", num_train=14, num_val=14, num_unlabelled=0, seed=0)
    assert len(read_sfew(tmp_path / "sfew")) == 28


def write_an_empty_frame(folder: Path, seed: int, image_size: tuple[int, int], frame) -> None:
    (folder / ("Train", "Val")[frame.split_id] / frame.folder / frame.name).touch()
