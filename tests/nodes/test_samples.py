"""What systems read off a samples table."""

import pandas as pd
import pytest

from mien.nodes.samples import class_names, select_train_and_val


def table(*rows: tuple[str, int]) -> pd.DataFrame:
    splits, places = zip(*rows, strict=True)
    return pd.DataFrame({"sample_id": [f"s{i}" for i in range(len(rows))], "split": splits, "face_index": places})


def test_training_gets_train_and_val_rows_with_a_face_in_order():
    samples = table(("test", 0), ("val", 1), ("train", -1), ("train", 2), ("test", -1), ("train", 3))
    fit = select_train_and_val(samples)
    assert fit["sample_id"].tolist() == ["s1", "s3", "s5"]
    assert fit.index.tolist() == [0, 1, 2]


@pytest.mark.parametrize("missing", ["train", "val"])
def test_a_split_without_a_face_is_refused_by_name(missing):
    other = "val" if missing == "train" else "train"
    with pytest.raises(ValueError, match=f"No {missing} sample with a face.* 3 rows"):
        select_train_and_val(table((other, 0), ("test", 1), (missing, -1)))


def named(*pairs: tuple[int, str]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["label", "expression"])


def test_class_names_stand_in_the_order_of_their_labels():
    assert class_names(named((2, "sad"), (0, "happy"), (1, "fear"), (0, "happy"))) == ("happy", "fear", "sad")


@pytest.mark.parametrize(
    "pairs",
    [
        [(0, "happy"), (2, "sad")],  # no sample of class 1
        [(1, "happy"), (2, "sad")],
        [(0, "happy"), (0, "joy"), (1, "sad")],  # a label with two names
    ],
)
def test_labels_that_do_not_pair_off_with_names_are_refused(pairs):
    with pytest.raises(ValueError, match="do not pair off as 0 to M - 1"):
        class_names(named(*pairs))
