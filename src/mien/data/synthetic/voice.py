"""Synthetic voices: a source and a filter, numpy only, seeded.

The glottis gives pulses whose rate follows a pitch contour with jitter and whose strength follows the syllables with
shimmer; each pulse excites the resonances (formants) of the vowel that is being said, over a spectral slope, and breath
adds noise through the same resonances. A speaker has a pitch, a length of vocal tract, a slope and a breathiness; an
emotion moves pitch, its range and its slope over the utterance, loudness, rate, spectral slope and breath.

**What the voice leaves open.** Two pairs sound alike in a share of all utterances, ``AMBIGUOUS``: angry and happy, both
loud, high and fast (the voice tells arousal better than valence), and disgust and neutral (disgust is the emotion that
listeners recognise worst from prosody). Fear and surprise, which faces confuse, differ by ear: fear is breathy, tense
and narrow in range, surprise rises widely. ``mien.data.synthetic.clips`` says what the face leaves open; no pair is in
both, so that the two together decide what each alone cannot.

Source: ours. The source-filter model is Fant's (1960); pulses are added as damped resonances, after Rodet's FOF (1984);
formants are Peterson and Barney's (1952) means of men. Directions of the emotions' acoustic cues follow Juslin and
Laukka's review (2003), their sizes are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mien.errors import MienError
from mien.labels import EXPRESSIONS

VOWELS: dict[str, tuple[float, float, float]] = {
    "i": (270, 2290, 3010),
    "I": (390, 1990, 2550),
    "E": (530, 1840, 2480),
    "ae": (660, 1720, 2410),
    "a": (730, 1090, 2440),
    "O": (570, 840, 2410),
    "U": (440, 1020, 2240),
    "u": (300, 870, 2240),
    "V": (640, 1190, 2390),
    "3": (490, 1350, 1690),
}
"""First three formants in Hz of a man's vowels.

Source: Peterson and Barney (1952), table II.
"""

EMOTIONS: tuple[str, ...] = (*EXPRESSIONS[:7], "calm")
"""What ``sample_prosody`` knows: the seven expressions and RAVDESS' calm."""

ALIKE: tuple[tuple[str, str], ...] = (("angry", "happy"), ("disgust", "neutral"))
"""Emotions that sound alike where an utterance is ambiguous."""

AMBIGUOUS = 0.55
"""Share of the utterances of a pair in ``ALIKE`` that lie between the two: ours, an error in a quarter of them."""

_BANDWIDTHS = np.array([70.0, 100.0, 150.0, 220.0, 300.0])  # Hz, of five formants
_UPPER_FORMANTS = (3500.0, 4500.0)  # Hz, of a man, the same for all vowels
_FRAME = 0.005  # s between changes of the filter


@dataclass(frozen=True)
class Speaker:
    """A voice, apart from what it says and how.

    ``pitch`` is the median in Hz, ``tract`` divides the formants (1 for a man's 17 cm, 0.85 for a woman's), ``slope``
    is the spectral slope in dB per octave above 500 Hz, ``breath`` the level of noise beside the pulses (0.01 is 20 dB
    below a man's), ``jitter`` the relative spread of the periods, ``rate`` syllables per second.
    """

    pitch: float
    tract: float
    slope: float
    breath: float
    jitter: float
    rate: float


@dataclass(frozen=True)
class Prosody:
    """How something is said, relative to the speaker's own way.

    ``pitch``, ``pitch_range`` (spread of the accents) and ``pitch_rise`` (over the utterance) are in semitones,
    ``loudness`` in dB, ``rate`` a factor, ``slope`` in dB per octave (positive is brighter), ``breath`` and ``jitter``
    factors, ``tremor`` in semitones.
    """

    pitch: float = 0.0
    pitch_range: float = 1.5
    pitch_rise: float = -1.5
    loudness: float = 0.0
    rate: float = 1.0
    slope: float = 0.0
    breath: float = 1.0
    jitter: float = 1.0
    tremor: float = 0.0


_PROSODY = {
    "neutral": Prosody(),
    "calm": Prosody(-1.0, 1.2, -2.0, -4.0, 0.88, -1.5, 1.4, 0.9),
    "happy": Prosody(5.0, 4.5, 0.5, 5.0, 1.18, 2.0, 0.8, 1.0),
    "angry": Prosody(4.0, 3.5, -2.5, 8.0, 1.22, 4.0, 0.5, 1.6),
    "sad": Prosody(-2.5, 0.8, -3.5, -8.0, 0.74, -4.0, 2.2, 1.4),
    "fear": Prosody(7.0, 1.2, 0.0, -2.0, 1.28, 0.5, 2.6, 2.4, 0.7),
    "surprise": Prosody(6.0, 4.0, 7.0, 3.0, 1.05, 1.0, 1.2, 1.0),
    "disgust": Prosody(-2.0, 2.2, -3.0, 0.5, 0.80, 0.5, 1.0, 2.2),
}
# One person differs from another, and from the last time, by about this much.
_SPREAD = Prosody(1.3, 0.6, 1.2, 2.2, 0.07, 0.9, 0.25, 0.25, 0.15)


@dataclass(frozen=True)
class Syllable:
    """One syllable: vowel, begin and end in seconds, stress in [0, 1]."""

    vowel: str
    begin: float
    end: float
    stress: float


@dataclass(frozen=True, eq=False)
class Speech:
    """An utterance: ``waveform`` (N,) float32 within -1 to 1 at ``sample_rate`` Hz, and when each syllable is said."""

    waveform: np.ndarray
    sample_rate: int
    syllables: tuple[Syllable, ...]

    @property
    def seconds(self) -> float:
        """Duration, silences included."""
        return len(self.waveform) / self.sample_rate

    def mouth_opening(self, time: float) -> float:
        """How far the jaw is open at a time in seconds, 0 to 1: wider for open vowels, closed between syllables.

        Source: ours: the first formant rises with the opening of the jaw.
        """
        opening = 0.0
        for syllable in self.syllables:
            share = (time - syllable.begin) / (syllable.end - syllable.begin)
            if 0.0 < share < 1.0:
                wide = (VOWELS[syllable.vowel][0] - 220.0) / 520.0
                opening = max(opening, wide * (0.7 + 0.3 * syllable.stress) * float(np.sin(np.pi * share)) ** 0.7)
        return opening


def sample_speaker(rng: np.random.Generator, gender: str) -> Speaker:
    """Draw a voice.

    Args:
        rng: The source of all randomness.
        gender: ``male`` or ``female``.

    Raises:
        MienError: Another gender.
    """
    if gender not in ("male", "female"):
        raise MienError(f"no gender {gender!r}, in sample_speaker: give male or female.")
    female = gender == "female"
    semitones = float(np.clip(rng.normal(0.0, 2.2), -4.5, 4.5))
    return Speaker(
        pitch=(198.0 if female else 112.0) * 2.0 ** (semitones / 12.0),
        tract=float(np.clip(rng.normal(0.855 if female else 1.0, 0.03), 0.76, 1.1)),
        slope=float(rng.normal(-7.0 if female else -6.0, 1.2)),
        breath=float(rng.uniform(0.004, 0.014) * (1.3 if female else 1.0)),
        jitter=float(rng.uniform(0.004, 0.011)),
        rate=float(rng.normal(4.8, 0.35)),
    )


def sample_prosody(rng: np.random.Generator, emotion: str, strength: float = 1.0) -> Prosody:
    """Draw how one person says something in an emotion once.

    Args:
        rng: The source of all randomness.
        emotion: One of ``EMOTIONS``.
        strength: 0 says it neutrally, 1 as usual, up to 1.5.

    Raises:
        MienError: The emotion is unknown or ``strength`` out of range.
    """
    if emotion not in EMOTIONS:
        raise MienError(f"no emotion {emotion!r}, in sample_prosody: give one of {', '.join(EMOTIONS)}.")
    if not 0.0 <= strength <= 1.5:
        raise MienError(f"strength {strength} is out of range, in sample_prosody: give 0 to 1.5.")
    aim = _vector(_PROSODY[emotion])
    ambiguous, weight = rng.random() < AMBIGUOUS, rng.uniform(0.4, 0.6)
    for pair in ALIKE:
        if ambiguous and emotion in pair:
            first, second = (_vector(_PROSODY[one]) for one in pair)
            aim = (1.0 - weight) * first + weight * second
    neutral = _vector(_PROSODY["neutral"])
    sampled = neutral + strength * (aim - neutral) + _vector(_SPREAD) * np.clip(rng.normal(size=len(aim)), -2.5, 2.5)
    values = dict(zip((field.name for field in fields(Prosody)), sampled.tolist(), strict=True))
    floors = {"pitch_range": 0.2, "rate": 0.5, "breath": 0.2, "jitter": 0.3, "tremor": 0.0}
    return Prosody(**{name: max(value, floors.get(name, -np.inf)) for name, value in values.items()})


def speak(
    rng: np.random.Generator,
    speaker: Speaker,
    prosody: Prosody,
    vowels: tuple[str, ...],
    *,
    sample_rate: int = 16_000,
    silence: float = 0.08,
) -> Speech:
    """Say a row of syllables.

    Args:
        rng: The source of all randomness.
        speaker: Whose voice.
        prosody: How.
        vowels: One of ``VOWELS`` per syllable.
        sample_rate: In Hz, 8,000 to 48,000.
        silence: Seconds before and after.

    Raises:
        MienError: No or an unknown vowel, or ``sample_rate`` or ``silence`` out of range.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> speech = speak(rng, sample_speaker(rng, "male"), Prosody(), ("a", "i"))
        >>> speech.waveform.dtype, len(speech.syllables)
        (dtype('float32'), 2)
    """
    unknown = [vowel for vowel in vowels if vowel not in VOWELS]
    if unknown or not vowels:
        raise MienError(f"no vowel {unknown[:1] or 'at all'}, in speak: give some of {', '.join(VOWELS)}.")
    if not 8_000 <= sample_rate <= 48_000:
        raise MienError(f"sample_rate {sample_rate} is out of range, in speak: give 8000 to 48000 Hz.")
    if not 0.0 <= silence <= 5.0:
        raise MienError(f"silence {silence} is out of range, in speak: give 0 to 5 seconds.")
    syllables = _syllables(rng, speaker, prosody, vowels, silence)
    seconds = syllables[-1].end + silence
    times = np.arange(int(np.ceil(seconds / _FRAME)) + 1) * _FRAME
    pitch, level, formants = _contours(rng, speaker, prosody, syllables, times)
    tract = _tract(formants, sample_rate)
    waveform = np.zeros(round(seconds * sample_rate) + 2 * (tract.shape[1] - 1))
    voiced = tract * _glottis(speaker.slope + prosody.slope, tract.shape[1], sample_rate)
    _add_pulses(rng, waveform, voiced, pitch, level, speaker.jitter * prosody.jitter, sample_rate)
    _add_breath(rng, waveform, tract, level * speaker.breath * prosody.breath, sample_rate)
    waveform = waveform[: round(seconds * sample_rate)]
    loud = 0.06 * 10.0 ** (prosody.loudness / 20.0)
    voiced = np.sqrt(np.mean(np.square(waveform))) + 1e-9
    waveform = waveform * (loud / voiced) + rng.normal(0.0, 3e-4, len(waveform))  # the room's own noise
    return Speech(_limited(waveform).astype(np.float32), sample_rate, syllables)


def _limited(waveform: np.ndarray) -> np.ndarray:
    """Bend what is louder than 0.7 so that it stays below 1; a bend of quieter sound would be heard as brightness."""
    over = np.maximum(np.abs(waveform) - 0.7, 0.0)
    return np.where(over > 0.0, np.sign(waveform) * (0.7 + 0.3 * np.tanh(over / 0.3)), waveform)


def _vector(prosody: Prosody) -> np.ndarray:
    return np.array([getattr(prosody, field.name) for field in fields(Prosody)])


def _syllables(
    rng: np.random.Generator, speaker: Speaker, prosody: Prosody, vowels: tuple[str, ...], silence: float
) -> tuple[Syllable, ...]:
    mean = 1.0 / (speaker.rate * prosody.rate)
    stress = np.where(np.arange(len(vowels)) % 2 == 0, 1.0, 0.45) + rng.uniform(-0.15, 0.0, len(vowels))
    durations = mean * (0.75 + 0.35 * stress) * rng.uniform(0.9, 1.1, len(vowels))
    durations[-1] *= 1.25  # the last is drawn out
    ends = silence + np.cumsum(durations)
    begins = ends - durations
    gap = 0.16 * durations  # the consonant before the vowel
    return tuple(
        Syllable(vowel, float(begin), float(end), float(part))
        for vowel, begin, end, part in zip(vowels, begins + gap, ends, stress, strict=True)
    )


def _contours(
    rng: np.random.Generator, speaker: Speaker, prosody: Prosody, syllables: tuple[Syllable, ...], times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pitch in Hz (T,), level (T,) in [0, 1] and formants in Hz (T, 5) over time."""
    centres = np.array([(one.begin + one.end) / 2 for one in syllables])
    accents = prosody.pitch_range * (
        np.array([one.stress for one in syllables]) - 0.6 + rng.normal(0, 0.25, len(centres))
    )
    span = max(times[-1], 1e-3)
    semitones = prosody.pitch + prosody.pitch_rise * (times / span - 0.5) + np.interp(times, centres, accents)
    semitones = semitones + prosody.tremor * np.sin(2 * np.pi * rng.uniform(5.0, 7.0) * times + rng.uniform(0, 6.28))
    pitch = speaker.pitch * 2.0 ** (semitones / 12.0)
    level = np.zeros_like(times)
    for one in syllables:
        share = np.clip((times - one.begin) / (one.end - one.begin), 0.0, 1.0)
        level = np.maximum(level, (0.65 + 0.35 * one.stress) * np.sin(np.pi * share) ** 0.5)
    table = np.array([(*VOWELS[one.vowel], *_UPPER_FORMANTS) for one in syllables]) / speaker.tract
    formants = np.stack([np.interp(times, centres, table[:, k]) for k in range(table.shape[1])], axis=1)
    return np.clip(pitch, 50.0, 900.0), level, formants


def _tract(formants: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the transfer function (T, F) complex of the resonances and the lips at each moment."""
    size = 1 << int(np.ceil(np.log2(0.03 * sample_rate)))  # 30 ms: a resonance has rung out
    frequency = np.fft.rfftfreq(size, 1.0 / sample_rate)
    s = 2j * np.pi * frequency
    response = np.ones((len(formants), len(frequency)), np.complex128)
    for centre, width in zip(formants.T, _BANDWIDTHS, strict=True):
        pole = -np.pi * width + 2j * np.pi * centre[:, None]
        response *= np.abs(pole) ** 2 / ((s - pole) * (s - pole.conj()))
    return response * (frequency / (frequency - 60.0j))  # no sound at zero frequency leaves the lips


def _glottis(slope: float, num_frequencies: int, sample_rate: int) -> np.ndarray:
    """Return the spectrum (F,) of a pulse that falls by ``slope`` dB per octave above 500 Hz."""
    frequency = np.linspace(0.0, sample_rate / 2, num_frequencies)
    octaves = np.log2(np.maximum(frequency, 500.0) / 500.0)
    return _minimum_phase(slope * octaves * np.log(10.0) / 20.0)


def _minimum_phase(log_magnitude: np.ndarray) -> np.ndarray:
    """Return the spectrum (F,) of that magnitude whose energy comes first, so that nothing sounds before its pulse.

    Source: the textbook's way through the cepstrum, folded onto positive times.
    """
    cepstrum = np.fft.irfft(log_magnitude)
    half = len(cepstrum) // 2
    cepstrum[1:half] *= 2.0
    cepstrum[half + 1 :] = 0.0
    return np.exp(np.fft.rfft(cepstrum))


def _add_pulses(
    rng: np.random.Generator,
    waveform: np.ndarray,
    filters: np.ndarray,
    pitch: np.ndarray,
    level: np.ndarray,
    jitter: float,
    sample_rate: int,
) -> None:
    """Add one damped response per glottal pulse, at its exact time."""
    size = 2 * (filters.shape[1] - 1)
    turn = -2j * np.pi * np.arange(filters.shape[1]) / size
    time, last = 0.0, (len(level) - 1) * _FRAME
    while time < last:
        moment = int(time / _FRAME)
        period = (1.0 + jitter * float(np.clip(rng.normal(), -3, 3))) / pitch[moment]
        strength = level[moment] * (1.0 + 4.0 * jitter * float(np.clip(rng.normal(), -3, 3)))
        if level[moment] > 0.02:
            start = time * sample_rate
            whole = int(start)
            spectrum = filters[moment] * np.exp(turn * (start - whole))
            waveform[whole : whole + size] += strength * np.fft.irfft(spectrum, size)
        time += period


def _add_breath(
    rng: np.random.Generator, waveform: np.ndarray, filters: np.ndarray, level: np.ndarray, sample_rate: int
) -> None:
    """Add noise, flat before the resonances, in windows that overlap by half."""
    size = 2 * (filters.shape[1] - 1)
    window = np.hanning(size // 2 + 1)[:-1]
    hop = size // 4
    for start in range(0, len(waveform) - 2 * size, hop):
        moment = min(int(start / sample_rate / _FRAME), len(level) - 1)
        noise = rng.normal(size=size // 2) * window * np.sqrt(16_000 / sample_rate)  # as loud at any rate
        spectrum = np.fft.rfft(noise, size) * filters[moment]
        waveform[start : start + size] += level[moment] * np.fft.irfft(spectrum, size)
