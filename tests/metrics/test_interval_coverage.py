"""How often the intervals of a classifier's metrics hold the value of the population."""

import numpy as np
import pytest
from tests.metrics.synthetic_predictions import MAIN, PER_CLASS, drawn

from mien.metrics import classification_metrics


@pytest.mark.slow
def test_intervals_cover_the_truth_about_as_often_as_they_say():
    # Accuracy 0.75 by construction; 120 trials of a 95 % interval: fewer than 105 hits has a chance below 0.001.
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(120):
        target = rng.integers(2, size=200)
        predicted = np.where(rng.random(200) < 0.75, target, 1 - target)
        m = classification_metrics(target, np.eye(2)[predicted], ["no", "yes"], resamples=200, seed=trial)
        hits += m["accuracy_low"] <= 0.75 <= m["accuracy_high"]
    assert 105 <= hits < 120


@pytest.mark.slow
def test_intervals_of_every_kind_cover_the_value_of_a_large_sample():
    names = [str(label) for label in range(4)]
    keys = [*MAIN[:-1], *(f"{key}/{name}" for key in PER_CLASS for name in names)]
    truth = classification_metrics(*drawn(400_000, 4, seed=1), names, resamples=1)
    hits = dict.fromkeys(keys, 0)
    for trial in range(300):
        m = classification_metrics(*drawn(300, 4, seed=100 + trial), names, resamples=300, seed=trial)
        for key in keys:
            hits[key] += m[f"{key}_low"] <= truth[key] <= m[f"{key}_high"]
    # Of 300 trials at 95 %, fewer than 268 or more than 297 hits have a chance below 0.0005.
    assert {key: hit for key, hit in hits.items() if not 268 <= hit <= 297} == {}


@pytest.mark.slow
def test_the_mirrored_interval_covers_the_calibration_error_where_plain_percentiles_do_not():
    def outcomes(n, seed, bias=0.02):
        """Two classes whose confidence is above the chance to be right by the bias."""
        rng = np.random.default_rng(seed)
        confidence = rng.uniform(0.55, 0.98, size=n)
        right = rng.random(n) < confidence - bias
        return np.where(right, 0, 1), np.column_stack([confidence, 1 - confidence])

    mirrored, plain = 0, 0
    for trial in range(200):
        m = classification_metrics(*outcomes(1500, trial), ["a", "b"], resamples=200, seed=trial)
        low, high = m["calibration_error_low"], m["calibration_error_high"]
        mirrored += low <= 0.02 <= high
        plain += 2 * m["calibration_error"] - high <= 0.02 <= 2 * m["calibration_error"] - low
    assert mirrored / 200 > 0.85
    assert plain / 200 < 0.7
