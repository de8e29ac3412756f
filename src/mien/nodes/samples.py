"""What every system reads off a samples table."""

import pandas as pd

from mien.errors import MienError


def select_train_and_val(samples: pd.DataFrame) -> pd.DataFrame:
    """Rows that training may see: split train or val, with a face.

    The test rows go no further on this branch of the lineage, so that no train node can choose by them.

    Raises:
        MienError: No row of split train, or none of split val, has a face.
    """
    fit = samples[samples["split"].isin(["train", "val"]) & (samples["face_index"] >= 0)].reset_index(drop=True)
    for split in ("train", "val"):
        if not (fit["split"] == split).any():
            raise MienError(
                f"No {split} sample with a face in the samples table of {len(samples)} rows. "
                "Look at its columns split and reason; validation_fraction sets how many train rows become val."
            )
    return fit


def class_names(samples: pd.DataFrame) -> tuple[str, ...]:
    """Names of the classes in label order.

    Raises:
        MienError: Labels are not 0 to M - 1, or a label has two names.
    """
    pairs = samples[["label", "expression"]].drop_duplicates().sort_values("label")
    if pairs["label"].tolist() != list(range(len(pairs))):
        raise MienError(
            f"Labels and names in the samples table do not pair off as 0 to M - 1: {pairs.to_numpy().tolist()}. "
            "Every class needs a sample to train on and exactly one name: look at the reader of this dataset."
        )
    return tuple(pairs["expression"])
