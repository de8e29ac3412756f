"""Parameters of ``report``."""

from typing import Any, Literal

from pydantic import Field

from mien.nodes.params import Params

Score = Literal["accuracy", "mean_class_accuracy", "macro_f1", "auroc", "error_rate", "mae_years"]


class PaperRow(Params):
    """A row of a paper's table, or of a baseline that no paper has.

    Attributes:
        setting: As the paper names it.
        variants: Names of our variants that repeat it; the first is the one to run.
        set: Parameters of that variant that differ from the published setting, by dotted name without the system's.
        scores: The paper's, in the unit of our metrics: fractions, years. Empty for a baseline.
        recalls: The paper's accuracy of each class, as a fraction, by the class's name.
        part: Which model, where one run trains several: our scores are ``test/<part>/<score>``.
        note: What a reader must know of them.
    """

    setting: str
    variants: tuple[str, ...] = Field(min_length=1)
    set: dict[str, Any] = Field(default_factory=dict)
    scores: dict[Score, float] = Field(default_factory=dict)
    recalls: dict[str, float] = Field(default_factory=dict)
    part: str = ""
    note: str = ""

    def command(self, system: str) -> str:
        """The command that runs it on the user's own data."""
        changed = {"variant": self.variants[0], **{f"{system}.{name}": value for name, value in self.set.items()}}
        params = ",".join(f"{name}={value}" for name, value in changed.items())
        return f"kedro run --pipelines={system} --env=paper --params={params}"


class Peer(Params):
    """Another method's published scores on the same test samples.

    Attributes:
        name: Of the method.
        scores: As its authors, or the system's paper, print them, as fractions.
        recalls: Accuracy of each class, as a fraction, by the class's name.
        source: Where the numbers were read.
    """

    name: str
    scores: dict[Score, float] = Field(default_factory=dict)
    recalls: dict[str, float] = Field(default_factory=dict)
    source: str


class TradeOff(Params):
    """The figure of a system's accuracy and cost.

    Attributes:
        parameter: On its abscissa, by dotted name without the system's: ``model.keep_rate``.
        architecture: Whose operations are counted, by the variants' ``model`` parameters, unless these name another.
    """

    parameter: str
    architecture: str


class PaperTable(Params):
    """What a system's paper reports.

    Attributes:
        name: Of the system, in words.
        reference: Authors and title, or "ours" for a baseline.
        dataset: Name of the dataset, in words.
        n: Test samples.
        rows: Of the paper's table.
        peers: Other methods, of which nothing is run here.
        trade_off: The figure of accuracy and cost; None for none.
    """

    name: str
    reference: str
    dataset: str
    n: int = Field(ge=0)
    rows: tuple[PaperRow, ...] = ()
    peers: tuple[Peer, ...] = ()
    trade_off: TradeOff | None = None


class Comparison(Params):
    """Two variants, each ``<system>/<variant>``, that were tested on the same samples."""

    one: str = Field(pattern=r"^[^/]+/[^/]+$")
    other: str = Field(pattern=r"^[^/]+/[^/]+$")


class ReportParams(Params):
    """What is reported.

    Attributes:
        scores: Columns of the table.
        papers: Tables by system.
        comparisons: Pairs of variants; a pair of which a run is missing is passed over.
        resamples: Of the paired bootstrap.
        seed: Of the paired bootstrap.
    """

    scores: tuple[Score, ...] = Field(min_length=1)
    papers: dict[str, PaperTable]
    comparisons: tuple[Comparison, ...]
    resamples: int = Field(ge=100)
    seed: int = Field(ge=0)
