"""Parameters of ``data_age_csv``."""

from pydantic import Field

from mien.nodes.params import ReaderParams, TwinParams


class AgeCsvTwin(TwinParams):
    """The drawn twin of the CSV.

    Attributes:
        num_samples: Rows.
    """

    num_samples: int = Field(ge=1)


class AgeCsvReader(ReaderParams):
    """How the file's rows are divided.

    Attributes:
        validation_fraction: Part of the rows that becomes the validation split.
        test_fraction: Part of the rows that becomes the test split.
        seed: Seed of the division.
    """

    validation_fraction: float = Field(gt=0, lt=1)
    test_fraction: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)
