"""Faces in images that may be turned, tightly cut or small: the detector looks again where its first look left doubt.

A turned face is often found upright all the same, with a low score and five points that are wrong: upside down, or on
their way to upright. So the first look with a result is not the one to believe.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mien.errors import MienError
from mien.models.box_suppression import non_maximum_suppression
from mien.models.face_detector import OUTPUT_SIZE, FaceDetections, FaceDetector

SURE_SCORE = 0.99
"""An image with a face of this score and little roll needs no other look.

Ours: of 1,328 faces found in 576 synthetic scenes of every roll, more than nine in ten of those with wrong points score
less.
"""

SURE_ROLL = 20.0
"""Degrees of roll from which O-Net's points are drawn towards upright, so that a face gets a closer look. Ours."""

UPRIGHT_LOG_ODDS = 2.0
"""Advantage of a face with less than 45 degrees of roll over one turned further, found in another look. Ours, because
people hold cameras upright: without it one synthetic upright face in thirty is taken for a turned one."""

CLOSER_LOOKS = 2
"""O-Net's passes over the face turned upright; each straightens what the last one left. Ours: a third gains nothing."""

MARGIN = 1 / 4
"""Grey about a tightly cut image, as part of its shorter side. Ours: together with the image's mirror image finds more
than half of FER2013's faces that are missed without."""

LARGEST_ENLARGED = 2**20
"""Pixels of the largest enlarged image. Ours: in a larger one faces below the smallest size are passers-by."""

GREY = (128, 128, 128)
"""What lies outside the image, as for the detector's crops."""

MEAN_POINTS = np.array([[0.3318, 0.3675], [0.6758, 0.3656], [0.5049, 0.5631], [0.3636, 0.7645], [0.6484, 0.7629]])
"""(5, 2) where the five points lie in O-Net's square, as fractions of its side.

Source: ours, ArcFace's template laid about the boxes of upright synthetic faces.
"""
MEAN_POINTS.setflags(write=False)


@dataclass(frozen=True, eq=False)
class SearchedImage:
    """What was found in one image, and how it had to be turned and enlarged for that.

    Attributes:
        faces: in pixels of the image as given. The box of a turned face is the upright hull of its turned box.
        turned_degrees: 0, 90, 180 or 270, the quarter turn, counter-clockwise as seen on the screen, that leaves the
            likeliest face least rolled. 0 where nothing was found.
        enlarged: factor by which the image was enlarged then; 1 where it was not, or nothing was found.
    """

    faces: FaceDetections
    turned_degrees: int
    enlarged: float


@dataclass(frozen=True, eq=False)
class _Look:
    """One image seen once.

    Attributes:
        position: of the image among those searched.
        turn: degrees counter-clockwise by which it is seen turned.
        enlarged: factor by which it is seen enlarged.
        margin: grey about it, as part of its shorter side.
        mirrored: whether it is seen mirrored, then turned.
    """

    position: int
    turn: int = 0
    enlarged: float = 1.0
    margin: float = 0.0
    mirrored: bool = False

    def see(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn and enlarge an image (H, W, 3).

        Returns:
            What is seen (h, w, 3), and a (2, 3) matrix from its edge coordinates, in which the top-left pixel spans 0
            to 1, to the image's.
        """
        H, W = image.shape[:2]
        cos, sin = (round(turned(math.radians(self.turn)), 12) for turned in (math.cos, math.sin))  # exact quarters
        extent = np.abs([[cos, sin], [sin, cos]]) @ [W, H] + 2 * self.margin * min(H, W)
        size = np.maximum(1, np.round(extent * self.enlarged)).astype(int)  # w, h
        linear = np.array([[cos, -sin], [sin, cos]]) * (extent / size) * ([-1, 1] if self.mirrored else 1)
        back = np.column_stack([linear, np.array([W, H]) / 2 - linear @ (size / 2)])
        return _sampled(image, back, (int(size[0]), int(size[1]))), back


@dataclass(frozen=True, eq=False)
class _Found:
    """The faces of one look, in pixels of the image, and their log-odds by all looks at them together (n,)."""

    look: _Look
    faces: FaceDetections
    log_odds: np.ndarray

    @property
    def certainty(self) -> float:
        """Of the likeliest face, upright ones favoured; minus infinity where there is none."""
        upright = [abs(_roll_degrees(points)) < 45 for points in self.faces.points]
        return float((self.log_odds + UPRIGHT_LOG_ODDS * np.array(upright, float)).max(initial=-math.inf))

    @property
    def searched(self) -> SearchedImage:
        """What the search tells of this image."""
        if not len(self.faces):
            return SearchedImage(self.faces, 0, 1.0)
        # The face's own roll decides, not the look: an upright face may be found in a turned one, and straightened.
        roll = _roll_degrees(self.faces.points[int(self.log_odds.argmax())])
        turn = round(roll / 90) * 90 % 360
        return SearchedImage(self.faces, turn, self.look.enlarged)


class FaceSearch:
    """A face detector that looks again where it found no face, or one that may be turned.

    1. Every image is searched upright. A face of high score and little roll settles it.
    2. The others are searched at every quarter turn. O-Net looks a second time at each face found, turned upright by
       its five points; a face that does not pass is dropped, one that does has the second look's points and score. The
       turn with the face that is likeliest by both looks together, upright ones favoured, is kept.
    3. Images without a face are searched within a grey margin, where a face that fills the image fits P-Net's squares,
       as they are and mirrored, and halfway between the turns; then
    4. enlarged, at every turn.

    Images of one size share the passes of the networks in every step. On the CPU what is found in an image is the same,
    bit for bit, whichever images it is searched with.

    Example:
        >>> search = FaceSearch(FaceDetector(min_face_size=40), turns=(180,), enlarge=1)
        >>> [(len(seen.faces), seen.turned_degrees) for seen in search.search([np.zeros((60, 60, 3), np.uint8)])]
        [(0, 0)]

    Args:
        detector: finds upright faces.
        turns: degrees counter-clockwise, each 90, 180 or 270, by which an image is turned; none for upright faces only.
        enlarge: factor from 1 to 8 by which an image without a face is enlarged; 1 for none.

    Raises:
        MienError: an argument is outside its range.

    Source: ours.
    """

    def __init__(self, detector: FaceDetector, turns: tuple[int, ...] = (90, 180, 270), enlarge: float = 2.0) -> None:
        if not set(turns) <= {90, 180, 270}:
            raise MienError(f"FaceSearch(turns={turns}): turns are quarters of a circle. Give 90, 180 and 270.")
        if not 1 <= enlarge <= 8:
            raise MienError(f"FaceSearch(enlarge={enlarge}): outside [1, 8]. Give 1 to leave the size as it is.")
        self.detector = detector
        self.turns = tuple(sorted(set(turns)))
        self.enlarge = enlarge

    def search(self, images: Sequence[np.ndarray]) -> list[SearchedImage]:
        """Find the faces of each image; arguments and errors as ``FaceDetector.detect``."""
        found = [
            _Found(_Look(position), faces, _log_odds(faces.scores))
            for position, faces in enumerate(self.detector.detect(images))
        ]
        best = {each.look.position: each for each in found if _is_sure(each.faces)}
        best.update((each.look.position, each) for each in self._look_closer(images, list(best.values()), SURE_ROLL))
        doubtful = [each for each in found if each.look.position not in best]
        turned = [_Look(each.look.position, turn) for each in doubtful for turn in self.turns]
        self._improve(best, images, doubtful + self._look(images, turned))
        for looks in (self._looks_at_margin, self._looks_enlarged):
            missed = [position for position in sorted(best) if not len(best[position].faces)]
            more = [look for position in missed for look in looks(position, images[position])]
            self._improve(best, images, self._look(images, more))
        return [best[position].searched for position in range(len(found))]

    def _looks_at_margin(self, position: int, image: np.ndarray) -> list[_Look]:
        halfway = sorted({(turn + step) % 360 for turn in self.turns for step in (-45, 45)})
        cut_tightly = [_Look(position, margin=MARGIN, mirrored=mirrored) for mirrored in (False, True)]
        return cut_tightly + [_Look(position, turn) for turn in halfway]

    def _looks_enlarged(self, position: int, image: np.ndarray) -> list[_Look]:
        if self.enlarge == 1 or image.shape[0] * image.shape[1] * self.enlarge**2 > LARGEST_ENLARGED:
            return []
        return [_Look(position, turn, self.enlarge) for turn in (0, *self.turns)]

    def _look(self, images: Sequence[np.ndarray], looks: list[_Look]) -> list[_Found]:
        """Detect faces in what each look sees, and take them back to the image."""
        seen = [look.see(images[look.position]) for look in looks]
        return [
            _Found(look, _in_image(faces, back), _log_odds(faces.scores))
            for look, faces, (_, back) in zip(
                looks, self.detector.detect([view for view, _ in seen]), seen, strict=True
            )
        ]

    def _improve(self, best: dict[int, _Found], images: Sequence[np.ndarray], found: list[_Found]) -> None:
        """Replace the best of each image by what was found, where that is more certain at a closer look."""
        for each in self._look_closer(images, found):
            so_far = best.get(each.look.position)
            if so_far is None or each.certainty > so_far.certainty:
                best[each.look.position] = each

    def _look_closer(self, images: Sequence[np.ndarray], found: list[_Found], least_roll: float = 0.0) -> list[_Found]:
        """Have O-Net score and place every face of at least that roll once more.

        In a square turned upright by it.
        """
        turned = [np.abs([_roll_degrees(points) for points in each.faces.points]) >= least_roll for each in found]
        position = [each.look.position for each, rows in zip(found, turned, strict=True) for _ in range(rows.sum())]
        if not position:
            return found
        points = np.concatenate([each.faces.points[rows] for each, rows in zip(found, turned, strict=True)])
        for _ in range(CLOSER_LOOKS):
            squares = _upright_squares(points.astype(np.float64))
            crops = [_cut(images[p], square, OUTPUT_SIZE) for p, square in zip(position, squares, strict=True)]
            edges, fractions, log_odds = self.detector.rescore(np.stack(crops))
            points = _applied(squares, fractions) - 0.5
        boxes = _hulls(squares, edges)
        starts = np.cumsum([0, *(int(rows.sum()) for rows in turned)])
        return [
            self._merged(each, rows, boxes[start:stop], points[start:stop], log_odds[start:stop])
            for each, rows, (start, stop) in zip(found, turned, itertools.pairwise(starts), strict=True)
        ]

    def _merged(
        self, found: _Found, rows: np.ndarray, boxes: np.ndarray, points: np.ndarray, log_odds: np.ndarray
    ) -> _Found:
        """Replace rows of what was found by the closer look; drop what does not pass it, and faces found twice."""
        last, total = _log_odds(found.faces.scores), found.log_odds.copy()
        all_boxes, all_points = found.faces.boxes.copy(), found.faces.points.copy()
        last[rows], all_boxes[rows], all_points[rows] = log_odds, boxes, points
        total[rows] += log_odds
        least = _log_odds(np.array(self.detector.thresholds[2]))
        has_area = (all_boxes[:, 2:] > all_boxes[:, :2]).all(axis=1)
        likely = np.flatnonzero((last > least) & has_area)
        kept = likely[
            non_maximum_suppression(
                all_boxes[likely], last[likely], np.zeros(len(likely), int), self.detector.nms_thresholds[3], "smaller"
            )
        ]
        scores = (1 / (1 + np.exp(-last[kept]))).astype(np.float32)
        return _Found(found.look, FaceDetections(all_boxes[kept], scores, all_points[kept]), total[kept])


def _is_sure(faces: FaceDetections) -> bool:
    return any(
        score >= SURE_SCORE and abs(_roll_degrees(points)) <= SURE_ROLL
        for score, points in zip(faces.scores, faces.points, strict=True)
    )


def _roll_degrees(points: np.ndarray) -> float:
    dx, dy = points[1] - points[0]
    return math.degrees(math.atan2(dy, dx))


def _log_odds(scores: np.ndarray) -> np.ndarray:
    # A score of float32 can round to 1; the next one below it stands for that.
    p = np.minimum(scores.astype(np.float64), 1 - 2.0**-25)
    return np.log(p) - np.log1p(-p)


def _upright_squares(points: np.ndarray) -> np.ndarray:
    """O-Net's square about five points (n, 5, 2), turned with them: (n, 2, 3) from fractions of the side to edges.

    Least-squares similarity of MEAN_POINTS to the points, in closed form with points as complex numbers.
    """
    mean = points.mean(axis=1)
    s, t = (MEAN_POINTS - MEAN_POINTS.mean(axis=0)) @ [1, 1j], (points - mean[:, None]) @ [1, 1j]
    a = (t * s.conj()).sum(axis=1) / np.vdot(s, s).real  # not a matrix product, which rounds as n goes
    linear = np.array([[a.real, -a.imag], [a.imag, a.real]]).transpose(2, 0, 1)
    return np.concatenate([linear, (mean + 0.5 - linear @ MEAN_POINTS.mean(axis=0))[:, :, None]], axis=2)


def _cut(image: np.ndarray, square: np.ndarray, size: int) -> np.ndarray:
    """Sample a turned square at a whole multiple of the size, at least double, and average: no pixel is skipped."""
    fine = size * max(2, math.ceil(math.hypot(*square[:, 0]) / size))
    samples = _sampled(image, np.column_stack([square[:, :2] / fine, square[:, 2]]), (fine, fine))
    return cv2.resize(samples, (size, size), interpolation=cv2.INTER_AREA)


def _sampled(image: np.ndarray, back: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Read an image where ``back`` (2, 3) takes the pixels of a result of width and height ``size``, grey outside."""
    to_centres = np.column_stack([back[:, :2], back[:, 2] + back[:, :2] @ [0.5, 0.5] - 0.5])  # as OpenCV counts
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, to_centres, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=GREY)


def _in_image(faces: FaceDetections, back: np.ndarray) -> FaceDetections:
    """Map what was found in a look back to the image."""
    boxes = _hulls(np.broadcast_to(back, (len(faces), 2, 3)), faces.boxes)
    points = _applied(np.broadcast_to(back, (len(faces), 2, 3)), faces.points + 0.5) - 0.5
    if np.linalg.det(back[:, :2]) < 0:
        points = points[:, [1, 0, 2, 4, 3]]  # a mirrored face's left is its right
    return FaceDetections(boxes.astype(np.float32), faces.scores, points.astype(np.float32))


def _applied(matrices: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (n, K, 2) by the matrices (n, 2, 3)."""
    return points @ matrices[:, :, :2].transpose(0, 2, 1) + matrices[:, None, :, 2]


def _hulls(matrices: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Map boxes (n, 4) by the matrices (n, 2, 3) and lay upright boxes about them."""
    corners = _applied(matrices, boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]])
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
