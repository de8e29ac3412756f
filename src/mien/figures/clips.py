"""Figures of clips with face and voice: what the fusion's weight does, one clip over time, the cues of a smile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import MienError
from mien.figures.style import (
    COLORS,
    COLUMN_WIDTH,
    DASHES,
    GREY,
    GRID,
    TEXT_POINTS,
    canvas,
    class_color,
    class_dash,
    label_axes,
    legend_below,
    legend_height,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

_MOST_PICTURES = 8  # in a row above a timeline


@dataclass(frozen=True, eq=False)
class Timeline:
    """One clip.

    Attributes:
        pictures: Faces (F, H, W, 3) uint8.
        face_times: Their times (F,) in seconds.
        face_scores: (F, M).
        voice_times: (S,) in seconds; S 0 where nothing is heard.
        voice_scores: (S, M).
        totals: Scores (M,) of the whole clip, by who gives them, as face, voice and fused.
        target: True class id.
        class_names: Of the M classes.
    """

    pictures: np.ndarray
    face_times: np.ndarray
    face_scores: np.ndarray
    voice_times: np.ndarray
    voice_scores: np.ndarray
    totals: Mapping[str, np.ndarray]
    target: int
    class_names: Sequence[str]

    @property
    def panels(self) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Name, times and scores of the senses that there are."""
        both = [("face", self.face_times, self.face_scores), ("voice", self.voice_times, self.voice_scores)]
        return [panel for panel in both if len(panel[1])]

    @property
    def shown(self) -> np.ndarray:
        """Which pictures are shown, evenly chosen."""
        F = len(self.pictures)
        return np.unique(np.linspace(0, F - 1, min(F, _MOST_PICTURES)).round().astype(int)) if F else np.arange(0)


def fusion_weight_plot(
    weights: np.ndarray, curves: Mapping[str, np.ndarray], chosen: float, title: str, *, synthetic: bool = False
) -> MatplotlibFigure:
    """Curves of accuracy over the weight of the face in a weighted sum of scores.

    Args:
        weights: (K,) from 0, the voice alone, to 1, the face alone.
        curves: Accuracy (K,) by split.
        chosen: The weight that was fitted.
        title: of the figure.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: A curve has not one value per weight, or there is none.
    """
    _check_curves(weights, curves)
    labels = [*curves, f"fitted weight, {chosen:.2f}"]
    figure, (axes,) = canvas(COLUMN_WIDTH, 2.2 + legend_height(labels), title, synthetic=synthetic)
    for number, values in enumerate(curves.values()):
        dash = DASHES[number % len(DASHES)][0]
        axes.plot(weights, values, color=COLORS[number], linestyle=dash, linewidth=1.1, marker="o", markersize=2)
    axes.axvline(chosen, color=GREY, linewidth=0.7, linestyle=(0, (1, 2)))
    axes.set(xlim=(-0.02, 1.02))
    axes.grid(color=GRID, linewidth=0.4)
    label_axes(axes, "weight of the face", "accuracy")
    legend_below(figure, axes.lines, labels)
    return figure


def timeline_plot(timeline: Timeline, title: str, *, synthetic: bool = False) -> MatplotlibFigure:
    """Timeline: frames, scores of face and voice over time, and those of the whole clip.

    Args:
        timeline: The clip.
        title: of the figure.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: There is neither a face nor a voice.
    """
    panels = _panels(timeline)
    names = list(timeline.class_names)
    height = 0.9 + 1.15 * (len(panels) + 1) + legend_height(names)
    ratios = [0.5, *[1.0] * len(panels), 1.0]
    figure, axes = canvas(COLUMN_WIDTH, height, title, synthetic=synthetic, ratios=ratios, sharex=False)
    _draw_pictures(axes[0], timeline)
    end = max(float(times.max()) for _, times, _ in panels)
    for panel, (sense, times, scores) in zip(axes[1:-1], panels, strict=True):
        for label in range(len(names)):
            color, (dash, _) = class_color(label), class_dash(label)
            panel.plot(times, scores[:, label], color=color, linestyle=dash, linewidth=1.1, marker="o", markersize=1.5)
        panel.set(xlim=(-0.03 * end, 1.03 * end), ylim=(-0.03, 1.03))
        panel.grid(color=GRID, linewidth=0.4)
        label_axes(panel, "seconds" if panel is axes[-2] else None, sense)
    width = 0.8 / len(names)
    for label in range(len(names)):
        places = np.arange(len(timeline.totals)) + (label - (len(names) - 1) / 2) * width
        axes[-1].bar(places, [each[label] for each in timeline.totals.values()], width, color=class_color(label))
    axes[-1].set_xticks(range(len(timeline.totals)), list(timeline.totals))
    axes[-1].set_ylim(0, 1.03)
    label_axes(axes[-1], None, "whole clip")
    figure.align_ylabels(axes[1:])
    legend_below(figure, axes[1].lines[: len(names)], names)
    return figure


def _draw_pictures(axes: Any, timeline: Timeline) -> None:
    shown = timeline.shown
    axes.axis("off")
    if len(shown):
        axes.imshow(np.concatenate(list(timeline.pictures[shown]), axis=1), aspect="equal")


def cues_plot(
    table: np.ndarray, class_names: Sequence[str], cue_names: Sequence[str], title: str, *, synthetic: bool = False
) -> MatplotlibFigure:
    """Table of how far each cue speaks for a smile, by expression.

    Args:
        table: (M, C) means from 0 to 1; NaN for a class without clips.
        class_names: M names.
        cue_names: C names.
        title: of the figure.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: The table is not (M, C) of values from 0 to 1.
    """
    _check_cues(table, class_names, cue_names)
    names = [wrapped(name) for name in class_names]
    height = 1.5 + sum(max(0.22, 0.14 * (name.count("\n") + 1)) for name in names)
    figure, (axes,) = canvas(COLUMN_WIDTH, height, title, synthetic=synthetic)
    axes.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(~np.isnan(table)):
        value = table[row, column]
        color = "white" if value > 0.55 else "black"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=color, fontsize=TEXT_POINTS)
    axes.set_xticks(range(len(cue_names)), [wrapped(name) for name in cue_names], rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _panels(timeline: Timeline) -> list[tuple[str, np.ndarray, np.ndarray]]:
    if not timeline.panels:
        raise MienError("The clip has neither a face nor a voice: there is nothing to draw over time. Choose another.")
    return timeline.panels


def _check_curves(weights: np.ndarray, curves: Mapping[str, np.ndarray]) -> None:
    lengths = {name: len(values) for name, values in curves.items()}
    if not curves or set(lengths.values()) != {len(weights)}:
        raise MienError(f"Curves over {len(weights)} weights have {lengths} values: give one per weight and curve.")


def _check_cues(table: np.ndarray, class_names: Sequence[str], cue_names: Sequence[str]) -> None:
    known = table[~np.isnan(table)]
    if table.shape != (len(class_names), len(cue_names)) or (known < 0).any() or (known > 1).any():
        raise MienError(
            f"The table of cues is {table.shape} for {len(class_names)} classes and {len(cue_names)} cues: give means "
            "from 0 to 1, a row per class and a column per cue."
        )
