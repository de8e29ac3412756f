"""SFEW's reader on the ways in which its archives lie unpacked, and on Kaggle's repack of the aligned faces."""

import logging
import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.file_account import FileAccount
from mien.data.sfew import PUBLISHED_COUNTS, find_sfew, hold_out_movies, read_sfew
from mien.labels import SFEW_EXPRESSIONS

CLASSES = ["Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"]  # the authors' words, by alphabet
LABELS = [5, 2, 1, 3, 6, 4, 0]  # their places in RAF-DB's order, by hand
FRAME, ALIGNED = (72, 90), (181, 143)
SPLITS = {"Train": "train", "Val": "test", "Test": "unlabelled"}


def put(path: Path, size: tuple[int, int] = FRAME) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((*size, 3), np.uint8))


def name_of(split: str, place: int) -> str:
    return f"{split}Film_Part{place}_00051924{place}_0000000{place}.png"


def write(
    root: Path,
    *,
    frames: str = "{split}/{name}",
    aligned: str = "",
    test: str = "Test",
    aligned_test: str = "Test/Test_Aligned_Faces",
) -> Path:
    """One image per class and labelled split, and two of Test; patterns as the archives unpack."""
    for pattern, size in ((frames, FRAME), (aligned, ALIGNED)):
        for split in ("Train", "Val") if pattern else ():
            for place, name in enumerate(CLASSES):
                put(root / pattern.format(split=split, name=name) / name_of(split, place), size)
    for folder, size in ((test if frames else "", FRAME), (aligned_test if aligned else "", ALIGNED)):
        for place in range(2) if folder else ():
            put(root / folder / name_of("Test", place), size)
    return root


def repack(root: Path) -> Path:
    """Kaggle's repack: names are numbers, labels are also given by place in the alphabet."""
    lines = ["image_name,label,emotion,original_split"]
    for number in range(14):
        put(root / f"sfew2.0_images/image_{number:06d}.png", ALIGNED)
        split = "Train_Aligned_Faces" if number < 7 else "Val_Aligned_Faces"
        lines.append(f"image_{number:06d}.png,{number % 7},{CLASSES[number % 7]},{split}")
    (root / "sfew_2.0_labels.csv").write_text("\n".join(lines) + "\n")
    return root


def test_an_image_becomes_a_row_with_its_class_split_and_movie(tmp_path):
    samples = read_sfew(write(tmp_path))
    assert samples["official_split"].tolist() == ["Train"] * 7 + ["Val"] * 7 + ["Test"] * 2
    assert samples["split"].tolist() == samples["official_split"].map(SPLITS).tolist()
    assert samples["label"].dtype == "int64"
    assert samples["label"].tolist() == [*range(7), *range(7), -1, -1]
    assert samples["expression"].tolist() == [*SFEW_EXPRESSIONS, *SFEW_EXPRESSIONS, "", ""]
    labels = {Path(image).parent.name: label for image, label in zip(samples["image"], samples["label"], strict=True)}
    assert [labels[name] for name in CLASSES] == LABELS
    angry = samples[samples["expression"] == "angry"].iloc[0]
    assert angry.drop("subject").to_dict() == {
        "sample_id": "train_angry_TrainFilm_Part0_000519240_00000000",
        "image": "Train/Angry/TrainFilm_Part0_000519240_00000000.png",
        "label": 5,
        "expression": "angry",
        "split": "train",
        "official_split": "Train",
        "movie": "TrainFilm_Part0",
    }
    assert samples["sample_id"].iloc[-1] == "test_TestFilm_Part1_000519241_00000001"
    assert samples["sample_id"].is_unique
    assert samples["subject"].isna().all()
    assert all((tmp_path / image).is_file() for image in samples["image"])


def test_the_table_survives_parquet(tmp_path):
    samples = read_sfew(write(tmp_path / "sfew"))
    samples.to_parquet(tmp_path / "samples.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "samples.parquet"), samples)


def test_the_published_counts_add_up_to_the_published_totals():
    assert {split: sum(counts.values()) for split, counts in PUBLISHED_COUNTS.items()} == {
        "train": 958,
        "test": 436,
        "unlabelled": 372,
    }
    by_alphabet = {split: [PUBLISHED_COUNTS[split][name.lower()] for name in CLASSES] for split in ("train", "test")}
    assert by_alphabet == {"train": [178, 66, 98, 198, 150, 172, 96], "test": [77, 23, 47, 73, 86, 73, 57]}


@pytest.mark.parametrize(
    "patterns",
    [
        {"frames": "SFEW_2.0/{split}/{name}", "test": "SFEW_2.0/Test"},
        {"frames": "{split}/{split}/{name}", "test": "Test/Test"},
        {"frames": "{split}/{name}/{name}"},
        {"frames": "{split}/imgs/{name}"},
        {"frames": "{split}/{name}", "aligned": "{split}/{split}_Aligned_Faces/{name}"},
        {"frames": "{split}_SFEW_2_0/{name}", "aligned": "{split}_Aligned_Faces/{name}", "test": "Test_SFEW_2_0"},
    ],
)
def test_frames_are_found_wherever_the_archives_unpack(tmp_path, patterns):
    plain = read_sfew(write(tmp_path / "plain"))
    samples = read_sfew(write(tmp_path / "sfew", **patterns))
    pd.testing.assert_frame_equal(samples.drop(columns="image"), plain.drop(columns="image"))
    assert not samples["image"].str.contains("Aligned").any()


@pytest.mark.parametrize(
    "patterns",
    [
        {"aligned": "{split}/{split}_Aligned_Faces/{name}"},
        {"frames": "", "aligned": "{split}_Aligned_Faces_new/{split}_Aligned_Faces/{name}"},
        {"frames": "", "aligned": "{split}/{name}"},  # only their size says that they are aligned
        {"frames": "{split}/{split}/{name}", "test": "Test/Test", "aligned": "{split}/{name}", "aligned_test": "Test"},
    ],
)
def test_aligned_faces_are_found_wherever_the_archives_unpack(tmp_path, patterns):
    plain = read_sfew(write(tmp_path / "plain"))
    samples = read_sfew(write(tmp_path / "sfew", **patterns), "aligned")
    pd.testing.assert_frame_equal(samples.drop(columns="image"), plain.drop(columns="image"))
    assert all(cv2.imread(str(tmp_path / "sfew" / image)).shape == (*ALIGNED, 3) for image in samples["image"])


def test_folders_of_annotations_and_what_systems_leave_do_not_matter(tmp_path):
    write(tmp_path)
    for file in ("Train/Annotations/Bboxs/Angry/a.txt", "Train/Angry/Thumbs.db", "Val/.DS_Store", "Train/Fear/._a.png"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert len(read_sfew(tmp_path)) == 16


def test_without_test_there_are_no_unlabelled_samples_and_the_log_says_so(tmp_path, caplog):
    account = FileAccount(tmp_path, "SFEW")
    samples = read_sfew(write(tmp_path, test=""), account=account)
    assert samples["split"].tolist() == ["train"] * 7 + ["test"] * 7
    reported = account.table().set_index("reason").loc["split_without_images"]
    assert (reported["status"], reported["split"], reported["lost"]) == ("missing", "unlabelled", False)
    assert "original images of Test are not in" in caplog.text


def test_an_image_in_two_classes_stays_in_both_and_the_log_says_so(tmp_path, caplog):
    write(tmp_path)
    put(tmp_path / "Val/Sad" / name_of("Val", 0))
    samples = read_sfew(tmp_path)
    twice = samples[samples["movie"] == "ValFilm_Part0"]
    assert twice["expression"].tolist() == ["sad", "angry"]
    assert samples["sample_id"].is_unique
    assert (
        "ValFilm_Part0_000519240_00000000.png is there 2 times and counts each time: Val sad, Val angry" in caplog.text
    )


def test_a_name_of_another_kind_has_no_movie(tmp_path):
    write(tmp_path)
    put(tmp_path / "Train/Sad/still.png")
    samples = read_sfew(tmp_path).set_index("sample_id")
    assert samples.loc["train_sad_still", "movie"] is pd.NA
    assert samples["movie"].isna().sum() == 1


def test_the_repack_is_read_by_its_words(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "mien"):
        samples = read_sfew(repack(tmp_path), "aligned")
    assert samples["label"].tolist() == LABELS * 2
    assert samples["split"].tolist() == ["train"] * 7 + ["test"] * 7
    assert samples["movie"].isna().all()
    assert samples["sample_id"][0] == "train_angry_image_000000"
    assert samples["image"][0] == "sfew2.0_images/image_000000.png"
    assert "14 aligned images" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("emotion", "feeling", r"lacks the column emotion"),
        ("image_000003.png", "../3.png", r"no image of its folder: line 5 of .*'\.\./3\.png'"),
        ("image_000003.png", "", "no image of its folder: line 5 "),
        ("image_000003.png", "image_000002.png", r"image_000002\.png is listed twice: line 5 of .* repeats line 4"),
        ("3,Happy,Train", "3,Bliss,Train", r"unknown emotion: line 5 of .*'Bliss'.*surprise"),
        (
            "3,Happy,Train",
            "3,Sad,Train",
            "contradict each other: line 12 of .* calls happy by the number 3, which was sad before",
        ),
        (
            "3,Happy,Train_Aligned_Faces",
            "3,Happy,Test_Aligned_Faces",
            "unknown split: line 5 of .*'Test_Aligned_Faces'",
        ),
        ("3,Happy,Train_Aligned_Faces", "3,Happy,", "unknown split: line 5 "),
        (
            "image_000003.png",
            "image_000099.png",
            r"1 of the 7 of its train split .*1 missing .*sfew2\.0_images/image_000099",
        ),
        ("Val_Aligned_Faces", "Train_Aligned_Faces", "SFEW is incomplete: Val is absent"),
        ("3,Happy,Train_Aligned_Faces", "3,Happy,Val_Aligned_Faces", "SFEW is incomplete: happy absent from Train"),
    ],
)
def test_a_mistake_in_the_repack_is_named(tmp_path, old, new, message):
    path = repack(tmp_path) / "sfew_2.0_labels.csv"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        read_sfew(tmp_path, "aligned")


def test_the_repack_has_no_frames(tmp_path):
    with pytest.raises(
        ValueError, match=r"frames are missing: .*labels\.csv is of a repack.*reader\.source to aligned"
    ):
        read_sfew(repack(tmp_path), "original")


def test_images_of_the_repack_that_are_gone_are_a_missing_dataset_not_a_crash(tmp_path):
    (repack(tmp_path) / "sfew2.0_images").rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"7 of the 7 of its test split .*sfew2\.0_images"):
        read_sfew(tmp_path, "aligned")


@pytest.mark.parametrize(
    ("damage", "source", "message"),
    [
        (
            lambda root: (root / "Val").rename(root / "elsewhere"),
            "original",
            r"holds neither folders Train and Val nor sfew",
        ),
        (
            lambda root: None,
            "aligned",
            r"aligned images of Train are missing from .*Train holds original ones: set reader\.",
        ),
        (lambda root: (root / "Train/Happy").rename(root / "Train/Joy"), "original", "names no class: .* Joy/ beside"),
        (
            lambda root: (root / "Val/Happy").rename(root / "away"),
            "original",
            "SFEW is incomplete: happy absent from Val",
        ),
        (
            lambda root: put(root / "Train/happiness/a.png"),
            "original",
            "Two folders of SFEW mean the class happy: Happy/",
        ),
        (
            lambda root: put(root / "Val/Happy/Happy" / name_of("Val", 3)),
            "original",
            "image of SFEW is there twice: .*Happy/Happy",
        ),
        (
            lambda root: write(root, frames="{split}/copy/{name}"),
            "original",
            r"Train are there twice: in .*Train and in .*copy",
        ),
        (lambda root: put(root / "Test/more/a.png"), "original", r"Test are there twice: in .*Test and in .*more"),
        (
            lambda root: repack(root),
            "original",
            r"twice: folders Train and Val in .* and sfew_2\.0_labels\.csv in .*Move",
        ),
        (lambda root: write(root / "SFEW"), "original", r"twice: folders Train and Val in .* and .*SFEW\. Move one"),
    ],
)
def test_a_mistake_in_the_folders_is_named(tmp_path, damage, source, message):
    damage(write(tmp_path))
    with pytest.raises(ValueError, match=message):
        read_sfew(tmp_path, source)


def test_archives_that_are_still_packed_are_named(tmp_path):
    for split in ("Train", "Val"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "Angry.zip").touch()
    with pytest.raises(
        ValueError, match=r"missing from .*Train\. 1 archives there are still packed, .*Angry\.zip: unpack"
    ):
        read_sfew(tmp_path)


def test_a_missing_root_says_where_to_get_the_data_and_that_the_demo_needs_none(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere is not a folder.*cs\.anu\.edu\.au.*`Train/`.*demo.*no download"):
        read_sfew(tmp_path / "nowhere")


def test_an_unknown_source_is_refused(tmp_path):
    with pytest.raises(ValueError, match="choose 'original' or 'aligned'"):
        read_sfew(write(tmp_path), "cropped")


def test_a_name_that_is_not_utf_8_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "Train/Sad" / os.fsdecode(b"caf\xe9.png")).touch()
    with pytest.raises(ValueError, match="not UTF-8"):
        read_sfew(tmp_path)


def test_images_that_cannot_be_read_do_not_stop_the_listing(tmp_path):
    """Their reason is given when they are read; which source they are of is reported by one that can be."""
    write(tmp_path)
    (tmp_path / "Train/Surprise" / name_of("Train", 6)).write_bytes(b"")
    (tmp_path / "Train/Fear" / name_of("Train", 2)).unlink()
    (tmp_path / "Train/Fear" / name_of("Train", 2)).symlink_to("/etc/nowhere")
    assert len(read_sfew(tmp_path)) == 16


def test_the_folder_in_the_root_is_found(tmp_path):
    write(tmp_path / "SFEW_2.0", frames="{split}/{name}")
    assert find_sfew(tmp_path) == tmp_path / "SFEW_2.0"


# Held-out movies


def table(movies: list[int], labels: list[int]) -> pd.DataFrame:
    count = len(movies)
    return pd.DataFrame(
        {
            "sample_id": [f"s{number}" for number in range(count + 2)],
            "image": [f"{number}.png" for number in range(count + 2)],
            "label": [*labels, 0, -1],
            "split": ["train"] * count + ["test", "unlabelled"],
            "movie": pd.Series([*(f"m{movie}" for movie in movies), "m0", "m0"], dtype="string"),
        }
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), min_size=2, max_size=120).filter(
        lambda rows: len({movie for movie, _ in rows}) > 1
    ),
    st.sampled_from([0.1, 0.2, 0.5]),
    st.integers(0, 3),
)
def test_no_movie_is_in_train_and_val_and_only_train_gives(rows, fraction, seed):
    samples = table(*map(list, zip(*rows, strict=True)))
    held_out = hold_out_movies(samples, fraction, seed)
    moved = held_out["split"] != samples["split"]
    assert held_out.loc[moved, "split"].eq("val").all()
    assert samples.loc[moved, "split"].eq("train").all()
    assert 0 < moved.sum() < len(rows)
    train, val = (set(held_out.loc[held_out["split"] == split, "movie"]) for split in ("train", "val"))
    assert not train & val
    pd.testing.assert_frame_equal(held_out.drop(columns="split"), samples.drop(columns="split"))


def test_the_held_out_movies_have_about_the_fraction_of_every_class():
    rng = np.random.default_rng(0)
    counts = rng.multinomial(20, list(np.array(list(PUBLISHED_COUNTS["train"].values())) / 958), size=48)
    movies, labels = np.repeat(np.arange(48), 20), np.concatenate([np.repeat(np.arange(7), row) for row in counts])
    for seed in range(5):
        held_out = hold_out_movies(table(movies.tolist(), labels.tolist()), 0.1, seed)
        shares = [
            (held_out.loc[held_out["label"] == label, "split"] == "val").sum() / (labels == label).sum()
            for label in range(7)
        ]
        assert np.abs(np.array(shares) - 0.1).max() < 0.06


def test_the_order_of_the_rows_does_not_matter():
    samples = table([0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7], [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0])
    held_out = hold_out_movies(samples, 0.25, seed=1)
    shuffled = hold_out_movies(samples.sample(frac=1, random_state=0), 0.25, seed=1)
    pd.testing.assert_frame_equal(shuffled.sort_index(), held_out)


@pytest.mark.parametrize(
    ("samples", "fraction", "message"),
    [
        (table([0, 1], [0, 1]), 0.0, "above 0 and at most 0.5"),
        (table([0, 1], [0, 1]), 0.6, "above 0 and at most 0.5"),
        (table([3, 3], [0, 1]), 0.1, r"cannot be held out: 1 movies are not enough.*reader\.hold_out to images"),
        (table([], []), 0.1, "0 movies are not enough"),
        (table([0, 1], [0, 1]).assign(movie=pd.NA), 0.1, r"2 training images name no movie, the first is 0\.png"),
    ],
)
def test_what_cannot_be_held_out_is_named(samples, fraction, message):
    with pytest.raises(ValueError, match=message):
        hold_out_movies(samples, fraction)
