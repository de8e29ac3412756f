"""The data report of a dataset: counts beside the published ones, figures and sheets of its faces."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mien.data.file_account import NUM_NAMED, PublishedCounts, count_table
from mien.figures.mistakes import TILE, face_tile
from mien.figures.style import SYNTHETIC
from mien.io.schemas import FACE_REASONS, SOUND_REASONS
from mien.io.sheets import COLUMNS, captioned_sheet, message_tile
from mien.nodes.alignment import image_columns

if TYPE_CHECKING:
    from mien.data.image_source import ImageSource

logger = logging.getLogger(__name__)

SHEET_FACES = 64
"""Faces on a sheet: 8 rows of 8."""

SEED = 0
"""Decides which faces are shown."""

ACCEPTED = ("aligned", "already_aligned")
"""Reasons of samples whose face is the only one in the image, or was given; all others belong on the other sheet."""

_FOUND = ("aligned", "several_faces")
_SEARCHED = (*_FOUND, "no_face")
_ROLL_QUANTILES = {"p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}


def report_faces(
    counted: pd.DataFrame,
    samples: pd.DataFrame,
    raw: Path,
    faces: np.ndarray,
    *,
    published: PublishedCounts,
    column: str = "expression",
) -> tuple[pd.DataFrame, dict[str, Any], Any, np.ndarray, np.ndarray]:
    """Report on a dataset: what is there, what is published, what became of each image.

    Args:
        counted: Rows to count per split and class: the listed images, pairs or clips.
        samples: The table of ``locate_faces``.
        raw: The dataset's folder; its name heads the figures.
        faces: Packed faces (n, H, W, C) uint8, or (n, K, H, W, C) of pairs and sequences, by the samples' ``row``.
        published: Samples by split and class, as the authors publish them.
        column: Of ``counted`` that names the class.

    Returns:
        The table of counts, the summary, the overview as a figure, and two sheets
        (H, W, 3) uint8: of aligned faces, and of images that gave none, several, or could not be read.
    """
    from mien.figures.overview import overview_plot

    counts = count_table(counted, published, column)
    synthetic = bool(samples["synthetic"].any())
    return (
        counts,
        summarise_faces(samples),
        overview_plot(counts, samples, raw.name, synthetic=synthetic),
        aligned_sheet(samples, faces, column),
        rejected_sheet(samples, raw),
    )


def account_of_files(
    files: pd.DataFrame, samples: pd.DataFrame, counted: pd.DataFrame, column: str = "expression"
) -> pd.DataFrame:
    """Complete the account of a dataset's files by what could not be decoded.

    Args:
        files: The table of ``mien.data.file_account.FileAccount``.
        samples: The table of ``locate_faces``.
        counted: The listed images or pairs, or clips with ``audio_reason``.
        column: Names the class.

    Returns:
        ``files`` and further rows of the status ``unreadable``: per split, class and reason the samples whose image, or
        clips whose sound, is left out.
    """
    parts = [(samples, "reason", FACE_REASONS)]
    if "audio_reason" in counted:
        parts.append((counted, "audio_reason", SOUND_REASONS))
    rows = []
    for table, reason, sound in parts:
        unreadable = table[~table[reason].isin(sound)]
        groups = [unreadable["split"], unreadable[column] if column in table else "", unreadable[reason]]
        for (split, name, why), group in unreadable.groupby(groups, sort=True) if len(unreadable) else ():
            first = ", ".join(group["sample_id"].iloc[:NUM_NAMED])
            rows.append((str(split), str(name), "unreadable", str(why), True, len(group), first))
    return pd.concat([files, pd.DataFrame(rows, columns=files.columns)], ignore_index=True) if rows else files


def summarise_faces(samples: pd.DataFrame) -> dict[str, Any]:
    """Numbers that tell a sound preparation from a broken one.

    Args:
        samples: The table of ``locate_faces``.

    Returns:
        ``samples``, ``faces`` (that were packed), ``splits``, ``reasons`` with ``count`` and ``share``,
        ``detection_rate`` (images with a face among those that were searched; None where none was), quantiles of
        ``roll_degrees``, ``median_size`` in pixels, ``brightness`` (0 to 255) and ``synthetic_share``; where there is a
        training split, ``leaks``, the copies of its images in other splits pixel for pixel, and ``near_duplicates``,
        those that are alike by their perceptual hash alone. What was not measured is None.
    """
    reasons = samples["reason"].value_counts()
    searched = int(reasons.reindex(_SEARCHED, fill_value=0).sum())
    found = int(reasons.reindex(_FOUND, fill_value=0).sum())
    summary: dict[str, Any] = {
        "samples": len(samples),
        "faces": int((samples["face_index"] >= 0).sum()),
        "splits": {str(split): int(count) for split, count in samples["split"].value_counts(sort=False).items()},
        "reasons": {
            str(reason): {"count": int(count), "share": count / len(samples)} for reason, count in reasons.items()
        },
        "detection_rate": found / searched if searched else None,
        "roll_degrees": {
            name: _number(samples["roll_degrees"].quantile(share)) for name, share in _ROLL_QUANTILES.items()
        },
        "median_size": {side: _number(samples[side].median()) for side in ("height", "width")},
        "brightness": {
            "mean": _number(samples["brightness"].mean()),
            "standard_deviation": _number(samples["brightness"].std()),
        },
        "synthetic_share": _number(samples["synthetic"].mean()),
    }
    if "leaks" in samples and (samples["split"] == "train").any():
        from mien.data.duplicates import near_duplicates

        summary["leaks"] = int(samples["leaks"].sum())
        summary["near_duplicates"] = int(near_duplicates(samples).sum())
        if summary["near_duplicates"]:
            logger.warning(
                "%d further images of other splits are near-duplicates of training images by their perceptual hash",
                summary["near_duplicates"],
            )
    return summary


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def aligned_sheet(samples: pd.DataFrame, faces: np.ndarray, column: str) -> np.ndarray:
    """Show 64 aligned faces, evenly chosen along the table, each with its class.

    Args:
        samples: The table of ``locate_faces``.
        faces: Packed faces (n, H, W, C) uint8, or (n, K, H, W, C) of pairs and sequences: their images then stand side
            by side.
        column: Of ``samples`` that names the class.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    per_sample = faces.shape[1] if faces.ndim == 5 else 1
    aligned = samples[(samples["face_index"] >= 0) & samples["crop"].isin(["points", "whole"])]
    if aligned.empty:
        return _message_sheet("no face was aligned")
    chosen = aligned.iloc[_evenly(len(aligned), max(1, SHEET_FACES // per_sample))]
    tiles = [face_tile(faces[row]) for row in chosen["face_index"]]
    captions = [[str(name)] for name in chosen[column]] if column in chosen else [[""]] * len(tiles)
    what = {1: "faces", 2: "pairs, onset and apex"}.get(per_sample, f"sequences of {per_sample}, from onset to apex")
    heading = _with_origin(f"{len(tiles)} of {len(aligned):,} aligned {what}", samples)
    return captioned_sheet(tiles, captions, heading=heading, columns=max(1, COLUMNS // per_sample))


def _evenly(n: int, most: int) -> np.ndarray:
    """Up to ``most`` of ``n`` positions, in order: one at random of each of as many equal parts."""
    edges = np.linspace(0, n, min(n, most) + 1).astype(int)
    return np.random.default_rng(SEED).integers(edges[:-1], edges[1:])


def rejected_sheet(samples: pd.DataFrame, raw: Path) -> np.ndarray:
    """Show images that gave no face or several, or that could not be read, with the reason and their sample's name.

    Up to 64, every reason with its fair part. Of several faces the chosen one is framed.

    Args:
        samples: The table of ``locate_faces``.
        raw: The dataset's folder.

    Returns:
        (H, W, 3) uint8 RGB; an unreadable image is a grey tile with the reason on it.
    """
    from mien.data.image_source import ImageSource

    rejected = samples[~samples["reason"].isin(ACCEPTED)]
    if rejected.empty:
        return _message_sheet("none rejected")
    columns = list(image_columns(samples))
    chosen = rejected.loc[_fairly(rejected["reason"], max(1, SHEET_FACES // len(columns)))]
    source = ImageSource(raw)
    tiles = [
        np.concatenate([_image_tile(source, row[name], row) for name in columns], axis=1)
        for row in chosen.to_dict("records")
    ]
    source.close()
    captions = [
        [reason.replace("_", " "), sample_id]
        for reason, sample_id in zip(chosen["reason"], chosen["sample_id"], strict=True)
    ]
    heading = f"{len(tiles)} of {len(rejected):,} rejected or doubtful, of {len(samples):,}"
    per_row = max(1, COLUMNS // len(columns))
    return captioned_sheet(tiles, captions, heading=_with_origin(heading, samples), columns=per_row)


def _fairly(reasons: pd.Series, most: int) -> list[Any]:
    """Index of up to ``most`` rows: in turn one of each reason, evenly chosen among its rows, then sorted by reason."""
    groups = {reason: rows.index[_evenly(len(rows), most)] for reason, rows in reasons.groupby(reasons)}
    share = dict.fromkeys(groups, 0)
    while sum(share.values()) < min(most, sum(len(rows) for rows in groups.values())):
        smallest = min((reason for reason in groups if share[reason] < len(groups[reason])), key=share.__getitem__)
        share[smallest] += 1
    return [
        index for reason, rows in groups.items() for index in rows[_evenly(len(rows), share[reason])] if share[reason]
    ]


def _image_tile(source: "ImageSource", reference: str, row: dict[str, Any]) -> np.ndarray:
    """An image fitted into a square, with a frame around the chosen of several faces; or the reason, if unreadable."""
    import cv2

    from mien.data.images import ImageError

    try:
        image = source.read(reference)
    except ImageError as error:
        return message_tile(error.reason.replace("_", " "), TILE, TILE)
    H, W = image.shape[:2]
    scale = TILE / max(H, W)
    size = max(1, round(W * scale)), max(1, round(H * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    if row["reason"] == "several_faces":
        x0, y0, x1, y1 = (round(float(row[name]) * scale) for name in ("box_x0", "box_y0", "box_x1", "box_y1"))
        cv2.rectangle(small, (x0, y0), (x1, y1), (255, 255, 255), 3)
        cv2.rectangle(small, (x0, y0), (x1, y1), (0, 114, 178), 1)
    tile = np.full((TILE, TILE, 3), 225, np.uint8)
    top, left = (TILE - size[1]) // 2, (TILE - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = small
    return tile


def _message_sheet(text: str) -> np.ndarray:
    return message_tile(text, 2 * TILE, COLUMNS * TILE)


def _with_origin(heading: str, samples: pd.DataFrame) -> str:
    return f"{heading}; {SYNTHETIC}" if samples["synthetic"].any() else heading
