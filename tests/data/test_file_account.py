"""The account of a dataset's files: everything below its folder is reported, and a loss above the share is refused.

Found counts stand beside published ones, and every deviation is a sentence with its numbers.
"""

import contextlib
import logging
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data import small_datasets as small
from tests.data.small_datasets import lenient, move, put, remove, write

from mien.data.age_csv import read_age_csv
from mien.data.crema_d import read_crema_d
from mien.data.ferplus import read_ferplus
from mien.data.file_account import COLUMNS, FileAccount, Verdict, check_unreadable, count_deviations, count_table
from mien.data.nvie import read_nvie
from mien.data.raf_db import PUBLISHED_COUNTS, read_raf_db
from mien.data.ravdess import read_ravdess
from mien.data.sfew import read_sfew
from mien.data.spos import read_spos

RAF_DB = (small.raf_db, lambda root, account: read_raf_db(root, "aligned", account=account))
RAF_FOLDERS = (small.raf_db_folders, RAF_DB[1])
RAF_CSV = (small.raf_db_csv, RAF_DB[1])
FER_CSV = (small.ferplus_csv, lambda root, account: read_ferplus(root, account=account))
FER_FOLDERS = (small.ferplus_folders, FER_CSV[1])
SFEW = (small.sfew, lambda root, account: read_sfew(root, account=account))
SFEW_REPACK = (small.sfew_repack, lambda root, account: read_sfew(root, "aligned", account=account))
NVIE = (small.nvie, lambda root, account: read_nvie(root, account=account))
SPOS = (small.spos, lambda root, account: read_spos(root, account=account))
AGES = (small.age_csv, lambda root, account: read_age_csv(root, account=account))
RAVDESS = (small.ravdess, lambda root, account: read_ravdess(root, account=account))
CREMA_D = (small.crema_d, lambda root, account: read_crema_d(root, account=account))
EVERY = {
    "raf_db": RAF_DB,
    "raf_db_folders": RAF_FOLDERS,
    "raf_db_csv": RAF_CSV,
    "ferplus_csv": FER_CSV,
    "ferplus_folders": FER_FOLDERS,
    "sfew": SFEW,
    "sfew_repack": SFEW_REPACK,
    "nvie": NVIE,
    "spos": SPOS,
    "age_csv": AGES,
    "ravdess": RAVDESS,
    "crema_d": CREMA_D,
}


def files_below(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def reported(account: FileAccount) -> dict[str, int]:
    """Count by status and reason."""
    table = account.table()
    keys = [f"{status} {reason}".strip() for status, reason in zip(table["status"], table["reason"], strict=True)]
    return table.groupby(keys)["count"].sum().to_dict()


@pytest.mark.parametrize("dataset", EVERY)
def test_every_file_of_a_sound_folder_is_reported_once_and_nothing_is_lost(tmp_path, dataset):
    build, read = EVERY[dataset]
    build(tmp_path)
    put(tmp_path / "README.txt", "read me")
    put(tmp_path / ".DS_Store", "x")
    (tmp_path / "nothing_in_it").mkdir()
    account = FileAccount(tmp_path, "It")
    samples = read(tmp_path, account)
    table = account.table()
    assert tuple(table.columns) == COLUMNS
    assert not table["lost"].any()
    assert "nothing_in_it" in ", ".join(table["first"])
    rows = sum("#" in name for name in account._notes)
    there = table[table["status"] != "missing"]["count"].sum()
    assert there == len(files_below(tmp_path)) + rows + 1, "every file, row and empty folder"
    used = table[(table["status"] == "used") & (table["split"] != "")]
    columns = [name for name in ("image", "onset", "apex", "video", "audio") if name in samples]
    assert used["count"].sum() == samples[columns].notna().to_numpy().sum()
    assert set(used["split"]) == set(samples["split"])


def as_format(suffix: str, pattern: str):
    """Write the images that match anew in another format, under their stems."""

    def change(root: Path) -> None:
        for path in sorted(root.glob(pattern)):
            pixels = cv2.imread(str(path))
            path.unlink()
            path.with_suffix("").with_name(path.stem + suffix).write_bytes(
                cv2.imencode(suffix.lower() if suffix else ".png", pixels)[1].tobytes()
            )

    return change


@pytest.mark.parametrize("suffix", [".TIF", ".webp", ".JPG", ""])
@pytest.mark.parametrize(
    ("dataset", "pattern"),
    [
        ("raf_db", "Image/aligned/*_0000[1-4]*"),
        ("raf_db_folders", "train/*/*"),
        ("raf_db_csv", "DATASET/train/*/*"),
        ("ferplus_folders", "FER2013*/*.png"),
        ("sfew", "Train/*/*"),
        ("sfew_repack", "sfew2.0_images/*"),
        ("nvie", "00[1-4]/*/*"),
        ("spos", "001/*/*"),
    ],
)
def test_images_of_any_format_give_the_same_samples(tmp_path, dataset, pattern, suffix):
    if dataset == "raf_db_folders" and not suffix:
        pytest.skip("a name without an ending is not RAF-DB's")
    build, read = EVERY[dataset]
    build(tmp_path)
    before = read(tmp_path, FileAccount(tmp_path, "It"))
    as_format(suffix, pattern)(tmp_path)
    after = read(tmp_path, FileAccount(tmp_path, "It"))
    references = [name for name in ("image", "onset", "apex") if name in before]
    pd.testing.assert_frame_equal(before.drop(columns=references), after.drop(columns=references))
    assert all((tmp_path / name).is_file() for column in references for name in after[column])


def spontaneous(root: Path, subjects: range = range(1, 10), suffix: str = ".bmp") -> None:
    """NVIE's spontaneous half of some people, two sequences each, and a posed pair in the manifest."""
    root.mkdir(parents=True, exist_ok=True)
    lines = ["sample_id,subject,kind,emotion,illumination,glasses,onset_path,apex_path"]
    for subject in subjects:
        for sequence in (1, 2):
            for role in ("onset", "apex"):
                put(root / f"{subject:03d}/visible/{role}/sequence{sequence}{suffix}")
        lines.append(f"p{subject},{subject:03d},posed,happy,,,posed/{subject}_0.png,posed/{subject}_1.png")
        for number in (0, 1):
            put(root / f"posed/{subject}_{number}.png")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")


def test_nvie_reads_tif_and_counts_a_subjects_folder_under_another_name(tmp_path):
    spontaneous(tmp_path / "a", suffix=".TIF")
    pairs = read_nvie(tmp_path / "a", num_folds=3)
    assert pairs["kind"].value_counts().to_dict() == {"spontaneous": 18, "posed": 9}
    spontaneous(tmp_path / "b")
    for subject in range(1, 5):
        (tmp_path / f"b/{subject:03d}").rename(tmp_path / f"b/person_{subject}")
    with pytest.raises(ValueError, match=r"16 of the 54 .*16 passed over \(in_no_folder_of_a_subject, "):
        read_nvie(tmp_path / "b", num_folds=3)
    account = FileAccount(tmp_path / "b", "It", max_passed_over=0.3)
    assert (read_nvie(tmp_path / "b", num_folds=3, account=account)["kind"] == "spontaneous").sum() == 10
    assert reported(account)["passed_over in_no_folder_of_a_subject"] == 16


def ravdess_with_picture(root: Path) -> None:
    small.ravdess(root)
    for path in list(root.rglob("03-*.wav")):
        put(path.with_name(f"02{path.stem[2:]}.mp4"), "picture")


@pytest.mark.parametrize("suffix", [".mov", ".avi", ".MP4", ".mkv", ".webm"])
def test_clips_of_any_format_and_depth_are_found(tmp_path, suffix):
    ravdess_with_picture(tmp_path)
    before = read_ravdess(tmp_path)
    for path in list(tmp_path.rglob("03-*.wav")):
        deeper = path.parent / "sound" / path.name
        deeper.parent.mkdir(exist_ok=True)
        path.rename(deeper)
    for path in list(tmp_path.rglob("02-*.mp4")):
        path.rename(path.with_suffix(suffix))
    account = FileAccount(tmp_path, "It")
    clips = read_ravdess(tmp_path, account=account)
    paths = ["video", "audio"]
    pd.testing.assert_frame_equal(before.drop(columns=paths), clips.drop(columns=paths))
    assert clips[paths].notna().all(axis=None)
    assert reported(account) == {"used": 2 * len(clips)}


@pytest.mark.parametrize(("folder", "suffix"), [("VideoFlash", ".mp4"), ("Video", ".avi"), ("VideoFlash/more", ".MOV")])
def test_half_of_crema_ds_clips_in_another_format_or_folder_have_their_picture(tmp_path, folder, suffix):
    small.crema_d(tmp_path)
    for number, path in enumerate(sorted(tmp_path.rglob("*.wav"))):
        where = tmp_path / (folder if number % 2 else "VideoFlash") / path.stem
        put(where.with_name(where.name + (suffix if number % 2 else ".flv")), "picture" * 300)
    account = FileAccount(tmp_path, "CREMA-D")
    clips = read_crema_d(tmp_path, account=account)
    assert len(clips) == 36
    assert clips[["video", "audio"]].notna().all(axis=None)
    assert reported(account) == {"used": 72}


def test_clips_without_picture_or_sound_are_counted_said_and_refused_above_the_share(tmp_path, caplog):
    ravdess_with_picture(tmp_path)
    for path in sorted(tmp_path.rglob("02-*.mp4"))[::2]:
        path.unlink()
    with pytest.raises(ValueError, match=r"too many samples: .*missing \(without_picture, the first picture of 01-"):
        read_ravdess(tmp_path)
    account = lenient(tmp_path)
    clips = read_ravdess(tmp_path, account=account)
    assert reported(account)["missing without_picture"] == clips["video"].isna().sum() == 24
    for path in tmp_path.rglob("02-*.mp4"):
        path.unlink()
    account = FileAccount(tmp_path, "RAVDESS")
    with caplog.at_level(logging.INFO, "mien"):
        read_ravdess(tmp_path, account=account)  # sound alone is a choice
    assert reported(account) == {"used": 48, "missing without_picture": 48}
    assert "missing of the train split (without_picture" in caplog.text


LOST = {
    "an image that the list does not name": (
        RAF_DB,
        write("Image/aligned/test_0099_aligned.jpg", small.PNG),
        "test",
        1,
    ),
    "a listed image": (RAF_DB, remove("Image/aligned/test_0003*"), "test", 1),
    "listed images of a CSV": (RAF_CSV, remove("DATASET/test/[23]/*"), "test", 2),
    "a PNG without votes": (FER_FOLDERS, write("FER2013Valid/fer0000099.png", small.PNG), "val", 1),
    "a listed PNG": (FER_FOLDERS, remove("FER2013Test/fer0000017.png"), "test", 1),
    "images beside the class folders": (SFEW, write("Train/A_000519240_00000005.png", small.PNG), "train", 1),
    "a folder below a class": (SFEW, write("Val/Angry/more/A_000519240_00000005.png", small.PNG), "test", 1),
    "a listed image of the repack": (SFEW_REPACK, remove("sfew2.0_images/image_000003.png"), "train", 1),
    "an unlisted image of the repack": (SFEW_REPACK, write("sfew2.0_images/image_000099.png", small.PNG), "", 1),
    "an image of a pair": (NVIE, remove("001/posed/apex.png"), "folds", 2),
    "two images of SPOS": (SPOS, lambda root: put(root / "001/posed/onset.png", b""), "folds", 2),
    "clips of no actor": (RAVDESS, write("more/song.wav", "sound"), "", 1),
    "sounds of no name": (CREMA_D, write("more/song.wav", "sound"), "", 1),
}


@pytest.mark.parametrize("what", LOST)
def test_what_is_lost_is_counted_of_its_split_and_refused_above_the_share(tmp_path, what):
    (build, read), damage, split, count = LOST[what]
    build(tmp_path)
    damage(tmp_path)
    account = lenient(tmp_path)
    with contextlib.suppress(ValueError):  # the smallest folders have one sample of each class
        read(tmp_path, account)
    table = account.table()
    lost = table[table["lost"]]
    assert lost["count"].sum() == count
    assert set(lost["split"]) == {split}
    assert (lost["first"] != "").all()
    with pytest.raises(ValueError, match=r"too many samples: .* Set reader.max_passed_over to [01]\.\d+ to go on"):
        read(tmp_path, FileAccount(tmp_path, "It"))


@settings(max_examples=30, deadline=None)
@given(kept=st.integers(1, 300), lost=st.integers(0, 30), share=st.floats(0, 1))
def test_a_loss_is_refused_exactly_above_the_share(kept, lost, share):
    account = FileAccount(Path("nowhere"), "It", share)
    account.use((f"{number}.png" for number in range(kept)), "test", "happy")
    account.miss((f"m{number}.png" for number in range(lost)), "listed", "test", "happy")
    if lost > share * (kept + lost):
        with pytest.raises(ValueError, match=rf"too many samples: {lost} of the {kept + lost} of its test split"):
            account.check("Do.")
    else:
        account.check("Do.")


def test_a_small_split_is_evaluated_by_itself():
    account = FileAccount(Path("nowhere"), "It")
    account.use((f"{number}.png" for number in range(10_000)), "train")
    account.use((f"t{number}.png" for number in range(56)), "test")
    account.pass_over((f"b{number}.png" for number in range(7)), "broken", "test", lost=True)
    with pytest.raises(ValueError, match=r"7 of the 63 of its test split \(11\.1%.*7 passed over \(broken, the"):
        account.check("Do.")


def test_unreadable_samples_above_the_share_of_a_split_are_an_error_with_all_of_them():
    splits = pd.Series(["train"] * 200 + ["test"] * 63)
    names = pd.Series([f"image_{number}" for number in range(263)])
    reasons = pd.Series([None] * 263, dtype=object)
    reasons[200:207] = "truncated"
    check_unreadable(reasons, splits, names, 0.2, "images")
    with pytest.raises(
        ValueError, match=r"images cannot be read: 7 of the 63 of the test split .*7 truncated \(the first image_200, "
    ):
        check_unreadable(reasons, splits, names, 0.01, "images")


def test_links_are_followed_once_and_links_back_are_reported(tmp_path):
    small.spos(tmp_path / "cache")
    root = tmp_path / "root"
    root.mkdir()
    for entry in (tmp_path / "cache").iterdir():
        (root / entry.name).symlink_to(entry)
    (root / "back").symlink_to(root)
    account = FileAccount(root, "It")
    assert read_spos(root, account=account).equals(read_spos(tmp_path / "cache"))
    assert reported(account) == {"used": 9, "passed_over link_back_into_the_folder": 1}


def test_a_moved_folder_of_a_class_names_what_to_do(tmp_path):
    small.raf_db(tmp_path)
    move("Image/aligned", "Image/aligned (1)")(tmp_path)
    with pytest.raises(ValueError, match=r"7 missing \(listed.*Unpack the images again, or choose the other"):
        read_raf_db(tmp_path, "aligned")


def test_a_dataset_says_why_a_file_is_passed_over(tmp_path):
    put(tmp_path / "a.bin", b"\0")
    account = FileAccount(tmp_path, "It")
    account.finish(lambda name: Verdict("known", split="train", group="sad"), "")
    assert account.table().to_dict("records") == [
        {
            "split": "train",
            "class": "sad",
            "status": "passed_over",
            "reason": "known",
            "lost": False,
            "count": 1,
            "first": "a.bin",
        }
    ]
    assert isinstance(account.table()["count"].iloc[0], np.integer)


PUBLISHED = {"train": {"happy": 3, "sad": 1}, "test": {"happy": 1, "sad": 1}}


def samples_of(counts: dict[str, dict[str, int]]) -> pd.DataFrame:
    rows = [(split, name) for split, classes in counts.items() for name, count in classes.items() for _ in range(count)]
    return pd.DataFrame(rows, columns=["split", "expression"])


def deviations(samples: pd.DataFrame, published=PUBLISHED) -> list[str]:
    return count_deviations(count_table(samples, published, "expression"))


def test_the_published_counts_themselves_do_not_deviate():
    assert deviations(samples_of(PUBLISHED_COUNTS), PUBLISHED_COUNTS) == []
    table = count_table(samples_of(PUBLISHED_COUNTS), PUBLISHED_COUNTS, "expression")
    assert table.groupby("split")["found"].sum().to_dict() == {"train": 12_271, "test": 3_068}
    assert (table["difference"] == 0).all()


def test_a_deviation_is_a_sentence_with_numbers_for_the_split_and_for_the_class():
    samples = samples_of(PUBLISHED_COUNTS)
    happy = samples.index[(samples["split"] == "train") & (samples["expression"] == "happy")]
    assert deviations(samples.drop(happy[:1000]), PUBLISHED_COUNTS) == [
        "The train split has 11,271 samples, 1,000 fewer than the 12,271 published.",
        "The class happy of the train split has 3,772 samples, 1,000 fewer than the 4,772 published.",
    ]
    extra = pd.concat([samples, samples[samples["split"] == "test"].head(1)])
    assert (
        deviations(extra, PUBLISHED_COUNTS)[0] == "The test split has 3,069 samples, 1 more than the 3,068 published."
    )


def test_classes_that_trade_places_deviate_though_their_split_does_not():
    samples = samples_of({"train": {"happy": 2, "sad": 2}, "test": {"happy": 1, "sad": 1}})
    assert deviations(samples) == [
        "The class happy of the train split has 2 samples, 1 fewer than the 3 published.",
        "The class sad of the train split has 2 samples, 1 more than the 1 published.",
    ]


def test_a_split_that_is_absent_deviates_with_all_its_classes():
    assert len(deviations(samples_of({"train": PUBLISHED["train"]}))) == 3


def test_validation_rows_count_as_the_training_rows_they_were_unless_published():
    samples = samples_of({"val": {"happy": 3}, "train": {"sad": 1}, "test": {"happy": 1, "sad": 1}})
    assert deviations(samples) == []
    published = {"train": {"sad": 1}, "val": {"happy": 2}, "test": {"happy": 1, "sad": 1}}
    assert deviations(samples, published)[0] == "The val split has 3 samples, 1 more than the 2 published."


def test_what_is_not_published_is_counted_last_and_deviates_from_nothing():
    samples = samples_of({**PUBLISHED, "unlabelled": {"": 2}, "train": {"happy": 3, "sad": 1, "contempt": 4}})
    table = count_table(samples, PUBLISHED, "expression")
    assert table[["split", "class", "found"]].to_numpy().tolist() == [
        ["train", "happy", 3],
        ["train", "sad", 1],
        ["test", "happy", 1],
        ["test", "sad", 1],
        ["train", "contempt", 4],
        ["unlabelled", "", 2],
    ]
    assert table["published"].isna().tolist() == [False] * 4 + [True] * 2
    assert count_deviations(table) == []


def test_the_classes_may_be_numbers():
    samples = pd.DataFrame({"split": ["train", "train"], "gender": [0, 1]})
    table = count_table(samples, {"train": {"0": 1, "1": 2}}, "gender")
    assert table["difference"].tolist() == [0, -1]


def test_no_samples_at_all_are_all_missing():
    table = count_table(samples_of({}), PUBLISHED, "expression")
    assert table["found"].tolist() == [0, 0, 0, 0]
    assert table["difference"].tolist() == [-3, -1, -1, -1]


NUMBERS = st.dictionaries(
    st.sampled_from(["train", "val", "test"]), st.dictionaries(st.sampled_from("abc"), st.integers(0, 4)), max_size=3
)


@settings(max_examples=40, deadline=None)
@given(NUMBERS, NUMBERS)
def test_no_sample_is_lost_or_counted_twice(found, published):
    samples = samples_of(found)
    table = count_table(samples, published, "expression")
    assert table["found"].sum() == len(samples)
    assert not table.duplicated(["split", "class"]).any()
    assert (count_deviations(table) == []) == bool((table["difference"].dropna() == 0).all())


@pytest.mark.parametrize("column", ["split", "expression"])
def test_categories_are_counted_like_words(column):
    samples = samples_of(PUBLISHED)
    assert deviations(samples.astype({column: "category"})) == []


def test_counts_published_for_the_whole_dataset_take_every_split_together():
    samples = pd.DataFrame({"split": ["train", "val", "test", "test"], "expression": ["sad", "sad", "happy", "fear"]})
    table = count_table(samples, {"all": {"sad": 2, "happy": 3}}, "expression")
    assert table[["split", "class", "found"]].to_numpy().tolist() == [
        ["all", "sad", 2],
        ["all", "happy", 1],
        ["all", "fear", 1],
    ]
    assert table["difference"].tolist()[:2] == [0, -2]
    assert pd.isna(table["difference"][2])
