"""Action units: their bookkeeping, and the expressions as sets of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.synthetic import ACTION_UNITS, ActionUnits, sample_action_units
from mien.labels import EXPRESSIONS

CORE = {
    "surprise": (1, 2, 5, 25, 26),
    "fear": (1, 2, 4, 5, 7, 20, 25),
    "disgust": (9, 10),
    "happy": (6, 12),
    "sad": (1, 4, 15),
    "angry": (4, 5, 7, 23),
    "contempt": (12, 14),
}
INTENSITIES = st.dictionaries(st.sampled_from(sorted(ACTION_UNITS)), st.floats(0.0, 1.0))


def drawn(expression: str, count: int = 150, **options: float) -> np.ndarray:
    """Return (count, units, 2) intensities."""
    return np.stack(
        [sample_action_units(np.random.default_rng([7, k]), expression, **options).as_array() for k in range(count)]
    )


def rows(*units: int) -> list[int]:
    return [list(ACTION_UNITS).index(unit) for unit in units]


def test_named_units_are_set_on_the_named_side_and_all_others_rest():
    units = ActionUnits.of({12: 0.8, 6: (0.5, 0.7)})
    assert units[12] == (0.8, 0.8)
    assert units[6] == (0.5, 0.7)
    assert units.as_array().sum() == pytest.approx(0.8 + 0.8 + 0.5 + 0.7)


def test_scaling_is_proportional_and_stops_at_one():
    units = ActionUnits.of({12: (0.4, 0.8)})
    assert units.scaled(0.5)[12] == (0.2, 0.4)
    assert units.scaled(2.0)[12] == (0.8, 1.0)


def test_a_blend_lies_between_its_two_ends():
    happy, sad = ActionUnits.of({12: 1.0}), ActionUnits.of({15: 1.0})
    assert happy.blended(sad, 0.0) == happy
    assert happy.blended(sad, 1.0) == sad
    assert happy.blended(sad, 0.25)[12] == (0.75, 0.75)
    assert happy.blended(sad, 0.25)[15] == (0.25, 0.25)


@given(intensities=INTENSITIES)
def test_an_array_and_its_units_are_each_others_inverse(intensities):
    units = ActionUnits.of(intensities)
    assert ActionUnits.from_array(units.as_array()) == units
    assert hash(ActionUnits.from_array(units.as_array())) == hash(units)


@pytest.mark.parametrize(("expression", "core"), CORE.items())
def test_an_expression_shows_its_prototype_more_than_the_rest(expression, core):
    level = drawn(expression).max(axis=2).mean(axis=0)
    others = np.delete(level, rows(*core))
    assert (level[rows(*core)] > 0.4).all()
    assert level[rows(*core)].mean() > 3 * others.mean()


def test_a_neutral_face_is_nearly_at_rest_apart_from_speech():
    silent = np.delete(drawn("neutral"), rows(25, 26), axis=1)
    assert silent.max() <= 0.2
    assert silent.mean() < 0.02


def test_contempt_is_one_sided_and_takes_either_side():
    pull = drawn("contempt")[:, rows(12)[0]]
    ratio = pull.min(axis=1) / pull.max(axis=1)
    assert np.median(ratio) < 0.35
    assert 0.3 < (pull[:, 0] > pull[:, 1]).mean() < 0.7


def test_happiness_varies_from_one_face_to_the_next():
    faces = drawn("happy")
    assert len({face.tobytes() for face in faces}) == len(faces)
    parted = (faces[:, rows(25)[0]].max(axis=1) > 0.25).mean()
    assert 0.4 < parted < 0.95
    strength = faces[:, rows(12)[0]].mean(axis=1)
    assert strength.min() < 0.6 < 0.9 < strength.max()


def test_intensity_scales_the_expression():
    weak, strong = (drawn("sad", 60, intensity=level)[:, rows(15)[0]].mean() for level in (0.2, 0.9))
    assert weak < 0.3
    assert strong > 3 * weak


def test_no_asymmetry_gives_equal_sides():
    faces = drawn("surprise", 40, asymmetry=0.0)
    assert np.array_equal(faces[:, :, 0], faces[:, :, 1])
    assert np.abs(np.diff(drawn("surprise", 40, asymmetry=2.0), axis=2)).max() > 0.1


def test_the_same_seed_draws_the_same_units():
    one, other = (sample_action_units(np.random.default_rng(5), "fear") for _ in range(2))
    assert one == other


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), expression=st.sampled_from(EXPRESSIONS), asymmetry=st.floats(0.0, 5.0))
def test_drawn_intensities_always_lie_in_their_range(seed, expression, asymmetry):
    values = sample_action_units(np.random.default_rng(seed), expression, asymmetry=asymmetry).as_array()
    assert values.shape == (len(ACTION_UNITS), 2)
    assert ((values >= 0.0) & (values <= 1.0)).all()


@pytest.mark.parametrize(
    ("mistake", "what"),
    [
        (lambda: ActionUnits.of({12: 1.2}), r"1\.2 lies outside \[0, 1\], in AU12 left: "),
        (lambda: ActionUnits.of({12: (0.5, -0.1)}), r"-0\.1 lies outside \[0, 1\], in AU12 right: "),
        (lambda: ActionUnits.of({12: float("nan")}), r"nan lies outside \[0, 1\], in AU12 left: "),
        (lambda: ActionUnits.of({3: 0.5}), r"no action unit AU3, in ActionUnits: "),
        (lambda: ActionUnits((0.5,)), r"1 intensities for 18 action units, in ActionUnits\.left: "),
        (lambda: ActionUnits().scaled(-1.0), r"negative, in ActionUnits\.scaled: "),
        (lambda: ActionUnits().blended(ActionUnits(), 1.5), r"1\.5 lies outside \[0, 1\], in ActionUnits\.blended: "),
        (
            lambda: sample_action_units(np.random.default_rng(0), "joy"),
            r"no expression 'joy', in sample_action_units: ",
        ),
        (
            lambda: sample_action_units(np.random.default_rng(0), "happy", intensity=1.1),
            r"1\.1 lies outside \[0, 1\], in sample_action_units: ",
        ),
        (
            lambda: sample_action_units(np.random.default_rng(0), "happy", asymmetry=-1.0),
            r"negative, in sample_action_units: ",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_to_do(mistake, what):
    with pytest.raises(ValueError, match=what + ".+"):
        mistake()
