"""Node functions of ``sentiment`` that gather what is seen and heard of a dataset's clips."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.errors import MienError
from mien.io.packed_audio import Waveforms
from mien.io.packed_faces import FaceStream
from mien.labels import EXPRESSIONS
from mien.models.network import Network
from mien.nodes.lopes import TRAINED_ON, LopesParams, prepare_in_several_ways
from mien.nodes.params import PredictionParams
from mien.nodes.prediction import apply_to_images
from mien.pipelines.sentiment.params import ClassParams, VoiceFeatureParams, VoiceSVMParams

logger = logging.getLogger(__name__)

FULL = "full"
"""The preparation with all of Lopes' steps."""

ABLATIONS = ("rotation", "crop", "normalisation")
"""Lopes' steps that change the prepared face; each is left out once. The synthesis is left out by not using it."""

WITHOUT_FACE = "no_face"
"""Reason of a frame that was cut from its centre because no face was found: it says nothing of where the face is."""

COLUMNS = ["sample_id", "split", "synthetic", "subject", "gender", "intensity", "expression", "audio_reason"]


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


def select_clips(clips: pd.DataFrame, frames: pd.DataFrame, classes: ClassParams) -> pd.DataFrame:
    """Keep the clips of some classes, and number the classes.

    Args:
        clips: The dataset's clips, one row each.
        frames: Its samples table, one row per frame.
        classes: Which expressions are classes.

    Returns:
        One row per clip of these classes: what the clips table says of it, ``label`` (position among the classes that
        there are), ``row`` (place in the clips table, -1 where there is neither face nor voice), ``num_faces`` (frames
        with a face) and ``heard``.

    Raises:
        MienError: Fewer than two classes are left, or no clip has a face or a voice.
    """
    present = [name for name in classes.keep if name in set(clips["expression"])]
    if len(present) < 2:
        raise MienError(
            f"Of the classes {', '.join(classes.keep)} the dataset has {', '.join(present) or 'none'}: there is "
            f"nothing to tell apart. Set classes.keep to some of {', '.join(sorted(set(clips['expression'])))}."
        )
    found = frames[(frames["face_index"] >= 0) & (frames["reason"] != WITHOUT_FACE)]
    num_faces = clips["sample_id"].map(found["clip"].value_counts()).fillna(0).astype("int64")
    heard = (clips["audio_reason"] == "read") & (clips["audio_samples"] > 0)
    table = clips[COLUMNS].assign(
        label=[present.index(name) if name in present else -1 for name in clips["expression"]],
        face_index=np.where((num_faces > 0) | heard, np.arange(len(clips)), -1),
        num_faces=num_faces,
        heard=heard,
    )
    if "emotion" in clips:
        table = table.assign(emotion=clips["emotion"])
    table = table[table["label"] >= 0].reset_index(drop=True)
    _say_what_is_missing(table)
    return table


def _say_what_is_missing(table: pd.DataFrame) -> None:
    seen, heard = table["num_faces"] > 0, table["heard"]
    logger.info("%d clips: %d with face and voice", len(table), (seen & heard).sum())
    for name, some in (("no face", ~seen & heard), ("no voice", seen & ~heard), ("neither", ~seen & ~heard)):
        if some.any():
            logger.warning("%d clips have %s, the first %s", some.sum(), name, table.loc[some, "sample_id"].iloc[0])
    if not (seen | heard).any():
        raise MienError(
            f"None of the {len(table)} clips has a face or a voice: nothing can be evaluated. Look at the column "
            "reason of the samples table and audio_reason of the clips table."
        )


def describe_voices(
    clips: pd.DataFrame, audio: Waveforms, voice: VoiceFeatureParams, voice_svm: VoiceSVMParams
) -> dict[str, np.ndarray]:
    """Compute spectrogram, contours and functionals of every clip that is heard.

    Args:
        clips: The dataset's clips, one row per packed waveform.
        audio: The packed waveforms.
        voice: Bands and length.
        voice_svm: Which functionals it takes.

    Returns:
        ``contours`` (sum of steps, num_mels + 3) float16, ``length`` (n,) steps of each clip, 0 where it is not heard,
        ``functionals`` (n, D) float32, prosody first, and where the support vector machine takes them ``egemaps``
        (n, 88) float32.

    Raises:
        MienError: eGeMAPS are requested and the package ``opensmile`` is not installed.
    """
    from mien.data.voice_features import HOP_SECONDS, PROSODY, functionals, voice_contours

    most = round(voice.max_seconds / HOP_SECONDS)
    size = len(PROSODY) + 2 * voice.num_mels
    parts, lengths, vectors = [], [], []
    for number, reason in enumerate(clips["audio_reason"]):
        waveform = audio[number]
        if reason != "read" or not len(waveform):
            lengths.append(0)
            vectors.append(np.zeros(size, np.float32))
            continue
        sound = voice_contours(np.asarray(waveform), audio.sample_rate, voice.num_mels)
        vectors.append(functionals(sound))
        first = max(0, (len(sound) - most) // 2)
        parts.append(sound[first : first + most].astype(np.float16))
        lengths.append(len(parts[-1]))
    empty = np.zeros((0, voice.num_mels + 3), np.float16)
    described = {
        "contours": np.concatenate([empty, *parts]),
        "length": np.array(lengths, np.int64),
        "functionals": np.stack(vectors),
    }
    if voice_svm.functionals == "egemaps":
        described["egemaps"] = _egemaps(audio, described["length"] > 0)
    return described


def _egemaps(audio: Waveforms, heard: np.ndarray) -> np.ndarray:
    """Functionals (n, 88) float32 of eGeMAPSv02, 0 for a clip that is not heard (n,)."""
    from mien.data.voice_features import NUM_EGEMAPS, egemaps_extractor, egemaps_functionals

    extractor = egemaps_extractor()
    found = np.zeros((len(heard), NUM_EGEMAPS), np.float32)
    for number in np.flatnonzero(heard):
        found[number] = egemaps_functionals(np.asarray(audio[number]), audio.sample_rate, extractor)
    return found


def find_cues(
    frames: pd.DataFrame, faces: np.ndarray, landmark_network: Network, prediction: PredictionParams
) -> dict[str, np.ndarray]:
    """Find 68 landmarks on every face and measure Matsugu et al.'s six cues by them.

    Args:
        frames: The dataset's samples table, one row per frame.
        faces: Packed faces (n, H, H, 3) uint8.
        landmark_network: Trained by the pipeline ``landmarks``.
        prediction: Batch size and device.

    Returns:
        ``cues`` (n, 6) float32 by the faces' index; NaN for a face that no frame names, for what was cut out of a
        frame without one, and where both eyes were found in one place.
    """
    from mien.data.landmarks import LandmarkImages
    from mien.data.smile_cues import CUES, measure_cues
    from mien.labels import NUM_LANDMARKS

    rows = np.sort(
        frames.loc[(frames["face_index"] >= 0) & (frames["reason"] != WITHOUT_FACE), "face_index"].to_numpy()
    )
    nowhere = np.full((len(rows), NUM_LANDMARKS, 2), np.nan)
    images = LandmarkImages(faces, rows, nowhere, image_size=landmark_network.model.image_size)
    found = apply_to_images(images, landmark_network.model, prediction, landmark_network.model)
    cues = np.full((len(faces), len(CUES)), np.nan, np.float32)
    points = found.reshape(-1, NUM_LANDMARKS, 2).astype(np.float64)
    sizeless = 0
    for row, of_face in zip(rows, points, strict=True):
        try:
            cues[row] = measure_cues(np.asarray(faces[row]), of_face)
        except MienError:  # points of a found face are finite, so its eyes alone can be at fault
            sizeless += 1
    if sizeless:
        logger.warning("cues: both eyes of %d of %d faces were found in one place; they have none", sizeless, len(rows))
    return {"cues": cues}


def leave_steps_out(samples: pd.DataFrame, raw: Path, lopes: LopesParams) -> tuple[FaceStream, FaceStream]:
    """Prepare every face once without each of Lopes' steps.

    Args:
        samples: The dataset's samples table, one row per frame.
        raw: The dataset's folder.
        lopes: The dataset's own preparation.

    Returns:
        Faces (n, 3, S, S, 1) in the order of ``ABLATIONS``, and those of the training frames with their neighbours
        (m, 3, 1 + k, S, S, 1).
    """
    switches = {"rotation": "rotate", "crop": "crop", "normalisation": "normalise"}
    ablated = [lopes.model_copy(update={switches[step]: False}) for step in ABLATIONS]
    return prepare_in_several_ways(samples, raw, ablated)


def gather_faces(
    faces_48: np.ndarray,
    faces_lopes: np.ndarray,
    jittered_lopes: np.ndarray,
    ablated: np.ndarray,
    ablated_jittered: np.ndarray,
) -> dict[str, Any]:
    """Put the prepared faces together, by preparation.

    Args:
        faces_48: Aligned faces (n, 48, 48, 3) uint8.
        faces_lopes: Prepared faces (n, S, S, 1) uint8.
        jittered_lopes: Those of the training frames with their neighbours (m, 1 + k, S, S, 1) uint8.
        ablated: Prepared without a step (n, 3, S, S, 1).
        ablated_jittered: Likewise (m, 3, 1 + k, S, S, 1).

    Returns:
        The fields ``pictures``, ``faces`` and ``jittered`` of ``ClipInputs``, mapped, not loaded.
    """
    names = [f"without_{step}" for step in ABLATIONS]
    return {
        "pictures": faces_48,
        "faces": {FULL: faces_lopes, **{name: ablated[:, number] for number, name in enumerate(names)}},
        "jittered": {FULL: jittered_lopes, **{name: ablated_jittered[:, number] for number, name in enumerate(names)}},
    }


def gather_whole_faces(faces_48: np.ndarray, faces_lopes: np.ndarray, jittered_lopes: np.ndarray) -> dict[str, Any]:
    """As ``gather_faces``, with all of Lopes' steps alone."""
    return {"pictures": faces_48, "faces": {FULL: faces_lopes}, "jittered": {FULL: jittered_lopes}}


def gather(
    frames: pd.DataFrame, gathered_faces: dict[str, Any], cues: dict[str, np.ndarray], voices: dict[str, np.ndarray]
) -> ClipInputs:
    """Put together what is to be seen and heard.

    Args:
        frames: The dataset's samples table, one row per frame.
        gathered_faces: Of ``gather_faces``.
        cues: Of ``find_cues``.
        voices: Of ``describe_voices``.
    """
    from mien.data.voice_features import PROSODY

    trained = frames[frames["split"].isin(TRAINED_ON) & (frames["face_index"] >= 0)].sort_values("face_index")
    neighbours = dict(zip(trained["face_index"], range(len(trained)), strict=True))
    found = frames[(frames["face_index"] >= 0) & (frames["reason"] != WITHOUT_FACE)]
    found = found[["clip", "face_index", "time_seconds"]].reset_index(drop=True)
    length = voices["length"]
    return ClipInputs(
        frames=found.assign(jittered_face_index=[neighbours.get(row, -1) for row in found["face_index"]]),
        **gathered_faces,
        **cues,
        contours=voices["contours"],
        start=np.cumsum(length) - length,
        length=length,
        prosody=voices["functionals"][:, : len(PROSODY)],
        functionals=voices.get("egemaps", voices["functionals"]),
    )


def join_clips(trained: pd.DataFrame, evaluated: pd.DataFrame, all_trained: pd.DataFrame) -> pd.DataFrame:
    """Clips of one dataset to train on and to choose by, clips of another to be evaluated by.

    Args:
        trained: Of ``select_clips``: the dataset that is trained on; its test clips are left out.
        evaluated: Of the other one, of which every clip is tested.
        all_trained: The first one's whole clips table, by whose length the other's rows are moved.

    Returns:
        The table of ``select_clips``, with the classes that both have.

    Raises:
        MienError: They share fewer than two classes.
    """
    shared = [name for name in EXPRESSIONS if name in set(trained["expression"]) & set(evaluated["expression"])]
    if len(shared) < 2:
        raise MienError(
            f"The two datasets share the classes {', '.join(shared) or 'none'}: give them two or more, by classes.keep."
        )
    known = trained[trained["split"] != "test"]
    moved = evaluated.assign(
        split="test", face_index=np.where(evaluated["face_index"] >= 0, evaluated["face_index"] + len(all_trained), -1)
    )
    both = pd.concat([known, moved], ignore_index=True)
    both = both[both["expression"].isin(shared)].reset_index(drop=True)
    return both.assign(label=[shared.index(name) for name in both["expression"]])


def join_inputs(trained: ClipInputs, evaluated: ClipInputs) -> ClipInputs:
    """What is seen and heard of the clips of two datasets.

    Preparations that only one of them has are left out.

    Args:
        trained: Of the dataset that is trained on; neighbours are its alone.
        evaluated: Of the other.
    """
    offset, steps = len(trained.pictures), len(trained.contours)
    added = evaluated.frames.assign(face_index=evaluated.frames["face_index"] + offset, jittered_face_index=-1)
    return ClipInputs(
        frames=pd.concat([trained.frames, added], ignore_index=True),
        faces={
            name: np.concatenate([faces, evaluated.faces[name]])
            for name, faces in trained.faces.items()
            if name in evaluated.faces
        },
        jittered=trained.jittered,
        pictures=np.concatenate([trained.pictures, evaluated.pictures]),
        cues=np.concatenate([trained.cues, evaluated.cues]),
        contours=np.concatenate([trained.contours, evaluated.contours]),
        start=np.concatenate([trained.start, evaluated.start + steps]),
        length=np.concatenate([trained.length, evaluated.length]),
        prosody=np.concatenate([trained.prosody, evaluated.prosody]),
        functionals=np.concatenate([trained.functionals, evaluated.functionals]),
    )
