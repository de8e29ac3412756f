"""What a voice network hears: the log-mel spectrogram, contours of pitch and energy, and one vector of prosody.

```
sound = voice_contours(waveform, sample_rate)   (T, num_mels + 3): log-mel, pitch, harmonicity, energy, 100 a second
prosody_vector(sound)                           (19,): pitch, energy, rate, pauses of the whole utterance
functionals(sound)                              (19 + 2 num_mels,): those, and mean and deviation of each mel band
```

Source: ours, by the textbook: triangular filters on HTK's mel scale over torch's short-time Fourier transform, pitch
from the normalised autocorrelation (Boersma 1993), syllables as peaks of the intensity (after de Jong and Wempe 2009).
Which prosody tells emotions apart: Juslin and Laukka 2003. The extended Geneva minimalistic
acoustic parameter set (eGeMAPS), computed by audEERING's openSMILE: Eyben et al., The Geneva Minimalistic Acoustic
Parameter Set (GeMAPS) for Voice Research and Affective Computing, IEEE Transactions on Affective Computing 7(2), 2016;
version 02 of openSMILE's configuration, which its package ships.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from mien.errors import MienError

if TYPE_CHECKING:
    import opensmile

WINDOW_SECONDS = 0.025
"""Of the spectrogram. Source: the usual of speech recognition, as Kaldi's and HTK's."""

HOP_SECONDS = 0.01
"""Between two steps. Source: likewise."""

PITCH_SECONDS = 0.04
"""Window of the pitch: more than two periods of the lowest. Source: ours."""

PITCH_RANGE = (60.0, 500.0)
"""Hz, from low men's voices to excited women's. Source: ours."""

CONTOURS: tuple[str, ...] = ("pitch", "harmonicity", "energy")
"""Columns behind the mel bands: semitones above 55 Hz, 0 where unvoiced; peak of autocorrelation; dB of full scale."""

PROSODY: tuple[str, ...] = (
    "pitch_median",
    "pitch_sd",
    "pitch_low",
    "pitch_high",
    "pitch_slope",
    "pitch_end",
    "pitch_change",
    "voiced_share",
    "harmonicity",
    "energy_mean",
    "energy_sd",
    "energy_low",
    "energy_high",
    "brightness",
    "tilt",
    "syllable_rate",
    "pause_share",
    "longest_pause",
    "seconds",
)
"""Entries of ``prosody_vector``; pitch in semitones, energy in dB, rate per second, pauses in seconds."""

_VOICED = 0.45  # of the normalised autocorrelation's peak: Boersma's default
_SHORTER = 0.88  # a peak this high at a shorter lag is preferred: the longer is a multiple of the period
_FLOOR = 1e-10  # power of silence, 100 dB below full scale
_QUIET_DB = 25.0  # below the loudest step: Praat's threshold of silence
_PEAK_DB = 2.0  # by which a syllable's loudest moment stands out


def voice_contours(waveform: np.ndarray, sample_rate: int, num_mels: int = 64) -> np.ndarray:
    """Compute log-mel bands and contours, step by step.

    Args:
        waveform: (N,) int16, or floats of full scale 1. One shorter than a window is padded with silence.
        sample_rate: In Hz.
        num_mels: Bands between 50 Hz and half the sample rate.

    Returns:
        (T, num_mels + 3) float32, T 100 a second: natural logarithm of each band's power, then ``CONTOURS``.

    Raises:
        MienError: The waveform is empty, of more than one channel, or not finite.
    """
    samples = torch.from_numpy(full_scale_samples(waveform))
    hop = round(HOP_SECONDS * sample_rate)
    T = max(1, len(samples) // hop)
    power = _power(samples, sample_rate, T, hop)  # (T, F)
    bands = torch.log(power @ mel_filters(num_mels, power.shape[1], sample_rate).double().T + _FLOOR)
    pitch, harmonicity, energy = _pitch(samples, sample_rate, T, hop)
    semitones = torch.where(pitch > 0, 12 * torch.log2(pitch.clamp(min=55.0) / 55.0), 0.0)
    return torch.cat([bands, semitones[:, None], harmonicity[:, None], energy[:, None]], dim=1).float().numpy()


def full_scale_samples(waveform: np.ndarray) -> np.ndarray:
    """Samples (N,) float64 of full scale 1.

    Args:
        waveform: (N,) int16, or floats of full scale 1.

    Raises:
        MienError: The waveform is empty, of more than one channel, or not finite.
    """
    if waveform.ndim != 1 or len(waveform) == 0:
        raise MienError(f"A waveform of shape {waveform.shape} has no sound: give mono samples (N,), at least one.")
    scale = 32768.0 if waveform.dtype == np.int16 else 1.0
    samples = waveform.astype(np.float64) / scale
    if not np.isfinite(samples).all():
        raise MienError("A waveform has samples that are no numbers: read it by mien.data.audio, which says which.")
    return samples


def mel_filters(num_mels: int, num_frequencies: int, sample_rate: int) -> torch.Tensor:
    """Triangular filters (num_mels, num_frequencies), evenly spaced on the mel scale from 50 Hz to half the rate.

    Source: O'Shaughnessy's formula, as HTK: m = 2595 log10(1 + f / 700).
    """
    top = 2595 * np.log10(1 + sample_rate / 2 / 700)
    mels = np.linspace(2595 * np.log10(1 + 50 / 700), top, num_mels + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    frequencies = np.linspace(0, sample_rate / 2, num_frequencies)
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    return torch.from_numpy(np.maximum(np.minimum(rising, falling), 0)).float()


def prosody_vector(sound: np.ndarray) -> np.ndarray:
    """Sum an utterance up in the quantities of ``PROSODY``.

    Args:
        sound: (T, num_mels + 3) of ``voice_contours``.

    Returns:
        (19,) float32; quantities of pitch are 0 where nothing is voiced.
    """
    bands, (pitch, harmonicity, energy) = sound[:, :-3].astype(np.float64), sound[:, -3:].T.astype(np.float64)
    seconds = len(sound) * HOP_SECONDS
    spoken = energy > energy.max() - _QUIET_DB
    voiced = (pitch > 0) & spoken
    tone, times = pitch[voiced], np.flatnonzero(voiced) * HOP_SECONDS
    if len(tone) > 1:
        slope = float(np.polyfit(times, tone, 1)[0])
        late = tone[times >= times[0] + 0.75 * (times[-1] - times[0])]
        tones = [np.median(tone), tone.std(), *np.percentile(tone, [10, 90]), slope]
        tones += [late.mean() - np.median(tone), np.abs(np.diff(tone)).mean()]
    else:
        tones = [0.0] * 7
    loud = energy[spoken]
    shares = np.exp(bands[spoken]) / np.exp(bands[spoken]).sum(axis=1, keepdims=True)
    places = np.linspace(0, 1, bands.shape[1])
    between = np.flatnonzero(spoken)
    inner = spoken[between[0] : between[-1] + 1]
    half = bands.shape[1] // 2
    values = [
        *tones,
        voiced.mean(),
        harmonicity[spoken].mean(),
        loud.mean(),
        loud.std(),
        *np.percentile(loud, [10, 90]),
        (shares @ places).mean(),
        bands[spoken, half:].mean() - bands[spoken, :half].mean(),
        _syllables(energy) / seconds,
        1 - inner.mean(),
        _longest(~inner) * HOP_SECONDS,
        seconds,
    ]
    return np.array(values, np.float32)


def functionals(sound: np.ndarray) -> np.ndarray:
    """``prosody_vector``, and mean and standard deviation of each mel band: what a linear classifier takes.

    Args:
        sound: (T, num_mels + 3) of ``voice_contours``.

    Returns:
        (19 + 2 num_mels,) float32.
    """
    bands = sound[:, :-3]
    return np.concatenate([prosody_vector(sound), bands.mean(axis=0), bands.std(axis=0)]).astype(np.float32)


def _power(samples: torch.Tensor, sample_rate: int, T: int, hop: int) -> torch.Tensor:
    """Power spectrum (T, F) of windows centred on every hop."""
    window = round(WINDOW_SECONDS * sample_rate)
    size = 1 << (window - 1).bit_length()
    padded = torch.nn.functional.pad(samples, (0, max(0, size - len(samples))))
    hann = torch.hann_window(window, dtype=samples.dtype)
    spectrum = torch.stft(
        padded, size, hop, window, hann, center=True, pad_mode="constant", normalized=False, return_complex=True
    )
    return (spectrum.abs().T[:T] ** 2) / hann.square().sum()


def _pitch(
    samples: torch.Tensor, sample_rate: int, T: int, hop: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pitch in Hz, 0 where unvoiced, peak of the normalised autocorrelation, and energy in dB, (T,) each."""
    width = round(PITCH_SECONDS * sample_rate)
    padded = torch.nn.functional.pad(samples, (width // 2, width + hop))
    frames = padded.unfold(0, width, hop)[:T]
    energy = 10 * torch.log10(frames.square().mean(dim=1) + _FLOOR)
    hann = torch.hann_window(width, periodic=False, dtype=samples.dtype)
    # The window's own autocorrelation is divided out, else long lags would always lose.
    own = _autocorrelation(hann[None])[0]
    windowed = (frames - frames.mean(dim=1, keepdim=True)) * hann
    correlation = _autocorrelation(windowed)
    correlation = correlation / (correlation[:, :1] + _FLOOR) / (own / own[0]).clamp(min=0.05)
    lags = torch.arange(correlation.shape[1])
    allowed = (lags >= sample_rate / PITCH_RANGE[1]) & (lags <= sample_rate / PITCH_RANGE[0])
    peaks = torch.where(allowed, correlation, -1.0)
    best = peaks.max(dim=1).values
    local = torch.zeros_like(peaks, dtype=torch.bool)
    local[:, 1:-1] = (peaks[:, 1:-1] >= correlation[:, :-2]) & (peaks[:, 1:-1] >= correlation[:, 2:])
    candidates = local & (peaks >= _SHORTER * best[:, None])
    first = torch.where(candidates.any(dim=1), candidates.int().argmax(dim=1), peaks.argmax(dim=1))
    voiced = (best > _VOICED) & (energy > energy.max() - _QUIET_DB)
    return torch.where(voiced, sample_rate / first.clamp(min=1), 0.0), best.clamp(0, 1), energy


def _autocorrelation(frames: torch.Tensor) -> torch.Tensor:
    """Of each row (n, W), by its spectrum: (n, W // 2 + 1)."""
    width = frames.shape[1]
    spectrum = torch.fft.rfft(frames, 2 * width)
    return torch.fft.irfft(spectrum.abs().square(), 2 * width)[:, : width // 2 + 1]


def _syllables(energy: np.ndarray) -> int:
    """Peaks of the smoothed intensity that stand out from the valleys beside them."""
    from scipy.signal import find_peaks

    smooth = np.convolve(np.pad(energy, 3, mode="edge"), np.ones(7) / 7, mode="valid")
    peaks, _ = find_peaks(smooth, prominence=_PEAK_DB, height=energy.max() - _QUIET_DB)
    return len(peaks)


def _longest(flags: np.ndarray) -> int:
    """Length of the longest run of true flags (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


NUM_EGEMAPS = 88
"""Functionals of eGeMAPSv02. Source: Eyben et al. 2016, section 3."""

_LEAST_SECONDS = 0.06  # the window of its pitch: openSMILE gives no numbers for less


def check_opensmile() -> None:
    """Look whether openSMILE is there.

    Raises:
        MienError: The package ``opensmile`` is not installed.
    """
    _opensmile_package()


def egemaps_extractor() -> opensmile.Smile:
    """openSMILE, set up for the functionals of eGeMAPSv02; one serves any number of utterances.

    Raises:
        MienError: The package ``opensmile`` is not installed.
    """
    package = _opensmile_package()
    return package.Smile(
        feature_set=package.FeatureSet.eGeMAPSv02, feature_level=package.FeatureLevel.Functionals, num_workers=1
    )


def egemaps_functionals(waveform: np.ndarray, sample_rate: int, extractor: opensmile.Smile) -> np.ndarray:
    """Sum an utterance up in the 88 functionals of eGeMAPSv02.

    Args:
        waveform: (N,) int16, or floats of full scale 1. One shorter than 60 ms is padded with silence.
        sample_rate: In Hz.
        extractor: Of ``egemaps_extractor``.

    Returns:
        (88,) float32, in openSMILE's order and units.

    Raises:
        MienError: The waveform is empty, of more than one channel, or not finite.
    """
    samples = full_scale_samples(waveform).astype(np.float32)
    padding = max(0, int(np.ceil(_LEAST_SECONDS * sample_rate)) - len(samples))
    found = extractor.process_signal(np.pad(samples, (0, padding)), sample_rate)
    return found.to_numpy(np.float32)[0]


def _opensmile_package():  # type: ignore[no-untyped-def]  # a module of a package that may be missing
    try:
        import opensmile
    except ImportError as error:
        raise MienError(
            "eGeMAPS functionals are computed by the package opensmile, which is not installed here. Install it with: "
            "pip install 'mien[opensmile]', or set functionals to prosody_and_bands, which needs nothing."
        ) from error
    return opensmile
