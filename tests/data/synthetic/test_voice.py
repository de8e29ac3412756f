"""The synthetic voice has the pitch, the vowels, the rate and the ambiguities that it is requested."""

import dataclasses

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from mien.data.synthetic.voice import (
    ALIKE,
    EMOTIONS,
    VOWELS,
    Prosody,
    Speaker,
    Speech,
    sample_prosody,
    sample_speaker,
    speak,
)

RATE = 16_000
MAN = Speaker(pitch=120.0, tract=1.0, slope=-6.0, breath=0.01, jitter=0.003, rate=4.0)
PLAIN = Prosody(pitch_range=0.2, pitch_rise=0.0)


def say(*vowels: str, speaker: Speaker = MAN, prosody: Prosody = PLAIN, seed: int = 0) -> Speech:
    return speak(np.random.default_rng(seed), speaker, prosody, vowels)


def pitch(speech: Speech) -> float:
    """Median rate of repetition in the loudest quarter, by autocorrelation."""
    frames = np.lib.stride_tricks.sliding_window_view(speech.waveform.astype(float), 1024)[::160]
    loud = frames[np.argsort(-np.square(frames).sum(axis=1))[: len(frames) // 4]]
    spectrum = np.abs(np.fft.rfft(loud - loud.mean(axis=1, keepdims=True), 4096, axis=1)) ** 2
    correlation = np.fft.irfft(spectrum, axis=1)[:, RATE // 500 : RATE // 60]
    return float(np.median(RATE / (correlation.argmax(axis=1) + RATE // 500)))


@pytest.mark.parametrize("hertz", [95.0, 120.0, 200.0, 290.0])
@pytest.mark.parametrize("semitones", [0.0, 5.0])
def test_the_pitch_is_the_speakers_moved_by_semitones(hertz, semitones):
    speaker = dataclasses.replace(MAN, pitch=hertz)
    speech = say("a", "a", "a", speaker=speaker, prosody=dataclasses.replace(PLAIN, pitch=semitones))
    assert pitch(speech) == pytest.approx(hertz * 2 ** (semitones / 12), rel=0.04)


@pytest.mark.parametrize("vowel", list(VOWELS))
@pytest.mark.parametrize("tract", [1.0, 0.85])
def test_a_vowel_has_its_formants_shifted_by_the_length_of_the_vocal_tract(vowel, tract):
    """Linear prediction, the textbook's estimate of formants, finds the first two within a third of a tone or 70 Hz."""
    waveform = say(vowel, speaker=dataclasses.replace(MAN, pitch=90.0, tract=tract, rate=2.0)).waveform
    middle = waveform[len(waveform) // 2 - 1200 : len(waveform) // 2 + 1200].astype(float)
    emphasised = np.convolve(middle, [1, -0.95], "valid") * np.hamming(2399)
    r = np.correlate(emphasised, emphasised, "full")[2398 : 2398 + 19]
    toeplitz = r[np.abs(np.subtract.outer(np.arange(18), np.arange(18)))]
    poles = np.roots([1, *-np.linalg.solve(toeplitz + np.eye(18) * r[0] * 1e-9, r[1:19])])
    poles = poles[(poles.imag > 0) & (np.abs(poles) > 0.86)]
    found = np.angle(poles) * RATE / (2 * np.pi)
    for formant in np.array(VOWELS[vowel][:2]) / tract:
        assert np.abs(found - formant).min() < max(70.0, 0.06 * formant), (sorted(found), formant)


def test_a_faster_rate_is_shorter_and_loudness_is_in_decibels():
    slow, fast = (say("a", "i", "a", prosody=dataclasses.replace(PLAIN, rate=rate)) for rate in (0.8, 1.6))
    silence = 2 * 0.08
    assert (slow.seconds - silence) / (fast.seconds - silence) == pytest.approx(2.0, rel=0.01)
    quiet, loud = (say("a", "a", prosody=dataclasses.replace(PLAIN, loudness=db)) for db in (-6.0, 0.0))
    levels = [float(np.sqrt(np.mean(np.square(one.waveform)))) for one in (quiet, loud)]
    assert 20 * np.log10(levels[1] / levels[0]) == pytest.approx(6.0, abs=0.3)


def test_a_brighter_slope_and_more_breath_raise_the_high_frequencies():
    def share(slope: float = 0.0, breath: float = 0.001) -> float:
        prosody = dataclasses.replace(PLAIN, slope=slope, breath=breath)
        power = np.abs(np.fft.rfft(say("a", "a", prosody=prosody).waveform)) ** 2
        hertz = np.linspace(0, RATE / 2, len(power))
        return float(power[(hertz > 2_000) & (hertz < 4_000)].sum() / power[hertz < 1_000].sum())

    # Most of the two bands is the first formant, 730 Hz, and the third, 2440 Hz: 1.74 octaves apart.
    assert 10 * np.log10(share(slope=4.0) / share()) == pytest.approx(4 * 1.74, abs=1)
    assert 10 * np.log10(share(slope=-4.0) / share()) == pytest.approx(-4 * 1.74, abs=1)
    assert share(breath=3.0) > 1.5 * share()


def test_the_mouth_opens_with_the_syllables_and_wider_for_an_open_vowel():
    speech = say("i", "a")
    closed, wide = speech.syllables
    middles = [(one.begin + one.end) / 2 for one in speech.syllables]
    assert 0 < speech.mouth_opening(middles[0]) < 0.3 < 0.6 < speech.mouth_opening(middles[1]) <= 1
    for outside in (0.0, closed.begin, (closed.end + wide.begin) / 2, speech.seconds):
        assert speech.mouth_opening(outside) == 0.0
    loud = np.abs(speech.waveform) > 0.02
    assert not loud[: int(0.07 * RATE)].any(), "silence before the first syllable"


def test_equal_seeds_give_equal_samples_and_others_do_not():
    for seed, equal in ((1, True), (2, False)):
        assert np.array_equal(say("a", "i", seed=1).waveform, say("a", "i", seed=seed).waveform) is equal
    waveform = say("ae", "u", prosody=dataclasses.replace(PLAIN, loudness=25.0)).waveform
    assert np.abs(waveform).max() <= 1.0
    assert np.isfinite(waveform).all()


def test_women_speak_higher_with_a_shorter_vocal_tract():
    men, women = (
        [sample_speaker(np.random.default_rng([n, 0]), gender) for n in range(60)] for gender in ("male", "female")
    )
    assert np.mean([one.pitch for one in women]) > 1.5 * np.mean([one.pitch for one in men])
    assert np.mean([one.tract for one in women]) == pytest.approx(0.855, abs=0.02)
    assert len({one.pitch for one in men}) == 60


def prosodies(emotion: str, n: int = 120) -> np.ndarray:
    drawn = [sample_prosody(np.random.default_rng([3, n, EMOTIONS.index(emotion)]), emotion) for n in range(n)]
    return np.array([dataclasses.astuple(one) for one in drawn])


def separability(first: str, second: str) -> float:
    """Accuracy on fresh draws of the best linear rule between two emotions' prosody."""
    values = np.concatenate([prosodies(first), prosodies(second)])
    labels = np.repeat([0, 1], 120)
    even = np.arange(240) % 2 == 0
    return LinearDiscriminantAnalysis().fit(values[even], labels[even]).score(values[~even], labels[~even])


def test_the_voice_leaves_its_two_pairs_open_and_decides_those_of_the_face():
    for pair in ALIKE:
        assert 0.55 < separability(*pair) < 0.88, pair
    for pair in (("fear", "surprise"), ("angry", "disgust"), ("sad", "neutral"), ("happy", "sad")):
        assert separability(*pair) > 0.93, pair


def test_strength_scales_the_emotion_from_neutral_speech():
    means = [
        np.mean([sample_prosody(np.random.default_rng([n, 7]), "fear", strength).pitch for n in range(80)])
        for strength in (0.0, 0.5, 1.0)
    ]
    assert abs(means[0]) < 0.4
    assert means[1] - means[0] == pytest.approx(3.5, abs=0.01)
    assert means[2] - means[1] == pytest.approx(3.5, abs=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: sample_speaker(rng, "child"), "give male or female"),
        (lambda rng: sample_prosody(rng, "bored"), "give one of surprise"),
        (lambda rng: sample_prosody(rng, "sad", 2.0), "strength 2.0"),
        (lambda rng: speak(rng, MAN, PLAIN, ()), "no vowel"),
        (lambda rng: speak(rng, MAN, PLAIN, ("o",)), r"no vowel \['o'\]"),
        (lambda rng: speak(rng, MAN, PLAIN, ("a",), sample_rate=4_000), "8000 to 48000"),
        (lambda rng: speak(rng, MAN, PLAIN, ("a",), silence=-1.0), "silence -1.0"),
    ],
)
def test_wrong_arguments_are_refused_with_what_to_give(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))
