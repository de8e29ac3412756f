"""Six cues of a smile, measured on one face and compared with the same person's neutral one.

Source: Matsugu, Mori, Mitari and Kaneda, Neural Networks 16, 2003, as the thesis sums them up: eyes and lips come
nearer, the lips get longer, the eyes wrinkle, the lips' ends rise, teeth show, the cheeks wrinkle. Their network
finds the parts of the face; here 68 landmarks do. How each cue is measured is ours.
"""

from __future__ import annotations

import cv2
import numpy as np

from mien.errors import MienError

CUES: tuple[str, ...] = (
    "eye_lip_distance",
    "lip_width",
    "eye_wrinkles",
    "lip_end_gradient",
    "teeth",
    "cheek_wrinkles",
)
"""What is measured, in the thesis' order."""

SIGNS: tuple[float, ...] = (-1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
"""Direction in which each cue changes with a smile: the distance from eyes to lips alone shrinks."""

_TEETH = CUES.index("teeth")
_PATCH = 0.18  # half the side of a patch that is searched for wrinkles, in eye distances


def measure_cues(face: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Measure the six cues on a face.

    Lengths are in distances between the eyes' centres, so that they do not depend on the size of the face. Wrinkles are
    the mean gradient within a patch over its mean brightness: beside the outer corners of the eyes, and between nose
    and mouth corners. Teeth are the share of bright, colourless pixels between the lips.

    Args:
        face: (H, W, 3) uint8 RGB.
        points: (68, 2) landmarks in iBUG's order, x and y with (0, 0) and (1, 1) the corners of the face.

    Returns:
        (6,) float64 in the order of ``CUES``.

    Raises:
        MienError: The points are not (68, 2) and finite, or the eyes coincide.
    """
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise MienError(f"points of shape {points.shape} are no 68 landmarks (x, y), or not finite: predict them anew.")
    H, W = face.shape[:2]
    p = points * (W, H) - 0.5
    left, right = p[36:42].mean(axis=0), p[42:48].mean(axis=0)
    unit = float(np.hypot(*(right - left)))
    if unit < 1:
        raise MienError(f"Both eyes lie at {left}, so the face has no size: leave it out.")
    down = np.array([-(right - left)[1], (right - left)[0]]) / unit  # from the eyes to the mouth
    corners, lips = p[[48, 54]], p[[51, 57]]
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float64)
    edges = np.hypot(cv2.Sobel(grey, cv2.CV_64F, 1, 0), cv2.Sobel(grey, cv2.CV_64F, 0, 1)) / 8
    outwards = (right - left) / unit
    eye_patches = (p[36] - _PATCH * unit * outwards, p[45] + _PATCH * unit * outwards)
    cheek_patches = ((p[31] + p[48]) / 2 - 0.1 * unit * outwards, (p[35] + p[54]) / 2 + 0.1 * unit * outwards)
    return np.array(
        [
            (corners.mean(axis=0) - (left + right) / 2) @ down / unit,
            np.hypot(*(corners[1] - corners[0])) / unit,
            _wrinkles(edges, grey, eye_patches, unit),
            (lips.mean(axis=0) - corners.mean(axis=0)) @ down / unit,
            _teeth(face, grey, p[60:68]),
            _wrinkles(edges, grey, cheek_patches, unit),
        ]
    )


def relative_cues(cues: np.ndarray, neutral: np.ndarray) -> np.ndarray:
    """Change of each cue from the neutral face, positive in the direction of a smile.

    Args:
        cues: (..., 6).
        neutral: (6,) or (..., 6) of the neutral face.

    Returns:
        (..., 6).
    """
    return (cues - neutral) * SIGNS


def smile_scores(changes: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Apply the rules: how far each cue speaks for a smile, and how much all of them do.

    A cue speaks with 0 below no change and with 1 from its threshold on, in proportion between. The smile is their
    mean; the laugh is the smile as far as teeth show.

    Args:
        changes: (..., 6) of ``relative_cues``.
        thresholds: (6,) changes at which a cue speaks fully, above 0.

    Returns:
        Cues (..., 6), smile (...,) and laugh (...,), all in [0, 1].

    Source: the rules are Matsugu et al.'s; the ramps, and the laugh as smile with teeth, ours.

    Example:
        >>> cues, smile, laugh = smile_scores(np.array([0.1, 0.1, 0.0, 0.1, 0.0, -1.0]), np.full(6, 0.1))
        >>> float(smile), float(laugh)
        (0.5, 0.0)
    """
    spoken = np.clip(changes / thresholds, 0.0, 1.0)
    smile = spoken.mean(axis=-1)
    return spoken, smile, smile * spoken[..., _TEETH]


def _wrinkles(edges: np.ndarray, grey: np.ndarray, centres: tuple[np.ndarray, np.ndarray], unit: float) -> float:
    """Mean gradient over mean brightness of two patches."""
    densities = []
    for x, y in centres:
        reach = max(1.0, _PATCH * unit)
        rows = slice(max(0, round(y - reach)), max(1, round(y + reach) + 1))
        columns = slice(max(0, round(x - reach)), max(1, round(x + reach) + 1))
        patch, light = edges[rows, columns], grey[rows, columns]
        densities.append(float(patch.mean() / (light.mean() + 8)) if patch.size else 0.0)
    return float(np.mean(densities))


def _teeth(face: np.ndarray, grey: np.ndarray, inner_lips: np.ndarray) -> float:
    """Area of bright, colourless pixels between the lips, in areas of the inner lips' width squared."""
    mask = np.zeros(grey.shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(inner_lips).astype(np.int32)], 1)
    inside = mask.astype(bool)
    width = max(1.0, float(np.hypot(*(inner_lips[4] - inner_lips[0]))))
    pixels = face[inside].astype(np.float64)
    if not len(pixels):
        return 0.0
    colourless = pixels.max(axis=1) - pixels.min(axis=1) < 0.35 * pixels.max(axis=1)
    bright = pixels.mean(axis=1) > 0.6 * np.percentile(grey, 90)
    return float((colourless & bright).sum()) / width**2
