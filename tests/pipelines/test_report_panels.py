"""Figures of several runs: which runs they show, whose counts, and what stands where there is none."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mien.io.run_records import FEATURE_MAP, PREDICTIONS, RunRecord
from mien.pipelines.report.panels import confusion_panels, feature_panels
from mien.pipelines.report.params import PanelRun, Panels


def finished(folder: Path, system: str, variant: str, right: int, n: int = 10) -> RunRecord:
    """A run whose first ``right`` of n test samples are right, the others taken for the other of two classes."""
    place = folder / system / variant
    place.mkdir(parents=True)
    target = np.arange(n) % 2
    taken = np.where(np.arange(n) < right, target, 1 - target)
    table = pd.DataFrame(
        {"sample_id": [f"s{i}" for i in range(n)], "split": "test", "target": target, "synthetic": True}
    )
    table.assign(**{"score/happy": 1.0 - taken, "score/sad": 1.0 * taken}).to_parquet(place / PREDICTIONS)
    points = pd.DataFrame({"label": target, "expression": np.array(["happy", "sad"])[target], "synthetic": True})
    points.assign(x=np.arange(n) * 1.0 + right, y=0.0).to_parquet(place / FEATURE_MAP)
    reported: dict[str, Any] = dict.fromkeys(("env", "dataset", "command", "machine", "date", "run_id", "commit"), "")
    return RunRecord(system=system, variant=variant, parameters={}, predictions=place / PREDICTIONS, **reported)


def panels(*runs: str) -> Panels:
    return Panels(title="Several", runs=tuple(PanelRun(run=run, name=f"panel {run}") for run in runs))


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_counts_of_several_seeds_are_added_up(tmp_path):
    runs = [finished(tmp_path, "net", f"full-seed_{seed}", right) for seed, right in ((0, 10), (1, 6))]
    (axes,) = confusion_panels(runs, panels("net/full")).axes
    assert axes.get_title() == "panel net/full, 2 seeds (n = 20), synthetic faces"
    assert texts(axes) == ["80.0\n8", "20.0\n2", "20.0\n2", "80.0\n8"]


def test_the_first_variant_that_is_there_is_drawn(tmp_path):
    runs = [finished(tmp_path, "net", "demo", 10), finished(tmp_path, "net", "paper", 0)]
    (axes,) = confusion_panels(runs, panels("net/full|paper|demo")).axes
    assert texts(axes)[0] == "0.0\n0"


@pytest.mark.parametrize("draw", [confusion_panels, feature_panels])
def test_a_panel_without_a_run_says_so_beside_one_that_has_it(tmp_path, draw):
    first, second = draw([finished(tmp_path, "net", "full", 10)], panels("net/full", "net/none")).axes
    assert texts(second) == ["not run"]
    assert texts(first) != ["not run"]
    assert draw([], panels("net/full")).axes[0].texts[0].get_text() == "not run"


def test_a_map_shows_the_first_seeds_points_by_class(tmp_path):
    runs = [finished(tmp_path, "net", f"full-seed_{seed}", right) for seed, right in ((0, 3), (1, 6))]
    figure = feature_panels(runs, panels("net/full"))
    happy, sad = figure.axes[0].lines
    assert happy.get_xdata().tolist() == [3, 5, 7, 9, 11]
    assert sad.get_xdata().tolist() == [4, 6, 8, 10, 12]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["happy", "sad"]


def test_a_run_without_a_map_is_an_empty_panel(tmp_path):
    run = finished(tmp_path, "net", "full", 10)
    (tmp_path / "net" / "full" / FEATURE_MAP).unlink()
    assert texts(feature_panels([run], panels("net/full")).axes[0]) == ["not run"]
