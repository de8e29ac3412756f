"""What the networks of ``sentiment`` see of clips: faces of their frames, cues of a smile, sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

FULL = "full"
"""The preparation with all of Lopes' steps."""

ABLATIONS = ("rotation", "crop", "normalisation")
"""Lopes' steps that change the prepared face; each is left out once. The synthesis is left out by not using it."""


@dataclass(frozen=True, eq=False)
class ClipInputs:
    """Faces, cues and sounds of the clips of one or several datasets.

    Attributes:
        frames: One row per frame in which a face was found, by clip and time: ``clip``, ``row``, ``time_seconds``,
            and ``jittered_face_index``, -1 where there are no neighbours.
        faces: Prepared faces (n, S, S, 1) uint8 by preparation: ``full``, and ``without_<step>``.
        jittered: The training frames' faces with their neighbours (m, 1 + k, S, S, 1) uint8, likewise.
        pictures: Aligned faces (n, 48, 48, 3) uint8.
        cues: (n, 6) of ``mien.data.smile_cues``.
        points: (n, 68, 2) landmarks that they were measured by.
        contours: (sum of steps, C) of ``mien.data.voice_features``, all clips one after the other.
        start: First step of each sample's sound.
        length: Steps of each sample's sound, 0 where it has none.
        prosody: (samples, 19) of each sample's whole sound, for the network of the voice.
        functionals: (samples, D) of it, for the support vector machine.
    """

    frames: pd.DataFrame
    faces: dict[str, np.ndarray]
    jittered: dict[str, np.ndarray]
    pictures: np.ndarray
    cues: np.ndarray
    points: np.ndarray
    contours: np.ndarray
    start: np.ndarray
    length: np.ndarray
    prosody: np.ndarray
    functionals: np.ndarray

    def frames_of(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Frames of some samples, by clip in their order, with ``place``, the number of the sample among them."""
        places = dict(zip(samples["sample_id"], range(len(samples)), strict=True))
        mine = self.frames[self.frames["clip"].isin(places)]
        mine = mine.assign(place=[places[clip] for clip in mine["clip"]])
        return mine.sort_values(["place", "time_seconds"], kind="stable", ignore_index=True)


def joined(first: ClipInputs, second: ClipInputs) -> ClipInputs:
    """The clips of two datasets; neighbours are those of the first, from which alone is trained.

    Preparations that only one of them has are left out.
    """
    offset, steps = len(first.pictures), len(first.contours)
    added = second.frames.assign(face_index=second.frames["face_index"] + offset, jittered_face_index=-1)
    return ClipInputs(
        frames=pd.concat([first.frames, added], ignore_index=True),
        faces={
            name: np.concatenate([faces, second.faces[name]])
            for name, faces in first.faces.items()
            if name in second.faces
        },
        jittered=first.jittered,
        pictures=np.concatenate([first.pictures, second.pictures]),
        cues=np.concatenate([first.cues, second.cues]),
        points=np.concatenate([first.points, second.points]),
        contours=np.concatenate([first.contours, second.contours]),
        start=np.concatenate([first.start, second.start + steps]),
        length=np.concatenate([first.length, second.length]),
        prosody=np.concatenate([first.prosody, second.prosody]),
        functionals=np.concatenate([first.functionals, second.functionals]),
    )
