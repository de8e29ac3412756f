"""The batched cascade against a plain one that takes one square and one pair of boxes at a time; real photographs."""

import itertools
import math
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, grid_sample, interpolate

from mien.data.alignment import choose_face, roll_angle_degrees
from mien.data.synthetic import render_scene, sample_face
from mien.models.face_detector import FaceDetections, FaceDetector
from mien.models.image_pyramid import ImagePyramid
from mien.models.mtcnn import load_mtcnn

FOLDER = Path(os.environ.get("MIEN_TEST_DATA", Path(__file__).parents[2] / "../shared/data")) / "portraits"

# Photographs and how many faces turned to the camera they show at least; the footballers' faces are behind helmets.
PORTRAITS = {
    "2008_olympics_familymwr.jpg": 3,
    "23_launch_day_nasa_hq_photo.jpg": 1,
    "biden.jpg": 1,
    "eyes_that_speak_familymwr.jpg": 1,
    "flotus_the_white_house.jpg": 3,
    "football_USMC.jpg": 0,
    "google_moon_nasa_hq_photo.jpg": 1,
    "obama.jpg": 1,
    "obama_backstage_the_white_house.jpg": 1,
    "obama_fatherhood_townhall.jpg": 2,
    "obama_nasa_hq_photo.jpg": 1,
    "sof_1946_familymwr.jpg": 2,
}


EXPRESSIONS = ("happy", "neutral", "surprise", "angry", "sad", "fear", "disgust")


def read(name: str) -> np.ndarray:
    if not (FOLDER / name).is_file():
        pytest.skip(f"{FOLDER / name} is absent; MIEN_TEST_DATA names the folder of real development data")
    return cv2.cvtColor(cv2.imread(str(FOLDER / name)), cv2.COLOR_BGR2RGB)


# ---- the plain cascade ---------------------------------------------------------------------------------------------


def overlap(a, b, smaller: bool) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return shared / (min(areas) if smaller else sum(areas) - shared)


def suppress(found: list, threshold: float, smaller: bool = False) -> list:
    """Found are (score, box, points)."""
    kept: list = []
    for one in sorted(found, key=lambda face: -face[0]):
        if all(overlap(one[1], other[1], smaller) <= threshold for other in kept):
            kept.append(one)
    return kept


def square_about(box) -> tuple[float, float, float]:
    """Left, top and side."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0)
    return (x0 + x1) / 2 - side / 2, (y0 + y1) / 2 - side / 2, side


class Levels:
    """The image at each resolution that somebody requested, in 8 bits before it is normalised."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.image = torch.from_numpy(pixels).permute(2, 0, 1).float()
        self.made: dict[float, torch.Tensor] = {}

    def at(self, scale: float) -> torch.Tensor:
        if scale not in self.made:
            size = [math.ceil(side * scale) for side in self.image.shape[1:]]
            level = interpolate(self.image[None], size, mode="bilinear", antialias=True)[0]
            self.made[scale] = (level.round().clamp(0, 255) - 127.5) / 128
        return self.made[scale]


def sampled(levels: Levels, box, size: int) -> torch.Tensor:
    """The square about a box, from the coarsest level on which it has twice the size."""
    _, H, W = levels.image.shape
    x0, y0, side = square_about(box)
    scales = [1.0, *(0.6 * 0.709**k for k in range(-1, 30))]
    scale = [s for s in scales if s == 1.0 or (s * side >= 2 * size and s * min(H, W) >= 12)][-1]
    along = (torch.arange(2 * size) + 0.5) / (2 * size) * side
    x, y = (x0 + along) / W * 2 - 1, (y0 + along) / H * 2 - 1
    grid = torch.stack([x.expand(2 * size, -1), y[:, None].expand(-1, 2 * size)], dim=-1)
    return avg_pool2d(grid_sample(levels.at(scale)[None], grid[None], align_corners=False), 2)


@torch.inference_mode()
def plain_proposals(levels: Levels) -> list:
    """P-Net's boxes as (log-odds, box, None), for smallest faces of 20 px and the published thresholds."""
    pnet, _, _ = load_mtcnn()
    _, H, W = levels.image.shape
    proposals = []
    scale = 0.6
    while min(H, W) * scale >= 12:
        level = levels.at(scale)
        offsets, log_odds = (output[0].numpy() for output in pnet(level[None]))
        to_x, to_y = W / level.shape[2], H / level.shape[1]
        of_scale = []
        for row, column in np.argwhere(1 / (1 + np.exp(-log_odds)) > 0.6):
            a, b, c, d = 12 * offsets[:, row, column]
            x, y = 2 * column, 2 * row
            box = ((x + a) * to_x, (y + b) * to_y, (x + 12 + c) * to_x, (y + 12 + d) * to_y)
            of_scale.append((log_odds[row, column], box, None))
        proposals += suppress(of_scale, 0.5)
        scale *= 0.709
    return suppress(proposals, 0.7)


@torch.inference_mode()
def plain_refined(levels: Levels, proposals: list) -> list:
    """R-Net's boxes as (log-odds, box, None)."""
    _, rnet, _ = load_mtcnn()
    refined = []
    for _, box, _ in proposals:
        offsets, log_odds = rnet(sampled(levels, box, 24))
        if torch.sigmoid(log_odds) > 0.7:
            refined.append((log_odds.item(), moved(square_about(box), offsets[0].tolist()), None))
    return suppress(refined, 0.7)


@torch.inference_mode()
def plain_cascade(pixels: np.ndarray) -> list:
    """Faces as (probability, box, points)."""
    _, _, onet = load_mtcnn()
    levels = Levels(pixels)
    faces = []
    for _, box, _ in plain_refined(levels, plain_proposals(levels)):
        x0, y0, side = square_about(box)
        offsets, fractions, log_odds = onet(sampled(levels, box, 48))
        if torch.sigmoid(log_odds) > 0.7:
            points = np.array(
                [(x0 + side * x - 0.5, y0 + side * y - 0.5) for x, y in fractions.reshape(2, 5).T.tolist()]
            )
            faces.append((torch.sigmoid(log_odds).item(), moved((x0, y0, side), offsets[0].tolist()), points))
    return suppress(faces, 0.7, smaller=True)


def moved(square: tuple[float, float, float], offsets: list[float]) -> tuple[float, float, float, float]:
    x0, y0, side = square
    a, b, c, d = (side * offset for offset in offsets)
    return x0 + a, y0 + b, x0 + side + c, y0 + side + d


def likeness(found: FaceDetections, reference: list, certain: float) -> np.ndarray:
    """Overlap and largest difference of a coordinate of the points (n, 2), for each face that either is certain of."""
    theirs = [(box, points) for _, box, points in reference]
    ours = list(zip(found.boxes, found.points, strict=True))
    sure = [(face, ours) for face, (score, _, _) in zip(theirs, reference, strict=True) if score > certain]
    sure += [(face, theirs) for face, score in zip(ours, found.scores, strict=True) if score > certain]
    rows = []
    for (box, points), others in sure:
        overlaps = [overlap(box, other, smaller=False) for other, _ in others]
        nearest = others[int(np.argmax(overlaps))][1] if overlaps else np.inf
        rows.append((max(overlaps, default=0), np.abs(points - nearest).max()))
    return np.array(rows).reshape(-1, 2)


def scene(number: int) -> np.ndarray:
    size = [(100, 100), (130, 110), (160, 210), (240, 240)][number % 4]
    return render_scene(sample_face(np.random.default_rng(number), EXPRESSIONS[number % 7]), size).image


def boxes_of(candidates, image: int) -> list:
    mine = candidates[np.flatnonzero(candidates.image == image)]
    return list(zip(mine.log_odds, mine.boxes, [None] * len(mine), strict=True))


def compared(found: list, reference: list) -> np.ndarray:
    """Overlap and difference of log-odds of each plain box with the batched box that is most like it."""
    rows = []
    for log_odds, box, _ in reference:
        overlaps = [overlap(box, other, smaller=False) for _, other, _ in found]
        rows.append((max(overlaps), found[int(np.argmax(overlaps))][0] - log_odds))
    return np.array(rows)


@torch.inference_mode()
def test_a_partly_filled_pass_equals_the_network_on_the_normalised_pixels():
    _, rnet, _ = load_mtcnn()
    pixels = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3), dtype=np.uint8)
    expected = rnet(torch.from_numpy((pixels.transpose(0, 3, 1, 2) - 127.5) / 128).float())
    for output, value in zip(FaceDetector()._run(rnet, pixels, pass_size=8), expected, strict=True):
        torch.testing.assert_close(output, value)


@torch.inference_mode()
def test_each_stage_gives_the_boxes_of_the_plain_cascade():
    detector = FaceDetector()
    scenes = np.stack([render_scene(sample_face(np.random.default_rng(s), "sad"), (150, 190)).image for s in range(5)])
    pyramid = ImagePyramid(scenes, 12, 20, 0.709)
    proposals = detector._propose(pyramid)
    refined = detector._refine(pyramid, proposals)
    stages: dict[str, list] = {"proposals": [], "refined": []}
    for image, scene in enumerate(scenes):
        levels = Levels(scene)
        of_image = boxes_of(proposals, image)
        stages["proposals"].append((of_image, plain_proposals(levels)))
        # From the batched proposals, so that one on the verge of a threshold does not count twice.
        stages["refined"].append((boxes_of(refined, image), plain_refined(levels, of_image)))
    for stage, pairs in stages.items():
        found, expected = (sum(map(len, boxes)) for boxes in zip(*pairs, strict=True))
        assert abs(found - expected) <= 0.1 * expected + 1, stage
        overlaps, odds = np.concatenate([compared(*pair) for pair in pairs]).T
        # Not all: of two nearly equal boxes the one or the other may suppress its neighbour.
        assert np.median(overlaps) > 0.985, stage
        assert np.quantile(overlaps, 0.1) > 0.6, stage
        assert np.median(np.abs(odds)) < 0.12, stage
    for boxes, _ in stages["proposals"]:
        pairs = itertools.combinations([box for _, box, _ in boxes], 2)
        assert max(overlap(*pair, smaller=False) for pair in pairs) <= 0.7  # also between boxes of two scales


def test_synthetic_faces_are_found_where_the_plain_cascade_finds_them():
    scenes = [scene(number) for number in range(4)]
    for image, found in zip(scenes, FaceDetector().detect(scenes), strict=True):
        overlaps, shifts = likeness(found, plain_cascade(image), 0.9).T
        assert len(overlaps) == 2  # one face, by either
        assert overlaps.min() >= 0.9
        assert shifts.max() <= 2


@pytest.mark.slow
def test_faces_of_200_synthetic_scenes_are_found_where_the_plain_cascade_finds_them():
    scenes = [scene(number) for number in range(200)]
    alike = [
        likeness(found, plain_cascade(image), 0.9)
        for image, found in zip(scenes, FaceDetector().detect(scenes), strict=True)
    ]
    overlaps, shifts = np.concatenate(alike).T
    assert len(overlaps) >= 380
    # Not all: of two boxes of nearly equal score, or with one on the verge of R-Net's threshold, roundings decide what
    # O-Net looks at. In these scenes the plain cascade itself differs in 2.0 % of the faces, by overlaps down to 0.87,
    # from what it finds when its levels are not rounded to 8 bits; the batched one differs from it in 2.0 %, to 0.82.
    assert overlaps.min() >= 0.8
    assert np.mean((overlaps >= 0.9) & (shifts <= 2)) >= 0.97
    assert np.quantile(overlaps, 0.1) > 0.98
    assert np.quantile(shifts, 0.9) < 0.5


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", PORTRAITS)
def test_photographed_faces_are_found_where_the_plain_cascade_finds_them(name):
    image = read(name)
    (found,) = FaceDetector().detect([image])
    overlaps, shifts = likeness(found, plain_cascade(image), 0.95).T
    assert (overlaps >= 0.9).all()
    assert (shifts <= 2).all()


@pytest.fixture(scope="module")
def portraits() -> dict[str, tuple[np.ndarray, FaceDetections]]:
    images = [read(name) for name in PORTRAITS]
    return dict(zip(PORTRAITS, zip(images, FaceDetector().detect(images), strict=True), strict=True))


@pytest.mark.data
def test_every_face_turned_to_the_camera_is_found_in_photographs_of_mixed_sizes(portraits):
    for name, least in PORTRAITS.items():
        _, faces = portraits[name]
        assert len(faces) >= least, name
        assert (faces.scores > 0.7).all()
        assert (faces.scores[:least] > 0.85).all(), name


# Both irises, read off the photographs by eye.
EYES = {
    "biden.jpg": [(532, 322), (650, 348)],
    "obama.jpg": [(445, 212), (547, 212)],
    "obama_nasa_hq_photo.jpg": [(705, 247), (788, 230)],
    "obama_backstage_the_white_house.jpg": [(415, 215), (453, 208)],
}


@pytest.mark.data
@pytest.mark.parametrize("name", EYES)
def test_the_main_face_of_a_portrait_has_its_eyes_where_a_person_sees_them(portraits, name):
    image, faces = portraits[name]
    points = faces.points[choose_face(faces.boxes, image.shape[:2])]
    eyes = np.array(EYES[name], float)
    iod = np.linalg.norm(eyes[1] - eyes[0])
    assert np.linalg.norm(points[:2] - eyes, axis=1).max() < 0.1 * iod
    angle = math.degrees(math.atan2(*(eyes[1] - eyes[0])[::-1]))
    assert roll_angle_degrees(points) == pytest.approx(angle, abs=5)
    assert points[2, 1] > points[:2, 1].max()  # the nose is below the eyes, the mouth below the nose
    assert points[3:, 1].min() > points[2, 1]
    assert points[3, 0] < points[4, 0]
