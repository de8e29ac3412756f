"""The pipeline from a folder of clips to frames, faces and waveforms, shared by the audio-visual datasets."""

import functools
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from kedro.pipeline import Pipeline, node
from pydantic import Field

from mien.data.file_account import PublishedCounts
from mien.errors import MienError
from mien.io.packed_audio import Waveforms, WaveformStream
from mien.io.schemas import SOUND_REASONS
from mien.nodes.cropping import Channels
from mien.nodes.lopes import LOPES_ENTRIES, lopes_steps
from mien.nodes.params import Count, Params, Positive, Workers
from mien.nodes.preparation import face_steps, list_samples

logger = logging.getLogger(__name__)

CLIP_CROPS: Mapping[int, Channels] = {48: "rgb"}
"""Packed faces of the frames: Lopes' 32 px and the thesis' 50 px are cut from 48."""

SHARED_COLUMNS = ["label", "expression", "split", "subject", "synthetic"]
"""What a frame takes over from its clip."""


class FrameParams(Params):
    """Which frames of a clip are looked at.

    Attributes:
        rate: Frames per second.
        max_frames: Most frames of one clip; longer clips are looked at less often.
    """

    rate: Positive
    max_frames: Count


class AudioParams(Params):
    """How sound is read.

    Attributes:
        sample_rate: Of the packed waveforms, in Hz.
        workers: Processes that decode; 0 is one per core. No result depends on it.
    """

    sample_rate: int = Field(ge=8_000, le=48_000)
    workers: Workers


def clip_dataset_pipeline(
    dataset: str,
    *,
    provide: Callable,
    read: Callable,
    published: PublishedCounts,
    crops: Mapping[int, Channels] = CLIP_CROPS,
) -> Pipeline:
    """Chain provide → read → list frames → locate → crop → report, and pack the sound, under one namespace.

    Systems read ``<dataset>_clips`` (one row per clip), ``<dataset>_samples`` (one per frame), ``<dataset>_faces_48``,
    ``<dataset>_audio``, and the faces as Lopes et al. prepare them, ``<dataset>_faces_lopes`` and
    ``<dataset>_jittered_lopes``.

    Args:
        dataset: Name of the dataset and of the namespace, as in ``ravdess``.
        provide: Node function (``params:synthetic``) → function that draws the folder or checks the user's.
        read: Node function (raw folder, ``params:reader``) → listed clips, and what became of every file.
        published: Clips by split and class; ``{"all": ...}`` as no split is published.
        crops: Which faces are packed: side in pixels and channels.
    """
    steps = [
        node(provide, "params:synthetic", "raw", name="provide"),
        node(read, ["raw", "params:reader"], ["listed_clips", "files"], name="read"),
        node(
            list_frames,
            ["listed_clips", "raw", "params:frames", "params:reader.max_passed_over"],
            "listed",
            name="list_frames",
        ),
        *face_steps("listed", published=published, column="expression", crops=crops, counted="clips"),
        node(pack_audio, ["listed_clips", "raw", "params:audio"], "audio", name="pack_audio"),
        node(index_audio, ["listed_clips", "audio", "params:reader.max_passed_over"], "clips", name="index_audio"),
        *lopes_steps(),
    ]
    read_by_systems = ["samples", "clips", "audio", *(f"faces_{size}" for size in crops), *LOPES_ENTRIES]
    return Pipeline(steps, namespace=dataset, outputs={name: f"{dataset}_{name}" for name in read_by_systems})


def list_clips(clips: pd.DataFrame, raw: Path, *, name: str, published: PublishedCounts) -> pd.DataFrame:
    """Mark synthetic clips, and compare the counts of real ones with the published, over all splits together.

    Args:
        clips: What the dataset's reader returns.
        raw: The dataset's folder.
        name: Of the dataset, for the log.
        published: Clips by class, as ``{"all": ...}``.

    Returns:
        ``clips`` with ``synthetic``, whether faces and voices are synthetic.
    """
    counted = list_samples(clips.assign(split="all"), raw, name=name, published=published)
    return clips.assign(synthetic=counted["synthetic"].to_numpy())


def list_frames(clips: pd.DataFrame, raw: Path, frames: FrameParams, max_passed_over: float = 1.0) -> pd.DataFrame:
    """Choose frames of every clip, evenly over its length.

    A clip of d seconds gives the frames nearest to the middles of n equal parts, n being the whole number of
    ``frames.rate`` times d, at least 1 and at most ``frames.max_frames`` and the frames there are. A clip without a
    video gives none. One whose video cannot be opened gives a row for its first frame, so that it stays visible as a
    rejected sample with its reason.

    Args:
        clips: One row per clip, with ``video`` relative to ``raw``.
        raw: The dataset's folder.
        frames: How many.
        max_passed_over: Share of a split's clips above which videos that cannot be read are an error; 1 refuses none.

    Returns:
        One row per frame: ``sample_id`` ("<clip>_f012"), ``clip``, ``image`` ("<video>#frame=12"), ``time_seconds``
        after the first frame, and ``label``, ``expression``, ``split``, ``subject`` and ``synthetic`` of the clip.

    Raises:
        MienError: No clip has a video, or too many videos cannot be read.
    """
    from mien.data.file_account import check_unreadable

    rows: list[tuple[int, int, float]] = []
    reasons: list[str | None] = [None] * len(clips)
    unreadable = []
    for clip, video in enumerate(clips["video"]):
        if pd.isna(video):
            continue
        chosen, reason = _choose_frames(raw / video, frames)
        if reason:
            reasons[clip] = reason
            unreadable.append(f"{clips['sample_id'].iloc[clip]}: {reason}")
        rows += [(clip, number, time) for number, time in chosen]
    if not rows:
        raise MienError(
            f"No clip in {raw} has a video, so there are no frames to list. Unpack the videos as well; "
            "for the sound alone, run the pipeline with --to-nodes=<dataset>.index_audio."
        )
    if unreadable:
        logger.warning(
            "%d of %d videos cannot be read, the first %s",
            len(unreadable),
            clips["video"].notna().sum(),
            unreadable[0],
        )
    names = clips["sample_id"]
    check_unreadable(pd.Series(reasons, clips.index, dtype=object), clips["split"], names, max_passed_over, "videos")
    clip, number, time = (np.array(column) for column in zip(*rows, strict=True))
    of_clip = clips.iloc[clip].reset_index(drop=True)
    frame_names = pd.Series([f"_f{one:03d}" for one in number])
    return pd.DataFrame(
        {
            "sample_id": of_clip["sample_id"] + frame_names,
            "clip": of_clip["sample_id"],
            "image": of_clip["video"].astype(str) + pd.Series([f"#frame={one}" for one in number]),
            "time_seconds": time.astype(np.float64),
            **{column: of_clip[column] for column in SHARED_COLUMNS},
        }
    )


def _choose_frames(path: Path, frames: FrameParams) -> tuple[list[tuple[int, float]], str]:
    """Number and time of each chosen frame, and why the video cannot be read, if so."""
    from mien.data.images import ImageError
    from mien.data.video import frame_times

    try:
        times = frame_times(path)
    except ImageError as error:
        return [(0, 0.0)], error.reason
    # The last frame is shown as long as the one before it.
    seconds = times[-1] + (times[-1] - times[-2] if len(times) > 1 else 0.0)
    wanted = int(np.clip(int(seconds * frames.rate + 1e-9), 1, min(frames.max_frames, len(times))))
    middles = (np.arange(wanted) + 0.5) * seconds / wanted
    shown = np.searchsorted(times, middles + 1e-9, side="right") - 1
    numbers = np.unique(np.clip(shown, 0, len(times) - 1))
    return [(int(number), float(times[number])) for number in numbers], ""


def pack_audio(clips: pd.DataFrame, raw: Path, audio: AudioParams) -> WaveformStream:
    """Read the sound of every clip, mono at one rate.

    Args:
        clips: One row per clip, with ``audio`` relative to ``raw``, missing where a clip has none.
        raw: The dataset's folder.
        audio: Sample rate and processes.

    Returns:
        One waveform per row, decoded while they are written, with the word of ``mien.data.audio.read_or_reason``.
    """
    return WaveformStream(audio.sample_rate, _waveforms(clips, raw, audio))


def _waveforms(clips: pd.DataFrame, raw: Path, audio: AudioParams) -> Iterator[tuple[np.ndarray, str]]:
    from mien.data.audio import read_or_reason
    from mien.data.worker_processes import map_in_order

    paths = [None if pd.isna(name) else raw / name for name in clips["audio"]]
    read = functools.partial(read_or_reason, sample_rate=audio.sample_rate)
    unreadable = []
    for sample_id, (waveform, reason, message) in zip(
        clips["sample_id"], map_in_order(read, paths, audio.workers), strict=True
    ):
        if reason not in ("read", "no_audio"):
            unreadable.append(f"{sample_id} ({reason}): {message}")
        yield waveform, reason
    if unreadable:
        logger.warning(
            "The sound of %d of %d clips is silent or unreadable, the first %s",
            len(unreadable),
            len(clips),
            unreadable[0],
        )


def index_audio(clips: pd.DataFrame, audio: Waveforms, max_passed_over: float = 1.0) -> pd.DataFrame:
    """Say of every clip where its sound lies among the packed waveforms.

    Args:
        clips: The table that the waveforms were packed by.
        audio: The packed waveforms.
        max_passed_over: Share of a split's clips above which sounds that cannot be read are an error; 1 refuses none.

    Returns:
        ``clips`` with ``audio_start`` (first sample, -1 without sound), ``audio_samples``, ``audio_seconds`` and
        ``audio_reason``.

    Raises:
        MienError: There are not as many waveforms as clips, or too many sounds cannot be read.
    """
    from mien.data.file_account import check_unreadable

    if len(clips) != len(audio):
        raise MienError(
            f"{len(audio)} waveforms are packed of {len(clips)} clips: the folder has changed since. Run the dataset's "
            "pipeline again."
        )
    reasons = pd.Series([str(reason) for reason in audio.reason], clips.index, dtype=object)
    unreadable = reasons.where(~reasons.isin(SOUND_REASONS))
    check_unreadable(unreadable, clips["split"], clips["sample_id"], max_passed_over, "sounds")
    return clips.assign(
        audio_start=np.where(audio.length > 0, audio.start, -1).astype("int64"),
        audio_samples=audio.length.astype("int64"),
        audio_seconds=audio.length / audio.sample_rate,
        audio_reason=reasons.to_list(),
    )
