"""Equal images are marked by the first of them, and those that training has seen are reported."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.duplicates import NEAR, mark_duplicates, near_duplicates, perceptual_hash, pixel_digest


def table(splits: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"sample_id": [f"s{n}" for n in range(len(splits))], "split": splits})


def test_the_first_in_reading_order_is_named_and_leaks_are_rows_that_training_has_seen():
    splits = ["test", "train", "train", "val", "test", "val", "test"]
    marked = mark_duplicates(table(splits), [b"a", b"a", b"b", b"b", b"c", b"c", None])
    assert marked["duplicate_of"].fillna("-").tolist() == ["-", "s0", "-", "s2", "-", "s4", "-"]
    # s0: its image is in train, though it comes first; s4 and s5 share theirs outside train; s1, s2 are train.
    assert marked["leaks"].tolist() == [True, False, False, True, False, False, False]
    assert marked["duplicate_of"].dtype == "string"
    assert marked["leaks"].dtype == bool


def test_images_that_cannot_be_read_equal_nothing():
    marked = mark_duplicates(table(["train", "test", "test"]), [None, None, None])
    assert marked["duplicate_of"].isna().all()
    assert not marked["leaks"].any()


def test_digests_that_end_in_zeros_are_not_cut_short():
    digests = [b"\1\0", b"\1", b"\1\0", b"\0", b""]
    marked = mark_duplicates(table(["train", "test", "test", "test", "test"]), digests)
    assert marked["duplicate_of"].fillna("-").tolist() == ["-", "-", "s0", "-", "-"]
    assert marked["leaks"].tolist() == [False, False, True, False, False]


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from(["train", "val", "test"]), st.sampled_from(range(4))), max_size=30))
def test_marks_are_those_that_comparing_every_pair_gives(rows):
    samples = table([split for split, _ in rows]).set_index(pd.Index([7] * len(rows)))
    marked = mark_duplicates(samples, [None if image == 0 else bytes([image, 0]) for _, image in rows])
    for n, (split, image) in enumerate(rows):
        equal = [m for m, (_, other) in enumerate(rows) if other == image and image != 0]
        first = min(equal, default=n)
        assert marked["duplicate_of"].fillna("-").tolist()[n] == ("-" if first == n else f"s{first}")
        assert marked["leaks"].tolist()[n] == (split != "train" and any(rows[m][0] == "train" for m in equal))


def test_a_table_without_rows_and_the_given_one_stay_as_they_are():
    samples = table(["train", "test"])
    before = samples.copy()
    assert mark_duplicates(samples.iloc[:0], []).columns.tolist() == [*samples.columns, "duplicate_of", "leaks"]
    mark_duplicates(samples, [b"a", b"a"])
    pd.testing.assert_frame_equal(samples, before)


def test_one_digest_too_few_is_named():
    with pytest.raises(ValueError, match="1 digests for 2 rows"):
        mark_duplicates(table(["train", "test"]), [b"a"])


def test_a_digest_tells_pixels_and_shapes_apart_but_not_memory_layouts():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert pixel_digest(image) == pixel_digest(np.asfortranarray(image.copy()))
    assert pixel_digest(image) != pixel_digest(image.reshape(4, 3))
    assert pixel_digest(image) != pixel_digest(image + 1)
    assert pixel_digest(image) != pixel_digest(image.T)


def test_near_duplicates_are_rows_of_other_splits_within_four_bits_of_a_training_row_and_no_copies():
    hashes = ["0000000000000000", "000000000000000f", "000000000000001f", "0000000000000000", None, "fffffffffffffff0"]
    samples = table(["train", "test", "test", "test", "test", "val"]).assign(
        perceptual_hash=pd.array([*hashes], dtype="string"), leaks=[False, False, False, True, False, False]
    )
    assert near_duplicates(samples).tolist() == [False, True, False, False, False, False]
    assert not near_duplicates(samples[1:]).any(), "without a training row nothing is near one"


def test_the_perceptual_hash_stays_when_an_image_is_darker_and_differs_between_images():
    y, x = np.mgrid[:64, :64] / 64
    waves = [np.cos(5 * x + 3 * y * y) + np.sin(7 * y + a * x * y) for a in (2, 9)]
    images = [np.uint8(np.repeat(60 * wave + 125, 3).reshape(64, 64, 3)) for wave in waves]
    whole, other, darker = (int(perceptual_hash(image), 16) for image in (*images, np.uint8(images[0] * 0.8)))
    assert (whole ^ darker).bit_count() <= NEAR
    assert (whole ^ other).bit_count() > 2 * NEAR
