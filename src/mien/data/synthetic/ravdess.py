"""A synthetic version of RAVDESS: talking faces with synthetic voices in the published layout."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from mien.data.audio import resample, to_int16, write_wav
from mien.data.synthetic.clips import render_clip, sample_actor
from mien.data.synthetic.folder import check_range, synthesize_each, synthesize_folder, synthetic_stream
from mien.data.video import write_video
from mien.labels import RAVDESS_EMOTIONS

STATEMENTS: dict[int, tuple[str, ...]] = {1: ("I", "a", "O", "I"), 2: ("O", "a", "I", "I")}
"""Vowels of the synthetic syllables by statement: "Kids are talking" and "Dogs are sitting"; the rest is left out."""

SAMPLE_RATE = 48_000
"""Hz, as published. The voice is synthesized at 16 kHz, so there is nothing above 8 kHz in it."""

_SYNTHETIC_RATE = 16_000
_STRENGTH = {1: 0.85, 2: 1.2}  # normal, strong
_AGES = (21.0, 33.0)  # years, of RAVDESS' actors
_RANGES = {
    "num_actors": (3, 24),
    "clips_per_actor": (len(RAVDESS_EMOTIONS), 60),
    "image_size": (64, 1024),
    "fps": (1, 30),
    "seed": (0, 2**63),
}


@dataclass(frozen=True)
class _Clip:
    """What decides one clip's bytes."""

    actor: int
    emotion: int  # codes as in the name
    intensity: int
    statement: int
    repetition: int
    seed: int
    image_size: int
    fps: int

    def name(self, modality: int) -> str:
        codes = (modality, 1, self.emotion, self.intensity, self.statement, self.repetition, self.actor)
        return "-".join(f"{code:02d}" for code in codes)


def synthesize_ravdess(
    root: Path, *, num_actors: int, clips_per_actor: int, seed: int, image_size: int = 96, fps: int = 10
) -> None:
    """Draw a folder in RAVDESS' published layout: audio-visual MP4 and audio-only WAV files of spoken clips.

    Emotions take turns, so each has about as many clips, in each intensity; which statement and repetition is chosen at
    random. Each actor and each clip depends on ``seed`` and its own codes alone. Processes are started afresh, one per
    core, so a script of your own calls this below ``if __name__ == "__main__":``.
    ``mien.data.synthetic.folder.synthesize_folder`` says what becomes of files that are there.

    Args:
        root: Becomes ``root/Actor_01/...`` and ``root/synthetic.json``, which holds the arguments.
        num_actors: 3 to 24, men and women in turn.
        clips_per_actor: 8 to 60.
        seed: 0 or more.
        image_size: Height and width of the frames in pixels, even, 64 to 1024.
        fps: Frames per second, 1 to 30.

    Raises:
        MienError: An argument is out of range, or ``root`` holds files that were not made here.

    Source: ours, because RAVDESS is licensed for non-commercial use and 24.8 GB large. Equal arguments give the same
        frames and samples on every machine to rounding, and the same bytes on one machine; encoders of another build
        of FFmpeg may choose other bytes.
    """
    arguments = {
        "num_actors": num_actors,
        "clips_per_actor": clips_per_actor,
        "seed": seed,
        "image_size": image_size,
        "fps": fps,
    }
    for name, value in arguments.items():
        check_range(name, value, *_RANGES[name], "RAVDESS", even=name == "image_size")
    synthesize_folder(root, arguments, _write_files)


def _write_files(folder: Path, **arguments: int) -> None:
    clips = list(_clips(arguments))
    for actor in {clip.actor for clip in clips}:
        (folder / f"Actor_{actor:02d}").mkdir()
    synthesize_each(functools.partial(_write_clip, folder), clips)


def _clips(arguments: dict[str, int]) -> Iterator[_Clip]:
    """Every clip, by actor; within one, the emotions take turns in an order of the actor's own."""
    for actor in range(1, arguments["num_actors"] + 1):
        rng = synthetic_stream("ravdess", arguments["seed"], 1, actor)
        takes = {}
        for emotion in range(1, len(RAVDESS_EMOTIONS) + 1):
            pairs = rng.permutation([(statement, repetition) for statement in (1, 2) for repetition in (1, 2)]).tolist()
            intensities = [1] if emotion == 1 else rng.permutation([1, 2]).tolist()
            takes[emotion] = [(intensity, *pair) for pair in pairs for intensity in intensities]
        turns = cycle((rng.permutation(len(takes)) + 1).tolist())
        order = ((*takes[emotion].pop(0), emotion) for emotion in turns if takes[emotion])
        for intensity, statement, repetition, emotion in islice(order, arguments["clips_per_actor"]):
            sizes = {name: arguments[name] for name in ("seed", "image_size", "fps")}
            yield _Clip(actor, emotion, intensity, statement, repetition, **sizes)


def _write_clip(folder: Path, clip: _Clip) -> None:
    actor_rng = synthetic_stream("ravdess", clip.seed, 0, clip.actor)
    gender, age = "male" if clip.actor % 2 else "female", float(actor_rng.uniform(*_AGES))
    actor = sample_actor(actor_rng, gender, age=age, studio="white")
    codes = (clip.actor, clip.emotion, clip.intensity, clip.statement, clip.repetition)
    rendered = render_clip(
        synthetic_stream("ravdess", clip.seed, 2, *codes),
        actor,
        RAVDESS_EMOTIONS[clip.emotion - 1],
        STATEMENTS[clip.statement],
        strength=_STRENGTH[clip.intensity],
        image_size=clip.image_size,
        fps=clip.fps,
        sample_rate=_SYNTHETIC_RATE,
    )
    waveform = to_int16(resample(rendered.speech.waveform, _SYNTHETIC_RATE, SAMPLE_RATE))
    folder = folder / f"Actor_{clip.actor:02d}"
    write_video(folder / f"{clip.name(1)}.mp4", rendered.frames, clip.fps, waveform, SAMPLE_RATE)
    write_wav(folder / f"{clip.name(3)}.wav", waveform, SAMPLE_RATE)
