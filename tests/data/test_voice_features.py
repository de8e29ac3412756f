"""Sound in numbers: pure tones have their pitch, bursts their rate, silence its length; broken input is refused.

eGeMAPS by openSMILE: 88 numbers of any sound, the same each time; what is missing is said.
"""

import socket
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.synthetic.voice import Prosody, sample_speaker, speak
from mien.data.voice_features import (
    CONTOURS,
    NUM_EGEMAPS,
    PROSODY,
    check_opensmile,
    egemaps_extractor,
    egemaps_functionals,
    functionals,
    mel_filters,
    prosody_vector,
    voice_contours,
)

RATE = 16_000
PITCH, ENERGY = -3 + CONTOURS.index("pitch"), -3 + CONTOURS.index("energy")


def tone(frequency: float, seconds: float = 1.0, level: float = 0.3) -> np.ndarray:
    """A buzz with the first ten harmonics, as a voice has them."""
    times = np.arange(round(seconds * RATE)) / RATE
    harmonics = [np.sin(2 * np.pi * frequency * k * times) / k for k in range(1, 11) if frequency * k < RATE / 2]
    wave = np.sum(harmonics, axis=0)
    return (level * wave / np.abs(wave).max()).astype(np.float32)


def reported(sound: np.ndarray, name: str) -> float:
    return float(prosody_vector(sound)[PROSODY.index(name)])


@given(frequency=st.floats(70, 480))
@settings(max_examples=15, deadline=None)
def test_the_pitch_of_a_buzz_is_its_own(frequency):
    sound = voice_contours(tone(frequency), RATE)
    expected = 12 * np.log2(frequency / 55)
    assert reported(sound, "pitch_median") == pytest.approx(expected, abs=0.6), "lags are whole samples"
    assert reported(sound, "voiced_share") > 0.9


def test_there_are_a_hundred_steps_a_second_with_bands_and_contours():
    sound = voice_contours(tone(200, 0.75), RATE, num_mels=40)
    assert sound.shape == (75, 43)
    assert sound.dtype == np.float32
    assert functionals(sound).shape == (len(PROSODY) + 80,)


def test_ten_times_the_amplitude_is_twenty_decibels_and_twice_the_log_of_ten():
    quiet, loud = (voice_contours(tone(150, level=level), RATE) for level in (0.05, 0.5))
    middle = slice(20, 80)
    np.testing.assert_allclose(loud[middle, ENERGY] - quiet[middle, ENERGY], 20, atol=1e-3)
    np.testing.assert_allclose((loud - quiet)[middle, :20], 2 * np.log(10), atol=0.02)


def test_sixteen_bits_are_the_same_as_floats_of_full_scale_one():
    wave = tone(120)
    as_int = np.rint(wave * 32768).astype(np.int16)
    np.testing.assert_allclose(
        voice_contours(as_int, RATE)[:, ENERGY], voice_contours(wave, RATE)[:, ENERGY], atol=0.01
    )


def test_noise_is_not_voiced():
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    assert reported(voice_contours(noise, RATE), "voiced_share") < 0.1


def test_four_bursts_in_two_seconds_are_two_a_second_with_a_pause_of_their_length():
    wave = np.zeros(2 * RATE, np.float32)
    for start in (0.1, 0.6, 1.1, 1.6):
        wave[round(start * RATE) : round((start + 0.25) * RATE)] = tone(150, 0.25)
    sound = voice_contours(wave, RATE)
    assert reported(sound, "syllable_rate") == pytest.approx(2)
    assert reported(sound, "longest_pause") == pytest.approx(0.25, abs=0.06)
    assert reported(sound, "pause_share") == pytest.approx(0.75 / 1.75, abs=0.08)


def test_a_filter_peaks_at_one_and_each_frequency_between_two_is_shared_by_both():
    filters = mel_filters(20, 2049, RATE).numpy()
    assert filters.max(axis=1) == pytest.approx(np.ones(20), abs=0.1)
    inside = filters.argmax(axis=1)
    np.testing.assert_allclose(filters[:, inside[0] : inside[-1]].sum(axis=0), 1, atol=1e-5)


def test_a_drawn_angry_voice_is_louder_higher_and_brighter_than_its_neutral_one():
    rng = np.random.default_rng(0)
    speaker = sample_speaker(rng, "male")
    neutral, angry = (
        voice_contours(speak(np.random.default_rng(1), speaker, prosody, ("a", "i", "u", "E")).waveform, RATE)
        for prosody in (Prosody(), Prosody(4.0, 3.5, -2.5, 8.0, 1.22, 4.0, 0.5, 1.6))
    )
    for name in ("energy_mean", "pitch_median", "brightness", "syllable_rate"):
        assert reported(angry, name) > reported(neutral, name), name


@pytest.mark.parametrize("length", [1, 10, 399, 640])
def test_a_sound_shorter_than_a_window_has_finite_numbers(length):
    sound = voice_contours(np.full(length, 0.1, np.float32), RATE)
    assert len(sound) >= 1
    assert np.isfinite(functionals(sound)).all()


def test_silence_has_finite_numbers():
    assert np.isfinite(functionals(voice_contours(np.zeros(RATE, np.int16), RATE))).all()


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (np.zeros(0, np.float32), r"shape \(0,\) has no sound: give mono"),
        (np.zeros((2, 9), np.float32), r"shape \(2, 9\) has no sound"),
        (np.array([0.0, np.nan], np.float32), "no numbers: read it by mien.data.audio"),
    ],
)
def test_what_is_no_waveform_is_refused(wave, message):
    with pytest.raises(ValueError, match=message):
        voice_contours(wave, RATE)


@pytest.fixture(scope="module")
def extractor():
    pytest.importorskip("opensmile", reason="the extra opensmile is not installed")
    return egemaps_extractor()


def buzz(frequency: float, seconds: float = 1.0, level: float = 0.3) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    wave = np.sum([np.sin(2 * np.pi * frequency * k * times) / k for k in range(1, 11)], axis=0)
    return (level * wave / np.abs(wave).max()).astype(np.float32)


def test_the_numbers_are_those_that_opensmile_names_in_its_order(extractor):
    reported = dict(zip(extractor.feature_names, egemaps_functionals(buzz(220), RATE, extractor), strict=True))
    assert len(reported) == NUM_EGEMAPS
    assert reported["F0semitoneFrom27.5Hz_sma3nz_amean"] == pytest.approx(36, abs=0.1), "220 Hz are three octaves above"
    louder = dict(zip(extractor.feature_names, egemaps_functionals(buzz(220, level=0.6), RATE, extractor), strict=True))
    level = "equivalentSoundLevel_dBp"
    assert louder[level] - reported[level] == pytest.approx(20 * np.log10(2), abs=0.01)


def test_a_drawn_voice_gives_the_same_numbers_by_any_extractor(extractor):
    rng = np.random.default_rng(0)
    waveform = speak(rng, sample_speaker(rng, "female"), Prosody(), ("a", "i", "u", "E")).waveform
    first = egemaps_functionals(waveform, RATE, extractor)
    egemaps_functionals(buzz(100), RATE, extractor)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, egemaps_functionals(waveform, RATE, extractor))
    np.testing.assert_array_equal(first, egemaps_functionals(waveform, RATE, egemaps_extractor()))


def test_functionals_of_sixteen_bits_are_those_of_floats_of_full_scale_one(extractor):
    as_int = np.rint(buzz(120) * 32768).astype(np.int16)
    expected = egemaps_functionals(as_int / 32768, RATE, extractor)
    np.testing.assert_array_equal(egemaps_functionals(as_int, RATE, extractor), expected)


@pytest.mark.parametrize("length", [1, 959, RATE])
@pytest.mark.parametrize("level", [0.0, 0.1])
def test_silence_and_sounds_shorter_than_a_window_have_finite_numbers(extractor, length, level):
    found = egemaps_functionals(np.full(length, level, np.float32), RATE, extractor)
    assert found.shape == (NUM_EGEMAPS,)
    assert np.isfinite(found).all()


def test_the_packages_python_opens_no_connection(extractor, monkeypatch):
    def refuse(*_: object) -> None:
        raise ConnectionError("a connection was requested")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert np.isfinite(egemaps_functionals(buzz(150), RATE, egemaps_extractor())).all()


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (np.zeros(0, np.float32), r"shape \(0,\) has no sound: give mono"),
        (np.zeros((2, 9), np.float32), r"shape \(2, 9\) has no sound"),
        (np.array([0.0, np.nan], np.float32), "no numbers: read it by mien.data.audio"),
    ],
)
def test_functionals_of_what_is_no_waveform_are_refused(extractor, wave, message):
    with pytest.raises(ValueError, match=message):
        egemaps_functionals(wave, RATE, extractor)


def test_without_opensmile_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    for requested in (check_opensmile, egemaps_extractor):
        with pytest.raises(ValueError, match=r"opensmile, which is not installed.*pip install 'mien\[opensmile\]'"):
            requested()
