"""Parameters of ``report``."""

from typing import Any, Literal

from pydantic import Field

from mien.io.run_records import params_option
from mien.nodes.params import MOST, Name, Params, Seed

Score = Literal["accuracy", "mean_class_accuracy", "macro_f1", "auroc", "error_rate", "errors", "mae_years"]


class PaperRow(Params):
    """A row of a paper's table, or of a baseline that no paper has.

    Attributes:
        setting: As the paper names it.
        variants: Names of our variants that repeat it; the first is the one to run.
        model: Of a run that trains several models, the one that the row is about; its scores are
            ``test/<model>/<score>``. Empty where a run is one model.
        set: Parameters of that variant that differ from the published setting, by dotted name without the system's.
        scores: The paper's, in the unit of our metrics: fractions, counts, years. Empty for a baseline.
        recalls: The paper's accuracy of each class, as a fraction, by the class's name.
        n: Test samples, where they are not the table's; 0 where they are.
        env: The environment that it runs in.
        note: What a reader must know of them.
    """

    setting: str
    variants: tuple[Name, ...] = Field(min_length=1)
    model: str = ""
    set: dict[str, Any] = Field(default_factory=dict)
    scores: dict[Score, float] = Field(default_factory=dict)
    recalls: dict[str, float] = Field(default_factory=dict)
    n: int = Field(ge=0, le=MOST, default=0)
    env: str = "paper"
    note: str = ""

    def command(self, system: str) -> str:
        """The command that runs it on the user's own data."""
        changed = {"variant": self.variants[0], **{f"{system}.{name}": value for name, value in self.set.items()}}
        return f"kedro run --pipelines={system} --env={self.env} {params_option(changed)}"


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
    n: int = Field(ge=0, le=MOST)
    rows: tuple[PaperRow, ...] = ()
    peers: tuple[Peer, ...] = ()
    trade_off: TradeOff | None = None


class PanelRun(Params):
    """A run in a figure of several.

    Attributes:
        run: ``<system>/<variant>``, or several variants with ``|`` between them, of which the first that is there is
            drawn.
        name: Above its panel.
    """

    run: str = Field(pattern=r"^[^/]+/[^/]+$")
    name: str


class Panels(Params):
    """A figure of several runs side by side."""

    title: str
    runs: tuple[PanelRun, ...] = Field(min_length=1)


class ReportParams(Params):
    """What is reported.

    Attributes:
        scores: Columns of the table.
        papers: Tables by system.
        confusions: The figure of confusion matrices.
        feature_maps: The figure of feature maps.
        resamples: Of the paired bootstrap.
        seed: Of the paired bootstrap.
    """

    scores: tuple[Score, ...] = Field(min_length=1)
    papers: dict[str, PaperTable]
    confusions: Panels
    feature_maps: Panels
    resamples: int = Field(ge=100, le=MOST)
    seed: Seed
