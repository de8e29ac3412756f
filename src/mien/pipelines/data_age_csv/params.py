"""Parameters of ``data_age_csv``."""

from mien.nodes.params import Count, ReaderParams, SplitParams, TwinParams


class AgeCsvTwin(TwinParams):
    """The drawn twin of the CSV.

    Attributes:
        num_samples: Rows.
    """

    num_samples: Count


class AgeCsvReader(SplitParams, ReaderParams):
    """How the file's rows are divided."""
