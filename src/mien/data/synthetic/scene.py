"""Everything that a picture of a face depends on: who, which expression, pose, light, surroundings and camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.data.synthetic.action_units import ActionUnits, check_expression, sample_action_units
from mien.data.synthetic.identity import AGE_RANGE, Identity, sample_identity
from mien.errors import MienError
from mien.labels import EXPRESSIONS

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Pose:
    """Where the head turns, in degrees, and where the eyes look.

    Positive roll turns the picture clockwise, so the line from the left to the right eye points at ``roll`` degrees
    in pixel coordinates; positive yaw turns the face to the right of the picture, positive pitch downwards. ``gaze``
    is in iris radii.
    """

    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for name, limit in (("roll", 360.0), ("yaw", 35.0), ("pitch", 25.0)):
            angle = getattr(self, name)
            if not abs(angle) <= limit:
                raise MienError(
                    f"{name} {angle} lies outside -{limit:.0f} to {limit:.0f} degrees, in Pose: "
                    "the face is a relief and turns no further"
                )


@dataclass(frozen=True)
class Light:
    """A key light and what the surroundings reflect.

    ``azimuth`` (degrees, positive from the right of the picture) and ``elevation`` (degrees, positive from above) say
    where the key light stands, ``strength`` in [0, 1] its share of all light, ``softness`` in [0, 1] how far it
    reaches around the face. Colours are factors of the three channels.
    """

    azimuth: float = -25.0
    elevation: float = 30.0
    strength: float = 0.5
    softness: float = 0.5
    key: Colour = (1.0, 1.0, 1.0)
    ambient: Colour = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Backdrop:
    """What is behind the head: colours in [0, 1], ``kind`` 0 gradient, 1 blurred shapes, 2 blinds or books, 3 foliage.

    ``collar`` is 0 round neck, 1 open collar, 2 suit; ``texture_seed`` places the shapes.
    """

    kind: int = 0
    near: Colour = (0.55, 0.58, 0.60)
    far: Colour = (0.40, 0.42, 0.46)
    clothes: Colour = (0.25, 0.30, 0.45)
    collar: int = 0
    texture_seed: int = 0


@dataclass(frozen=True)
class Glasses:
    """Spectacles: ``kind`` 0 none, 1 round, 2 rectangular; ``thickness`` of the rim in IOD; ``glare`` in [0, 1]."""

    kind: int = 0
    thickness: float = 0.03
    colour: Colour = (0.1, 0.1, 0.1)
    glare: float = 0.0


@dataclass(frozen=True)
class Camera:
    """What the camera and the file do to the picture.

    ``exposure`` and ``contrast`` are factors, ``noise`` is the standard deviation in grey levels of 255, ``blur`` the
    standard deviation in hundredths of the face's height, ``jpeg_quality`` is 1 to 100.
    """

    exposure: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    noise: float = 2.0
    blur: float = 0.3
    jpeg_quality: int = 90
    noise_seed: int = 0


@dataclass(frozen=True)
class Framing:
    """Where the face lies in the picture and how large it is, each in [-1, 1] of the room that the picture leaves."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 0.0


@dataclass(frozen=True)
class FaceParameters:
    """All parameters of one synthetic face; equal parameters and seed give the same bytes.

    The parts compose with ``dataclasses.replace``: the same ``identity`` under several ``action_units`` is a pair or
    a clip, the same picture with ``identity.at_age(70)`` an ageing. ``expression`` is the position in
    ``mien.labels.EXPRESSIONS`` that the units were sampled for.
    """

    identity: Identity
    action_units: ActionUnits
    expression: int
    pose: Pose = Pose()
    light: Light = Light()
    backdrop: Backdrop = Backdrop()
    glasses: Glasses = Glasses()
    camera: Camera = Camera()
    framing: Framing = Framing()


def sample_face(
    rng: np.random.Generator,
    expression: str,
    *,
    identity: Identity | None = None,
    roll_degrees: float | None = None,
    age: float | None = None,
) -> FaceParameters:
    """Draw the parameters of one picture of a face.

    Args:
        rng: The source of all randomness.
        expression: One of ``mien.labels.EXPRESSIONS``.
        identity: The person; sampled when None.
        roll_degrees: In-plane rotation, -360 to 360; sampled with a standard deviation of 5 degrees when None.
        age: Years, 1 to 100, also of a given identity; as sampled or given when None.

    Raises:
        MienError: An unknown expression, a roll outside -360 to 360 degrees, or an age outside 1 to 100.

    Example:
        >>> params = sample_face(np.random.default_rng(0), "happy", roll_degrees=10.0)
        >>> params.pose.roll
        10.0
    """
    check_expression(expression, "sample_face")
    if roll_degrees is not None and not abs(roll_degrees) <= 360.0:
        raise MienError(
            f"roll_degrees {roll_degrees} lies outside -360 to 360, in sample_face: give degrees, or None to draw it"
        )
    if age is not None and not AGE_RANGE[0] <= age <= AGE_RANGE[1]:
        raise MienError(
            f"age {age} lies outside 1 to 100, in sample_face: give years in that range, or None to draw it"
        )
    person = sample_identity(rng, age=age) if identity is None else identity
    if identity is not None and age is not None:
        person = identity.at_age(age)
    units = sample_action_units(rng, expression)
    roll = float(np.clip(rng.normal(0.0, 5.0), -20.0, 20.0))
    pose = Pose(
        roll=roll if roll_degrees is None else float(roll_degrees),
        yaw=float(np.clip(rng.normal(0.0, 10.0), -24.0, 24.0)),
        pitch=float(np.clip(rng.normal(0.0, 6.0), -14.0, 14.0)),
        gaze=(float(np.clip(rng.normal(0.0, 0.3), -0.8, 0.8)), float(np.clip(rng.normal(0.0, 0.15), -0.4, 0.4))),
    )
    return FaceParameters(
        identity=person,
        action_units=units,
        expression=EXPRESSIONS.index(expression),
        pose=pose,
        light=_sample_light(rng),
        backdrop=_sample_backdrop(rng),
        glasses=_sample_glasses(rng, person.age),
        camera=_sample_camera(rng),
        framing=Framing(*(float(v) for v in rng.uniform(-1.0, 1.0, 3))),
    )


def _colour(values: np.ndarray) -> Colour:
    return float(values[0]), float(values[1]), float(values[2])


def _sample_light(rng: np.random.Generator) -> Light:
    warmth, ambient_warmth = rng.normal(0.0, 0.07, 2)
    return Light(
        azimuth=float(rng.uniform(-75.0, 75.0)),
        elevation=float(rng.uniform(-10.0, 65.0)),
        strength=float(rng.uniform(0.40, 1.0)),
        softness=float(rng.uniform(0.0, 0.7)),
        key=_colour(1.0 + warmth * np.array([1.0, 0.1, -1.1]) + rng.normal(0.0, 0.02, 3)),
        ambient=_colour(1.0 + ambient_warmth * np.array([1.0, 0.0, -1.0]) + rng.normal(0.0, 0.03, 3)),
    )


def _sample_backdrop(rng: np.random.Generator) -> Backdrop:
    base = rng.uniform(0.05, 0.95) + rng.normal(0.0, 0.06, 3)
    other = np.clip(base + rng.normal(0.0, 0.25) + rng.normal(0.0, 0.08, 3), 0.0, 1.0)
    return Backdrop(
        kind=int(rng.integers(4)),
        near=_colour(np.clip(base, 0.0, 1.0)),
        far=_colour(other),
        clothes=_colour(np.clip(rng.uniform(0.03, 0.9) + rng.normal(0.0, 0.10, 3), 0.02, 0.97)),
        collar=int(rng.integers(3)),
        texture_seed=int(rng.integers(2**31)),
    )


def _sample_glasses(rng: np.random.Generator, age: float) -> Glasses:
    worn, tone = rng.random() < (0.05 if age < 12 else 0.15 if age < 45 else 0.28), rng.uniform(0.03, 0.35)
    return Glasses(
        kind=int(rng.integers(1, 3)) if worn else 0,
        thickness=float(rng.uniform(0.018, 0.05)),
        colour=_colour(np.clip(tone + rng.normal(0.0, 0.05, 3), 0.0, 1.0)),
        glare=float(rng.uniform(0.0, 1.0) ** 2),
    )


def _sample_camera(rng: np.random.Generator) -> Camera:
    return Camera(
        exposure=float(np.exp(np.clip(rng.normal(0.0, 0.26), -0.5, 0.6))),
        contrast=float(rng.uniform(0.72, 1.2)),
        saturation=0.0 if rng.random() < 0.06 else float(rng.uniform(0.6, 1.05)),
        noise=float(rng.uniform(0.5, 3.0)),
        blur=float(0.7 * rng.uniform(0.0, 1.0) ** 2),
        jpeg_quality=int(rng.integers(60, 97)),
        noise_seed=int(rng.integers(2**31)),
    )
