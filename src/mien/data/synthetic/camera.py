"""From light to a file: exposure, gamma, blur, noise and JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.data.synthetic.scene import Camera


def photograph(
    light: NDArray[np.float32], camera: Camera, shape: tuple[int, int], face_height: float, seed: int
) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) that ``camera`` takes of linear ``light`` (3, rows, columns).

    Args:
        light: linear light, about 1 on a white wall, at the size of the picture or finer.
        camera: exposure, tone, noise, blur and compression.
        shape: height and width of the picture.
        face_height: pixels of the picture from hairline to chin, the measure of blur.
        seed: of the sensor's noise.
    """
    picture = cv2.merge(list(light))
    if light.shape[1:] != shape:
        picture = cv2.resize(picture, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    sigma = camera.blur * face_height / 100.0
    if sigma > 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    tone = np.sqrt(picture * np.float32(camera.exposure))
    # A shoulder instead of clipped highlights.
    over = np.maximum(tone - 0.8, 0.0)
    tone = tone - over + over / (1.0 + 2.5 * over)
    grey = cv2.cvtColor(tone, cv2.COLOR_RGB2GRAY)[:, :, None]
    tone = grey + np.float32(camera.saturation) * (tone - grey)
    tone = (tone - np.float32(0.5)) * np.float32(camera.contrast) + np.float32(0.5)
    noise = np.random.default_rng(seed).standard_normal((*shape, 3), dtype=np.float32)
    # Most of a sensor's noise is shared by the channels once the picture is demosaiced.
    noise = 0.8 * noise[:, :, :1] + 0.6 * noise
    levels = np.clip(tone * 255 + noise * np.float32(camera.noise), 0, 255).round().astype(np.uint8)
    _, data = cv2.imencode(".jpg", levels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, camera.jpeg_quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1])
