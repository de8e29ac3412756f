"""The age, gender and ethnicity CSV is read row by row, without repeated faces, and divided evenly."""

import logging
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mien.data.age_csv import FILE, PUBLISHED_COUNTS, find_age_csv, list_age_csv, read_age_csv, split_age_csv
from mien.data.file_account import count_deviations, count_table
from mien.data.image_source import ImageSource
from mien.labels import ETHNICITIES, GENDERS

HEADER = "age,ethnicity,gender,img_name,pixels"


def face(seed: int) -> str:
    return " ".join(map(str, np.random.default_rng(seed).integers(0, 256, 48 * 48)))


def rows_of(num_rows: int) -> list[str]:
    """Ages, ethnicities and genders that differ in period, so that they mix."""
    return [f"{1 + n % 116},{n % 5},{n % 2},2017{n:013d}.jpg.chip.jpg,{face(n)}" for n in range(num_rows)]


def write(root: Path, rows: list[str], header: str = HEADER, final: str = "\n") -> Path:
    (root / FILE).write_text("\n".join([header, *rows]) + final)
    return root


def test_codes_are_utkfaces_and_every_face_is_found_again(tmp_path):
    rows = list_age_csv(write(tmp_path, rows_of(12)))
    assert rows["sample_id"].tolist() == [f"row_{n:05d}" for n in range(12)]
    assert rows["age"].tolist() == list(range(1, 13))
    assert rows["ethnicity"].tolist() == [n % 5 for n in range(12)]
    assert rows["gender"].tolist() == [n % 2 for n in range(12)]
    assert rows["ethnicity_name"].head(5).tolist() == ["white", "black", "asian", "indian", "others"]
    assert GENDERS == ("male", "female")
    assert {str(rows[name].dtype) for name in ("age", "ethnicity", "gender")} == {"int64"}
    source = ImageSource(tmp_path)
    for n, image in enumerate(rows["image"]):
        assert " ".join(map(str, source.read(image)[..., 0].ravel())) == face(n)


def test_columns_may_stand_in_another_order_beside_an_index(tmp_path):
    rows = [f"{n},{face(n)},1,2,33,x.jpg" for n in range(3)]
    listed = list_age_csv(write(tmp_path, rows, ",pixels,gender,ethnicity,age,img_name"))
    assert listed[["age", "ethnicity", "gender"]].to_numpy().tolist() == [[33, 2, 1]] * 3


def test_repeated_faces_are_dropped_before_the_split_and_counted_with_those_that_contradict(tmp_path, caplog):
    rows = rows_of(200)
    rows += [rows[3], rows[3].replace("4,3,1", "5,3,1", 1), rows[7].replace("8,2,1", "8,2,0", 1)]
    write(tmp_path, rows)
    listed = list_age_csv(tmp_path)
    assert listed["duplicate_of"].dropna().tolist() == ["row_00003", "row_00003", "row_00007"]
    with caplog.at_level(logging.INFO, "mien"):
        samples = read_age_csv(tmp_path)
    assert "3 of 203 faces repeat an earlier one pixel for pixel and are dropped, 2 of them with another" in caplog.text
    assert samples["sample_id"].tolist() == [f"row_{n:05d}" for n in range(200)]
    assert samples.set_index("sample_id").loc["row_00007", "gender"] == 1
    assert "duplicate_of" not in samples
    assert not samples.filter(like="decade").columns.any()


def test_the_split_is_eighty_ten_ten_of_every_gender_and_ethnicity(tmp_path):
    samples = read_age_csv(write(tmp_path, rows_of(1000)))
    assert samples["split"].value_counts().to_dict() == {"train": 800, "val": 100, "test": 100}
    shares = samples.groupby(["gender", "ethnicity"])["split"].value_counts().unstack()
    assert len(shares) == 10
    assert abs(shares["train"] - 80).max() < 2
    assert abs(shares[["val", "test"]] - 10).max().max() < 2
    ages = samples.groupby("split")["age"].mean()
    assert abs(ages - samples["age"].mean()).max() < 1.5, "a random hundred differs by 3.4"


def test_the_seed_decides_the_split_and_the_fractions_are_kept(tmp_path):
    rows = list_age_csv(write(tmp_path, rows_of(300)))
    first, again, other = (split_age_csv(rows, 0.2, 0.05, seed)["split"] for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)
    assert Counter(first) == {"train": 225, "val": 60, "test": 15}


def test_the_table_survives_parquet(tmp_path):
    samples = read_age_csv(write(tmp_path, rows_of(60)))
    samples.to_parquet(tmp_path / "samples.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "samples.parquet"), samples)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0,0,0,x.jpg", "column age has a value .*line 3 .*'0'.*years from 1 to 116"),
        ("117,0,0,x.jpg", "column age .*line 3 .*'117'"),
        ("-5,0,0,x.jpg", "column age .*line 3 .*'-5'"),
        ("30.5,0,0,x.jpg", "column age .*line 3 .*'30.5'"),
        (",0,0,x.jpg", "column age .*line 3 .*''"),
        ("9" * 5000 + ",0,0,x.jpg", "column age .*line 3"),
        ("\N{FULLWIDTH DIGIT THREE},0,0,x.jpg", "column age .*line 3"),
        ("30,5,0,x.jpg", r"column ethnicity .*line 3 .*'5'.*0 \(white\), 1 \(black\), 2 \(asian\)"),
        ("30,white,0,x.jpg", "column ethnicity .*line 3 .*'white'"),
        ("30,0,2,x.jpg", r"column gender .*line 3 .*'2'.*0 \(male\), 1 \(female\)"),
        ("30,0,x.jpg", "has 4 fields, the header 5: line 3"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path, row, message):
    rows = rows_of(4)
    rows[1] = f"{row},{face(1)}"
    with pytest.raises(ValueError, match=message) as error:
        list_age_csv(write(tmp_path, rows))
    assert FILE in str(error.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("age,race,gender,img_name,pixels", "Wrong columns .*lacks ethnicity"),
        ("age,ethnicity,gender,img_name,pixel", "lacks pixels"),
        ("", "blank line"),
    ],
)
def test_another_header_is_named(tmp_path, header, message):
    with pytest.raises(ValueError, match=message):
        list_age_csv(write(tmp_path, rows_of(2), header))


def test_a_row_whose_pixels_are_no_image_is_kept_for_the_preparation_to_tell(tmp_path, caplog):
    rows = rows_of(40)
    rows[1] = rows[1].rsplit(" ", 1)[0]
    rows[2] = rows[2].rsplit(" ", 1)[0]
    samples = read_age_csv(write(tmp_path, rows))
    assert len(samples) == 40
    assert "2 of 40 rows" in caplog.text
    assert "line 3" in caplog.text


def test_too_few_rows_leave_a_split_empty_which_is_named(tmp_path):
    with pytest.raises(
        ValueError,
        match=rf"The faces of {re.escape(str(tmp_path))}\S+ cannot be .*: 3 rows leave split test(, val)? empty",
    ):
        read_age_csv(write(tmp_path, rows_of(3)))


def test_a_missing_file_says_where_to_get_it_and_that_the_demo_needs_none(tmp_path):
    for root, message in ((tmp_path / "nowhere", "folder .* is missing"), (tmp_path, f"holds no {FILE}")):
        for call in (find_age_csv, read_age_csv):
            with pytest.raises(ValueError, match=message) as error:
                call(root)
            assert "kaggle.com" in str(error.value)
            assert "demo draws its own faces" in str(error.value)


def test_the_file_is_found(tmp_path):
    assert find_age_csv(write(tmp_path, rows_of(1))) == tmp_path / FILE


def test_the_published_counts_add_up_and_count_every_row_before_repeated_ones_are_dropped(tmp_path):
    (counts,) = PUBLISHED_COUNTS.values()
    assert list(counts) == list(ETHNICITIES)
    assert sum(counts.values()) == 23_705
    assert (counts["asian"], counts["indian"]) == (3_434, 3_975)
    rows = list_age_csv(write(tmp_path, rows_of(5)))
    sentences = count_deviations(count_table(rows, PUBLISHED_COUNTS, "ethnicity_name"))
    assert sentences[0] == "The all split has 5 samples, 23,700 fewer than the 23,705 published."
