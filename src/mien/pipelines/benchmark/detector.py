"""Node functions of ``benchmark`` about the face detector."""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mien.pipelines.benchmark.machine import computing_on, machine
from mien.pipelines.benchmark.params import DetectorBenchmark
from mien.pipelines.benchmark.timing import Lap, interleaved, spread
from mien.pipelines.benchmark.words import counted, markdown_page, with_spread

if TYPE_CHECKING:
    from mien.models.face_detector import FaceDetections, FaceDetector

logger = logging.getLogger(__name__)

LOOP = "one image at a time"
"""The way that the others are compared with."""

EXPRESSIONS = ("happy", "neutral", "surprise", "angry", "sad", "fear", "disgust")

CERTAIN, LEAST_OVERLAP, MOST_PIXELS = 0.9, 0.9, 2.0
"""A face of that score in one output is in the other too where a box of that IoU has points that near."""


def measure(detector: DetectorBenchmark) -> pd.DataFrame:
    """Time the batched detector beside a loop over images on synthetic scenes.

    Args:
        detector: Sizes, batches, threads and repeats.

    Returns:
        One row per image size, number of threads and way (LOOP, and each batch size): ``images_per_s``,
        ``ms_per_image`` and ``speedup`` over the loop as median over the repeats with ``_low`` and ``_high`` (least and
        largest), ``cpu_ms_per_image`` and ``cpu_speedup`` likewise by the process's own time, milliseconds per image of
        each stage (``pyramid_ms`` ... ``other_ms``), ``faces`` found, ``equal`` (share of faces that the loop finds
        alike), ``images``, ``repeats`` and ``machine``.
    """
    from mien.models.face_detector import FaceDetector
    from mien.models.face_detector_loop import FaceDetectorLoop

    loop = FaceDetectorLoop(min_face_size=detector.min_face_size)
    batched = FaceDetector(min_face_size=detector.min_face_size)
    rows = []
    for size in detector.image_sizes:
        scenes = _scenes(size, max(detector.batch_sizes), detector.seed)
        ways = {LOOP: partial(_detect, loop, scenes, len(scenes))}
        ways |= {f"batches of {n}": partial(_detect, batched, scenes, n) for n in detector.batch_sizes}
        for threads in detector.threads:
            with computing_on(threads):
                found = {name: way(Lap()) for name, way in ways.items()}  # and warms up
                laps = interleaved(ways, detector.repeats)
            for name in ways:
                row = {"image_size": size, "threads": threads, "way": name, **_speed(laps[name], laps[LOOP], scenes)}
                rows.append(row | _agreement(found[name], found[LOOP]))
    table = pd.DataFrame(rows).assign(images=max(detector.batch_sizes), repeats=detector.repeats, machine=machine())
    for sentence in sentences(table):
        logger.info("%s", sentence)
    return table


def draw(table: pd.DataFrame) -> Any:
    """Draw the milliseconds per image of each way, stage by stage.

    Args:
        table: Of ``measure``.

    Returns:
        Plotly's figure: a panel per image size.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    from mien.figures import COLORS, layout

    sizes = table["image_size"].unique().tolist()
    figure = make_subplots(rows=len(sizes), cols=1, subplot_titles=[f"{size} px" for size in sizes])
    for panel, size in enumerate(sizes, start=1):
        of_size = table[table["image_size"] == size]
        names = [f"{row.way}, {counted(row.threads, 'thread')}" for row in of_size.itertuples()]
        for stage, color in zip(_stages(), COLORS, strict=False):
            bar = go.Bar(
                x=of_size[f"{stage}_ms"].tolist(),
                y=names,
                name=stage,
                legendgroup=stage,
                showlegend=panel == 1,
                orientation="h",
                marker={"color": color},
            )
            figure.add_trace(bar, row=panel, col=1)
        figure.update_yaxes(autorange="reversed", row=panel, col=1)
        figure.update_xaxes(title_text="milliseconds per image", row=panel, col=1)
    title = f"Face detection, {table['machine'].iloc[0]}"
    figure.update_layout(**layout(title, synthetic=True), barmode="stack", width=900, height=160 + 60 * len(table))
    figure.update_layout(margin={"l": 260})
    return figure


def write(table: pd.DataFrame) -> str:
    """Write the table as Markdown, with what must be known to read it.

    Args:
        table: Of ``measure``.

    Returns:
        The text.
    """
    header = ["Image", "Threads", "Way", "Images/s", "Times the loop", "by CPU time", "Equal faces"]
    header += [f"{stage}, ms" for stage in _stages()]
    lines = [
        [
            f"{row['image_size']} px",
            str(row["threads"]),
            row["way"],
            with_spread(row, "images_per_s", 1),
            with_spread(row, "speedup", 2),
            with_spread(row, "cpu_speedup", 2),
            f"{100 * row['equal']:.1f} % of {row['faces']}",
            *(f"{row[f'{stage}_ms']:.2f}" for stage in _stages()),
        ]
        for _, row in table.iterrows()
    ]
    first = table.iloc[0]
    notes = [
        f"Machine: {first['machine']}. {first['images']} synthetic scenes of each size; median of {first['repeats']} "
        "repeats (least to largest), all ways in turn.",
        f"The loop ({LOOP}) is the same cascade: P-Net on each scale of each image, R-Net and O-Net on the squares of "
        "one image.",
        f"Equal faces: of those that either is certain of (score above {CERTAIN}), the share with IoU of at least "
        f"{LEAST_OVERLAP} and points within {MOST_PIXELS:g} px in the other.",
        "Where other programs keep the machine busy, read the ratio by CPU time, and of one thread: several threads "
        "wait for each other in a loop that takes CPU time too.",
    ]
    return markdown_page("Speed of the face detector", [("", header, lines)], notes)


def sentences(table: pd.DataFrame) -> Iterator[str]:
    """Say each row of the table in one line.

    Args:
        table: Of ``measure``.
    """
    for _, row in table.iterrows():
        yield (
            f"{row['image_size']} px, {counted(row['threads'], 'thread')}, {row['way']}: "
            f"{with_spread(row, 'images_per_s', 1)} images/s, {with_spread(row, 'speedup', 2)} times the loop, "
            f"{100 * row['equal']:.1f} % of faces equal"
        )


def equal_faces(one: "Sequence[FaceDetections]", other: "Sequence[FaceDetections]") -> float:
    """Share of the faces, certain in either output, that the other has too: by box and by points.

    Args:
        one: Of each image.
        other: Of the same images.

    Returns:
        A fraction in [0, 1]; 1 where no face is certain.
    """
    alike = [
        _has(theirs, box, points)
        for a, b in zip(one, other, strict=True)
        for ours, theirs in ((a, b), (b, a))
        for box, points, score in zip(ours.boxes, ours.points, ours.scores, strict=True)
        if score > CERTAIN
    ]
    return float(np.mean(alike)) if alike else 1.0


def _has(faces: "FaceDetections", box: np.ndarray, points: np.ndarray) -> bool:
    sides = np.minimum(faces.boxes[:, 2:], box[2:]) - np.maximum(faces.boxes[:, :2], box[:2])
    shared = sides.clip(min=0).prod(axis=1)
    areas = (faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    near = np.abs(faces.points - points).max(axis=(1, 2), initial=0) <= MOST_PIXELS
    return bool((near & (shared / (areas - shared) >= LEAST_OVERLAP)).any())


def _agreement(found: "list[FaceDetections]", expected: "list[FaceDetections]") -> dict[str, Any]:
    return {"faces": sum(map(len, found)), "equal": equal_faces(found, expected)}


def _scenes(size: int, number: int, seed: int) -> np.ndarray:
    """Draw square scenes (number, size, size, 3), one person on each."""
    from mien.data.synthetic import render_scene, sample_face

    faces = [
        sample_face(np.random.default_rng([seed, size, k]), EXPRESSIONS[k % len(EXPRESSIONS)]) for k in range(number)
    ]
    return np.stack([render_scene(face, (size, size)).image for face in faces])


def _detect(detector: "FaceDetector", scenes: np.ndarray, batch_size: int, lap: Lap) -> "list[FaceDetections]":
    detector.stopwatch = lap.stage
    return [
        faces
        for start in range(0, len(scenes), batch_size)
        for faces in detector.detect(scenes[start : start + batch_size])
    ]


def _speed(laps: list[Lap], of_loop: list[Lap], scenes: np.ndarray) -> dict[str, float]:
    n = len(scenes)
    pairs = list(zip(laps, of_loop, strict=True))
    measured: dict[str, Callable[[], list[float]]] = {
        "images_per_s": lambda: [n / lap.seconds for lap in laps],
        "ms_per_image": lambda: [1e3 * lap.seconds / n for lap in laps],
        "speedup": lambda: [loop.seconds / lap.seconds for lap, loop in pairs],
        "cpu_ms_per_image": lambda: [1e3 * lap.cpu_seconds / n for lap in laps],
        "cpu_speedup": lambda: [loop.cpu_seconds / lap.cpu_seconds for lap, loop in pairs],
    }
    row: dict[str, float] = {}
    for name, values in measured.items():
        row[name], row[f"{name}_low"], row[f"{name}_high"] = spread(values())
    for stage in _stages():
        row[f"{stage}_ms"] = spread([1e3 * _of_stage(lap, stage) / n for lap in laps])[0]
    return row


def _stages() -> tuple[str, ...]:
    from mien.models.face_detector import STAGES

    return (*STAGES, "other")


def _of_stage(lap: Lap, stage: str) -> float:
    return lap.seconds - sum(lap.stages.values()) if stage == "other" else lap.stages.get(stage, 0.0)
