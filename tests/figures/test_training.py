"""Training curves: one panel per quantity, gaps stay gaps."""

import numpy as np
import pytest
from tests.figures.examples import history

from mien import figures


def test_one_panel_per_quantity_with_loss_first_and_lr_last():
    plot = figures.training_curves_plot(history(), "SAE")
    assert [axes.get_ylabel() for axes in plot.axes] == ["loss", "accuracy", "mean class\naccuracy", "lr"]
    assert [line.get_ydata().tolist() for line in plot.axes[0].lines] == [
        history()["train/loss"].tolist(),
        history()["val/loss"].tolist(),
    ]
    assert np.array_equal(plot.axes[3].lines[0].get_ydata(), history()["lr"])


def test_columns_without_numbers_are_left_out_and_gaps_stay_gaps():
    table = history(6).assign(**{"val/accuracy": np.nan})
    table.loc[2, "val/loss"] = np.nan
    plot = figures.training_curves_plot(table, "SAE")
    assert [axes.get_ylabel() for axes in plot.axes] == ["loss", "mean class\naccuracy", "lr"]
    assert np.isnan(plot.axes[0].lines[1].get_ydata()[2])


def test_one_epoch_is_a_visible_point_on_a_whole_number():
    plot = figures.training_curves_plot(history(1), "SAE")
    plot.canvas.draw()
    assert all(line.get_marker() == "o" for axes in plot.axes for line in axes.lines)
    low, high = plot.axes[-1].get_xlim()
    assert [tick for tick in plot.axes[-1].get_xticks() if low <= tick <= high] == [1]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (history().drop(columns="epoch"), "give `epoch`"),
        (history().head(0), "0 rows"),
        (history()[["epoch", "images_per_second"]], "nothing to draw"),
    ],
)
def test_a_mistake_is_named(table, message):
    with pytest.raises(ValueError, match=message):
        figures.training_curves_plot(table, "t")
