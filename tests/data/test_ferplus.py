"""FER+'s reader on its published layouts, and what it says to files that are not or do not go together."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from mien.data.ferplus import (
    NEW_CSV_COUNTS,
    PUBLISHED_COUNTS,
    TRAINING_TOTALS,
    find_ferplus,
    published_counts,
    read_ferplus,
)
from mien.data.ferplus_files import choose_sources, list_ferplus
from mien.data.ferplus_votes import FER2013_EMOTIONS, VOTE_COLUMNS
from mien.data.image_source import ImageSource
from mien.labels import FERPLUS_EXPRESSIONS

REAL = Path(os.environ.get("MIEN_TEST_DATA", Path(__file__).parents[2] / "../shared/data")) / "ferplus"
HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
IN_FILES = ["neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt"]
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}


def votes_for(column: int, count: int = 10, other: int = 0) -> list[int]:
    return [count if each == column else 10 - count if each == other else 0 for each in range(10)]


def fer2013_label(votes: list[int]) -> int:
    """What FER2013 calls an image with these votes: their majority, in its own order; 6 where it has no such label."""
    names = [FER2013_EMOTIONS.index(name) if name in FER2013_EMOTIONS else 6 for name in VOTE_COLUMNS]
    return (names + [6] * 10)[votes.index(max(votes))]


class Written:
    """A small FER+: per part one image per class, then one unknown, one without a name, and one of mixed votes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rows: list[tuple[str, str, list[int], np.ndarray]] = []  # usage, name, votes, face
        rng = np.random.default_rng(0)
        for usage in FOLDERS:
            votes = [votes_for(column) for column in range(8)]
            votes += [votes_for(8), votes_for(9), [0, 6, 0, 4, 0, 0, 0, 0, 0, 0]]
            for number, each in enumerate(votes):
                # Names are not row numbers: rows without one do not count.
                name = "" if number == 9 else f"fer{sum(bool(row[1]) for row in self.rows):07d}.png"
                self.rows.append((usage, name, each, rng.integers(0, 256, (48, 48), dtype=np.uint8)))

    def csv(self, folder: str = "") -> "Written":
        lines = ["emotion,pixels,Usage"]
        lines += [
            f"{fer2013_label(votes)},{' '.join(map(str, face.ravel()))},{usage}" for usage, _, votes, face in self.rows
        ]
        self.put(f"{folder}fer2013.csv", lines)
        votes = [f"{usage},{name},{','.join(map(str, votes))}" for usage, name, votes, _ in self.rows]
        return self.put("fer2013new.csv", [HEADER, *votes])

    def folders(self, parent: str = "", *, images: bool = True, change=lambda votes: votes) -> "Written":
        for part, folder in FOLDERS.items():
            named = [row for row in self.rows if row[0] == part and row[1]]
            lines = [f'{name},"(0, 0, 48, 48)",{",".join(map(str, change(votes)))}' for _, name, votes, _ in named]
            self.put(f"{parent}{folder}/label.csv", lines)
            for _, name, _, face in named if images else []:
                cv2.imwrite(str(self.root / parent / folder / name), face)
        return self

    def put(self, name: str, lines: list[str]) -> "Written":
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        return self

    def change(self, name: str, line: int, old: str, new: str) -> Path:
        lines = (self.root / name).read_text().split("\n")
        assert old in lines[line - 1]
        lines[line - 1] = lines[line - 1].replace(old, new, 1)
        (self.root / name).write_text("\n".join(lines))
        return self.root


@pytest.mark.parametrize("layout", ["csv", "csv_below", "folders", "folders_below", "csv_with_labels"])
def test_every_layout_gives_the_same_labelled_images(tmp_path, layout, caplog):
    written = Written(tmp_path)
    if layout.startswith("csv"):
        written.csv("fer2013/" if layout == "csv_below" else "")
    if "folders" in layout or "labels" in layout:
        written.folders("data/" if layout == "folders_below" else "", images="folders" in layout)
    with caplog.at_level(logging.INFO, "mien"):
        samples = read_ferplus(find_ferplus(tmp_path))
    assert str(tmp_path) in caplog.text
    assert "9 + 9 + 9 of 30 images have a label" in caplog.text
    kept = [row for row in written.rows if row[1] and row[2][8] == 0]
    assert samples["sample_id"].tolist() == [name.removesuffix(".png") for _, name, _, _ in kept]
    assert samples["split"].tolist() == ["train"] * 9 + ["val"] * 9 + ["test"] * 9
    assert samples["expression"].tolist() == [*IN_FILES, "happy"] * 3
    assert samples["label"].tolist() == [FERPLUS_EXPRESSIONS.index(name) for name in samples["expression"]]
    assert samples["label"].dtype == "int64"
    assert samples["subject"].isna().all()
    assert samples["duplicate_of"].isna().all()
    source = ImageSource(tmp_path)
    for reference, row in zip(samples["image"], kept, strict=True):
        np.testing.assert_array_equal(source.read(reference)[..., 0], row[3])


def test_soft_targets_stand_in_the_projects_order_and_are_the_trainings_alone(tmp_path):
    Written(tmp_path).csv()
    columns = [f"target/{name}" for name in FERPLUS_EXPRESSIONS]
    for mode in ("majority", "probability", "crossentropy", "multi_target"):
        samples = read_ferplus(tmp_path, label_mode=mode)
        assert [name for name in samples if name.startswith("target/")] == columns
        assert samples[columns].sum(axis=1).tolist() == pytest.approx([1] * 27)
        assert (samples[columns].idxmax(axis=1) == "target/" + samples["expression"]).all()
        mixed = samples.groupby("split").nth(-1).set_index("split")
        soft = {"target/happy": 0.6, "target/sad": 0.4} if mode != "majority" else {"target/happy": 1.0}
        assert mixed.loc["train", columns][lambda row: row > 0].to_dict() == pytest.approx(soft)
        for split in ("val", "test"):
            assert mixed.loc[split, columns][lambda row: row > 0].to_dict() == {"target/happy": 1.0}
        modes = samples.groupby("split")["target_mode"].unique().map(list).to_dict()
        assert modes == {"train": [mode], "val": ["majority"], "test": ["majority"]}


def test_an_image_that_only_a_soft_rule_labels_is_kept_in_training_alone(tmp_path):
    written = Written(tmp_path)
    written.rows = [(u, n, [0, 5, 0, 5, 0, 0, 0, 0, 0, 0] if v[8] else v, f) for u, n, v, f in written.rows]
    written.csv()
    counts = read_ferplus(tmp_path, label_mode="crossentropy")["split"].value_counts()
    assert counts.to_dict() == {"train": 10, "val": 9, "test": 9}


def test_votes_are_those_of_label_csv_where_it_is_there_unless_others_are_requested(tmp_path):
    Written(tmp_path).csv().folders(images=False, change=lambda votes: [votes[1], votes[0], *votes[2:]])
    assert choose_sources(tmp_path).layout == "csv"
    assert choose_sources(tmp_path).votes == "label_csv"
    assert read_ferplus(tmp_path)["expression"].head(2).tolist() == ["happy", "neutral"]
    assert read_ferplus(tmp_path, votes="new_csv")["expression"].head(2).tolist() == ["neutral", "happy"]


def test_rows_without_a_name_are_left_out_whatever_their_votes(tmp_path, caplog):
    written = Written(tmp_path)
    written.rows = [(u, n, v if n else votes_for(1), f) for u, n, v, f in written.rows]
    written.csv()
    with caplog.at_level(logging.INFO, "mien"):
        assert len(read_ferplus(tmp_path)) == 27
    assert "3 of 33 rows without an image name" in caplog.text


def test_a_name_that_is_there_twice_gives_two_ids_and_with_label_csv_its_first_row(tmp_path):
    written = Written(tmp_path)
    usage, _, votes, face = written.rows[2]
    written.rows.append((usage, written.rows[0][1], votes, 255 - face))
    written.rows.sort(key=lambda row: list(FOLDERS).index(row[0]))
    written.csv()
    samples = read_ferplus(tmp_path)
    assert samples["sample_id"].is_unique
    assert samples.set_index("sample_id").loc["fer0000000_row11", "expression"] == "surprise"
    written.rows.pop(11)
    written.folders(images=False)
    again = read_ferplus(tmp_path)
    assert len(again) == len(samples) - 1
    np.testing.assert_array_equal(ImageSource(tmp_path).read(again["image"][0])[..., 0], written.rows[0][3])


@pytest.mark.parametrize("layout", ["csv", "folders"])
def test_equal_images_are_marked_among_the_labelled_rows(tmp_path, layout, caplog):
    written = Written(tmp_path)
    unknown, happy = 8, 1  # row 8 of each part has no label, so training never sees it
    for target, origin in ((11 + 3, happy), (22 + 3, happy), (22 + 4, unknown), (22 + 5, 11 + 5), (4, 5)):
        written.rows[target] = (*written.rows[target][:3], written.rows[origin][3])
    getattr(written, layout)()
    samples = read_ferplus(tmp_path, layout=layout).set_index("sample_id")
    ids = [name.removesuffix(".png") for _, name, _, _ in written.rows]
    assert samples["duplicate_of"].dropna().to_dict() == {
        ids[14]: ids[happy],
        ids[25]: ids[happy],
        ids[27]: ids[16],
        ids[5]: ids[4],
    }
    assert samples.index[samples["leaks"]].tolist() == [ids[14], ids[25]]
    assert "1 test images are in the training split too" in caplog.text


def test_an_image_file_that_cannot_be_read_is_listed_for_the_preparation_to_tell(tmp_path):
    written = Written(tmp_path).folders()
    (tmp_path / "FER2013Test" / written.rows[22][1]).write_bytes(b"")
    (tmp_path / "FER2013Test" / written.rows[23][1]).write_bytes(b"")
    samples = read_ferplus(tmp_path)
    assert len(samples) == 27
    assert samples["duplicate_of"].isna().all()


def test_the_table_survives_parquet(tmp_path):
    samples = read_ferplus(Written(tmp_path).csv().root, label_mode="crossentropy")
    samples.to_parquet(tmp_path / "samples.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "samples.parquet"), samples)


@pytest.mark.parametrize(
    ("name", "line", "old", "new", "message"),
    [
        ("fer2013new.csv", 1, "happiness", "joy", "Wrong columns in FER.+'s votes: line 1"),
        ("fer2013new.csv", 3, ",0,0,0", ",0,0", "has 11 fields, not 12: line 3"),
        ("fer2013new.csv", 3, "fer0000001.png", "../fer0000001.png", "name no image: line 3"),
        ("fer2013new.csv", 3, "fer0000001.png", "1.png", "name no image: line 3"),
        ("fer2013new.csv", 3, "10", "11", "out of range: line 3"),
        ("fer2013new.csv", 3, "10", "-1", "out of range: line 3"),
        ("fer2013new.csv", 3, "10", "9.5", "out of range: line 3"),
        ("fer2013new.csv", 3, "10", "0", "out of range: line 3"),
        ("fer2013new.csv", 3, "10", "1" * 5000, "out of range: line 3"),
        ("fer2013new.csv", 3, "Training", '"Training', "not CSV: line"),
        ("fer2013new.csv", 3, "Training", "PublicTest", "do not go together: line 3 of .* is of Training"),
        ("fer2013.csv", 3, "Training", "PrivateTest", "do not go together: line 3 of .* is of PrivateTest"),
        ("fer2013.csv", 3, "Training", "Test", "unknown Usage: line 3 .*'Test'"),
        ("fer2013.csv", 3, "3,", "", "has 2 fields, the header 3: line 3"),
        ("fer2013.csv", 1, "pixels", "pixel", "lacks pixels"),
    ],
)
def test_a_bad_line_of_the_csv_files_is_named(tmp_path, name, line, old, new, message):
    root = Written(tmp_path).csv().change(name, line, old, new)
    with pytest.raises(ValueError, match=message) as error:
        read_ferplus(root)
    assert name in str(error.value)


@pytest.mark.parametrize(
    ("line", "old", "new", "message"),
    [
        (2, "fer0000001.png", "sub/fer0000001.png", "name no image: line 2"),
        (2, "fer0000001.png", "fer0000000.png", "listed twice: line 2 .* repeats line 1"),
        (2, "(0, 0, 48, 48)", "(4, 4, 40, 40)", r"another box than the whole image: line 2 .*'\(4, 4, 40, 40\)'"),
        (2, ',"(0, 0, 48, 48)"', "", "has 11 fields, not 12: line 2"),
        (2, "10", "11", "out of range: line 2"),
        (2, "fer0000001.png", "fer0000099.png", "2 of the 10 of its train split .*1 missing .*fer0000099.png"),
    ],
)
def test_a_bad_line_of_a_label_csv_is_named(tmp_path, line, old, new, message):
    root = Written(tmp_path).folders().change("FER2013Train/label.csv", line, old, new)
    with pytest.raises(ValueError, match=message):
        read_ferplus(root)


def test_files_that_do_not_go_together_are_refused(tmp_path):
    written = Written(tmp_path).csv()
    lines = (tmp_path / "fer2013new.csv").read_text().splitlines()
    written.put("fer2013new.csv", lines[:-1])
    with pytest.raises(ValueError, match=r"do not go together: .*has 33 rows and .*has 32"):
        read_ferplus(tmp_path)
    written.put("fer2013new.csv", [*lines, lines[-1]])
    with pytest.raises(ValueError, match=r"has 33 rows and .*has 34"):
        read_ferplus(tmp_path)
    written.csv().folders(images=False).change("FER2013Valid/label.csv", 1, "fer0000010.png", "fer0000000.png")
    with pytest.raises(ValueError, match=r"name 1 images that .*the first fer0000000.png of PublicTest"):
        read_ferplus(tmp_path)


def test_an_image_in_two_folders_is_refused(tmp_path):
    written = Written(tmp_path).folders()
    lines = (tmp_path / "FER2013Train/label.csv").read_text().splitlines()
    test = (tmp_path / "FER2013Test/label.csv").read_text().splitlines()
    written.put("FER2013Test/label.csv", [*test, lines[0]])
    (tmp_path / "FER2013Test/fer0000000.png").write_bytes((tmp_path / "FER2013Train/fer0000000.png").read_bytes())
    with pytest.raises(ValueError, match=r"fer0000000.png is in two parts: line 11 of .*FER2013Test"):
        read_ferplus(tmp_path)


def test_an_empty_split_and_an_absent_class_are_named(tmp_path):
    written = Written(tmp_path)
    rows = written.rows
    written.rows = [row for row in rows if row[0] != "PublicTest"]
    with pytest.raises(ValueError, match="the val split is absent"):
        read_ferplus(written.csv().root)
    written.rows = [row for row in rows if row[0] != "PrivateTest" or row[2] != votes_for(5)]
    with pytest.raises(ValueError, match="disgust absent from test"):
        read_ferplus(written.csv().root)
    written.put("fer2013new.csv", [HEADER])
    with pytest.raises(ValueError, match="vote file is empty"):
        read_ferplus(tmp_path)


@pytest.mark.parametrize("name", ["fer2013new.csv", "FER2013Train/label.csv"])
@pytest.mark.parametrize(("content", "message"), [(b"", "is empty"), (b"Training,\xff\xfe", "not text")])
def test_vote_files_without_text_are_named(tmp_path, name, content, message):
    Written(tmp_path).csv().folders()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_ferplus(tmp_path)
    assert name in str(error.value)


@pytest.mark.parametrize("there", [[], ["fer2013.csv"], ["fer2013new.csv"], ["FER2013Train/label.csv"]])
def test_a_missing_dataset_says_where_to_get_it_and_that_the_demo_needs_none(tmp_path, there):
    message = r"is not a folder|holds (neither layout|only fer2013)"
    root = tmp_path if there else tmp_path / "nowhere"
    for name in there:
        Written(tmp_path).put(name, ["x"])
    for call in (find_ferplus, read_ferplus):
        with pytest.raises(ValueError, match=message) as error:
            call(root)
        assert "kaggle.com" in str(error.value)
        assert "github.com/microsoft/FERPlus" in str(error.value)
        assert "demo draws its own faces" in str(error.value)


@pytest.mark.parametrize(
    ("write", "choice", "message"),
    [
        ("folders", {"layout": "csv"}, "layout csv is not there: .*set layout to folders"),
        ("csv", {"layout": "folders"}, "label.csv files are not there: .*set layout to csv"),
        ("csv", {"votes": "label_csv"}, "label.csv files are not there"),
        ("folders", {"votes": "new_csv"}, "PNG files in .* have no rows"),
        ("csv", {"layout": "png"}, "layout 'png' .*choose one of auto, csv, folders"),
        ("csv", {"votes": "all"}, "votes 'all' .*choose one of auto, label_csv, new_csv"),
        ("csv", {"label_mode": "soft"}, "label_mode 'soft' "),
    ],
)
def test_a_choice_that_the_files_do_not_allow_is_refused(tmp_path, write, choice, message):
    getattr(Written(tmp_path), write)()
    with pytest.raises(ValueError, match=message):
        read_ferplus(tmp_path, **choice)


def test_the_published_counts_add_up_to_the_published_totals():
    assert [sum(classes.values()) for classes in PUBLISHED_COUNTS.values()] == [25_045, 3_191, 3_137]
    assert [sum(classes.values()) for classes in NEW_CSV_COUNTS.values()] == [25_060, 3_199, 3_153]
    assert TRAINING_TOTALS["label_csv", "majority"] == 25_045
    assert list(PUBLISHED_COUNTS["train"]) == list(FERPLUS_EXPRESSIONS)
    assert PUBLISHED_COUNTS["test"]["contempt"] == 15
    assert PUBLISHED_COUNTS["test"]["neutral"] == 1_083
    assert published_counts("new_csv", "majority") == NEW_CSV_COUNTS
    assert list(published_counts("label_csv", "multi_target")) == ["val", "test"]


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is absent; MIEN_TEST_DATA names the folder of real development data")
    root = tmp_path_factory.mktemp("real") / "ferplus"
    subprocess.run([sys.executable, REAL / "unpack.py", root], check=True, capture_output=True)
    return root


def per_class(samples: pd.DataFrame) -> dict[str, dict[str, int]]:
    return {
        split: {name: int((rows["expression"] == name).sum()) for name in FERPLUS_EXPRESSIONS}
        for split, rows in samples.groupby("split", sort=False)
    }


@pytest.mark.data
def test_the_real_files_give_the_published_counts_and_the_log_says_whose_they_are(real, caplog):
    caplog.set_level(logging.INFO, "mien")
    assert per_class(read_ferplus(real)) == PUBLISHED_COUNTS
    assert "the published counts of majority on label.csv" in caplog.text
    assert per_class(read_ferplus(real, votes="new_csv")) == NEW_CSV_COUNTS
    assert "the published counts of majority on fer2013new.csv" in caplog.text
    for mode, name in (
        ("crossentropy", "probability on label.csv and crossentropy on label.csv"),
        ("multi_target",) * 2,
    ):
        samples = read_ferplus(real, label_mode=mode)
        assert (samples["split"] == "train").sum() == TRAINING_TOTALS["label_csv", mode]
        assert f"the published counts of {name}" in caplog.text
        assert {split: counts for split, counts in per_class(samples).items() if split != "train"} == {
            split: PUBLISHED_COUNTS[split] for split in ("val", "test")
        }


@pytest.mark.data
def test_the_real_duplicates_are_as_many_as_are_known(real):
    from mien.data.duplicates import mark_duplicates

    listed = list_ferplus(real, choose_sources(real, votes="new_csv"))
    assert listed.samples["split"].value_counts().to_dict() == {"train": 28_561, "val": 3_579, "test": 3_574}
    leaks = mark_duplicates(listed.samples, listed.digests).query("leaks")["split"].value_counts()
    assert leaks.to_dict() == {"test": 288, "val": 279}
    splits = listed.samples["split"].groupby(listed.digests).nunique()
    assert (splits > 1).sum() == 556
    labelled = read_ferplus(real)
    assert labelled.loc[labelled["leaks"], "split"].value_counts().to_dict() == {"test": 232, "val": 231}


@pytest.mark.data
def test_the_real_folders_give_what_the_real_csv_files_give(real):
    from_csv = read_ferplus(real, "csv", "label_csv").set_index("sample_id")
    from_folders = read_ferplus(real, "folders").set_index("sample_id")
    assert set(from_csv.index) == set(from_folders.index)
    same = from_csv.loc[from_folders.index]
    pd.testing.assert_frame_equal(
        same.drop(columns=["image", "duplicate_of"]), from_folders.drop(columns=["image", "duplicate_of"])
    )
    source = ImageSource(real)
    for sample_id in np.random.default_rng(0).choice(from_folders.index, 200, replace=False):
        pixels, png = (source.read(table.loc[sample_id, "image"]) for table in (from_csv, from_folders))
        np.testing.assert_array_equal(pixels, png)
