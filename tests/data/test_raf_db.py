"""RAF-DB's reader on its published layout, and what it says to layouts that are not."""

import logging
from pathlib import Path

import pandas as pd
import pytest

from mien.data.raf_db import LIST_FILE, PUBLISHED_COUNTS, count_deviations, find_raf_db, read_raf_db
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
        (6, "train_00006.png 6", "neither a training nor a test image: line 6 "),
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
    with pytest.raises(ValueError, match=r"list file is empty: .*list_patition_label.txt"):
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
    with pytest.raises(ValueError, match=r"5 of the 14 listed.*aligned, the first: train_00001_aligned.jpg, "):
        read_raf_db(tmp_path, "aligned")
    (tmp_path / "Image/original/train_00006.jpg").unlink()
    with pytest.raises(ValueError, match=r"6 of the 14 listed.*original, the first: train_00001.jpg"):
        read_raf_db(tmp_path, "original")


def test_a_missing_image_folder_is_a_missing_dataset_not_a_crash(tmp_path):
    (write(tmp_path) / "Image" / "aligned").rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="14 of the 14 listed"):
        read_raf_db(tmp_path, "aligned")


def test_a_missing_root_says_where_to_get_the_data_and_that_the_demo_needs_none(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere is not a folder.*whdeng\.cn.*basic/EmoLabel.*demo.*no download"):
        read_raf_db(tmp_path / "nowhere", "aligned")


def test_a_folder_in_another_layout_says_so(tmp_path):
    (tmp_path / "train" / "1").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"list file is missing.*train/1 \.\.\. train/7 lack it"):
        read_raf_db(tmp_path, "aligned")


def test_an_unknown_source_is_refused(tmp_path):
    with pytest.raises(ValueError, match="choose 'aligned' or 'original'"):
        read_raf_db(write(tmp_path), "cropped")


def published_samples() -> pd.DataFrame:
    rows = [(split, name, n) for split, counts in PUBLISHED_COUNTS.items() for name, n in counts.items()]
    table = pd.DataFrame(rows, columns=["split", "expression", "n"])
    return table.loc[table.index.repeat(table["n"])].reset_index(drop=True)


def test_the_published_counts_add_up_to_the_published_totals():
    assert {split: sum(counts.values()) for split, counts in PUBLISHED_COUNTS.items()} == {"train": 12271, "test": 3068}
    assert count_deviations(published_samples()) == []


def test_a_deviation_from_the_published_counts_is_a_sentence_with_numbers():
    samples = published_samples()
    happy = samples.index[(samples["split"] == "train") & (samples["expression"] == "happy")]
    sentences = count_deviations(samples.drop(happy[:1000]))
    assert sentences == [
        "The train split has 11,271 images, 1,000 fewer than the 12,271 published.",
        "The class happy of the train split has 3,772 images, 1,000 fewer than the 4,772 published.",
    ]
    extra = pd.concat([samples, samples[samples["split"] == "test"].head(1)])
    assert count_deviations(extra)[0] == "The test split has 3,069 images, 1 more than the 3,068 published."


def test_validation_rows_count_as_the_training_rows_they_were():
    samples = published_samples()
    samples.loc[:99, "split"] = "val"
    assert count_deviations(samples) == []
