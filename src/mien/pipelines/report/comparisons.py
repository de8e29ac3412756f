"""How sure the difference of two variants is: every two members of a sweep, on the test samples that both saw."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mien.io.run_records import RunRecord, seeded_variant
from mien.io.sweep_records import SweepRecord
from mien.nodes.evaluation import subjects
from mien.nodes.prediction import SCORE_PREFIX
from mien.pipelines.report.params import ReportParams

Cells = tuple[list[str], list[list[str]]]
"""Header and rows of a printed table."""

COLUMNS = [
    *("sweep", "seed", "pair", "one", "other", "n", "difference", "low", "high", "only_one", "only_other"),
    *("p", "p_holm", "stands", "reason", "sentence"),
]

NOT_COMPARED: dict[str, Any] = {
    **{"n": 0, "difference": np.nan, "low": np.nan, "high": np.nan, "only_one": 0, "only_other": 0},
    **{"p": np.nan, "stands": False, "sentence": ""},
}

NO_SWEEP = (
    "No sweep has been started here, so there is nothing to compare: kedro sweep <name> runs variants of "
    "conf/base/sweeps.yml, or of your own, and compares every two of them."
)

STANDS_NOTE = (
    "A difference stands where its paired 95 % bootstrap interval excludes 0 and p is below 0.05; p is of the exact "
    "McNemar test, by subject where subjects are named. p by Holm is corrected for all comparisons of the sweep with "
    "the same seed."
)


def comparison_table(records: Sequence[RunRecord], sweeps: Sequence[SweepRecord], report: ReportParams) -> pd.DataFrame:
    """Paired comparison of every two members of each sweep, seed by seed, on the test samples that both saw.

    Where a member's runs hold several models, those with the same name are compared.

    Args:
        records: Finished runs.
        sweeps: Which variants ran with which seeds.
        report: Settings of the bootstrap.

    Returns:
        One row per sweep, pair, seed and model: ``sweep``, ``seed``, ``pair`` in words, ``one``, ``other``, ``n``,
        ``difference`` in accuracy (one less the other) with ``low`` and ``high`` of its paired 95 % bootstrap interval,
        ``only_one`` and ``only_other`` (samples that only that one gets right), ``p`` of McNemar's exact test (by
        subject where subjects are named), ``p_holm`` (corrected for all of the sweep's comparisons with that seed),
        ``stands`` (whether interval and ``p`` say that there is a difference), ``sentence``, and ``reason``: why two
        are not compared, empty where they are.
    """
    from mien.metrics import holm

    runs = {(record.system, record.variant): record for record in records}
    rows = [row for sweep in sweeps for row in _sweep_rows(runs, sweep, report)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["p_holm"] = table["p_holm"].astype(float)
    for _, compared in table[table["reason"] == ""].groupby(["sweep", "seed"], sort=False):
        table.loc[compared.index, "p_holm"] = holm(compared["p"].to_numpy(float))
    return table


def _sweep_rows(
    runs: dict[tuple[str, str], RunRecord], sweep: SweepRecord, report: ReportParams
) -> Iterator[dict[str, Any]]:
    for seed in sweep.seeds:
        names = {member: f"{member[0]}/{seeded_variant(member[1], seed)}" for member in sweep.members}
        found = {member: _test_rows(runs.get((member[0], seeded_variant(member[1], seed)))) for member in sweep.members}
        row: dict[str, Any] = {"sweep": sweep.name, "seed": seed, "p_holm": np.nan}
        if len(names) == 1:
            (one,) = sweep.members
            alone = {"pair": "/".join(one), "one": names[one], "other": ""}
            yield row | alone | NOT_COMPARED | {"reason": "the sweep has no second member"}
        for one, other in combinations(sweep.members, 2):
            pair = {"pair": f"{'/'.join(one)} against {'/'.join(other)}", "one": names[one], "other": names[other]}
            lacking = [names[each] for each in (one, other) if not found[each]]
            shared = [model for model in found[one] if model in found[other]]
            if not shared:
                of_whom = f"no finished run with its predictions of {' and '.join(lacking)}"
                reason = of_whom if lacking else "they have no model in common"
                yield row | pair | NOT_COMPARED | {"reason": reason}
            for model in shared:
                named = {key: f"{name}, {model}" if model else name for key, name in pair.items()}
                compared = _compared(found[one][model], found[other][model], (named["one"], named["other"]), report)
                yield row | named | compared


def _test_rows(record: RunRecord | None) -> dict[str, pd.DataFrame]:
    """A run's test rows by model, such as ``gender/cnn``; under "" where a run has one model or names its primary one.

    Empty where there is no run, or its predictions are gone.
    """
    if record is None or record.predictions is None or not record.predictions.is_file():
        return {}
    test = record.load_predictions().query("split == 'test'")
    if "primary" in test:
        return {"": test[test["primary"]]}
    kinds = [column for column in ("target_name", "model") if column in test]
    if not kinds:
        return {"": test}
    models = test.groupby(kinds, sort=False)
    return {"/".join(map(str, name)): rows.dropna(axis="columns", how="all") for name, rows in models}


def _compared(
    first: pd.DataFrame, second: pd.DataFrame, names: tuple[str, str], report: ReportParams
) -> dict[str, Any]:
    """The comparison of two tables of test rows, or the reason why there is none."""
    from mien.metrics import paired_comparison

    first, second = (rows.reset_index(drop=True) for rows in (first, second))
    scores = [column for column in first if column.startswith(SCORE_PREFIX)]
    key = [column for column in ("trial", "seed", "sample_id", "synthetic", "target") if column in first]
    if not scores:
        return NOT_COMPARED | {"reason": "they predict numbers, and accuracy is of classes"}
    if set(scores) != {column for column in second if column.startswith(SCORE_PREFIX)}:
        return NOT_COMPARED | {"reason": "they know different classes"}
    if not set(key) <= set(second):
        return NOT_COMPARED | {"reason": "their predictions are tables of different kinds"}
    same = first[key].merge(second, how="inner", on=key)
    if first.empty or not len(same) == len(first) == len(second):
        counts = f"{len(first):,} and {len(second):,}, {len(same):,} in common"
        return NOT_COMPARED | {"reason": f"they were not tested on the same samples: {counts}"}
    result = paired_comparison(
        first["target"].to_numpy(),
        scores_a=same[scores].to_numpy(),
        scores_b=first[scores].to_numpy(),
        groups=subjects(first),
        resamples=report.resamples,
        seed=report.seed,
    )
    return {
        "n": len(first),
        "difference": result.difference.value,
        "low": result.difference.low,
        "high": result.difference.high,
        "only_one": result.only_b_right,
        "only_other": result.only_a_right,
        "p": result.p_value,
        "stands": result.stands,
        "reason": "",
        "sentence": result.sentence(names[1], names[0]),
    }


def comparison_sections(comparisons: pd.DataFrame) -> list[tuple[str, Cells | None, list[str]]]:
    """What the report says of each sweep: a title, the table's header and rows where there are any, and sentences.

    Args:
        comparisons: Of ``comparison_table``.
    """
    if comparisons.empty:
        return [("", None, [NO_SWEEP])]
    sections = []
    for sweep, rows in comparisons.groupby("sweep", sort=False):
        compared = rows[rows["reason"] == ""]
        sentences = [*pair_sentences(compared), *([STANDS_NOTE] if len(compared) else []), *reasons(rows)]
        sections.append((f"Sweep {sweep}", comparison_cells(compared) if len(compared) else None, sentences))
    return sections


def comparison_cells(compared: pd.DataFrame) -> Cells:
    """Header and rows of the comparisons that could be made."""
    header = ["One", "Other", "n", "Difference in accuracy, points", "Only one right", "Only other right"]
    rows = [
        [
            row["one"],
            row["other"],
            f"{row['n']:,}",
            _difference(row),
            str(row["only_one"]),
            str(row["only_other"]),
            f"{row['p']:.2g}",
            f"{row['p_holm']:.2g}",
            "yes" if row["stands"] else "no",
        ]
        for _, row in compared.iterrows()
    ]
    return [*header, "p", "p, Holm", "Stands"], rows


def _difference(row: pd.Series) -> str:
    value = f"{100 * row['difference']:+.2f}"
    return value if pd.isna(row["low"]) else f"{value} ({100 * row['low']:+.2f} to {100 * row['high']:+.2f})"


def pair_sentences(compared: pd.DataFrame) -> list[str]:
    """One sentence per pair: of several seeds the mean difference and in how many of them it stands."""
    sentences = []
    for pair, of_pair in compared.groupby("pair", sort=False):
        differences = 100 * of_pair["difference"]
        if len(of_pair) == 1:
            sentences.append(of_pair["sentence"].iloc[0])
        else:
            sentences.append(
                f"{pair}, {len(of_pair)} seeds: accuracy differs by {differences.mean():+.2f} ± "
                f"{differences.std():.2f} points (mean ± standard deviation over seeds); the difference stands in "
                f"{of_pair['stands'].sum()} of {len(of_pair)} seeds."
            )
    return sentences


def reasons(comparisons: pd.DataFrame) -> list[str]:
    """One sentence per reason why pairs are not compared, with the pairs."""
    sentences = []
    for reason, rows in comparisons[comparisons["reason"] != ""].groupby("reason", sort=False):
        pairs = [
            f"{pair} ({'seed' if len(of_pair) == 1 else 'seeds'} {', '.join(map(str, of_pair['seed']))})"
            for pair, of_pair in rows.groupby("pair", sort=False)
        ]
        sentences.append(f"Not compared, {reason}: {'; '.join(pairs)}.")
    return sentences
