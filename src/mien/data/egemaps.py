"""The extended Geneva minimalistic acoustic parameter set of an utterance, by audEERING's openSMILE.

Source: Eyben et al., The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research and Affective
Computing, IEEE Transactions on Affective Computing 7(2), 2016; version 02 of openSMILE's configuration, which its
package ships.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mien.data.voice_features import full_scale_samples

if TYPE_CHECKING:
    import opensmile

NUM_EGEMAPS = 88
"""Functionals of eGeMAPSv02. Source: Eyben et al. 2016, section 3."""

_LEAST_SECONDS = 0.06  # the window of its pitch: openSMILE gives no numbers for less


def check_opensmile() -> None:
    """Look whether openSMILE is there.

    Raises:
        ValueError: The package ``opensmile`` is not installed.
    """
    _opensmile_package()


def egemaps_extractor() -> opensmile.Smile:
    """openSMILE, set up for the functionals of eGeMAPSv02; one serves any number of utterances.

    Raises:
        ValueError: The package ``opensmile`` is not installed.
    """
    package = _opensmile_package()
    return package.Smile(
        feature_set=package.FeatureSet.eGeMAPSv02, feature_level=package.FeatureLevel.Functionals, num_workers=1
    )


def egemaps_functionals(waveform: np.ndarray, sample_rate: int, extractor: opensmile.Smile) -> np.ndarray:
    """Sum an utterance up in the 88 functionals of eGeMAPSv02.

    Args:
        waveform: (N,) int16, or floats of full scale 1. One shorter than 60 ms is padded with silence.
        sample_rate: in Hz.
        extractor: Of ``egemaps_extractor``.

    Returns:
        (88,) float32, in openSMILE's order and units.

    Raises:
        ValueError: the waveform is empty, of more than one channel, or not finite.
    """
    samples = full_scale_samples(waveform).astype(np.float32)
    padding = max(0, int(np.ceil(_LEAST_SECONDS * sample_rate)) - len(samples))
    found = extractor.process_signal(np.pad(samples, (0, padding)), sample_rate)
    return found.to_numpy(np.float32)[0]


def _opensmile_package():  # type: ignore[no-untyped-def]  # a module of a package that may be missing
    try:
        import opensmile
    except ImportError as error:
        raise ValueError(
            "eGeMAPS functionals are computed by the package opensmile, which is not installed here. Install it with: "
            "pip install 'mien[opensmile]', or set functionals to prosody_and_bands, which needs nothing."
        ) from error
    return opensmile
