"""Parameters of ``report``."""

from typing import Literal

from pydantic import Field

from mien.nodes.params import Params

Score = Literal["accuracy", "mean_class_accuracy", "macro_f1", "auroc", "error_rate", "mae_years"]


class PaperRow(Params):
    """A row of a paper's table.

    Attributes:
        setting: As the paper names it.
        variants: Names of our variants that repeat it; the first is the one to run.
        scores: The paper's, in the unit of our metrics: fractions, years.
        note: What a reader must know of them.
    """

    setting: str
    variants: tuple[str, ...] = Field(min_length=1)
    scores: dict[Score, float]
    note: str = ""


class PaperTable(Params):
    """What a system's paper reports.

    Attributes:
        name: Of the system, in words.
        reference: Authors and title, or "ours" for a baseline.
        dataset: Name of the dataset, in words.
        n: Test samples.
        rows: Empty for a baseline.
    """

    name: str
    reference: str
    dataset: str
    n: int = Field(ge=0)
    rows: tuple[PaperRow, ...] = ()


class Comparison(Params):
    """Two variants, each ``<system>/<variant>``, that were tested on the same samples."""

    one: str = Field(pattern=r"^[^/]+/[^/]+$")
    other: str = Field(pattern=r"^[^/]+/[^/]+$")


class ReportParams(Params):
    """What is reported.

    Attributes:
        scores: Columns of the table.
        papers: Tables by system.
        comparisons: Pairs of variants; one of which no run is there is passed over.
        resamples: Of the paired bootstrap.
        seed: Of the paired bootstrap.
    """

    scores: tuple[Score, ...] = Field(min_length=1)
    papers: dict[str, PaperTable]
    comparisons: tuple[Comparison, ...]
    resamples: int = Field(ge=100)
    seed: int = Field(ge=0)
