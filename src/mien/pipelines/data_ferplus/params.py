"""Parameters of ``data_ferplus``."""

from typing import Literal

from mien.labels import TargetMode
from mien.nodes.params import Count, ReaderParams, SyntheticParams


class SyntheticFerPlus(SyntheticParams):
    """The synthetic version of FER+.

    Attributes:
        num_train: Images with a name in the part Training.
        num_val: Images with a name in PublicTest.
        num_test: Images with a name in PrivateTest.
        folders: Draw the folders of PNG files too.
    """

    num_train: Count
    num_val: Count
    num_test: Count
    folders: bool


class FerPlusReader(ReaderParams):
    """How the user's files are read.

    Attributes:
        layout: Pixels of ``fer2013.csv`` or PNG files in ``folders``; ``auto`` for the first of these that is there.
        votes: Those of the folders' ``label.csv`` or of ``fer2013new.csv``; ``auto`` for the first of these that is
            there.
        label_mode: From votes to labels of the training split, and what systems are trained towards; the other splits
            are labelled by the majority.
    """

    layout: Literal["auto", "csv", "folders"]
    votes: Literal["auto", "label_csv", "new_csv"]
    label_mode: TargetMode
