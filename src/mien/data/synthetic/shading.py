"""Light on the relief of a face."""

from __future__ import annotations

import cv2
import numpy as np

from mien.data.synthetic.canvas import Image, Points
from mien.data.synthetic.relief import rotation
from mien.data.synthetic.scene import Light, Pose

_SHADOW_PIXEL = 0.045
"""Size of a pixel of the cast-shadow map, IOD."""


def light_direction(light: Light, pose: Pose) -> tuple[Points, Points]:
    """Return the unit vectors towards the key light and towards the viewer in the head's own frame, (3,) each."""
    azimuth, elevation, roll = np.deg2rad([light.azimuth, light.elevation, pose.roll])
    x, y = np.sin(azimuth) * np.cos(elevation), -np.sin(elevation)
    upright = np.array(
        [
            np.cos(roll) * x + np.sin(roll) * y,
            -np.sin(roll) * x + np.cos(roll) * y,
            np.cos(azimuth) * np.cos(elevation),
        ]
    )
    turn = rotation(pose)
    return turn.T @ upright, turn.T @ np.array([0.0, 0.0, 1.0])


def shade(height: Image, scale: float, light: Light, pose: Pose) -> tuple[Image, Image]:
    """Return the light falling on the relief (3, H, W), about 1 on a lit cheek, and the mirrored light (H, W).

    Light is linear: multiply it with a linear albedo. The terminator is red, as light under the skin makes it.

    Args:
        height: (H, W) relief in IOD.
        scale: pixels per IOD.
        light: the key light and its surroundings.
        pose: of the head; light stands still while the head turns.

    Source: wrapped Lambert diffuse and Blinn-Phong specular (Blinn, "Models of light reflection", 1977); cast shadow
        and occlusion from the height map are ours.
    """
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=scale / 8, borderType=cv2.BORDER_REPLICATE)
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=scale / 8, borderType=cv2.BORDER_REPLICATE)
    norm = 1.0 / np.sqrt(1.0 + slope_x * slope_x + slope_y * slope_y)
    towards, viewer = light_direction(light, pose)

    def facing(direction: Points) -> Image:
        dx, dy, dz = (np.float32(v) for v in direction)
        return (dz - dx * slope_x - dy * slope_y) * norm

    incidence = facing(towards)
    open_sky = _occlusion(height, scale) * (0.86 + 0.14 * facing(np.array([0.0, -1.0, 0.0])))
    wrap = 0.15 + 0.45 * light.softness
    lit = _cast_shadow(height, scale, towards, light.softness)
    key = np.float32(1.50 * light.strength)
    ambient = np.float32(0.95 - 0.80 * light.strength)
    channels = []
    for extra, key_colour, ambient_colour in zip((0.12, 0.0, -0.03), light.key, light.ambient, strict=True):
        reach = np.float32(wrap + extra)
        diffuse = np.maximum(incidence + reach, 0.0) / (1 + reach)
        channels.append(key * np.float32(key_colour) * diffuse * lit + ambient * np.float32(ambient_colour) * open_sky)
    half = towards + viewer
    glint = np.maximum(facing(half / (np.linalg.norm(half) + 1e-6)), 0.0)
    for _ in range(4):
        glint = glint * glint
    return np.stack(channels), glint * lit * np.float32(light.strength)


def _occlusion(height: Image, scale: float) -> Image:
    """Return how much of the surroundings a point sees, darker in hollows, (H, W)."""
    hollow = cv2.GaussianBlur(height, (0, 0), 0.10 * scale) - height
    return 1.0 - np.clip(hollow * 3.2, -0.12, 0.5)


def _cast_shadow(height: Image, scale: float, towards: Points, softness: float) -> Image:
    """Return the share of the key light that reaches each point past the rest of the face, (H, W)."""
    shape = height.shape
    factor = 1.0 / (scale * _SHADOW_PIXEL)
    small = cv2.resize(height, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    rows, columns = small.shape
    sideways = float(np.hypot(towards[0], towards[1]))
    if sideways < 1e-3:
        return np.ones(shape, np.float32)
    climb = towards[2] / sideways
    blocked = np.zeros_like(small)
    for distance in (0.06, 0.12, 0.2, 0.3, 0.45):
        dx, dy = np.array([towards[0], towards[1]]) / sideways * distance / _SHADOW_PIXEL
        move = np.array([[1.0, 0.0, -dx], [0.0, 1.0, -dy]], np.float32)
        ahead = cv2.warpAffine(small, move, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        blocked = np.maximum(blocked, ahead - small - np.float32(distance * climb))
    blocked = cv2.GaussianBlur(blocked, (0, 0), 0.8 + 1.2 * softness)
    shadow = np.clip(blocked * np.float32(14.0 / (1.0 + 2.0 * softness)), 0.0, 1.0) * np.float32(0.85 - 0.35 * softness)
    return cv2.resize(1.0 - shadow, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
