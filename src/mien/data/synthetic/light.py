"""The face in depth, a height over the frontal plane, and the light on it.

Source: ours. The face is a relief: a superelliptic dome with Gaussian bumps for its features. Turning the relief
gives yaw and pitch with parallax (nose over cheek), and its normals give Lambertian and Blinn-Phong shading.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.data.synthetic.canvas import Canvas, Image, Points
from mien.data.synthetic.geometry import SIDES, SIGN, FaceCurves
from mien.data.synthetic.identity import Identity
from mien.data.synthetic.scene import Light, Pose

_DEPTH = 1.30
AXIS = np.array([0.0, 0.45, -0.40])
"""The point about which the head turns, IOD."""


@dataclass(frozen=True)
class Relief:
    """Height z (IOD, towards the viewer) over the frontal plane.

    ``bumps`` holds one Gaussian per row: centre x, y, standard deviations x, y, height.
    """

    dome: tuple[float, float, float]  # half width, half height, centre y
    bumps: Points

    def at(self, points: Points) -> Points:
        """Return the height at ``points`` (N, 2) as (N,)."""
        x, y = points[:, :1], points[:, 1:]
        cx, cy, sx, sy, height = self.bumps.T
        bumps = (height * np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2))).sum(axis=1)
        return self._dome(x, y)[:, 0] + bumps

    def grid(self, x: Points, y: Points) -> Image:
        """Return the height over the grid of ``x`` (W,) and ``y`` (H,) as (H, W)."""
        cx, cy, sx, sy, height = self.bumps.T
        across = np.exp(-0.5 * ((x[:, None] - cx) / sx) ** 2)
        down = np.exp(-0.5 * ((y[:, None] - cy) / sy) ** 2)
        return (self._dome(x[None, :], y[:, None]) + (down * height) @ across.T).astype(np.float32)

    def _dome(self, x: Points, y: Points) -> Points:
        half_width, half_height, centre = self.dome
        radius = (x / half_width) ** 2 + ((y - centre) / half_height) ** 2
        return _DEPTH * (np.sqrt(np.maximum(1.0 - radius * np.sqrt(np.sqrt(radius)), 0.16)) - 1.0)


def build_relief(identity: Identity, curves: FaceCurves) -> Relief:
    """Return the relief of a face with the given curves."""
    width, chin = np.abs(curves.skull[:, 0]).max(), curves.contour[8, 1]
    top, bottom = curves.skull[:, 1].min() - 0.12, chin + 0.30
    bumps = _middle_bumps(identity, curves)
    for side in SIDES:
        bumps += _side_bumps(identity, curves, side)
    return Relief(dome=(width * 1.07, (bottom - top) / 2, (bottom + top) / 2), bumps=np.array(bumps))


def _middle_bumps(identity: Identity, curves: FaceCurves) -> list[tuple[float, float, float, float, float]]:
    nose, mouth, growth = curves.nose, curves.mouth, identity.growth
    base, chin = float(nose.base[2, 1]), float(curves.contour[8, 1])
    raised = (0.6 + 0.4 * growth) * (0.75 + 0.25 * identity.masculinity)
    bumps = [
        (0.0, -0.85, 0.60, 0.35, 0.05),
        (0.0, -0.20, 0.16, 0.10, 0.03 + 0.02 * curves.mean_unit(4)),
        (0.0, base - 0.13, 0.115, 0.105, 0.20 * raised),
        (0.0, base + 0.10, 0.05, 0.07, -0.02),
        (0.0, float(mouth.upper_outer[16, 1]), 0.40, 0.26, 0.10),
        (0.0, float(mouth.lower_outer[16, 1]) + 0.09, 0.20, 0.055, -0.06),
        (0.0, chin - 0.20, 0.20, 0.13, 0.10 + 0.04 * curves.mean_unit(17)),
    ]
    ridge = np.linspace(0.02, base - 0.18, 6)
    for share, y in zip(np.linspace(0.0, 1.0, 6), ridge, strict=True):
        height = (0.035 + 0.07 * identity.nose_bridge) * (1.0 - share) + 0.17 * share
        bumps.append((0.0, float(y), 0.085 + 0.025 * share, 0.09, height * raised))
    upper = (mouth.upper_outer + mouth.upper_inner) / 2
    lower = (mouth.lower_outer + mouth.lower_inner) / 2
    plump = 1.0 - 0.4 * curves.mean_unit(24)
    for index in (5, 9, 13, 16, 19, 23, 27):
        swell = 1.0 - 0.5 * abs(index - 16) / 16
        bumps.append((float(upper[index, 0]), float(upper[index, 1]), 0.075, 0.032, 0.022 * swell * plump))
        bumps.append((float(lower[index, 0]), float(lower[index, 1]), 0.085, 0.045, 0.032 * swell * plump))
    return bumps


def _side_bumps(identity: Identity, curves: FaceCurves, side: int) -> list[tuple[float, float, float, float, float]]:
    sign, eye, nose, units = SIGN[side], curves.eyes[side], curves.nose, curves.units
    smile, cheek = float(units[12][side]), float(units[6][side])
    ex, ey = float(eye.centre[0]), float(eye.centre[1])
    brow = curves.brows[side].points
    wing_x, wing_y = float(nose.base[0 if side == 0 else 4, 0]), float(nose.base[0 if side == 0 else 4, 1])
    corner = curves.mouth.upper_inner[0 if side == 0 else 32]
    full = 0.5 * identity.cheek_fullness + 0.5 * (1.0 - identity.growth)
    lift = 0.10 * smile + 0.08 * cheek + 0.05 * float(units[9][side])
    return [
        (ex, ey - 0.03, 0.27, 0.16, -0.11),
        (sign * 0.24, ey - 0.02, 0.09, 0.11, -0.055),
        (ex, ey, 0.15, 0.085, 0.07),
        (
            float(brow[2, 0]),
            float(brow[2, 1]) + 0.05,
            0.26,
            0.075,
            0.035 + 0.03 * identity.masculinity * identity.growth,
        ),
        (float(brow[0, 0]), float(brow[0, 1]), 0.08, 0.07, 0.02 + 0.03 * float(units[4][side])),
        (sign * 0.70, 0.48 - 0.5 * lift, 0.24, 0.17, 0.07 + 0.05 * cheek),
        (
            sign * 0.50,
            0.72 - lift,
            0.19,
            0.15,
            0.03 + 0.02 * full + 0.075 * smile + 0.05 * cheek + 0.03 * float(units[10][side]),
        ),
        (sign * 0.72, 1.00, 0.20, 0.22, -0.07 + 0.10 * full),
        (sign * 0.66, 1.32, 0.16, 0.14, 0.05 * identity.wrinkles),
        (sign * 0.98, -0.40, 0.16, 0.28, -0.06),
        (wing_x * 0.80, wing_y - 0.03, 0.070, 0.070, 0.125),
        (wing_x * 1.28, wing_y, 0.05, 0.08, -0.04),
        (
            float(corner[0]) + sign * 0.05,
            float(corner[1]),
            0.05,
            0.05,
            -0.03 - 0.03 * smile - 0.04 * float(units[14][side]),
        ),
    ]


def rotation(pose: Pose) -> Points:
    """Return the rotation (3, 3) of the head's yaw and pitch; the roll belongs to the picture plane."""
    yaw, pitch = np.deg2rad(pose.yaw), np.deg2rad(pose.pitch)
    turn = np.array([[np.cos(yaw), 0.0, np.sin(yaw)], [0.0, 1.0, 0.0], [-np.sin(yaw), 0.0, np.cos(yaw)]])
    nod = np.array([[1.0, 0.0, 0.0], [0.0, np.cos(pitch), np.sin(pitch)], [0.0, -np.sin(pitch), np.cos(pitch)]])
    return nod @ turn


def project(points: Points, height: Points | float, turn: Points) -> Points:
    """Return where ``points`` (N, 2) at ``height`` (N,) appear, (N, 2), after the rotation ``turn`` about ``AXIS``."""
    depth = np.broadcast_to(np.asarray(height, dtype=np.float64), (len(points),))
    solid = np.concatenate([points, depth[:, None]], axis=1)
    return ((solid - AXIS) @ turn.T + AXIS)[:, :2]


def unproject(x: Image, y: Image, height: Image, canvas: Canvas, turn: Points) -> tuple[Image, Image]:
    """Return, for points of the picture, the pixels of the frontal canvas seen there: the inverse of ``project``.

    Args:
        x: (H, W) face coordinate of the picture's pixels, roll removed.
        y: (H, W) likewise.
        height: (h, w) relief over ``canvas``.
        canvas: The frontal canvas, unrolled.
        turn: The rotation (3, 3).

    Source: ours: fixed-point iteration on the height, which converges because the relief's slope times the tangent of
        the (slight) turn is below one except at the very edge of the head.
    """
    scale = np.float32(canvas.scale)
    inverse = np.linalg.inv(turn[:2, :2])
    u, v = x - np.float32(AXIS[0]), y - np.float32(AXIS[1])
    offset = canvas.to_pixels(AXIS[None, :2])[0]
    column = (np.float32(inverse[0, 0]) * u + np.float32(inverse[0, 1]) * v) * scale + np.float32(offset[0])
    row = (np.float32(inverse[1, 0]) * u + np.float32(inverse[1, 1]) * v) * scale + np.float32(offset[1])
    shift = (inverse @ turn[:2, 2] * canvas.scale).astype(np.float32)
    raised = height - np.float32(AXIS[2])
    now_x, now_y = column, row
    for _ in range(4):
        depth = cv2.remap(raised, now_x, now_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        now_x, now_y = column - shift[0] * depth, row - shift[1] * depth
    return now_x, now_y


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
        scale: Pixels per IOD.
        light: The key light and its surroundings.
        pose: Of the head; light stands still while the head turns.

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
