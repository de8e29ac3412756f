"""What lies behind a head: the room or street, clothes and neck."""

from __future__ import annotations

import cv2
import numpy as np

from mien.data.synthetic.canvas import Canvas, Image, Points, ellipse, ribbon
from mien.data.synthetic.colours import hair_colour, skin_colour
from mien.data.synthetic.geometry import FaceCurves, spline
from mien.data.synthetic.hair import HairShape
from mien.data.synthetic.identity import Identity
from mien.data.synthetic.scene import Backdrop, Light
from mien.data.synthetic.skin import texture


def paint_surroundings(shape: tuple[int, int], backdrop: Backdrop) -> Image:
    """Return a picture (3, H, W) of the surroundings, out of focus, in linear light."""
    rng = np.random.default_rng(backdrop.texture_seed)
    # Out of focus at any rate: half the grid will do.
    height, width = (side // 2 + 1 for side in shape)
    near, far = np.asarray(backdrop.near), np.asarray(backdrop.far)
    angle, side = rng.uniform(0.0, 2.0 * np.pi), float(max(height, width))
    x, y = np.linspace(-0.5, 0.5, width, dtype=np.float32), np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    share = np.clip(0.5 + np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y, 0.0, 1.0)
    picture = cv2.merge([share * np.float32(b - a) + np.float32(a) for a, b in zip(near, far, strict=True)])
    if backdrop.kind == 1:
        for _ in range(7):
            centre, radii = rng.uniform(0.0, 1.0, 2) * (width, height), rng.uniform(0.05, 0.3, 2) * side
            colour = np.clip(near + rng.normal(0.0, 0.2) + rng.normal(0.0, 0.05, 3), 0.0, 1.0)
            cv2.ellipse(picture, (tuple(centre), tuple(radii), float(rng.uniform(0.0, 180.0))), colour.tolist(), -1)
    elif backdrop.kind == 2:
        upright = angle > np.pi
        at = np.linspace(0.0, 1.0, width if upright else height)
        edges = np.sort(rng.uniform(0.0, 1.0, 14))
        tones = rng.normal(0.0, 0.14, 15).astype(np.float32)[np.searchsorted(edges, at)]
        picture += tones[None, :, None] if upright else tones[:, None, None]
    elif backdrop.kind == 3:
        picture += (0.06 * texture(rng, (height, width), side / 22) + 0.09 * texture(rng, (height, width), side / 8))[:, :, None]
    blur = 0.5 if backdrop.kind == 0 else side * float(rng.uniform(0.008, 0.03))
    picture = np.clip(cv2.GaussianBlur(picture, (0, 0), blur), 0.0, 1.0) ** 2
    return np.stack(cv2.split(cv2.resize(picture, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)))


def paint_body(
    canvas: Canvas, identity: Identity, curves: FaceCurves, hair: HairShape, backdrop: Backdrop, light: Light
) -> None:
    """Paint, in linear light, the hair behind the neck, the neck and the shoulders."""
    half, chin = float(np.abs(curves.contour[:, 0]).max()), float(curves.contour[8, 1])
    strength = np.float32(light.strength)
    level = (1.0 - 0.45 * strength) * np.asarray(light.ambient, np.float32)
    side = float(np.sin(np.deg2rad(light.azimuth)))
    if hair.behind is not None:
        canvas.fill(spline(hair.behind, 41), (hair_colour(identity) * 0.72) ** 2 * level, feather=0.03)
    build = 0.72 + 0.20 * identity.masculinity * identity.growth
    neck_half = half * (0.47 + 0.17 * identity.masculinity * identity.growth)
    shoulder = chin + 0.62 - 0.2 * (1.0 - identity.growth)
    skin = skin_colour(identity) ** 2 * level
    neck = np.array([(neck_half * 1.05, 0.8), (neck_half, chin), (neck_half * 1.03, shoulder - 0.15), (neck_half * 1.8, shoulder + 0.25)])
    outline = np.concatenate([neck * (-1.0, 1.0), [(0.0, shoulder + 0.9)], neck[::-1]])
    canvas.fill(outline, skin * 0.80)
    canvas.fill(ellipse((side * neck_half * 0.35, chin + 0.4), (neck_half * 0.35, 0.5)), skin * (1.0 + 0.6 * strength), 0.6, 0.13)
    # The jaw's shadow on the neck.
    canvas.fill(ellipse((-0.15 * side, chin - 0.05), (neck_half * 1.0, 0.32)), skin * 0.38, 0.75, feather=0.10)
    _paint_clothes(canvas, backdrop, (neck_half, shoulder, 2.15 * build), level, side)


def _paint_clothes(canvas: Canvas, backdrop: Backdrop, size: tuple[float, float, float], level: Image, side: float) -> None:
    neck, shoulder, wide = size
    cloth = np.asarray(backdrop.clothes, np.float32) ** 2 * level
    slope = np.array([(wide * 1.25, 4.0), (wide * 1.15, shoulder + 0.75), (wide * 0.85, shoulder + 0.28), (neck * 1.25, shoulder)])
    dip = {0: 0.30, 1: 0.75, 2: 0.62}[backdrop.collar]
    opening: Points = np.array([(neck * 0.95, shoulder + 0.08), (neck * 0.55, shoulder + 0.75 * dip), (0.0, shoulder + dip)])
    right = np.concatenate([spline(slope, 17), opening])
    outline = np.concatenate([right[:-1] * (-1.0, 1.0), right[::-1]])
    canvas.fill(outline, cloth, feather=0.008)
    canvas.fill(ellipse((side * wide * 0.8, shoulder + 0.8), (wide * 0.6, 0.7)), np.minimum(cloth * 1.5, 1.0), 0.5, feather=0.25)
    for sign in (-1.0, 1.0):
        fold = np.array([(sign * wide * 0.75, shoulder + 0.45), (sign * wide * 0.6, shoulder + 0.9), (sign * wide * 0.62, shoulder + 1.5)])
        canvas.stroke(spline(fold, 9), cloth * 0.55, 0.05, 0.6, 0.03)
        if backdrop.collar == 0:
            rim = opening * (sign, 1.0)
            canvas.stroke(rim, cloth * 0.6, 0.05, 0.7, 0.012, (1.0, 1.0))
        else:
            tip = (sign * neck * 0.75, shoulder + dip * 0.95)
            flap = np.array([(sign * neck * 1.02, shoulder - 0.12), (sign * neck * 1.35, shoulder + 0.2), tip, (sign * 0.06, shoulder + dip)])
            tone = (0.80, 0.80, 0.82) * level if backdrop.collar == 2 else np.minimum(cloth * 1.25 + 0.01, 1.0)
            canvas.fill(flap, tone, 0.95, feather=0.008)
            canvas.fill(ribbon(flap[1:], 0.02), tone * 0.5, 0.5, feather=0.006)
