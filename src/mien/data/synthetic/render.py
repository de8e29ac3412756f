"""A face on a picture: the relief is painted from the front, lit, turned, and put before its surroundings."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.data.synthetic.backdrop import paint_body, paint_surroundings
from mien.data.synthetic.canvas import Canvas, Image, Points, ellipse, photograph, ribbon
from mien.data.synthetic.features import (
    HairShape,
    build_hair,
    paint_brows,
    paint_eyes,
    paint_hair,
    paint_highlights,
    paint_mouth,
    paint_nose,
)
from mien.data.synthetic.geometry import SIGN, FaceCurves, build_curves, landmarks, spline
from mien.data.synthetic.light import Relief, build_relief, light_direction, project, rotation, shade, unproject
from mien.data.synthetic.scene import FaceParameters
from mien.data.synthetic.skin import ear_outlines, groove_map, paint_skin
from mien.errors import MienError
from mien.labels import FIVE_POINT_LANDMARKS

FACE_HEIGHT = 2.85
"""Hairline to chin of the average adult, IOD."""

_MIDDLE = np.array([0.0, 0.70])
"""The point of the face that is put at the centre of the picture, IOD."""

_WINDOW = (-1.80, -2.40, 1.80, 2.45)
"""Left, top, right and bottom of the frontal canvas, IOD."""


@dataclass(frozen=True, eq=False)
class SyntheticFace:
    """A picture of a face and its truth.

    Coordinates are pixels with (0, 0) at the centre of the top left pixel, x then y, as in OpenCV.
    """

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    landmarks: NDArray[np.float32]  # (68, 2), iBUG's order
    five_points: NDArray[np.float32]  # (5, 2) left eye, right eye, nose tip, left and right mouth corner of the picture
    parameters: FaceParameters


def render_face(params: FaceParameters, size: int = 100, seed: int | None = None) -> SyntheticFace:
    """Draw a face that fills a square picture, as the crops of RAF-DB do.

    The distance between the eyes is about a quarter of ``size``; ``params.framing`` moves and scales the face by a
    few per cent. Roll turns the picture about its centre, so all landmarks stay inside at any angle.

    Args:
        params: What to draw.
        size: Height and width in pixels, 16 to 2048.
        seed: Of the sensor's noise only; ``params.camera.noise_seed`` when None. Equal arguments give equal bytes.

    Raises:
        MienError: ``size`` lies outside its range.

    Example:
        >>> face = render_face(sample_face(np.random.default_rng(0), "happy"), size=48)
        >>> face.image.shape, face.landmarks.shape
        ((48, 48, 3), (68, 2))
    """
    _check_side(size, "size", "render_face")
    framing = params.framing
    iod = size * 0.285 * (1.0 + 0.04 * framing.scale)
    shift = size * 0.025 * np.array([framing.x, framing.y])
    centre = np.array([0.5, 0.5]) * size + shift
    return _draw(params, (size, size), iod, centre, (size / 2, size / 2), seed)


def render_scene(
    params: FaceParameters,
    image_size: tuple[int, int] = (180, 180),
    face_scale: float | None = None,
    centre: tuple[float, float] | None = None,
    seed: int | None = None,
) -> SyntheticFace:
    """Draw a face somewhere on a larger picture, as the original photographs of a dataset show it.

    Args:
        params: What to draw; the roll may be any angle and turns the person about the face's centre.
        image_size: Height and width in pixels, 16 to 2048 each.
        face_scale: The face's height, hairline to chin, as a share of the picture's smaller side, 0.1 to 0.8; from
            0.45 to 0.71 by ``params.framing.scale`` when None.
        centre: The face's centre (x, y) as shares of width and height; by ``params.framing`` within the room that is
            left when None.
        seed: Of the sensor's noise only; ``params.camera.noise_seed`` when None.

    Raises:
        MienError: A side, ``face_scale`` or ``centre`` lies outside its range.
    """
    iod, point = _scene_place(params, image_size, face_scale, centre)
    return _draw(params, image_size, iod, point, (float(point[0]), float(point[1])), seed)


def scene_landmarks(
    params: FaceParameters,
    image_size: tuple[int, int] = (180, 180),
    face_scale: float | None = None,
    centre: tuple[float, float] | None = None,
) -> NDArray[np.float32]:
    """Return the 68 landmarks (68, 2) of the picture that ``render_scene`` draws, without drawing it.

    Arguments and errors as in ``render_scene``, of which this takes a thirtieth of the time.
    """
    iod, point = _scene_place(params, image_size, face_scale, centre)
    curves = build_curves(params.identity, params.action_units)
    relief, turn = build_relief(params.identity, curves), rotation(params.pose)
    origin = _origin(params, iod, point, (float(point[0]), float(point[1])))
    return _seen_landmarks(params, curves, relief, turn, iod, origin).astype(np.float32)


def _scene_place(
    params: FaceParameters,
    image_size: tuple[int, int],
    face_scale: float | None,
    centre: tuple[float, float] | None,
) -> tuple[float, Points]:
    """Return the pixels between the eyes, and the face's centre (2,) in pixels, of a scene."""
    height, width = image_size
    _check_side(height, "image_size[0]", "render_scene")
    _check_side(width, "image_size[1]", "render_scene")
    share = 0.58 + 0.13 * params.framing.scale if face_scale is None else face_scale
    if not 0.1 <= share <= 0.8:
        raise MienError(
            f"face_scale {share} lies outside [0.1, 0.8], in render_scene: 0.6 is a head and shoulders portrait"
        )
    side = min(height, width)
    iod = share * side / FACE_HEIGHT
    if centre is None:
        # Room for the whole head, whose middle lies above the face's.
        roll = np.deg2rad(params.pose.roll)
        crown = 0.25 * iod * np.array([np.sin(roll), -np.cos(roll)])
        room = np.maximum(np.array([width, height]) / 2 - 2.15 * iod, 0.0)
        point = np.array([width, height]) / 2 - crown + room * (params.framing.x, params.framing.y)
    else:
        if not all(0.0 <= value <= 1.0 for value in centre):
            raise MienError(
                f"centre {centre} lies outside the picture, in render_scene: give shares of width and height in [0, 1]"
            )
        point = np.array([centre[0] * width, centre[1] * height])
    return iod, point


def _check_side(side: int, name: str, caller: str) -> None:
    if isinstance(side, bool) or not isinstance(side, (int, np.integer)) or not 16 <= side <= 2048:
        raise MienError(
            f"{name} {side!r} is not a picture's side, in {caller}: give a whole number of pixels from 16 to 2048"
        )


def _supersampling(shape: tuple[int, int], iod: float) -> float:
    """Return how many times finer than the picture to paint: enough for the lids' edges, whole in every side."""
    if iod > 55.0:
        return 1.0
    return 1.5 if iod > 30.0 and shape[0] % 2 == shape[1] % 2 == 0 else 2.0


def _draw(
    params: FaceParameters,
    shape: tuple[int, int],
    iod: float,
    centre: Points,
    pivot: tuple[float, float],
    seed: int | None,
) -> SyntheticFace:
    """Draw the face with ``iod`` pixels between the eyes, its middle at ``centre`` before the roll about ``pivot``."""
    curves = build_curves(params.identity, params.action_units)
    relief = build_relief(params.identity, curves)
    turn = rotation(params.pose)
    finer = _supersampling(shape, iod)
    rows, columns = int(shape[0] * finer), int(shape[1] * finer)
    picture = paint_surroundings((rows, columns), params.backdrop)
    origin = _origin(params, iod, centre, pivot)
    canvas = Canvas(picture, iod * finer, origin * finer - 0.5, params.pose.roll)
    rng = np.random.default_rng(params.identity.texture_seed)
    hair = build_hair(params.identity, curves, rng)
    _paint_behind(canvas, params, curves, hair, turn)
    _paint_head(canvas, params, curves, relief, hair, turn, rng)
    _paint_glasses(canvas, params, curves, turn)
    camera = params.camera
    noise_seed = camera.noise_seed if seed is None else seed
    image = photograph(canvas.pixels, camera, shape, FACE_HEIGHT * iod, noise_seed)
    points = _seen_landmarks(params, curves, relief, turn, iod, origin)
    return SyntheticFace(image, points.astype(np.float32), five_points(points).astype(np.float32), params)


def _origin(params: FaceParameters, iod: float, centre: Points, pivot: tuple[float, float]) -> Points:
    """Return where the point between the eyes lies, (2,), after the roll.

    Pixel edges are continuous coordinates: they scale and turn exactly; pixel centres lie half a pixel further.
    """
    angle = np.deg2rad(params.pose.roll)
    spin = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return ((centre - _MIDDLE * iod) - pivot) @ spin + pivot


def _seen_landmarks(
    params: FaceParameters, curves: FaceCurves, relief: Relief, turn: Points, iod: float, origin: Points
) -> Points:
    """Return the 68 landmarks in pixels of the picture, (68, 2)."""
    flat = landmarks(curves)
    nothing = Canvas(np.zeros((3, 1, 1), np.float32), iod, origin - 0.5, params.pose.roll)
    return nothing.to_pixels(project(flat, relief.at(flat), turn))


def five_points(landmarks: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return MTCNN's five points (..., 5, 2) from 68 landmarks (..., 68, 2): eye centres, nose tip, mouth corners."""
    return np.stack([landmarks[..., list(group), :].mean(axis=-2) for group in FIVE_POINT_LANDMARKS], axis=-2)


def _paint_behind(canvas: Canvas, params: FaceParameters, curves: FaceCurves, hair: HairShape, turn: Points) -> None:
    # The neck lies behind the axis of the turn, so the body moves a little the other way.
    root = np.array([[0.0, 1.2]])
    moved = (project(root, -0.9, turn) - root) @ canvas.matrix
    body = Canvas(canvas.pixels, canvas.scale, canvas.offset + moved[0], params.pose.roll)
    paint_body(body, params.identity, curves, hair, params.backdrop, params.light)


def _paint_head(
    canvas: Canvas,
    params: FaceParameters,
    curves: FaceCurves,
    relief: Relief,
    hair: HairShape,
    turn: Points,
    rng: np.random.Generator,
) -> None:
    identity = params.identity
    scale = min(canvas.scale, 150.0)
    left, top, right, bottom = _WINDOW
    rows, columns = int((bottom - top) * scale), int((right - left) * scale)
    front = Canvas(np.zeros((3, rows, columns), np.float32), scale, -np.array([left, top]) * scale)
    paint_skin(front, identity, curves, rng)
    cover = np.zeros((1, rows, columns), np.float32)
    silhouette = Canvas(cover, scale, front.offset)
    silhouette.fill(curves.skull, 1.0)
    # The relief rounds off at the outline of the face, wherever the jaw has dropped to.
    edge = cv2.GaussianBlur(cover[0], (0, 0), 0.10 * scale)
    for outline in ear_outlines(identity, curves):
        silhouette.fill(outline, 1.0)
    skull = cover[0].copy()
    height = relief.grid((np.arange(columns) / scale) + left, (np.arange(rows) / scale) + top)
    rounded = height - np.float32(0.35) * np.square(1.0 - edge)
    grooves = groove_map(front, identity, curves)
    front.pixels *= 1.0 - 0.32 * grooves
    paint_nose(front, identity, curves)
    paint_mouth(front, identity, curves)
    paint_eyes(front, identity, curves, params.pose)
    paint_brows(front, identity, curves, rng)
    strands = paint_hair(front, identity, hair, skull, rng)
    cover[0] = skull + strands - skull * strands
    lit, glint = shade(rounded - np.float32(0.06) * grooves * (1.0 - strands), scale, params.light, params.pose)
    shine = (0.04 + 0.16 * identity.oiliness) * (1.0 - 0.6 * strands) * glint
    front.pixels = front.pixels**2 * lit + shine
    towards, _ = light_direction(params.light, params.pose)
    paint_highlights(front, curves, params.pose, towards, params.light.strength)
    _composite(canvas, front, cover, np.asarray(cv2.GaussianBlur(height, (0, 0), 0.03 * scale), np.float32), turn)


def _composite(canvas: Canvas, front: Canvas, cover: Image, height: Image, turn: Points) -> None:
    """Put the lit frontal canvas, turned, on the picture."""
    rows, columns = canvas.shape
    inverse = canvas.matrix.T / canvas.scale**2
    x, y = np.arange(columns, dtype=np.float32)[None, :], np.arange(rows, dtype=np.float32)[:, None]
    x, y = x - np.float32(canvas.offset[0]), y - np.float32(canvas.offset[1])
    unrolled = (
        np.float32(inverse[0, 0]) * x + np.float32(inverse[1, 0]) * y,
        np.float32(inverse[0, 1]) * x + np.float32(inverse[1, 1]) * y,
    )
    map_x, map_y = unproject(*unrolled, height, front, turn)
    layer = cv2.merge([*(front.pixels * cover), cover[0]])
    turned = cv2.split(cv2.remap(layer, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT))
    canvas.pixels *= 1.0 - turned[3]
    for plane, light in zip(canvas.pixels, turned, strict=False):
        plane += light


def _paint_glasses(canvas: Canvas, params: FaceParameters, curves: FaceCurves, turn: Points) -> None:
    glasses = params.glasses
    if glasses.kind == 0:
        return
    colour = np.asarray(glasses.colour, np.float32) ** 2
    half = float(np.abs(curves.contour[:, 0]).max())
    front = 0.12
    for sign in SIGN:
        centre = (0.51 * sign, 0.06)
        rim = ellipse(centre, (0.31, 0.27), 32)
        if glasses.kind == 2:
            offset = rim - centre
            rim = centre + np.sign(offset) * np.abs(offset / (0.31, 0.27)) ** 0.55 * (0.34, 0.22)
        rim = project(np.concatenate([rim, rim[:1]]), front, turn)
        canvas.fill(rim, (0.9, 0.95, 1.0), 0.03 + 0.05 * glasses.glare)
        flare = project(
            np.array(centre) + np.array([(-0.20, -0.16), (-0.02, -0.18), (-0.12, 0.12), (-0.24, 0.10)]), front, turn
        )
        canvas.fill(flare, (0.9, 0.95, 1.0), 0.35 * glasses.glare, feather=0.04)
        canvas.fill(ribbon(rim, glasses.thickness, (1.0, 1.0)), colour, 0.92)
        arm = np.array([(sign * 0.82, -0.02), (sign * half * 1.02, -0.02)])
        ends = np.concatenate([project(arm[:1], front, turn), project(arm[1:], -0.75, turn)])
        canvas.fill(ribbon(ends, glasses.thickness, (1.0, 1.0)), colour, 0.92)
    bridge = spline(np.array([(-0.20, 0.02), (0.0, -0.04), (0.20, 0.02)]), 9)
    canvas.fill(ribbon(project(bridge, front, turn), glasses.thickness, (1.0, 1.0)), colour, 0.92)
