"""RAF-DB's reader on its published layout, and what it says to layouts that are not."""

import logging
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from tests.data import small_datasets as small

from mien.data.raf_db import LIST_FILE, PUBLISHED_COUNTS, find_raf_db, read_raf_db
from mien.labels import RAF_DB_EXPRESSIONS

# One image per class and split, in the published spelling: five digits for train, four for test.
LINES = [f"train_{n:05d}.jpg {n}" for n in range(1, 8)] + [f"test_{n:04d}.jpg {8 - n}" for n in range(1, 8)]


def write(folder: Path, lines: list[str] | str = LINES, *, images: list[str] | None = None) -> Path:
    text = lines if isinstance(lines, str) else "\n".join(lines)
    (folder / "EmoLabel").mkdir(parents=True)
    (folder / LIST_FILE).write_bytes(text.encode())
    names = [line.split()[0] for line in LINES] if images is None else images
    for source, suffix in (("aligned", "_aligned.jpg"), ("original", ".jpg")):
        (folder / "Image" / source).mkdir(parents=True)
        for name in names:
            (folder / "Image" / source / name.replace(".jpg", suffix)).touch()
    return folder


@pytest.mark.parametrize("name", ["", "basic", "raf-basic"])
@pytest.mark.parametrize(("source", "suffix"), [("aligned", "_aligned.jpg"), ("original", ".jpg")])
def test_every_line_becomes_a_row_whose_image_opens_from_the_given_root(tmp_path, name, source, suffix, caplog):
    folder = write(tmp_path / name)
    with caplog.at_level(logging.INFO, logger="mien"):
        samples = read_raf_db(tmp_path, source)
    assert str(folder) in caplog.text
    assert samples.columns.tolist() == ["sample_id", "image", "label", "expression", "split", "subject"]
    assert samples["sample_id"].tolist() == [line.split(".")[0] for line in LINES]
    assert samples["label"].dtype == "int64"
    assert samples["label"].tolist() == [*range(7), *range(6, -1, -1)]
    assert samples["expression"].tolist() == [*RAF_DB_EXPRESSIONS, *RAF_DB_EXPRESSIONS[::-1]]
    assert samples["split"].tolist() == ["train"] * 7 + ["test"] * 7
    assert samples["subject"].isna().all()
    assert samples["image"][0] == (Path(name) / "Image" / source / f"train_00001{suffix}").as_posix()
    assert all((tmp_path / image).is_file() for image in samples["image"])


def test_the_codes_mean_what_the_database_says():
    published = ["Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"]
    assert [name[:3] for name in RAF_DB_EXPRESSIONS] == [word[:3].lower() for word in published]


def test_the_table_survives_parquet(tmp_path):
    samples = read_raf_db(write(tmp_path / "raf"), "aligned")
    samples.to_parquet(tmp_path / "samples.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "samples.parquet"), samples)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_final_newline_and_windows_line_ends_are_the_same_file(tmp_path, ending):
    samples = read_raf_db(write(tmp_path, ending.join(LINES) + ending), "aligned")
    assert len(samples) == len(LINES)


def test_a_list_file_at_the_root_wins_over_one_below(tmp_path):
    write(tmp_path)
    write(tmp_path / "basic")
    assert find_raf_db(tmp_path) == tmp_path


def test_two_copies_below_the_root_are_refused(tmp_path):
    write(tmp_path / "basic")
    write(tmp_path / "raf-basic")
    with pytest.raises(ValueError, match=r"twice.*basic/ and under raf-basic/.*Remove one"):
        read_raf_db(tmp_path, "aligned")


@pytest.mark.parametrize(
    ("number", "line", "message"),
    [
        (2, "train_00002.jpg", r"malformed line: line 2 of .*'train_00002.jpg'.*Write an image name"),
        (2, "train_00002.jpg 2 2", "malformed line: line 2 "),
        (5, "", "malformed line: line 5 "),
        (3, "train_00003.jpg 0", r"unknown label: line 3 .*label '0'.*1 \(surprise\) to 7 \(neutral\)"),
        (3, "train_00003.jpg 8", "unknown label: line 3 .*'8'"),
        (3, "train_00003.jpg happy", "unknown label: line 3 "),
        (3, "train_00003.jpg -1", "unknown label: line 3 "),
        (3, "train_00003.jpg 3.0", "unknown label: line 3 "),
        (3, "train_00003.jpg \N{FULLWIDTH DIGIT THREE}", "unknown label: line 3 "),
        (4, "train_00001.jpg 4", r"train_00001.jpg is listed twice: line 4 .* repeats line 1"),
        (6, "valid_00006.jpg 6", r"neither a training nor a test image: line 6 .*'valid_00006.jpg'"),
        (6, "Train_00006.jpg 6", "neither a training nor a test image: line 6 "),
        (6, "train_00006 6", "neither a training nor a test image: line 6 "),
        (6, "train_00006_aligned.jpg 6", "neither a training nor a test image: line 6 "),
        (6, "../../train_00006.jpg 6", "outside its folder: line 6 "),
        (6, "/etc/train_00006.jpg 6", "outside its folder: line 6 "),
        (6, "..\\train_00006.jpg 6", "outside its folder: line 6 "),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_file(tmp_path, number, line, message):
    lines = LINES.copy()
    lines[number - 1] = line
    with pytest.raises(ValueError, match=message) as error:
        read_raf_db(write(tmp_path, lines), "aligned")
    assert LIST_FILE in str(error.value)


@pytest.mark.parametrize("text", ["", "\n", " \n\n"])
def test_an_empty_list_file_is_named(tmp_path, text):
    with pytest.raises(ValueError, match=r"label file is empty: .*list_patition_label.txt"):
        read_raf_db(write(tmp_path, text), "aligned")


def test_a_list_file_that_is_not_text_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / LIST_FILE).write_bytes(b"train_00001.jpg 5\n\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"not text: byte 18 of .*list_patition_label.txt"):
        read_raf_db(tmp_path, "aligned")


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (lambda line: line.startswith("train"), "the test split is absent"),
        (lambda line: line.startswith("test"), "the train split is absent"),
        (lambda line: line != "train_00002.jpg 2", "fear absent from train"),
        (lambda line: line.startswith("train") or line[-1] not in "35", "disgust, sad absent from test"),
    ],
)
def test_an_absent_split_or_class_is_named(tmp_path, keep, message):
    with pytest.raises(ValueError, match=message):
        read_raf_db(write(tmp_path, [line for line in LINES if keep(line)]), "aligned")


def test_missing_images_are_counted_and_the_first_named(tmp_path):
    names = [line.split()[0] for line in LINES]
    write(tmp_path, images=names[5:])
    with pytest.raises(ValueError, match=r"5 of the 7 of its train.*5 missing .*aligned/train_00001_aligned.jpg, "):
        read_raf_db(tmp_path, "aligned")
    (tmp_path / "Image/original/train_00006.jpg").unlink()
    with pytest.raises(ValueError, match=r"6 of the 7 of its train.*original/train_00001.jpg"):
        read_raf_db(tmp_path, "original")


def test_a_missing_image_folder_is_a_missing_dataset_not_a_crash(tmp_path):
    (write(tmp_path) / "Image" / "aligned").rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"7 of the 7 of its test split.*7 missing"):
        read_raf_db(tmp_path, "aligned")


def test_a_missing_root_says_where_to_get_the_data_and_that_the_demo_needs_none(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere is not a folder.*whdeng\.cn.*basic/EmoLabel.*demo.*no download"):
        read_raf_db(tmp_path / "nowhere", "aligned")


def test_a_folder_in_no_known_layout_says_which_are_known(tmp_path):
    (tmp_path / "train" / "0_surprised").mkdir(parents=True)
    with pytest.raises(
        ValueError, match=r"in no known layout.*list_patition_label.*train/1.*train_labels\.csv.*whdeng\.cn.*demo"
    ):
        read_raf_db(tmp_path, "aligned")


def test_an_unknown_source_is_refused(tmp_path):
    with pytest.raises(ValueError, match="choose 'aligned' or 'original'"):
        read_raf_db(write(tmp_path), "cropped")


def test_the_published_counts_add_up_to_the_published_totals():
    assert {split: sum(counts.values()) for split, counts in PUBLISHED_COUNTS.items()} == {"train": 12271, "test": 3068}


# Other layouts


def labels() -> dict[str, int]:
    return {name: int(code) for name, code in (line.split() for line in LINES)}


def write_class_folders(
    folder: Path, test: str = "test", classes: dict[int, str] | None = None, suffix: str = "_aligned.jpg"
) -> Path:
    for name, code in labels().items():
        split = folder / ("train" if name.startswith("train") else test) / (classes or {}).get(code, str(code))
        split.mkdir(parents=True, exist_ok=True)
        (split / name.replace(".jpg", suffix)).touch()
    return folder


def write_csv_pair(folder: Path, images: str = "DATASET") -> Path:
    """Kaggle's repack: the rows in another order than the published list."""
    write_class_folders(folder / images)
    for split in ("train", "test"):
        rows = [
            f"{name.replace('.jpg', '_aligned.jpg')},{code}"
            for name, code in labels().items()
            if name.startswith(split)
        ]
        (folder / f"{split}_labels.csv").write_text("\n".join(["image,label", *rows[::-1]]) + "\n")
    return folder


WORDS = {1: "Surprise", 2: "fear", 3: "disgusted", 4: "happiness", 5: "SAD", 6: "anger", 7: "neutral"}


@pytest.mark.parametrize(
    "write_copy",
    [
        write_class_folders,
        lambda root: write_class_folders(root / "DATASET"),
        lambda root: write_class_folders(root / "raf-db", test="valid"),
        lambda root: write_class_folders(root, test="valid", classes=WORDS),
        lambda root: write_class_folders(root, suffix=".jpg"),
        write_csv_pair,
        lambda root: write_csv_pair(root / "raf-db-dataset"),
        lambda root: write_csv_pair(root, images=""),
    ],
)
def test_every_layout_gives_the_rows_of_the_published_one(tmp_path, write_copy):
    published = read_raf_db(write(tmp_path / "published"), "aligned")
    write_copy(tmp_path / "copy")
    samples = read_raf_db(tmp_path / "copy", "aligned")
    assert all((tmp_path / "copy" / image).is_file() for image in samples["image"])
    pd.testing.assert_frame_equal(samples.drop(columns="image"), published.drop(columns="image"))


def test_class_folders_are_mapped_by_name_not_by_alphabet(tmp_path):
    samples = read_raf_db(write_class_folders(tmp_path, classes=WORDS), "aligned")
    by_folder = {Path(image).parts[-2]: label for image, label in zip(samples["image"], samples["label"], strict=True)}
    assert by_folder == {"Surprise": 0, "fear": 1, "disgusted": 2, "happiness": 3, "SAD": 4, "anger": 5, "neutral": 6}


def test_a_validation_folder_taken_from_train_stays_train(tmp_path):
    write_class_folders(tmp_path)
    write_class_folders(tmp_path, test="val")  # the test images once more, for the folders
    for image in list((tmp_path / "val").rglob("*.jpg")):
        image.unlink()
    (tmp_path / "train/3/train_00003_aligned.jpg").rename(tmp_path / "val/3/train_00003_aligned.jpg")
    samples = read_raf_db(tmp_path, "aligned")
    assert samples.set_index("sample_id").loc["train_00003", ["split", "image"]].tolist() == [
        "train",
        "val/3/train_00003_aligned.jpg",
    ]


def test_images_in_a_csv_layout_may_lie_without_class_folders(tmp_path):
    write_csv_pair(tmp_path)
    for image in list((tmp_path / "DATASET").rglob("*.jpg")):
        image.rename(image.parents[1] / image.name)
    samples = read_raf_db(tmp_path, "aligned")
    assert samples["image"].tolist()[0] == "DATASET/train/train_00001_aligned.jpg"
    assert samples["label"].tolist() == [*range(7), *range(6, -1, -1)]


def test_what_names_say_of_aligned_and_original_is_kept_apart(tmp_path):
    write_class_folders(tmp_path)
    with pytest.raises(
        ValueError, match=r"photographs are missing: all 14 images.*aligned crops.*reader\.source to aligned"
    ):
        read_raf_db(tmp_path, "original")
    write_class_folders(tmp_path, suffix=".jpg")
    for source, ending in (("aligned", "_aligned.jpg"), ("original", "1.jpg")):
        samples = read_raf_db(tmp_path, source)
        assert len(samples) == 14
        assert samples["image"][0].endswith(ending)


def test_several_layouts_are_refused_unless_one_is_named(tmp_path):
    write(tmp_path / "basic")
    write_csv_pair(tmp_path)
    with pytest.raises(ValueError, match=r"several layouts: .*list in .*basic; .*csv in .*reader\.layout"):
        read_raf_db(tmp_path, "aligned")
    first = {
        layout: read_raf_db(tmp_path, "aligned", layout)["image"][0] for layout in ("list", "class_folders", "csv")
    }
    assert first == {
        "list": "basic/Image/aligned/train_00001_aligned.jpg",
        "class_folders": "DATASET/train/1/train_00001_aligned.jpg",
        "csv": "DATASET/train/1/train_00001_aligned.jpg",
    }
    assert find_raf_db(tmp_path) == tmp_path / "basic"


def test_a_layout_that_is_not_there_is_named_with_what_is(tmp_path):
    write_class_folders(tmp_path)
    with pytest.raises(
        ValueError, match=r"not there in the layout csv: .* lacks train_labels\.csv.*holds class_folders in"
    ):
        read_raf_db(tmp_path, "aligned", "csv")
    with pytest.raises(ValueError, match="choose auto, list, class_folders, csv"):
        read_raf_db(tmp_path, "aligned", "folders")


def test_class_folders_below_two_names_are_refused(tmp_path):
    write_class_folders(tmp_path / "DATASET")
    write_class_folders(tmp_path / "raf-db")
    with pytest.raises(ValueError, match=r"twice.*train/1 and test/1 under DATASET/ and under raf-db/.*Remove one"):
        read_raf_db(tmp_path, "aligned")
    write_class_folders(tmp_path)
    assert read_raf_db(tmp_path, "aligned")["image"][0].startswith("train/1/")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda root: (root / "test/4").rename(root / "test/0"),
            r"count from 0: .*test has a folder 0/.*1 \(surprise\)",
        ),
        (
            lambda root: (root / "test/4").rename(root / "test/contempt"),
            r"names no class: .* contempt/ beside.*surprise",
        ),
        (
            lambda root: write_class_folders(root, classes={4: "happy"}),
            "Two folders of RAF-DB mean the class happy: 4/ and",
        ),
        (lambda root: (root / "train/4/face.jpg").touch(), r"not have its published name: .*face\.jpg.*train_00001"),
        (
            lambda root: (root / "test/4/train_00099.jpg").touch(),
            r"splits are mixed: .*test/4/train_00099\.jpg is of the train",
        ),
        (
            lambda root: (root / "test/4/test_0001_aligned.jpg").touch(),
            r"test_0001 is there twice: as .*test/\d/.*right",
        ),
        (lambda root: (root / "test/4").rename(root / "elsewhere"), "incomplete: happy absent from test"),
        (lambda root: (root / "test").rename(root / "elsewhere"), "incomplete: the test split is absent"),
    ],
)
def test_a_mistake_in_class_folders_is_named(tmp_path, damage, message):
    damage(write_class_folders(tmp_path))
    with pytest.raises(ValueError, match=message):
        read_raf_db(tmp_path, "aligned")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda root: edit(root / "train_labels.csv", "image,label", "name,label"),
            r"lacks the column image: .*'name, label'",
        ),
        (lambda root: edit(root / "train_labels.csv", "image,", "image;"), r"lacks the column image: .*'image;label'"),
        (
            lambda root: edit(root / "train_labels.csv", "train_00003_aligned.jpg,3", "train_00003_aligned.jpg"),
            "unknown label: line 6",
        ),
        (
            lambda root: edit(root / "train_labels.csv", "train_00003_aligned.jpg,3", ",3"),
            "neither a training nor a test",
        ),
        (
            lambda root: edit(root / "train_labels.csv", "train_00003_aligned.jpg,3", "../train_00003.jpg,3"),
            "outside its folder: line 6",
        ),
        (lambda root: edit(root / "train_labels.csv", "g,3", "g,8"), r"unknown label: line 6 .*'8'"),
        (
            lambda root: edit(root / "train_labels.csv", "g,3", "g,4"),
            r"contradict each other: .*train/3/.*class than 4 \(happy\)",
        ),
        (
            lambda root: edit(root / "train_labels.csv", "00003_aligned.jpg,3", "00002_aligned.jpg,2"),
            "listed twice: line 7 .* repeats line 6",
        ),
        (
            lambda root: edit(root / "train_labels.csv", "train_00003", "test_0003"),
            r"splits are mixed: .*train_labels\.csv lists test_0003",
        ),
        (lambda root: (root / "test_labels.csv").write_bytes(b""), r"label file is empty: .*test_labels\.csv"),
        (
            lambda root: (root / "test_labels.csv").write_bytes(b"image,label\n\xff,3"),
            r"not text: byte 12 of .*test_labels\.csv",
        ),
        (lambda root: (root / "test_labels.csv").write_text("image,label\n"), "the test split is absent"),
        (
            lambda root: (root / "test_labels.csv").write_text('image,label\n"' + "x" * 200_000),
            r"is not CSV: line \d of .*test_labels",
        ),
        (
            lambda root: next((root / "DATASET/train/3").iterdir()).unlink(),
            r"1 of the 7 of its train .*1 missing .*train_00003_aligned",
        ),
        (lambda root: (root / "DATASET").rename(root / "elsewhere"), "7 of the 7 of its test split .*7 missing"),
    ],
)
def test_a_mistake_in_a_csv_pair_is_named(tmp_path, damage, message):
    damage(write_csv_pair(tmp_path))
    with pytest.raises(ValueError, match=message):
        read_raf_db(tmp_path, "aligned")


@pytest.mark.parametrize(
    ("height", "width", "aligned"), [(100, 100, True), (224, 224, True), (260, 580, False), (4, 3, False)]
)
def test_photographs_under_the_names_of_aligned_faces_are_refused(tmp_path, height, width, aligned):
    small.raf_db(tmp_path)
    picture = cv2.imencode(".jpg", np.zeros((height, width, 3), np.uint8))[1].tobytes()
    for path in (tmp_path / "Image/aligned").iterdir():
        path.write_bytes(picture)
    if aligned:
        assert len(read_raf_db(tmp_path, "aligned")) == 14
    else:
        with pytest.raises(
            ValueError, match=rf"no aligned faces.*14 of 14 .*of {width}x{height} pixels\. Set reader.source"
        ):
            read_raf_db(tmp_path, "aligned")
