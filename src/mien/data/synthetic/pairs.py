"""Synthetic pairs of an onset and an apex image.

In which posed and spontaneous expressions differ as the literature says.

What differs by kind is in the face alone, and its ranges overlap:

* A spontaneous expression raises the cheeks (AU6) and tightens the lids (AU7) beyond the person's habit; a posed one
  mostly does not (Ekman and O'Sullivan, 1991, after Duchenne).
* A posed expression is more often stronger on one side (Ekman, Hager and Friesen, 1981), and on average more intense.

All else is sampled in one way for both kinds: who, which emotion, what the face does at rest, how far the expression
has come at the onset, light, movement of head, lamp and camera between the two images, noise and compression; of a
sequence also how the expression rises.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import cv2
import numpy as np

from mien.data.onset_apex import ILLUMINATIONS
from mien.data.synthetic import (
    ACTION_UNITS,
    ActionUnits,
    FaceParameters,
    Glasses,
    Identity,
    render_scene,
    sample_action_units,
    sample_face,
    sample_identity,
)
from mien.labels import KINDS

Part = TypeVar("Part")

IMAGE_SIZES = (96, 1024)
"""Least and most side of a synthetic image: below, the lids' movement is lost when the face is aligned at 48 px."""

NUM_FRAMES = (2, 100)
"""Least and most images of an expression: onset and apex, or a sequence of up to four seconds at 25 a second."""

_AZIMUTH = dict(zip(ILLUMINATIONS, (0.0, -50.0, 50.0), strict=True))
_AGES = (17.0, 45.0)
_FACE_SCALE = 0.62  # of the image's side; the lab's camera is framed on the head
_ROW = {unit: row for row, unit in enumerate(ACTION_UNITS)}


@dataclass(frozen=True)
class SyntheticPair:
    """What decides the bytes of a pair.

    Args:
        dataset: Of which this is a synthetic dataset; no two datasets share a person.
        seed: Of the dataset.
        subject: Number of the person, the same face in every pair of the dataset.
        kind: One of ``mien.labels.KINDS``.
        expression: One of ``mien.labels.EMOTIONS``.
        take: Tells repetitions of the same apart.
        image_size: Height and width in pixels.
        num_frames: Images from the onset to the apex. More than 2 leave these two as they are.
    """

    dataset: str
    seed: int
    subject: int
    kind: str
    expression: str
    take: int
    image_size: int
    num_frames: int = 2


@dataclass(frozen=True)
class Person:
    """What all pairs of one person share: face, glasses, and the units that the face holds at rest (units,)."""

    identity: Identity
    glasses: Glasses
    rest: tuple[float, ...]


def sample_person(dataset: str, seed: int, subject: int) -> Person:
    """Draw the person of a dataset with the given number; no argument tells of a kind."""
    rng = np.random.default_rng([seed, 0, subject, *dataset.encode()])
    identity = sample_identity(rng, age=float(rng.uniform(*_AGES)))
    # Eyes narrowed by habit, and a brow, lip or chin that is never quite relaxed: an apex alone says little.
    rest = np.zeros(len(ACTION_UNITS))
    for unit, most in ((4, 0.15), (6, 0.20), (7, 0.20), (12, 0.08), (15, 0.08), (17, 0.1), (24, 0.1)):
        rest[_ROW[unit]] = rng.uniform(0.0, most)
    return Person(identity, sample_face(rng, "neutral", identity=identity).glasses, tuple(rest.tolist()))


def sample_illumination(pair: SyntheticPair) -> str:
    """Draw where the lamp of a pair stands, one of ``ILLUMINATIONS``."""
    return str(_rng(pair, 1).choice(ILLUMINATIONS))


def sample_pair(pair: SyntheticPair) -> tuple[FaceParameters, FaceParameters]:
    """Draw the parameters of a pair's onset and apex."""
    person = sample_person(pair.dataset, pair.seed, pair.subject)
    onset, apex = _sample_scene(_rng(pair, 2), person, _AZIMUTH[sample_illumination(pair)])
    onset_units, apex_units = sample_expression(_rng(pair, 3), pair.kind, pair.expression, person)
    return replace(onset, action_units=onset_units), replace(apex, action_units=apex_units)


def sample_sequence(pair: SyntheticPair) -> list[FaceParameters]:
    """Draw the parameters of all images of a pair, evenly spaced in time from its onset to its apex.

    Source: ours. Action units go from the onset's to the apex's, slowly at both ends; head, eyes, lamp and camera go
        evenly. Both kinds alike: a sequence tells nothing of the kind that its ends do not, but tells it oftener.
    """
    onset, apex = sample_pair(pair)
    rng = _rng(pair, 4)
    between = []
    for time in np.linspace(0.0, 1.0, pair.num_frames)[1:-1].tolist():
        camera = replace(_mixed(onset.camera, apex.camera, time), noise_seed=int(rng.integers(2**31)))
        between.append(
            replace(
                onset,
                action_units=onset.action_units.blended(apex.action_units, time * time * (3.0 - 2.0 * time)),
                pose=_mixed(onset.pose, apex.pose, time),
                light=_mixed(onset.light, apex.light, time),
                framing=_mixed(onset.framing, apex.framing, time),
                camera=camera,
            )
        )
    return [onset, *between, apex]


def sample_expression(
    rng: np.random.Generator, kind: str, expression: str, person: Person
) -> tuple[ActionUnits, ActionUnits]:
    """Draw the action units of an onset and an apex; the one place where the kind counts.

    Args:
        rng: The source of all randomness.
        kind: One of ``mien.labels.KINDS``.
        expression: One of ``mien.labels.EMOTIONS``.
        person: Whose habits add to the expression.

    Source: the direction of each difference as the module says; the ranges are ours, set so that they overlap: the unit
        that tells most, AU6 at the apex, ranks 95 of 100 pairs of a posed and a spontaneous expression rightly.
    """
    spontaneous = kind == "spontaneous"
    intensity = rng.uniform(0.50, 0.85) if spontaneous else rng.uniform(0.65, 1.0)
    units = sample_action_units(rng, expression, intensity=intensity, asymmetry=0.5 if spontaneous else 3.0).as_array()
    # One in sixteen is the exception: a posed smile with the eyes, a felt one without.
    with_eyes = (rng.random() < 1 / 16) != spontaneous
    for unit in (6, 7):
        level = rng.uniform(0.70, 1.0) if with_eyes else rng.uniform(0.0, 0.20)
        units[_ROW[unit]] = level * (1.0 + rng.normal(0.0, 0.06, 2))
    rest = np.array(person.rest)[:, None]
    # What is held at rest and what is expressed add up, less and less towards the most that a face can do.
    apex = 1.0 - (1.0 - rest) * (1.0 - np.clip(units, 0.0, 1.0))
    begun = rng.uniform(0.0, 0.25)
    onset = rest + begun * (apex - rest)
    flicker = sample_action_units(rng, "neutral").as_array() * 0.5
    return ActionUnits.from_array(np.maximum(onset, flicker)), ActionUnits.from_array(apex)


def render_pair(pair: SyntheticPair) -> tuple[bytes, ...]:
    """Draw a pair and return the contents of its images as BMP files, the onset first, the apex last."""
    size = (pair.image_size, pair.image_size)
    contents = []
    for parameters in sample_sequence(pair):
        x, y = 0.5 + 0.04 * parameters.framing.x, 0.54 + 0.03 * parameters.framing.y
        scale = _FACE_SCALE * (1.0 + 0.05 * parameters.framing.scale)
        image = render_scene(parameters, size, face_scale=scale, centre=(x, y)).image
        contents.append(cv2.imencode(".bmp", image[:, :, ::-1])[1].tobytes())
    return tuple(contents)


def _rng(pair: SyntheticPair, purpose: int) -> np.random.Generator:
    # Letters and not a position: another list of emotions must not change the pictures.
    words = [*pair.dataset.encode(), *pair.expression.encode(), KINDS.index(pair.kind)]
    return np.random.default_rng([pair.seed, purpose, pair.subject, pair.take, *words])


def _sample_scene(rng: np.random.Generator, person: Person, azimuth: float) -> tuple[FaceParameters, FaceParameters]:
    """Draw all of a pair but the expression: the session, then how onset and apex depart from it.

    Source: ours. The head moves by a pixel or two between the images and hardly turns, the lamp changes a little: the
        difference of the pixels shows moved edges first, and what is left of them after pooling is the expression.
    """
    session = replace(
        sample_face(rng, "neutral", identity=person.identity, roll_degrees=float(rng.normal(0.0, 3.0))),
        glasses=person.glasses,
    )
    pose, light, camera = session.pose, session.light, session.camera
    session = replace(
        session,
        pose=replace(pose, yaw=0.5 * pose.yaw, pitch=0.5 * pose.pitch),
        light=replace(light, azimuth=azimuth + 0.15 * light.azimuth, strength=0.4 + 0.5 * (light.strength - 0.4)),
        camera=replace(camera, noise=float(rng.uniform(1.0, 4.0)), jpeg_quality=int(rng.integers(70, 97))),
    )
    return _move(rng, session), _move(rng, session)


def _mixed(one: Part, other: Part, share: float) -> Part:
    """A part of a scene between two; what is no real number, and does not move, is that of the first."""
    mixed: dict[str, Any] = {}
    for field in fields(one):  # type: ignore[arg-type]  # parts of a scene are dataclasses
        start, end = getattr(one, field.name), getattr(other, field.name)
        if isinstance(start, float):
            mixed[field.name] = start + share * (end - start)
        elif isinstance(start, tuple):
            mixed[field.name] = tuple(a + share * (b - a) for a, b in zip(start, end, strict=True))
    return replace(one, **mixed)  # type: ignore[type-var]  # likewise


def _move(rng: np.random.Generator, session: FaceParameters) -> FaceParameters:
    """Move head, eyes, lamp and camera a little."""
    pose, light, camera, framing = session.pose, session.light, session.camera, session.framing
    gaze_x, gaze_y = np.clip(np.array(pose.gaze) + rng.normal(0.0, (0.08, 0.04)), -0.8, 0.8)
    dx, dy, scale = rng.normal(0.0, (0.15, 0.15, 0.05))
    return replace(
        session,
        pose=replace(
            pose,
            roll=pose.roll + float(rng.normal(0.0, 0.15)),
            yaw=float(np.clip(pose.yaw + rng.normal(0.0, 0.3), -24.0, 24.0)),
            pitch=float(np.clip(pose.pitch + rng.normal(0.0, 0.25), -14.0, 14.0)),
            gaze=(float(gaze_x), float(gaze_y)),
        ),
        light=replace(
            light,
            azimuth=light.azimuth + float(rng.normal(0.0, 8.0)),
            elevation=light.elevation + float(rng.normal(0.0, 4.0)),
            strength=float(np.clip(light.strength + rng.normal(0.0, 0.05), 0.2, 1.0)),
        ),
        camera=replace(
            camera,
            exposure=float(np.clip(camera.exposure * np.exp(rng.normal(0.0, 0.08)), 0.6, 1.8)),
            noise_seed=int(rng.integers(2**31)),
        ),
        framing=replace(framing, x=framing.x + float(dx), y=framing.y + float(dy), scale=framing.scale + float(scale)),
    )
