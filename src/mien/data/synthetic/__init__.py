"""Synthetic faces with known truth: numpy and OpenCV only, seeded."""

from mien.data.synthetic.action_units import ACTION_UNITS, ActionUnits, sample_action_units
from mien.data.synthetic.identity import ETHNICITIES, GENDERS, HAIR_STYLES, Identity, sample_identity
from mien.data.synthetic.render import SyntheticFace, five_points, render_face, render_scene, scene_landmarks
from mien.data.synthetic.scene import (
    Backdrop,
    Camera,
    FaceParameters,
    Framing,
    Glasses,
    Light,
    Pose,
    sample_face,
)

__all__ = [
    "ACTION_UNITS",
    "ETHNICITIES",
    "GENDERS",
    "HAIR_STYLES",
    "ActionUnits",
    "Backdrop",
    "Camera",
    "FaceParameters",
    "Framing",
    "Glasses",
    "Identity",
    "Light",
    "Pose",
    "SyntheticFace",
    "five_points",
    "render_face",
    "render_scene",
    "sample_action_units",
    "sample_face",
    "sample_identity",
    "scene_landmarks",
]
