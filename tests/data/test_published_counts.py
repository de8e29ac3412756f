"""Found counts stand beside published ones, and every deviation is a sentence with its numbers."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.published_counts import count_deviations, count_table
from mien.data.raf_db import PUBLISHED_COUNTS

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
