"""eGeMAPS by openSMILE: 88 numbers of any sound, the same each time; what is missing is said."""

import socket
import sys

import numpy as np
import pytest

from mien.data.egemaps import NUM_EGEMAPS, check_opensmile, egemaps_extractor, egemaps_functionals
from mien.data.synthetic_voice import Prosody, sample_speaker, speak

RATE = 16_000


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


def test_sixteen_bits_are_the_same_as_floats_of_full_scale_one(extractor):
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
def test_what_is_no_waveform_is_refused(extractor, wave, message):
    with pytest.raises(ValueError, match=message):
        egemaps_functionals(wave, RATE, extractor)


def test_without_opensmile_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    for requested in (check_opensmile, egemaps_extractor):
        with pytest.raises(ValueError, match=r"opensmile, which is not installed.*pip install 'mien\[opensmile\]'"):
            requested()
