"""The split step of cross-validated systems."""

import logging

import numpy as np
import pandas as pd
import pytest

from mien.pipelines.comp_cnn.nodes import split_by_folds
from mien.pipelines.comp_cnn.params import ProtocolParams

SAMPLES = pd.DataFrame(
    {
        "sample_id": [f"p{n}" for n in range(24)],
        "subject": [f"s{n // 2}" for n in range(24)],
        "label": [n % 2 for n in range(24)],
        "fold": [n // 8 for n in range(24)],
        "face_index": np.arange(24),
        "reason": "aligned",
    }
)


def protocol(**changes):
    curve = {"train_subjects": (), "test_folds": ()}
    return ProtocolParams(**{"validation_fraction": 0.25, "seed": 0, "curve": curve, **changes})


def test_every_fold_and_every_size_of_the_curve_is_a_trial(caplog):
    with caplog.at_level(logging.INFO):
        trials = split_by_folds(SAMPLES, protocol(curve={"train_subjects": (4, 6), "test_folds": (0,)}))
    assert trials["trial"].unique().tolist() == ["fold_0", "fold_1", "fold_2", "subjects_4", "subjects_6"]
    assert "5 trials with 10 train, 4 val and 8 test samples on average" in caplog.text


def test_the_seed_decides_who_chooses_the_epoch_and_nothing_of_who_is_tested():
    one, other = (split_by_folds(SAMPLES, protocol(seed=seed)).set_index(["trial", "sample_id"]) for seed in (0, 2))
    assert not one["split"].eq(other["split"].reindex(one.index)).all()
    assert one.index[one["split"] == "test"].equals(other.index[other["split"] == "test"])


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_a_fraction_that_leaves_one_part_empty_is_refused(fraction):
    with pytest.raises(ValueError, match="validation_fraction"):
        protocol(validation_fraction=fraction)
