"""Small clips made of numbers: brightness of faces and loudness of voices tell the class, each for some classes."""

from typing import Any

import numpy as np
import pandas as pd

from mien.data.voice_features import PROSODY
from mien.pipelines.sentiment.clips import ABLATIONS, FULL, ClipInputs

CLASSES = ("fear", "happy", "sad")
FRAMES, STEPS, MELS = 3, 20, 8


def clip_table(per_class: dict[str, int], seed: int = 0) -> pd.DataFrame:
    """Clips of every split, so many of each class, two subjects in each split."""
    rows: list[dict[str, Any]] = []
    for split, number in per_class.items():
        for label, name in enumerate(CLASSES):
            for take in range(number):
                subject = f"{split}_{take % 2}"
                rows.append({"split": split, "label": label, "expression": name, "subject": subject})
    table = pd.DataFrame(rows)
    names = [f"clip_{number:03d}" for number in range(len(table))]
    return table.assign(
        sample_id=names,
        synthetic=True,
        gender="male",
        intensity="normal",
        audio_reason="read",
        face_index=range(len(table)),
    ).assign(num_faces=FRAMES, heard=True)


def clip_inputs(samples: pd.DataFrame, seed: int = 0) -> ClipInputs:
    """Faces that tell class 0 from the others, voices that tell class 2 from the others."""
    rng = np.random.default_rng(seed)
    n, labels = len(samples), samples["label"].to_numpy()
    frames = pd.DataFrame(
        {
            "clip": np.repeat(samples["sample_id"].to_numpy(), FRAMES),
            "face_index": np.arange(n * FRAMES),
            "time_seconds": np.tile(np.arange(FRAMES) / 5, n),
        }
    )
    of_frame = np.repeat(labels, FRAMES)
    bright = np.where(of_frame == 0, 190, 60)[:, None, None, None]
    faces = np.clip(bright + rng.normal(0, 20, (n * FRAMES, 32, 32, 1)), 0, 255).astype(np.uint8)
    trained = np.repeat((samples["split"] == "train").to_numpy(), FRAMES)
    jittered = np.repeat(faces[trained][:, None], 3, axis=1)
    place = np.where(trained, np.cumsum(trained) - 1, -1)
    sounds = rng.normal(0, 0.3, (n, STEPS, MELS + 3)) + np.where(labels == 2, 2.0, 0.0)[:, None, None]
    functionals = np.concatenate([sounds.mean(axis=1), rng.normal(0, 0.3, (n, len(PROSODY) + MELS - 3))], axis=1)
    names = (FULL, *(f"without_{step}" for step in ABLATIONS))
    return ClipInputs(
        frames=frames.assign(jittered_face_index=place),
        faces=dict.fromkeys(names, faces),
        jittered=dict.fromkeys(names, jittered),
        pictures=np.repeat(np.repeat(np.repeat(faces, 3, axis=3), 2, axis=1), 2, axis=2)[:, 8:56, 8:56],
        cues=np.abs(rng.normal(0.5, 0.1, (n * FRAMES, 6))) + np.where(of_frame == 1, 0.3, 0.0)[:, None],
        contours=sounds.reshape(-1, MELS + 3).astype(np.float16),
        start=np.arange(n) * STEPS,
        length=np.full(n, STEPS),
        prosody=functionals[:, : len(PROSODY)].astype(np.float32),
        functionals=functionals.astype(np.float32),
    )
