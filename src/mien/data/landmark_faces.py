"""Synthetic faces whose 68 landmarks are known exactly, cut out as expression networks see faces: aligned.

Or nearly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mien.data.alignment import (
    FIVE_POINT_TEMPLATE,
    TEMPLATE_SIZE,
    align_face,
    apply_transform,
    similarity_transform,
    template_transform,
)
from mien.data.synthetic import (
    ACTION_UNITS,
    ActionUnits,
    FaceParameters,
    draw_scene,
    five_points,
    sample_face,
    sample_identity,
    scene_landmarks,
)
from mien.data.synthetic_stream import synthetic_stream
from mien.labels import EXPRESSIONS

SCENE_SIDE = 1.75
"""Side of the scene over that of the crop: a face is then drawn about as large as it is cut out."""

_BOX_SIDES = (1.1, 1.6)  # side of a crop that is not aligned over the longer side of the landmarks' box
_MOST_YAW, _MOST_PITCH = 35.0, 25.0  # degrees, the renderer's


@dataclass(frozen=True)
class LandmarkCrops:
    """How faces are posed and cut out.

    Attributes:
        size: Side of the crops in pixels.
        aligned_share: Part of the faces that are brought to the five-point template, as a detector's points do it; the
            others are cut out by a box around the landmarks, and lean as in their scene.
        rotate_degrees: Largest rotation of a crop, either way.
        scale: Largest change of its size, as a fraction.
        shift: Largest shift along each axis, as a fraction of its side.
        yaw_degrees: Standard deviation of the head's turn.
        pitch_degrees: Standard deviation of its nod.
        free_share: Part of the faces whose action units are drawn one by one, as no expression combines them.
    """

    size: int
    aligned_share: float
    rotate_degrees: float
    scale: float
    shift: float
    yaw_degrees: float
    pitch_degrees: float
    free_share: float


@dataclass(frozen=True)
class LandmarkFace:
    """A face that is placed and not drawn yet.

    Attributes:
        parameters: What to draw.
        scene_size: Side of its square scene in pixels.
        cut: (5, 2) where the template's points lie in the scene: they decide what is cut out.
        landmarks: (68, 2) x and y in the crop, where (0, 0) and (1, 1) are the corners of the crop. A landmark that is
            cut off lies outside.
        aligned: Whether it is brought to the template.
    """

    parameters: FaceParameters
    scene_size: int
    cut: np.ndarray
    landmarks: np.ndarray
    aligned: bool

    @property
    def expression(self) -> str:
        """What the face shows."""
        return EXPRESSIONS[self.parameters.expression]


def place_landmark_face(crops: LandmarkCrops, seed: int, person: int, picture: int) -> LandmarkFace:
    """Decide all about one face, its landmarks included, without drawing it.

    Args:
        crops: How faces are posed and cut out.
        seed: 0 or more.
        person: Who it is; equal numbers are equal persons.
        picture: Number of the face; the expression goes round with it, everything else is drawn by it.

    Example:
        >>> crops = LandmarkCrops(48, 0.7, 30.0, 0.15, 0.08, 14.0, 8.0, 0.3)
        >>> face = place_landmark_face(crops, seed=0, person=0, picture=3)
        >>> face.landmarks.shape, face.expression
        ((68, 2), 'happy')
    """
    identity = sample_identity(synthetic_stream("landmarks", seed, 0, person))
    rng = synthetic_stream("landmarks", seed, 1, picture)
    expression = EXPRESSIONS[picture % len(EXPRESSIONS)]
    parameters = sample_face(rng, expression, identity=identity)
    yaw = float(np.clip(rng.normal(0.0, crops.yaw_degrees), -_MOST_YAW, _MOST_YAW))
    pitch = float(np.clip(rng.normal(0.0, crops.pitch_degrees), -_MOST_PITCH, _MOST_PITCH))
    parameters = replace(parameters, pose=replace(parameters.pose, yaw=yaw, pitch=pitch))
    if rng.random() < crops.free_share:
        parameters = replace(parameters, action_units=_free_units(rng, parameters.action_units))
    side = 2 * round(SCENE_SIDE * crops.size / 2)
    in_scene = scene_landmarks(parameters, (side, side)).astype(np.float64)
    aligned = bool(rng.random() < crops.aligned_share)
    cut = _jittered(rng, _place_of_template(rng, in_scene, aligned), crops)
    in_crop = apply_transform(in_scene, template_transform(cut, crops.size))
    return LandmarkFace(parameters, side, cut, (in_crop + 0.5) / crops.size, aligned)


def draw_landmark_face(face: LandmarkFace, size: int) -> np.ndarray:
    """Draw a face that was placed for crops of this size: (size, size, 3) uint8 RGB; black where the scene ends."""
    scene = draw_scene(face.parameters, (face.scene_size, face.scene_size))
    return align_face(scene.image, face.cut, size)


def _free_units(rng: np.random.Generator, units: ActionUnits) -> ActionUnits:
    """Some units at any intensity beside those of an expression, about equal on both sides."""
    shown = rng.random(len(ACTION_UNITS)) < 0.3
    level = (shown * rng.beta(0.8, 1.2, len(ACTION_UNITS)))[:, None]
    sides = level * (1.0 + rng.normal(0.0, 0.2, (len(ACTION_UNITS), 2)))
    return ActionUnits.from_array(np.clip(np.maximum(0.6 * units.as_array(), sides), 0.0, 1.0))


def _place_of_template(rng: np.random.Generator, landmarks: np.ndarray, aligned: bool) -> np.ndarray:
    """(5, 2) the face's own five points, or the template's in an upright square around the face."""
    if aligned:
        return five_points(landmarks)
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    side = (high - low).max() * rng.uniform(*_BOX_SIDES)
    return (FIVE_POINT_TEMPLATE + 0.5 - TEMPLATE_SIZE / 2) / TEMPLATE_SIZE * side + (low + high) / 2


def _jittered(rng: np.random.Generator, cut: np.ndarray, crops: LandmarkCrops) -> np.ndarray:
    """Turn, scale and move the square that is cut out, about its own centre."""
    angle = np.deg2rad(rng.uniform(-crops.rotate_degrees, crops.rotate_degrees))
    scale = 1.0 + rng.uniform(-crops.scale, crops.scale)
    shift = rng.uniform(-crops.shift, crops.shift, 2) * TEMPLATE_SIZE
    middle = TEMPLATE_SIZE / 2 - 0.5
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (FIVE_POINT_TEMPLATE - middle) @ turn.T + middle + shift
    return apply_transform(moved, similarity_transform(FIVE_POINT_TEMPLATE, cut))
