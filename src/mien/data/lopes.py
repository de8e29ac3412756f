"""Faces prepared as Lopes et al. (2017) do: eye jitter, rotation, crop, down-sampling, contrast normalisation.

Each step is a function of its own, so that each can be left out:

```
eyes = jitter_eyes(eyes, 70, sigma, rng)[k]                  training images only: synthetic neighbours of a face
turn = level_eyes(eyes)                                      rotation about the point between the eyes
crop = box_to_square(face_box(eyes, geometry), size=32)      what is kept, and to how many pixels
face = resample(grey, compose(crop, turn), size=32)          rotation, crop and down-sampling in one interpolation
face = contrast_as_grey(normalise_contrast(face))            each pixel against its 7x7 neighbourhood
```

Points are x and y in pixels, the centre of the top-left pixel being (0, 0) as in ``mien.data.alignment``; matrices are
(2, 3) and map such points. A face's half eye distance, from the point between the eyes to either, is the unit of crops.

Source: Lopes, de Aguiar, De Souza and Oliveira-Santos, Pattern Recognition 61, 2017. Their code is not public; each
docstring says what is theirs and what is chosen here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from mien.errors import MienError

FACE_SIZE = 32
"""Pixels per side of the faces. Source: Lopes et al."""

NUM_SYNTHETIC = 70
"""Synthetic faces per training face, besides itself. Source: Lopes et al."""

JITTER_SIGMA = 3.0
"""Standard deviation of either coordinate of a jittered eye, in pixels of an image with ``JITTER_EYE_DISTANCE``.

Source: Lopes et al., as METHODS recalls them.
"""

JITTER_EYE_DISTANCE = 90.0
"""Pixels between the eyes at which ``JITTER_SIGMA`` holds: about that of the frames of CK+, 640x490 pixels.

Source: ours. The paper's sigma is in pixels of its own images. The same number of pixels would turn a small face by
tens of degrees and a large one hardly at all, so it is scaled with the face.
"""

WINDOW = 7
"""Pixels per side of the neighbourhood that a pixel's contrast is measured against. Source: Lopes et al."""

_MOST_SAMPLES = 32  # per pixel and axis; where more would be needed the image is first averaged over blocks

Box = tuple[float, float, float, float]
"""Left, top, right and bottom edge in pixels."""


@dataclass(frozen=True)
class CropGeometry:
    """What is kept around the eyes, in units of the half eye distance.

    Attributes:
        above: From the line of the eyes to the upper edge.
        below: From the line of the eyes to the lower edge.
        beside: From the point between the eyes to either side.

    Source: Lopes et al.: 4.5 in height, of which 1.3 above; their horizontal factor of 2.4 is read as to either side,
    because half of that would cut through the corners of the eyes.
    """

    above: float = 1.3
    below: float = 3.2
    beside: float = 2.4


def jitter_sigma(eyes: np.ndarray, sigma: float = JITTER_SIGMA, eye_distance: float = JITTER_EYE_DISTANCE) -> float:
    """Scale the jitter with the face: ``sigma`` at an eye distance of ``eye_distance`` pixels.

    Args:
        eyes: (2, 2) centres of the image-left and image-right eye.
        sigma: Pixels.
        eye_distance: Pixels.

    Example:
        >>> jitter_sigma(np.array([[10, 0], [40, 0]]), sigma=3, eye_distance=90)
        1.0
    """
    return sigma * float(np.hypot(*(eyes[1] - eyes[0]))) / eye_distance


def jitter_eyes(eyes: np.ndarray, num: int, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Move each eye by Gaussian noise of its own: the eyes of synthetic neighbours of a face.

    A face prepared by moved eyes comes out a little turned, scaled and shifted, as it would after an inexact detection.

    Args:
        eyes: (2, 2) points.
        num: How many.
        sigma: Standard deviation of either coordinate in pixels.
        rng: Sampled from in the order of the results.

    Returns:
        (num, 2, 2) points.

    Source: Lopes et al.
    """
    return eyes + rng.normal(0, sigma, (num, 2, 2))


def level_eyes(eyes: np.ndarray) -> np.ndarray:
    """Rotate about the point between the eyes until the image-left and image-right eye are level, in that order.

    Args:
        eyes: (2, 2) points.

    Returns:
        (2, 3) matrix.

    Raises:
        MienError: The eyes coincide or are not finite.

    Source: Lopes et al.
    """
    middle, half_distance = _middle_and_half_distance(eyes)
    cosine, sine = (eyes[1] - middle) / half_distance
    linear = np.array([[cosine, sine], [-sine, cosine]])
    return np.column_stack([linear, middle - linear @ middle])


def face_box(eyes: np.ndarray, geometry: CropGeometry) -> Box:
    """Find the edges of the crop around eyes that have been levelled about the point between them.

    Args:
        eyes: (2, 2) points, levelled or not.
        geometry: Extent in units of the half eye distance.

    Raises:
        MienError: As ``level_eyes``.

    Example:
        >>> face_box(np.array([[40, 50], [60, 50]]), CropGeometry(above=1.3, below=3.2, beside=2.4))
        (26.0, 37.0, 74.0, 82.0)
    """
    (x, y), a = _middle_and_half_distance(eyes)
    left, right = x - geometry.beside * a, x + geometry.beside * a
    return float(left), float(y - geometry.above * a), float(right), float(y + geometry.below * a)


def image_box(image_size: tuple[int, int], square: bool = False) -> Box:
    """Find the edges of a whole image, or of its largest centred square: half a pixel beyond the centres of the outer.

    Args:
        image_size: Height and width.
        square: The square.

    Example:
        >>> image_box((4, 8), square=True)
        (1.5, -0.5, 5.5, 3.5)
    """
    H, W = image_size
    if not square:
        return -0.5, -0.5, W - 0.5, H - 0.5
    side = min(H, W)
    top, left = (H - side) // 2, (W - side) // 2
    return left - 0.5, top - 0.5, left + side - 0.5, top + side - 0.5


def box_as_face(box: Box, geometry: CropGeometry) -> tuple[np.ndarray, CropGeometry]:
    """Take what a box shows for a face that has been cropped already, and say where its eyes then are.

    Images that show an aligned face, or none that was found, have no known eyes. With these they can be jittered, and
    unjittered give the box itself.

    Args:
        box: Of a face that fills it.
        geometry: Of a crop of the usual proportions.

    Returns:
        (2, 2) eyes, and the geometry by which ``face_box`` gives ``box`` again.

    Source: ours.
    """
    left, top, right, bottom = box
    a = (right - left) / (2 * geometry.beside)
    above = (bottom - top) * geometry.above / (geometry.above + geometry.below)
    x, y = (left + right) / 2, top + above
    eyes = np.array([[x - a, y], [x + a, y]])
    return eyes, CropGeometry(above / a, (bottom - top - above) / a, geometry.beside)


def box_to_square(box: Box, size: int = FACE_SIZE) -> np.ndarray:
    """Map a box onto a square of ``size`` pixels a side, each direction by its own scale.

    Returns:
        (2, 3) matrix.

    Source: Lopes et al., whose crop is wider than high and becomes 32x32.
    """
    left, top, right, bottom = box
    x_scale, y_scale = size / (right - left), size / (bottom - top)
    return np.array([[x_scale, 0, -0.5 - x_scale * left], [0, y_scale, -0.5 - y_scale * top]])


def compose(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Chain two (2, 3) matrices: what ``first`` gives is mapped by ``second``."""
    linear = second[:, :2] @ first[:, :2]
    return np.column_stack([linear, second[:, :2] @ first[:, 2] + second[:, 2]])


def resample(image: np.ndarray, matrix: np.ndarray, size: int = FACE_SIZE) -> np.ndarray:
    """Draw a face from its image, averaging where it shrinks, so that nothing aliases.

    It is sampled at the whole multiples of the size, in height and in width, at which it does not shrink, and blocks
    are averaged, as ``mien.data.alignment.align_face`` does. Outside the image, from a pixel beyond its edge, is black.

    Args:
        image: (H, W) uint8.
        matrix: (2, 3) from the image to the result; a rotation, then a scale of each direction.
        size: Pixels per side of the result.

    Returns:
        (size, size) uint8.

    Source: ours, because the paper does not say how it interpolates.
    """
    x_samples, y_samples = (max(1, math.ceil(1 / np.hypot(*row) - 1e-6)) for row in matrix[:, :2])
    blocks = max(x_samples, y_samples) // _MOST_SAMPLES
    if blocks > 1:
        return resample(_averaged(image, blocks), compose(matrix, _from_blocks(blocks)), size)
    # Pixel c of the result averages samples k c to k c + k - 1, so its centre belongs at k c + (k - 1) / 2.
    samples = np.array([[x_samples], [y_samples]])
    sampled_by = compose(matrix, np.array([[1, 0, -1], [0, 1, -1]])) * samples
    sampled_by[:, 2:] += (samples - 1) / 2
    # The outer half of the outermost pixels would otherwise fade into the black outside.
    framed = cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    warped = cv2.warpAffine(framed, sampled_by, (x_samples * size, y_samples * size), flags=cv2.INTER_LINEAR)
    return cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA)


def normalise_contrast(images: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """Express each pixel in standard deviations of its neighbourhood: x' = (x - mean) / deviation.

    The mean weighs the neighbourhood by OpenCV's Gaussian kernel of that width (2, 7, 14, 18, 14, 7, 2 sixty-fourths at
    7). The deviation is the root of the mean squared difference of all its pixels, equally weighted, from that mean;
    where it is 0, 1 takes its place. At the borders the image is mirrored about its outermost pixels, which are not
    repeated.

    Args:
        images: (..., H, W) uint8.
        window: Pixels per side of the neighbourhood, odd.

    Returns:
        (..., H, W) float64.

    Raises:
        MienError: ``window`` is even or below 3, or the images are not uint8.

    Source: Lopes et al. for the formula; how the mean is weighted, a public re-implementation; the borders, ours.
    """
    if window < 3 or window % 2 == 0:
        raise MienError(f"normalise_contrast: window is {window}. Give an odd number of pixels, 3 or more.")
    if images.dtype != np.uint8 or images.ndim < 2:
        raise MienError(
            f"normalise_contrast: images are {images.dtype} of shape {images.shape}, not uint8 (..., H, W). "
            "Scale pixels to 0..255."
        )
    pixels = images.astype(np.float64)
    mean = _filtered(pixels, cv2.getGaussianKernel(window, 0))
    # Sums of whole numbers are exact, so that an even neighbourhood has a deviation of exactly 0.
    ones, num = np.ones((window, 1)), window**2
    total, squares = _filtered(pixels, ones), _filtered(pixels**2, ones)
    scatter = num * squares - total**2
    deviation = np.sqrt(scatter / num**2 + (total / num - mean) ** 2)
    even = scatter == 0
    deviation[even] = 1
    return np.where(even, 0.0, (pixels - mean) / deviation)


def contrast_as_grey(contrast: np.ndarray) -> np.ndarray:
    """Store normalised contrast as grey levels: 127 for 0, the ends of the range at two deviations either way.

    Args:
        contrast: Of any shape, as ``normalise_contrast`` gives it.

    Returns:
        uint8 of the same shape, rounded to nearest.

    Source: a public re-implementation: x' 127/2 + 127, clipped to 0 to 255.

    Example:
        >>> contrast_as_grey(np.array([-9, -2, 0, 1, 9]))
        array([  0,   0, 127, 190, 255], dtype=uint8)
    """
    return np.rint(contrast * (127 / 2) + 127).clip(0, 255).astype(np.uint8)


def _middle_and_half_distance(eyes: np.ndarray) -> tuple[np.ndarray, float]:
    distance = float(np.hypot(*(eyes[1] - eyes[0]))) if np.isfinite(eyes).all() else 0.0
    if distance == 0:
        raise MienError(
            f"Both eyes lie at {eyes[0]}, or are not finite, so the face has no size. Leave it out, or take its image "
            "as a face by box_as_face."
        )
    return (eyes[0] + eyes[1]) / 2, distance / 2


def _averaged(image: np.ndarray, blocks: int) -> np.ndarray:
    """The image at a whole fraction of its size; at the right and lower end its last pixels are repeated."""
    H, W = image.shape
    padded = cv2.copyMakeBorder(image, 0, -H % blocks, 0, -W % blocks, cv2.BORDER_REPLICATE)
    size = padded.shape[1] // blocks, padded.shape[0] // blocks
    return cv2.resize(padded, size, interpolation=cv2.INTER_AREA)


def _from_blocks(blocks: int) -> np.ndarray:
    """The matrix from an averaged image to the one that it was averaged from."""
    shift = (blocks - 1) / 2
    return np.array([[blocks, 0, shift], [0, blocks, shift]])


def _filtered(pixels: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Filter (..., H, W) by a kernel (k, 1) in both directions, mirrored at the borders."""
    *leading, H, W = pixels.shape
    edge = len(kernel) // 2
    padded = np.pad(pixels.reshape(-1, H, W), ((0, 0), (edge, edge), (edge, edge)), mode="reflect")
    n, tall, wide = padded.shape
    # All images below each other, with what lies between them already in place, are one image to OpenCV.
    tower = cv2.sepFilter2D(padded.reshape(n * tall, wide), cv2.CV_64F, kernel, kernel)
    return tower.reshape(n, tall, wide)[:, edge : edge + H, edge : edge + W].reshape(*leading, H, W)
