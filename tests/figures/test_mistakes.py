"""Sheets of mistakes show wrong faces only, the most confident first, every class with its part."""

import numpy as np
import pytest

from mien import figures
from mien.figures.mistakes import TILE, face_tile
from mien.io import sheets

NAMES = ("happy", "sad", "angry")


def faces(n: int, *shape: int) -> np.ndarray:
    """Face i is of the one grey level i."""
    return np.broadcast_to(np.arange(n, dtype=np.uint8).reshape(-1, *[1] * len(shape)), (n, *shape)).copy()


@pytest.fixture
def laid_out(monkeypatch) -> dict:
    """What is handed to ``captioned_sheet``."""
    seen: dict = {}
    draw = sheets.captioned_sheet

    def record(tiles, captions, *, heading, columns=8):
        seen.update(tiles=tiles, captions=captions, heading=heading, columns=columns)
        return draw(tiles, captions, heading=heading, columns=columns)

    monkeypatch.setattr(sheets, "captioned_sheet", record)
    return seen


def test_wrong_faces_stand_in_the_order_of_confidence_with_what_they_are_and_were_taken_for(laid_out):
    target, predicted = np.array([0, 0, 1, 2]), np.array([0, 1, 2, 0])
    confidence = np.array([0.99, 0.5, 0.875, 0.25])
    sheet = figures.mistakes_sheet(faces(4, 8, 8, 3), target, predicted, confidence, NAMES, "SAE")
    assert [tile[0, 0, 0] for tile in laid_out["tiles"]] == [2, 1, 3]
    assert [list(lines) for lines in laid_out["captions"]] == [
        ["true: sad", "pred: angry", "confidence 0.88"],
        ["true: happy", "pred: sad", "confidence 0.50"],
        ["true: angry", "pred: happy", "confidence 0.25"],
    ]
    assert laid_out["heading"] == "SAE: 3 of 3 mistakes among 4"
    assert (sheet.dtype, sheet.ndim, sheet.shape[2]) == (np.uint8, 3, 3)


def test_classes_take_turns_where_there_are_more_mistakes_than_places(laid_out):
    target = np.array([0, 0, 0, 0, 0, 1, 1, 2])
    confidence = np.array([0.95, 0.9, 0.85, 0.8, 0.75, 0.5, 0.4, 0.1])
    figures.mistakes_sheet(faces(8, 8, 8, 3), target, (target + 1) % 3, confidence, NAMES, "SAE", most=5)
    # One of each class, then a second of those that have one; shown by confidence.
    assert [tile[0, 0, 0] for tile in laid_out["tiles"]] == [0, 1, 5, 6, 7]
    assert laid_out["heading"] == "SAE: 5 of 8 mistakes among 8"


def test_sixty_four_faces_fill_eight_rows_of_eight(laid_out):
    target = np.zeros(100, int)
    figures.mistakes_sheet(faces(100, 8, 8, 3), target, target + 1, np.linspace(1, 0, 100), NAMES, "SAE")
    assert [tile[0, 0, 0] for tile in laid_out["tiles"]] == list(range(64))
    assert laid_out["columns"] == 8


@pytest.mark.parametrize(
    ("shape", "width", "columns"),
    [((48, 48, 1), TILE, 8), ((48, 48, 3), TILE, 8), ((2, 44, 44, 1), 2 * TILE, 4), ((2, 200, 200, 3), 2 * TILE, 4)],
)
def test_grey_faces_and_pairs_are_shown_too(laid_out, shape, width, columns):
    figures.mistakes_sheet(faces(1, *shape), np.array([0]), np.array([1]), np.array([0.5]), NAMES, "CompCNN")
    assert laid_out["tiles"][0].shape == (TILE, width, 3)
    assert laid_out["columns"] == columns


def test_a_pair_stands_side_by_side_onset_first():
    tile = face_tile(np.stack([np.full((8, 8, 1), 10, np.uint8), np.full((8, 8, 1), 200, np.uint8)]))
    assert (tile[:, :TILE] == 10).all()
    assert (tile[:, TILE:] == 200).all()


def test_a_long_name_is_cut_at_its_end_so_that_the_line_still_says_what_it_is(laid_out):
    names = ("east asian or pacific islander", "south_asian")
    figures.mistakes_sheet(faces(1, 8, 8, 3), np.array([0]), np.array([1]), np.array([0.5]), names, "CNN")
    assert laid_out["captions"][0] == ["true: east asia..", "pred: south asian", "confidence 0.50"]
    assert all(sheets._text_width(line) <= TILE for line in laid_out["captions"][0])


def test_the_grid_has_truth_in_rows_prediction_in_columns_and_the_most_confident_of_each_kind(laid_out):
    target = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([1, 1, 0, 1, 0, 2])
    confidence = np.array([0.5, 0.75, 0.9, 0.9, 0.6, 0.9])
    figures.mistakes_grid(faces(6, 8, 8, 3), target, predicted, confidence, NAMES, "SAE")
    assert laid_out["columns"] == 4
    captions = [lines[0] for lines in laid_out["captions"]]
    assert captions[:4] == [""] * 4
    assert captions[4:8] == ["3 in all", "", "0.75, 1 of 2", ""]
    assert captions[8:12] == ["2 in all", "0.60, 1 of 1", "", ""]
    assert captions[12:] == ["1 in all", "", "", ""]
    tiles = laid_out["tiles"]
    assert (tiles[6] == 1).all()
    assert (tiles[9] == 4).all()
    assert all((tiles[k] == 255).all() for k in (0, 7, 11, 13, 14)), "cells without such a mistake stay empty"
    assert laid_out["heading"] == "SAE: the most confident of each kind of 3 mistakes among 6"


@pytest.mark.parametrize("draw", [figures.mistakes_sheet, figures.mistakes_grid])
def test_a_sheet_says_so_where_there_is_no_mistake_and_where_faces_are_drawn(laid_out, draw):
    right = np.array([0, 1])
    sheet = draw(faces(2, 8, 8, 3), right, right, np.array([0.5, 1.0]), NAMES, "SAE", synthetic=True)
    assert laid_out["heading"] == "SAE (synthetic faces): 0 mistakes among 2"
    assert len(laid_out["tiles"]) == 1
    assert sheet.dtype == np.uint8


@pytest.mark.parametrize("draw", [figures.mistakes_sheet, figures.mistakes_grid])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": np.array([0])}, r"is given {'faces': 2, 'target': 1, .*: give one of each per face"),
        ({"target": np.array([0, 3])}, "ids from 0 to 3: give ids from 0 to 2"),
        ({"predicted": np.array([-1, 0])}, "give ids from 0 to 2"),
        ({"confidence": np.array([0.5, 1.2])}, "Confidence is 1.2 in row 1: give the probability"),
        ({"confidence": np.array([np.nan, 1])}, "Confidence is nan in row 0"),
    ],
)
def test_a_mistake_is_named(draw, change, message):
    given = {"target": np.array([0, 1]), "predicted": np.array([1, 0]), "confidence": np.array([0.5, 0.6])}
    with pytest.raises(ValueError, match=message):
        draw(faces(2, 8, 8, 3), **(given | change), class_names=NAMES, title="SAE")


def test_a_sheet_of_no_faces_is_refused():
    one = np.array([0])
    with pytest.raises(ValueError, match="most=0: a sheet shows at least 1 face"):
        figures.mistakes_sheet(faces(1, 8, 8, 3), one, one, np.array([0.5]), NAMES, "SAE", most=0)
