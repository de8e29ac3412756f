"""A synthetic version of CREMA-D: talking faces with synthetic voices in the repository's layout."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from mien.data.audio import resample, to_int16, write_wav
from mien.data.crema_d import CODES, DEMOGRAPHICS
from mien.data.synthetic import ETHNICITIES
from mien.data.synthetic.clips import Actor, render_clip, sample_actor
from mien.data.synthetic.folder import check_range, synthesize_each, synthesize_folder, synthetic_stream
from mien.data.video import write_video

SENTENCES: dict[str, tuple[str, ...]] = {
    "IEO": ("I", "I", "E", "V"),
    "TIE": ("ae", "I", "I", "ae"),
    "IOM": ("a", "a", "a", "E"),
    "IWW": ("a", "V", "3", "V"),
    "TAI": ("V", "E", "E", "I"),
    "MTI": ("E", "i", "U", "a"),
    "IWL": ("a", "U", "a", "V"),
    "ITH": ("a", "I", "a", "ae"),
    "DFA": ("O", "O", "E", "V"),
    "ITS": ("a", "I", "a", "i"),
    "TSI": ("V", "3", "I", "I"),
    "WSI": ("i", "a", "I", "V"),
}
"""Vowels of the synthetic syllables by sentence: its first four."""

FIRST_ACTOR = 1001

_WAV_RATE, _FLV_RATE = 16_000, 44_100  # Hz, as published
_STRENGTH = {"LO": 0.6, "MD": 0.9, "HI": 1.2, "XX": 1.0}
_AGES = (20.0, 74.0)  # years, of CREMA-D's actors
_RACES = {"white": "Caucasian", "black": "African American", "asian": "Asian"}
_RANGES = {
    "num_actors": (3, 91),
    "clips_per_actor": (len(CODES), 82),
    "image_size": (64, 1024),
    "fps": (1, 30),
    "seed": (0, 2**63),
}


@dataclass(frozen=True)
class _Clip:
    """What decides one clip's bytes."""

    actor: int
    sentence: str
    emotion: str  # codes as in the name
    level: str
    seed: int
    image_size: int
    fps: int


def synthesize_crema_d(
    root: Path, *, num_actors: int, clips_per_actor: int, seed: int, image_size: int = 96, fps: int = 10
) -> None:
    """Draw a folder in CREMA-D's layout: WAV files, Flash videos with sound and the actors' demographics.

    Emotions take turns, so each has about as many clips; the sentence IEO is said at three levels, the others at none
    in particular, as published. Each actor and each clip depends on ``seed`` and its own codes alone. Processes are
    started afresh, one per core, so a script of your own calls this below ``if __name__ == "__main__":``.
    ``mien.data.synthetic.folder.synthesize_folder`` says what becomes of files that are there.

    Args:
        root: Becomes ``root/AudioWAV``, ``root/VideoFlash``, ``root/VideoDemographics.csv`` and
            ``root/synthetic.json``, which holds the arguments.
        num_actors: 3 to 91, men and women in turn.
        clips_per_actor: 6 to 82.
        seed: 0 or more.
        image_size: Height and width of the frames in pixels, even, 64 to 1024.
        fps: Frames per second, 1 to 30.

    Raises:
        MienError: An argument is out of range, or ``root`` holds files that were not made here.

    Source: ours, so that all runs without the download. Equal arguments give the same frames and samples on every
        machine to rounding, and the same bytes on one machine; encoders of another build of FFmpeg may choose other
        bytes. The sound of the videos is AAC, not MP3, as only its encoder is in every build.
    """
    arguments = {
        "num_actors": num_actors,
        "clips_per_actor": clips_per_actor,
        "seed": seed,
        "image_size": image_size,
        "fps": fps,
    }
    for name, value in arguments.items():
        check_range(name, value, *_RANGES[name], "CREMA-D", even=name == "image_size")
    synthesize_folder(root, arguments, _write_files)


def _write_files(folder: Path, **arguments: int) -> None:
    for name in ("AudioWAV", "VideoFlash"):
        (folder / name).mkdir()
    synthesize_each(functools.partial(_write_clip, folder), list(_clips(arguments)))
    lines = ['"ActorID","Age","Sex","Race","Ethnicity"']
    for number in range(FIRST_ACTOR, FIRST_ACTOR + arguments["num_actors"]):
        identity = _actor(arguments["seed"], number).face.identity
        race = _RACES.get(ETHNICITIES[identity.ethnicity], "Unknown")
        lines.append(f'{number},{identity.age:.0f},"{_gender(number).title()}","{race}","Not Hispanic"')
    (folder / DEMOGRAPHICS).write_bytes("\n".join([*lines, ""]).encode())


def _clips(arguments: dict[str, int]) -> Iterator[_Clip]:
    """Every clip, by actor; within one, the emotions take turns in an order of the actor's own."""
    for actor in range(FIRST_ACTOR, FIRST_ACTOR + arguments["num_actors"]):
        rng = synthetic_stream("crema_d", arguments["seed"], 1, actor)
        takes = {}
        for emotion in CODES:
            levels = {"IEO": ["XX"] if emotion == "NEU" else ["LO", "MD", "HI"]}
            every = [(sentence, level) for sentence in SENTENCES for level in levels.get(sentence, ["XX"])]
            takes[emotion] = [every[number] for number in rng.permutation(len(every))]
        turns = cycle([list(CODES)[number] for number in rng.permutation(len(CODES))])
        order = ((*takes[emotion].pop(0), emotion) for emotion in turns if takes[emotion])
        for sentence, level, emotion in islice(order, arguments["clips_per_actor"]):
            sizes = {name: arguments[name] for name in ("seed", "image_size", "fps")}
            yield _Clip(actor, sentence, emotion, level, **sizes)


def _gender(actor: int) -> str:
    return "male" if actor % 2 else "female"


def _actor(seed: int, number: int) -> Actor:
    rng = synthetic_stream("crema_d", seed, 0, number)
    return sample_actor(rng, _gender(number), age=float(rng.uniform(*_AGES)), studio="green")


def _write_clip(folder: Path, clip: _Clip) -> None:
    codes = (list(SENTENCES).index(clip.sentence), list(CODES).index(clip.emotion), list(_STRENGTH).index(clip.level))
    rendered = render_clip(
        synthetic_stream("crema_d", clip.seed, 2, clip.actor, *codes),
        _actor(clip.seed, clip.actor),
        CODES[clip.emotion],
        SENTENCES[clip.sentence],
        strength=_STRENGTH[clip.level],
        image_size=clip.image_size,
        fps=clip.fps,
        sample_rate=_WAV_RATE,
    )
    name = f"{clip.actor}_{clip.sentence}_{clip.emotion}_{clip.level}"
    write_wav(folder / "AudioWAV" / f"{name}.wav", rendered.waveform, _WAV_RATE)
    sound = to_int16(resample(rendered.speech.waveform, _WAV_RATE, _FLV_RATE))
    write_video(folder / "VideoFlash" / f"{name}.flv", rendered.frames, clip.fps, sound, _FLV_RATE)
