"""A synthetic pair shows one person in one session; posed and spontaneous differ in the face alone, and not always."""

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mien.data.onset_apex import ILLUMINATIONS
from mien.data.synthetic import ACTION_UNITS, FaceParameters, render_scene
from mien.data.synthetic import pairs as synthetic_pairs
from mien.data.synthetic.pairs import (
    SyntheticPair,
    render_pair,
    sample_illumination,
    sample_pair,
    sample_person,
    sample_sequence,
)
from mien.labels import EMOTIONS, KINDS

PAIR = SyntheticPair("nvie", seed=0, subject=3, kind="posed", expression="happy", take=0, image_size=96)
ROW = {unit: row for row, unit in enumerate(ACTION_UNITS)}
SPONTANEOUS = np.repeat([0, 1], 150)


@pytest.fixture(scope="module")
def sampled() -> list[tuple[FaceParameters, FaceParameters]]:
    """Onsets and apexes of 150 people, posed and then spontaneous."""
    return [
        sample_pair(replace(PAIR, subject=subject, kind=kind, expression=EMOTIONS[subject % len(EMOTIONS)]))
        for kind in KINDS
        for subject in range(150)
    ]


@pytest.fixture(scope="module")
def units(sampled) -> np.ndarray:
    """(300 pairs, onset and apex, units, left and right)."""
    return np.array([[face.action_units.as_array() for face in pair] for pair in sampled])


def auc(scores: np.ndarray) -> float:
    """How often a spontaneous pair scores more than a posed one."""
    return float(roc_auc_score(SPONTANEOUS, scores))


def test_both_images_show_the_person_in_every_pair(sampled):
    for subject in (0, 7):
        person = sample_person("nvie", 0, subject)
        faces = [*sampled[subject], *sampled[150 + subject]]
        assert all(face.identity == person.identity and face.glasses == person.glasses for face in faces)


def test_no_person_is_in_two_datasets_or_under_two_numbers_or_seeds():
    people = [
        sample_person(dataset, seed, subject)
        for dataset in ("nvie", "spos")
        for seed in (0, 1)
        for subject in range(1, 5)
    ]
    assert len({person.identity for person in people}) == len(people)


def test_every_part_of_what_a_pair_is_of_changes_the_images():
    others = [
        replace(PAIR, **change)
        for change in (
            {"dataset": "spos"},
            {"seed": 1},
            {"subject": 4},
            {"kind": "spontaneous"},
            {"expression": "sad"},
            {"take": 1},
        )
    ]
    scenes = [sample_pair(pair) for pair in (PAIR, *others)]
    assert len({onset.action_units for onset, _ in scenes}) == len(scenes)
    assert len({apex.camera.noise_seed for _, apex in scenes}) == len(scenes)


def test_spontaneous_expressions_raise_cheeks_and_tighten_lids_but_one_unit_does_not_tell_all(units):
    apex, change = units[:, 1].mean(axis=-1), np.diff(units, axis=1)[:, 0].mean(axis=-1)
    by_unit = {unit: auc(apex[:, row]) for unit, row in ROW.items()}
    assert 0.90 < by_unit[6] < 0.98
    assert 0.90 < by_unit[7] < 0.98
    assert all(0.35 < by_unit[unit] < 0.65 for unit in ROW if unit not in (6, 7))
    assert 0.90 < auc(change[:, ROW[6]]) < 0.98
    # One in sixteen is the exception: of 150, two to nineteen are within three standard deviations.
    felt = apex[:, ROW[6]] > 0.6
    assert 2 <= felt[:150].sum() <= 19
    assert 2 <= (~felt[150:]).sum() <= 19


def test_posed_expressions_are_lopsided_and_strong_more_often(units):
    others = [row for unit, row in ROW.items() if unit not in (6, 7)]
    apex = units[:, 1, others]
    assert 0.02 < auc(np.abs(np.diff(apex, axis=-1)).sum(axis=(1, 2))) < 0.25
    assert apex[:150].sum() > apex[150:].sum()


def test_the_onset_is_nearer_to_rest_than_the_apex_in_both_kinds(units):
    strength = units.sum(axis=(2, 3))
    assert (strength[:, 0] < strength[:, 1]).mean() > 0.95
    begun = strength[:, 0] / strength[:, 1]
    assert np.median(begun) < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_of_a_sequence_is_between_its_neighbours_and_the_expression_rises(kind):
    for subject in range(1, 9):
        pair = replace(PAIR, subject=subject, kind=kind, num_frames=5)
        frames = sample_sequence(pair)
        assert (frames[0], frames[-1]) == sample_pair(replace(pair, num_frames=2))
        units = np.array([frame.action_units.as_array() for frame in frames])
        change = units[-1] - units[0]
        moves, steps = np.abs(change) > 1e-9, np.diff(units, axis=0) * np.sign(change)
        assert moves.any()
        assert (steps[:, moves] > 0).all()
        assert np.abs(steps[:, ~moves]).max(initial=0) < 1e-9
        strength = units.sum(axis=(1, 2))
        assert (np.diff(strength) * np.sign(strength[-1] - strength[0]) > 0).all()


def test_a_sequence_is_of_one_person_under_one_lamp_with_noise_of_its_own_in_every_frame():
    frames = sample_sequence(replace(PAIR, num_frames=6))
    assert len({(frame.identity, frame.glasses, frame.backdrop) for frame in frames}) == 1
    assert len({frame.camera.noise_seed for frame in frames}) == 6
    numbers = [_numbers(frame) for frame in frames]
    for name in set(numbers[0]) - {"camera.noise_seed"}:
        values = np.array([each[name] for each in numbers])
        np.testing.assert_allclose(values, np.linspace(values[0], values[-1], 6), atol=1e-9, err_msg=name)


def test_more_frames_leave_onset_and_apex_as_they_are_to_the_byte():
    sequence = render_pair(replace(PAIR, num_frames=4))
    assert len(set(sequence)) == 4
    assert (sequence[0], sequence[-1]) == render_pair(PAIR)
    assert sequence[1:3] != render_pair(replace(PAIR, num_frames=5))[1:3]


def _numbers(face: FaceParameters) -> dict[str, float]:
    parts = {name: getattr(face, name) for name in ("pose", "light", "camera", "framing")}
    return {
        f"{part}.{field.name}": float(value)
        for part, of in parts.items()
        for field in fields(of)
        if isinstance(value := getattr(of, field.name), int | float)
    }


def test_session_light_and_camera_do_not_tell_the_kind(sampled):
    for image in (0, 1):
        numbers = [_numbers(pair[image]) for pair in sampled]
        assert {"pose.roll", "light.azimuth", "camera.exposure", "framing.scale"} <= numbers[0].keys()
        for name in numbers[0]:
            # 300 pairs: an AUC of .5 has a standard error of .033.
            assert abs(auc(np.array([each[name] for each in numbers])) - 0.5) < 0.12, name
    lamps = np.array([sample_illumination(replace(PAIR, subject=s, kind=k)) for k in KINDS for s in range(150)])
    assert set(lamps) == set(ILLUMINATIONS)
    assert all(abs(auc(lamps == lamp) - 0.5) < 0.12 for lamp in ILLUMINATIONS)


def test_the_lamp_stands_where_the_illumination_says():
    pairs = [replace(PAIR, subject=subject) for subject in range(150)]
    azimuth = np.array([np.mean([face.light.azimuth for face in sample_pair(pair)]) for pair in pairs])
    lamp = np.array([sample_illumination(pair) for pair in pairs])
    for name, expected in {"front": 0, "left": -50, "right": 50}.items():
        assert azimuth[lamp == name].mean() == pytest.approx(expected, abs=10)


def test_the_head_hardly_moves_between_the_images_so_that_one_transform_fits_both():
    for subject in (1, 2, 3):
        onset, apex = sample_pair(replace(PAIR, subject=subject))
        points = [
            render_scene(
                face, (96, 96), synthetic_pairs._FACE_SCALE, (0.5 + 0.04 * face.framing.x, 0.54 + 0.03 * face.framing.y)
            ).five_points
            for face in (onset, apex)
        ]
        eyes = [point[:2] for point in points]
        assert np.abs(eyes[0] - eyes[1]).max() < 0.05 * 96


def test_the_files_are_pictures_of_the_requested_size_and_equal_every_time():
    onset, apex = render_pair(PAIR)
    assert render_pair(PAIR) == (onset, apex)
    for content in (onset, apex):
        assert content.startswith(b"BM")
        assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED).shape == (96, 96, 3)
    assert onset != apex
    expected = render_scene(
        (face := sample_pair(PAIR)[0]),
        (96, 96),
        face_scale=0.62 * (1 + 0.05 * face.framing.scale),
        centre=(0.5 + 0.04 * face.framing.x, 0.54 + 0.03 * face.framing.y),
    ).image
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(onset, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1], expected)
