"""Parameters of ``data_age_csv``."""

from mien.nodes.params import Count, ReaderParams, SplitParams, SyntheticParams


class SyntheticAgeCsv(SyntheticParams):
    """The synthetic version of the CSV.

    Attributes:
        num_samples: Rows.
    """

    num_samples: Count


class AgeCsvReader(SplitParams, ReaderParams):
    """How the file's rows are divided."""
