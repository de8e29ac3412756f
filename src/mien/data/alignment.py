"""Geometry of a face: the five-point template, similarity transforms, aligned crops, and which face is meant.

Points are x and y in pixels with y down, the centre of the top-left pixel being (0, 0) as in OpenCV. Five points are
the image-left eye, image-right eye, nose, image-left and image-right mouth corner.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from mien.data.images import declared_size, first_bytes, printable
from mien.errors import MienError

logger = logging.getLogger(__name__)

TEMPLATE_SIZE = 112
"""Pixels per side of the square that FIVE_POINT_TEMPLATE lies in."""

FIVE_POINT_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""(5, 2) where the five points lie in an aligned face of 112 x 112 pixels.

Source: face.evoLVe's and ArcFace's template for 96 x 112, moved right by 8 px for the square.
"""
FIVE_POINT_TEMPLATE.setflags(write=False)


def similarity_transform(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Fit rotation, uniform scale and translation that take source points nearest to target points.

    With points as complex numbers a similarity is t = a s + b, so least squares has a closed form in one division. It
    has no mirror image among its solutions.

    Example:
        >>> similarity_transform(np.array([[0, 0], [1, 0]]), np.array([[5, 0], [5, 2]])).round(6) + 0.0
        array([[ 0., -2.,  5.],
               [ 2.,  0.,  0.]])

    Args:
        source: (n, 2) points, n at least 2, not all equal.
        target: (n, 2) points.

    Returns:
        (2, 3) float64 matrix; ``apply_transform(source, matrix)`` is close to ``target``.

    Raises:
        MienError: The shapes differ or are not (n, 2), a coordinate is not finite, or all source points coincide.

    Source: Umeyama 1991, equations 40 to 43, for two dimensions and without reflections.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2 or len(source) < 2:
        raise MienError(
            f"similarity_transform: source {source.shape} and target {target.shape} are not two equal shapes (n, 2) "
            "with n at least 2. Give one target point for each source point."
        )
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise MienError("similarity_transform: a coordinate is not finite. Leave out points that were not found.")
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    s, t = (source - source_mean) @ [1, 1j], (target - target_mean) @ [1, 1j]
    spread = np.vdot(s, s).real
    if spread <= (1e-9 * max(1.0, np.abs(source_mean).max())) ** 2:
        raise MienError(
            f"similarity_transform: all source points lie at {source_mean}, so scale and rotation are undefined. "
            "Give at least two different points."
        )
    a = np.vdot(s, t) / spread
    linear = np.array([[a.real, -a.imag], [a.imag, a.real]])
    return np.column_stack([linear, target_mean - linear @ source_mean])


def apply_transform(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Map points (..., 2) by a (2, 3) matrix; float64 of the same shape."""
    return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def roll_angle_degrees(five_points: np.ndarray) -> float:
    """Angle of the line from the image-left to the image-right eye.

    Zero for an upright face; positive where the image-right eye is the lower one, which is a head turned clockwise as
    seen on the screen; beyond 90 for a face upside down.

    Args:
        five_points: (5, 2) points; only the eyes count.

    Returns:
        Degrees in (-180, 180].

    Raises:
        MienError: The shape is not (5, 2), or the eyes coincide or are not finite.
    """
    points = _five_points(five_points, "roll_angle_degrees")
    dx, dy = points[1] - points[0]
    if dx == dy == 0:
        raise MienError(
            f"roll_angle_degrees: both eyes lie at {points[0]}, so there is no eye line. Leave this face out."
        )
    angle = math.degrees(math.atan2(dy, dx))
    return 180.0 if angle == -180.0 else angle


def template_transform(five_points: np.ndarray, size: int = TEMPLATE_SIZE) -> np.ndarray:
    """Matrix that takes pixels of an image to those of the face that ``align_face`` cuts out of it.

    Args:
        five_points: (5, 2) points in the image.
        size: Pixels per side of the face.

    Returns:
        (2, 3) float64, for ``apply_transform``.

    Raises:
        MienError: As ``similarity_transform``.
    """
    template = (FIVE_POINT_TEMPLATE + 0.5) * (size / TEMPLATE_SIZE) - 0.5
    return similarity_transform(five_points, template)


def align_face(image: np.ndarray, five_points: np.ndarray, size: int = TEMPLATE_SIZE) -> np.ndarray:
    """Turn, scale and move a face so that its five points lie nearest to the template's.

    OpenCV's warp reads at most four pixels for one of the result and so aliases where a face shrinks. There the face is
    sampled at a whole multiple of the size at which it does not shrink, and blocks are averaged. Outside the image is
    black.

    Args:
        image: (H, W, 3) uint8.
        five_points: (5, 2) points in the image.
        size: Pixels per side of the result. The template is scaled with it about the corner of the top-left pixel, so
            a face of 56 px shows the same scene as one of 112 px.

    Returns:
        (size, size, 3) uint8.

    Raises:
        MienError: The image is not (H, W, 3) uint8, ``size`` is below 1, or the points are not a face's within about
            this image.

    Source: template and least-squares fit as ArcFace and face.evoLVe; the averaging is ours.
    """
    _check_image(image, size, "align_face")
    matrix = template_transform(_five_points(five_points, "align_face"), size)
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    if size > 4 * max(image.shape[:2]) * scale:
        raise MienError(
            f"align_face: the five points would make a face of more than four times the image {image.shape[:2]}. Check "
            "their order, and that they are pixels of this image."
        )
    samples = max(1, math.ceil(1 / scale - 1e-6))
    matrix *= samples
    # Pixel c of the result averages samples k c to k c + k - 1, so its centre belongs at k c + (k - 1) / 2.
    matrix[:, 2] += (samples - 1) / 2
    warped = cv2.warpAffine(image, matrix, (samples * size, samples * size), flags=cv2.INTER_LINEAR)
    return warped if samples == 1 else cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA)


def centre_crop_face(image: np.ndarray, size: int) -> np.ndarray:
    """Cut the largest centred square and resample it: the face of an image in which none was found.

    Args:
        image: (H, W, 3) uint8.
        size: Pixels per side of the result. Areas are averaged to shrink, pixels interpolated linearly to grow.

    Returns:
        (size, size, 3) uint8.

    Raises:
        MienError: The image is not (H, W, 3) uint8, or ``size`` is below 1.
    """
    _check_image(image, size, "centre_crop_face")
    H, W = image.shape[:2]
    side = min(H, W)
    top, left = (H - side) // 2, (W - side) // 2
    square = image[top : top + side, left : left + side]
    interpolation = cv2.INTER_AREA if size < side else cv2.INTER_LINEAR
    return cv2.resize(square, (size, size), interpolation=interpolation)


def choose_face(boxes: np.ndarray, image_size: tuple[int, int]) -> int:
    """Choose the face that a one-person image is about: the largest central one.

    A box weighs its area inside the image times 1 - d, where d is the distance of its centre from the image's centre in
    units of half the diagonal, at most 1. So a face amid the image beats one of up to twice its area halfway to a
    corner. Equal weights: the first box, which is the detector's more certain one.

    Args:
        boxes: (n, 4) left, top, right and bottom edge in pixels, n at least 1.
        image_size: Height and width of the image in pixels.

    Returns:
        Row of ``boxes``.

    Raises:
        MienError: The shape is not (n, 4) with n at least 1.

    Source: ours, because the datasets' papers do not say which of several faces they keep.
    """
    boxes = np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) == 0:
        raise MienError(f"choose_face: boxes have shape {boxes.shape}, not (n, 4) with n at least 1. Detect first.")
    extent = np.array(image_size[::-1], np.float64)  # width, height
    top_left, bottom_right = boxes[:, :2].clip(0, extent), boxes[:, 2:].clip(0, extent)
    area = (bottom_right - top_left).clip(min=0).prod(axis=1)
    offset = (boxes[:, :2] + boxes[:, 2:] - extent) / 2
    distance = np.hypot(*offset.T) / (np.hypot(*extent) / 2)
    return int(np.argmax(area * (1 - distance.clip(max=1))))


def _five_points(points: np.ndarray, caller: str) -> np.ndarray:
    points = np.asarray(points, np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise MienError(
            f"{caller}: five_points is not a finite (5, 2) array but has shape {points.shape}. Give x and y of the "
            "eyes, nose and mouth corners of one face, as FaceDetections.points[k]."
        )
    return points


def _check_image(image: np.ndarray, size: int, caller: str) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise MienError(
            f"{caller}: image is {image.dtype} of shape {image.shape}, not uint8 (H, W, 3). Repeat a grey channel "
            "three times, and scale pixels to 0..255."
        )
    if size < 1:
        raise MienError(f"{caller}: size is {size} px. Give 1 or more.")


SQUARE = 1.02
"""Height over width up to which a crop counts as square. Source: ours, a pixel of rounding at 48 px."""

SFEW_SHAPE = 1.3
"""The same for SFEW, whose aligned faces have 143x181 pixels, a ratio of 1.27; photographs of 3:4 have 1.33."""

_BEGINNING = 65_536  # bytes; a JPEG's size stands behind its embedded thumbnail


def check_aligned_sizes(paths: Iterable[Path], dataset: str, tallest: float, max_share: float, what_to_do: str) -> None:
    """Refuse photographs under the names of aligned faces, which would be squeezed into squares.

    Files whose header tells no size are left to the decoder.

    Args:
        paths: Of the images.
        dataset: Its name, for messages.
        tallest: Height over width that an aligned face may have; it is no wider than high but for a hundredth or two.
        max_share: Of images with another shape, above which they are refused; below they are logged.
        what_to_do: Ends the message.

    Raises:
        MienError: More than ``max_share`` have another shape.
    """
    total = 0
    wrong: list[tuple[Path, int, int]] = []
    for path in paths:
        size = declared_size(first_bytes(path, _BEGINNING))
        if size is None or not all(size):
            continue
        total += 1
        H, W = size
        if not 1 / SQUARE <= H / W <= tallest:
            wrong.append((path, W, H))
    if not wrong:
        return
    path, W, H = wrong[0]
    reported = f"{len(wrong):,} of {total:,} have another shape, the first {printable(path)} of {W}x{H} pixels"
    if len(wrong) > max_share * total:
        raise MienError(
            f"{dataset}'s images are no aligned faces, which are square or nearly so: {reported}. {what_to_do}"
        )
    logger.warning("%s: of the images that are called aligned, %s", dataset, reported)
