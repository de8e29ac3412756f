"""A synthetic clip shows one person whose jaw follows the voice, and leaves open what the voice decides."""

import dataclasses

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from mien.data.synthetic import ActionUnits, render_scene
from mien.data.synthetic import clips as synthetic_clips
from mien.data.synthetic import voice as synthetic_voice
from mien.data.synthetic.clips import ALIKE, Clip, render_clip, sample_actor, sample_apex
from mien.data.synthetic.voice import EMOTIONS

ACTOR = sample_actor(np.random.default_rng(5), "female", age=30.0, studio="green")


def clip(emotion: str = "happy", seed: int = 0, **arguments) -> Clip:
    return render_clip(
        np.random.default_rng(seed), ACTOR, emotion, ("a", "i"), **{"image_size": 64, "fps": 4, **arguments}
    )


def test_frames_last_as_long_as_the_voice():
    drawn = clip()
    assert drawn.frames.shape == (int(np.ceil(drawn.speech.seconds * 4)), 64, 64, 3)
    assert drawn.frames.dtype == np.uint8
    assert drawn.waveform.dtype == np.int16
    assert len(drawn.waveform) / 16_000 == pytest.approx(drawn.speech.seconds)
    assert len({frame.tobytes() for frame in drawn.frames}) == len(drawn.frames)


def test_equal_seeds_give_equal_clips_and_the_voice_does_not_depend_on_the_picture():
    one, again, finer = clip(fps=2), clip(fps=2), clip(fps=1, image_size=80)
    np.testing.assert_array_equal(one.frames, again.frames)
    np.testing.assert_array_equal(one.waveform, finer.waveform)
    assert one.apex == finer.apex
    assert clip(seed=1, fps=1).apex != one.apex


def landmarks(time: float, drawn: Clip, performance: synthetic_clips._Performance) -> np.ndarray:
    parameters = synthetic_clips._frame(ACTOR.face, drawn.apex, performance, drawn.speech, time)
    return render_scene(parameters, (64, 64), 0.6, (0.5, 0.5)).landmarks


def test_the_lips_part_with_the_syllables():
    drawn = clip("neutral", fps=1)
    performance = synthetic_clips._Performance.sample(np.random.default_rng(0), drawn.speech.seconds)
    times = np.linspace(0.05, drawn.speech.seconds - 0.02, 14)
    gaps = [np.linalg.norm(np.diff(landmarks(time, drawn, performance)[[62, 66]], axis=0)) for time in times]
    openings = [drawn.speech.mouth_opening(time) for time in times]
    assert np.corrcoef(gaps, openings)[0, 1] > 0.85


def test_a_blink_shuts_the_eyes_for_a_quarter_of_a_second():
    drawn = clip("neutral", fps=1)
    performance = synthetic_clips._Performance.sample(np.random.default_rng(0), drawn.speech.seconds)
    performance = dataclasses.replace(performance, blinks=(0.3,), sway=(0.0, 0.0, 0.0))
    open_eye, shut, open_again = (
        np.linalg.norm(np.diff(landmarks(time, drawn, performance)[[37, 41]], axis=0)) for time in (0.15, 0.3, 0.45)
    )
    assert shut < 0.35 * min(open_eye, open_again)
    assert performance.closure(0.3) == 1.0
    assert performance.closure(0.3 + 0.13) == 0.0


def test_the_expression_rises_to_its_apex_holds_and_falls():
    for seed in range(20):
        performance = synthetic_clips._Performance.sample(np.random.default_rng(seed), 1.0)
        curve = [performance.intensity(time) for time in np.linspace(0, 1, 101)]
        assert max(curve) == 1.0
        assert curve[0] < 0.4
        assert np.flatnonzero(np.array(curve) == 1.0).size > 20
        rise = int(np.argmax(curve))
        assert (np.diff(curve[:rise]) >= 0).all()
        assert (np.diff(curve[75:]) <= 0).all()


def test_talking_only_adds_to_the_mouth_and_relaxes_tight_lips():
    angry = ActionUnits.of({4: 0.8, 23: 0.9, 24: 0.7})
    assert synthetic_clips._talking(angry, 0.0) == angry
    talking = synthetic_clips._talking(angry, 0.8)
    assert talking[4] == angry[4]
    assert talking[25] == (1.0, 1.0)
    assert talking[26][0] == pytest.approx(0.56)
    assert talking[23][0] == pytest.approx(0.9 * 0.44)


def apexes(emotion: str) -> np.ndarray:
    draws = [sample_apex(np.random.default_rng([4, n, EMOTIONS.index(emotion)]), emotion) for n in range(120)]
    return np.array([one.as_array().mean(axis=1) for one in draws])


def separability(first: str, second: str) -> float:
    """Accuracy on fresh draws of the best linear rule between two emotions' action units."""
    values, labels, even = (
        np.concatenate([apexes(first), apexes(second)]),
        np.repeat([0, 1], 120),
        np.arange(240) % 2 == 0,
    )
    return LinearDiscriminantAnalysis().fit(values[even], labels[even]).score(values[~even], labels[~even])


def test_the_face_leaves_its_three_pairs_open_and_decides_those_of_the_voice():
    for pair in ALIKE:
        assert 0.55 < separability(*pair) < 0.88, pair
    for pair in synthetic_voice.ALIKE:
        assert separability(*pair) > 0.93, pair


def test_no_pair_is_open_to_both_so_that_face_and_voice_together_decide():
    assert not {frozenset(pair) for pair in ALIKE} & {frozenset(pair) for pair in synthetic_voice.ALIKE}
    for emotion in EMOTIONS[:7]:
        alike_in_face = {other for pair in ALIKE if emotion in pair for other in pair} - {emotion}
        alike_in_voice = {other for pair in synthetic_voice.ALIKE if emotion in pair for other in pair} - {emotion}
        assert not alike_in_face & alike_in_voice, emotion


def test_calm_is_neutral_with_a_trace_of_a_smile():
    calm = np.mean([sample_apex(np.random.default_rng([1, n]), "calm")[12][0] for n in range(40)])
    neutral = np.mean([sample_apex(np.random.default_rng([1, n]), "neutral")[12][0] for n in range(40)])
    assert 0.1 < calm - neutral < 0.25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 65}, "even number, 64 to 1024"),
        ({"image_size": 32}, "even number, 64 to 1024"),
        ({"fps": 0}, "1 to 60 frames per second"),
        ({"emotion": "bored"}, "give one of surprise"),
        ({"strength": -1.0}, "strength -1.0"),
    ],
)
def test_wrong_arguments_are_refused_with_what_to_give(arguments, message):
    with pytest.raises(ValueError, match=message):
        clip(**arguments)
    with pytest.raises(ValueError, match="no studio"):
        sample_actor(np.random.default_rng(0), "male", age=30.0, studio="blue")
