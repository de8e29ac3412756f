"""What lies behind a head: the room or street, clothes and neck."""

from __future__ import annotations

import cv2
import numpy as np

from mien.data.synthetic.canvas import Canvas, Image, Points, ellipse, ribbon
from mien.data.synthetic.features import HairShape
from mien.data.synthetic.geometry import FaceCurves, spline
from mien.data.synthetic.identity import Identity
from mien.data.synthetic.scene import Backdrop, Light
from mien.data.synthetic.skin import hair_colour, skin_colour, texture


def paint_surroundings(shape: tuple[int, int], backdrop: Backdrop) -> Image:
    """Return a picture (3, H, W) of the surroundings, out of focus, in linear light."""
    rng = np.random.default_rng(backdrop.texture_seed)
    # Out of focus at any rate: half the grid will do.
    height, width = (side // 2 + 1 for side in shape)
    near, far = np.asarray(backdrop.near), np.asarray(backdrop.far)
    angle, side = rng.uniform(0.0, 2.0 * np.pi), float(max(height, width))
    x, y = np.linspace(-0.5, 0.5, width, dtype=np.float32), np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    share = np.clip(0.5 + np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y, 0.0, 1.0)
    picture: Image = np.stack(
        [share * np.float32(b - a) + np.float32(a) for a, b in zip(near, far, strict=True)], axis=2
    )
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
        leaves, boughs = texture(rng, (height, width), side / 22), texture(rng, (height, width), side / 8)
        picture = picture + (0.06 * leaves + 0.09 * boughs)[:, :, None]
    blur = 0.5 if backdrop.kind == 0 else side * float(rng.uniform(0.008, 0.03))
    cv2.GaussianBlur(picture, (0, 0), blur, picture)
    picture = np.clip(picture, 0.0, 1.0) ** 2
    return np.stack(cv2.split(cv2.resize(picture, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)))


def paint_body(
    canvas: Canvas, identity: Identity, curves: FaceCurves, hair: HairShape, backdrop: Backdrop, light: Light
) -> None:
    """Paint, in linear light, the hair behind the neck, the neck and the shoulders."""
    half, chin = float(np.abs(curves.contour[:, 0]).max()), float(curves.contour[8, 1])
    level = (1.0 - 0.40 * light.strength) * np.asarray(light.ambient, np.float32)
    side = float(np.sin(np.deg2rad(light.azimuth))) * light.strength
    if hair.behind is not None:
        canvas.fill(spline(hair.behind, 41), (hair_colour(identity) * 0.72) ** 2 * level, feather=0.03)
    build = identity.masculinity * identity.growth
    neck = half * (0.47 + 0.17 * build)
    shoulder = chin + 0.50 - 0.15 * (1.0 - identity.growth)
    skin = skin_colour(identity) ** 2 * level
    flank = np.array([(neck * 1.05, 0.8), (neck, chin), (neck * 1.03, shoulder - 0.15), (neck * 1.8, shoulder + 0.25)])
    outline = np.concatenate([flank * (-1.0, 1.0), [(0.0, shoulder + 0.9)], flank[::-1]])
    _fill_lit(canvas, outline, skin * 0.95, side)
    # The jaw's shadow on the neck.
    canvas.fill(ellipse((-0.15 * side, chin - 0.05), (neck, 0.32)), skin * 0.38, 0.75, feather=0.10)
    _paint_clothes(canvas, backdrop, (neck, shoulder, 1.55 + 0.43 * build), level, side)


def _fill_lit(canvas: Canvas, outline: Points, colour: Image, side: float) -> None:
    """Paint ``outline`` brighter towards ``side``, -1 the left to 1 the right of the picture."""
    found = canvas.mask([outline], feather=0.008)
    if found is None:
        return
    window, cover = found
    across = 1.0 + 0.9 * side * np.linspace(-1.0, 1.0, cover.shape[1], dtype=np.float32)
    canvas.blend(window, cover, colour.reshape(3, 1, 1) * np.maximum(across, 0.15))


def _paint_clothes(
    canvas: Canvas, backdrop: Backdrop, size: tuple[float, float, float], level: Image, side: float
) -> None:
    neck, shoulder, wide = size
    cloth = np.asarray(backdrop.clothes, np.float32) ** 2 * level
    slope = np.array(
        [
            (wide * 1.28, 4.2),
            (wide * 1.24, shoulder + 1.6),
            (wide * 1.13, shoulder + 0.75),
            (wide * 0.85, shoulder + 0.30),
            (neck * 1.25, shoulder),
        ]
    )
    dip = (0.30, 0.75, 0.62)[backdrop.collar]
    opening = np.array([(neck * 0.95, shoulder + 0.08), (neck * 0.55, shoulder + 0.75 * dip), (0.0, shoulder + dip)])
    right = np.concatenate([[(wide * 1.6, 16.0)], spline(slope, 33), opening])
    _fill_lit(canvas, np.concatenate([right[:-1] * (-1.0, 1.0), right[::-1]]), cloth, 0.7 * side)
    for sign in (-1.0, 1.0):
        fold = np.array([(0.75 * wide, shoulder + 0.45), (0.6 * wide, shoulder + 0.9), (0.62 * wide, shoulder + 1.5)])
        canvas.stroke(spline(fold * (sign, 1.0), 9), cloth * 0.55, 0.05, 0.6, 0.03)
        if backdrop.collar == 0:
            canvas.stroke(opening * (sign, 1.0), cloth * 0.6, 0.05, 0.7, 0.012, (1.0, 1.0))
            continue
        flap = np.array(
            [
                (neck * 1.02, shoulder - 0.12),
                (neck * 1.35, shoulder + 0.2),
                (neck * 0.75, shoulder + dip * 0.95),
                (0.06, shoulder + dip),
            ]
        )
        flap = flap * (sign, 1.0)
        tone = np.array([0.60, 0.60, 0.62]) * level if backdrop.collar == 2 else np.minimum(cloth * 1.25 + 0.01, 1.0)
        canvas.fill(flap, tone, 0.95, feather=0.008)
        canvas.fill(ribbon(flap[1:], 0.02), tone * 0.5, 0.5, feather=0.006)
