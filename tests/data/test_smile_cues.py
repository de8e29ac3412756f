"""The six cues move the way that Matsugu et al.'s rules say, on synthetic faces whose muscles are known."""

from dataclasses import replace

import numpy as np
import pytest

from mien.data.smile_cues import CUES, measure_cues, relative_cues, smile_scores
from mien.data.synthetic import ActionUnits, render_scene, sample_face

THRESHOLDS = np.array([0.08, 0.12, 0.03, 0.08, 0.08, 0.03])


def cues_of(seed: int, units: dict[int, float], size: int = 192) -> np.ndarray:
    face = sample_face(np.random.default_rng(seed), "neutral", roll_degrees=0.0)
    moved = ActionUnits().with_units({unit: (value, value) for unit, value in units.items()})
    drawn = render_scene(replace(face, action_units=moved), (size, size), 0.8, (0.5, 0.5), seed=seed)
    return measure_cues(drawn.image, (drawn.landmarks.astype(float) + 0.5) / size)


@pytest.mark.parametrize("seed", range(4))
def test_a_drawn_smile_shortens_the_way_to_the_lips_widens_them_and_lifts_their_ends(seed):
    changes = relative_cues(cues_of(seed, {6: 0.9, 12: 0.9}), cues_of(seed, {}))
    for name in ("eye_lip_distance", "lip_width", "lip_end_gradient"):
        assert changes[CUES.index(name)] > 0.02, name


@pytest.mark.parametrize("seed", range(4))
def test_a_frown_is_no_smile(seed):
    neutral = cues_of(seed, {})
    smile, frown = (
        smile_scores(relative_cues(cues_of(seed, units), neutral), THRESHOLDS)[1]
        for units in ({6: 0.9, 12: 0.9, 25: 0.6}, {4: 0.9, 15: 0.9, 17: 0.7})
    )
    assert smile > frown + 0.15


def test_lengths_do_not_depend_on_the_size_of_the_face():
    small, large = cues_of(0, {12: 0.8}, 128), cues_of(0, {12: 0.8}, 384)
    for name in ("eye_lip_distance", "lip_width", "lip_end_gradient"):
        place = CUES.index(name)
        assert small[place] == pytest.approx(large[place], abs=0.03), name


def test_a_cue_speaks_in_proportion_up_to_its_threshold_and_the_laugh_needs_teeth():
    changes = np.array([[0.04, 0.12, -1.0, 0.0, 0.16, 0.015]])
    cues, smile, laugh = smile_scores(changes, THRESHOLDS)
    np.testing.assert_allclose(cues[0], [0.5, 1, 0, 0, 1, 0.5])
    assert smile[0] == pytest.approx(0.5)
    assert laugh[0] == pytest.approx(0.5)
    assert smile_scores(changes * [[1, 1, 1, 1, 0, 1]], THRESHOLDS)[2][0] == 0


def test_the_distance_from_eyes_to_lips_counts_when_it_shrinks():
    np.testing.assert_allclose(relative_cues(np.full(6, 2.0), np.full(6, 3.0)), [1, -1, -1, -1, -1, -1])


def test_points_that_are_no_face_are_refused():
    face = np.zeros((48, 48, 3), np.uint8)
    with pytest.raises(ValueError, match=r"no 68 landmarks .* predict them anew"):
        measure_cues(face, np.full((68, 2), np.nan))
    with pytest.raises(ValueError, match="Both eyes lie at"):
        measure_cues(face, np.zeros((68, 2)))
