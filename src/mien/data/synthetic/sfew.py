"""A synthetic version of SFEW 2.0: synthetic people in invented films, in the published layout.

Frames and aligned faces.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from mien.data.alignment import align_face
from mien.data.sfew import PUBLISHED_COUNTS
from mien.data.sfew_layouts import ALIGNED_SIZE
from mien.data.synthetic import SyntheticFace, render_scene, sample_face, sample_identity
from mien.data.synthetic.folder import check_range, class_counts, synthesize_each, synthesize_folder, synthetic_stream
from mien.errors import MienError

SUBJECTS_PER_MOVIE = 3

_FRAMES_PER_MOVIE = 14  # ours: enough movies in a demo that some can be held out
_FRAMES_PER_CLIP = (1, 3)  # SFEW's clips, too, give a few frames each
_FACE_SCALES = (0.36, 0.62)  # of the frame's smaller side: medium shots to close-ups
_MIN_LABELLED = 14  # of a split: the rarest class, whose share is 0.098, then has one
_SIDES = (96, 1080)  # below, a face has no features left; above, films of SFEW's time do not go
_SPLITS = ("Train", "Val", "Test")
_ALIGNED_FOLDERS = {
    "Train": "Train_Aligned_Faces",
    "Val": "Val_Aligned_Faces_new/Val_Aligned_Faces",
    "Test": "Test_Aligned_Faces",
}
_TITLES = (
    ("Quiet", "Paper", "Winter", "Second", "Broken", "Yellow", "Distant", "Salt", "Hollow", "Northern", "Late"),
    ("Harbour", "Letters", "Orchard", "Witness", "Holiday", "Station", "Summer", "Garden", "Signal", "Bridge"),
)
_MOVIES, _CLIPS, _FRAMES = range(3)  # streams of random numbers


@dataclass(frozen=True)
class _Frame:
    """What decides one frame's bytes and where they go."""

    folder: str  # below the split's folder: the class, or nothing in Test
    name: str
    expression: str
    split_id: int
    movie: int
    subject: int
    clip: int
    number: int


def synthesize_sfew(
    root: Path,
    *,
    num_train: int,
    num_val: int,
    num_unlabelled: int,
    seed: int,
    image_size: tuple[int, int] = (288, 360),
) -> None:
    """Draw a folder in SFEW 2.0's published layout: frames, and aligned faces beside them.

    Every movie has three people of its own, so no person is in two official splits. A clip shows one person in one
    place with one expression, in up to three frames. The share of each class is half SFEW's own and half even.
    Processes are started afresh, one per core, so a script of your own calls this below ``if __name__ == "__main__":``.
    ``mien.data.synthetic.folder.synthesize_folder`` says what becomes of files that are there.

    Args:
        root: Becomes ``root/Train/...``, ``root/Val/...``, ``root/Test/...`` and ``root/synthetic.json``.
        num_train: Frames of Train, at least 14.
        num_val: Frames of Val, at least 14.
        num_unlabelled: Frames of Test, which has no class folders; may be 0.
        seed: 0 or more.
        image_size: Height and width of the frames in pixels, 96 to 1080 each and not the aligned faces' 181x143.

    Raises:
        MienError: An argument is out of range, or ``root`` holds files that were not made here.

    Source: ours, because SFEW may not be passed on. Its frames are 720x576; half of each side is rendered in a quarter
        of the time.
    """
    numbers = {"num_train": num_train, "num_val": num_val, "num_unlabelled": num_unlabelled, "seed": seed}
    ranges = {"num_unlabelled": (0, 9_999), "seed": (0, 2**63)}
    for name, value in numbers.items():
        check_range(name, value, *ranges.get(name, (_MIN_LABELLED, 9_999)), "SFEW")
    if len(image_size) != 2 or not all(_SIDES[0] <= side <= _SIDES[1] for side in image_size):
        raise MienError(
            f"image_size of the synthetic SFEW is {image_size}: give height and width in pixels, from {_SIDES[0]} to "
            f"{_SIDES[1]} each."
        )
    if tuple(image_size) == ALIGNED_SIZE:
        raise MienError(
            f"image_size of the synthetic SFEW is {image_size}, which is the size of the aligned faces: give another."
        )
    synthesize_folder(root, {**numbers, "image_size": list(image_size)}, _write_files)


def _write_files(folder: Path, *, seed: int, image_size: list[int], **numbers: int) -> None:
    frames = []
    for split_id, (split, number) in enumerate(zip(_SPLITS, numbers.values(), strict=True)):
        frames += list(_frames(seed, split_id, number))
        for place in {frame.folder for frame in frames if frame.split_id == split_id} or {""}:
            (folder / split / place).mkdir(parents=True, exist_ok=True)
            (folder / split / _ALIGNED_FOLDERS[split] / place).mkdir(parents=True, exist_ok=True)
    synthesize_each(functools.partial(_write_frame, folder, seed, (image_size[0], image_size[1])), frames)


def _frames(seed: int, split_id: int, num_frames: int) -> Iterator[_Frame]:
    """Every frame of a split, clip by clip."""
    rng = synthetic_stream("sfew", seed, split_id)
    labelled = _SPLITS[split_id] != "Test"
    # Val is published as "test"; the shares of Test's classes are not known.
    published = PUBLISHED_COUNTS["train" if split_id == 0 else "test"]
    clips = []
    for expression, count in class_counts(published, num_frames).items():
        while count > 0:
            length = min(int(rng.integers(_FRAMES_PER_CLIP[0], _FRAMES_PER_CLIP[1] + 1)), count)
            clips.append((expression, length))
            count -= length
    num_movies = max(2, num_frames // _FRAMES_PER_MOVIE)
    # Distinct seconds, so that no two clips of a movie have one name.
    seconds = rng.permutation(np.arange(20, 6_600))[: len(clips)]
    for clip, place in enumerate(rng.permutation(len(clips)).tolist()):
        expression, length = clips[place]
        movie = clip % num_movies
        time = f"{_clock(int(seconds[clip]))}{int(rng.integers(25)) * 40:03d}"
        subject = int(rng.integers(SUBJECTS_PER_MOVIE))
        for number in sorted((rng.permutation(60)[:length] + 1).tolist()):
            yield _Frame(
                folder=expression.capitalize() if labelled else "",
                name=f"{_title(split_id, movie)}_{time}_{number:08d}.png",
                expression=expression,
                split_id=split_id,
                movie=movie,
                subject=subject,
                clip=clip,
                number=number,
            )


def _clock(seconds: int) -> str:
    """Hours, minutes and seconds in six digits."""
    return f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"


def _title(split_id: int, movie: int) -> str:
    """An invented film's title: another for every movie of every split, in SFEW's spellings."""
    first, second = _TITLES
    number = movie * len(_SPLITS) + split_id
    part, place = divmod(number, len(first) * len(second))
    words = [first[place % len(first)], second[place % len(second)], *([str(part + 1)] if part else [])]
    return ("_" if number % 4 == 3 else "").join(words)


def _write_frame(folder: Path, seed: int, image_size: tuple[int, int], frame: _Frame) -> None:
    scene = _scene(seed, image_size, frame)
    split = _SPLITS[frame.split_id]
    for place, pixels in (("", scene.image), (_ALIGNED_FOLDERS[split], _aligned(scene.image, scene.five_points))):
        _, content = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        (folder / split / place / frame.folder / frame.name).write_bytes(content.tobytes())


def _scene(seed: int, image_size: tuple[int, int], frame: _Frame) -> SyntheticFace:
    def stream(*ids: int) -> np.random.Generator:
        return synthetic_stream("sfew", seed, frame.split_id, *ids)

    identity = sample_identity(stream(_MOVIES, frame.movie, frame.subject))
    shot = sample_face(stream(_CLIPS, frame.clip), frame.expression, identity=identity)
    rng = stream(_FRAMES, frame.clip, frame.number)
    params = replace(
        sample_face(rng, frame.expression, identity=identity),
        light=shot.light,
        backdrop=shot.backdrop,
        glasses=shot.glasses,
        camera=replace(shot.camera, noise_seed=int(rng.integers(2**31))),
    )
    return render_scene(params, image_size, face_scale=float(rng.uniform(*_FACE_SCALES)))


def _aligned(image: np.ndarray, five_points: np.ndarray) -> np.ndarray:
    """(181, 143, 3) face, upright and in the middle."""
    H, W = ALIGNED_SIZE
    margin = (H - W) // 2
    return np.ascontiguousarray(align_face(image, five_points, H)[:, margin : margin + W])
