"""Figures of clips show the frames, scores and weights that they are given."""

from dataclasses import replace

import numpy as np
import pytest
from tests.figures.examples import timeline, weight_curves

from mien import figures

NAMES = ("fear", "happy", "sad")


def test_a_timeline_has_a_panel_for_each_sense_and_bars_for_the_whole_clip():
    clip = timeline(NAMES)
    axes = figures.timeline_plot(clip, "t").axes
    assert len(axes) == 4
    np.testing.assert_array_equal(axes[1].lines[1].get_ydata(), clip.face_scores[:, 1])
    np.testing.assert_array_equal(axes[2].lines[2].get_xdata(), clip.voice_times)
    heights = [bar.get_height() for bar in axes[3].patches]
    assert heights == [float(each[label]) for label in range(3) for each in clip.totals.values()]


def test_a_clip_without_a_face_has_the_voices_panel_alone():
    nobody = {"pictures": np.zeros((0, 4, 4, 3), np.uint8), "face_times": np.zeros(0), "face_scores": np.zeros((0, 3))}
    clip = replace(timeline(NAMES), **nobody)
    assert len(figures.timeline_plot(clip, "t").axes) == 3
    with pytest.raises(ValueError, match=r"neither a face nor a voice: .* Choose another"):
        figures.timeline_plot(replace(clip, voice_times=np.zeros(0), voice_scores=np.zeros((0, 3))), "t")


def test_eight_of_many_frames_are_shown_from_the_first_to_the_last():
    clip = replace(timeline(NAMES), pictures=np.zeros((30, 4, 4, 3), np.uint8))
    assert clip.shown.tolist() == [0, 4, 8, 12, 17, 21, 25, 29]


def test_weights_have_a_curve_for_each_split_and_a_line_at_the_fitted_one():
    curves = weight_curves()
    axes = figures.fusion_weight_plot(np.linspace(0, 1, 5), curves, 0.25, "t").axes[0]
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), curves["test"])
    assert axes.lines[2].get_xdata() == [0.25, 0.25]
    with pytest.raises(ValueError, match="give one per weight and curve"):
        figures.fusion_weight_plot(np.zeros(3), curves, 0.5, "t")


def test_cues_are_a_table_by_class():
    table = np.array([[0.1, 0.9], [np.nan, np.nan]])
    written = [
        text.get_text() for text in figures.cues_plot(table, ("happy", "sad"), ("teeth", "smile"), "t").axes[0].texts
    ]
    assert written == ["0.10", "0.90"]
    with pytest.raises(ValueError, match="give means from 0 to 1"):
        figures.cues_plot(table + 1, ("happy", "sad"), ("teeth", "smile"), "t")
