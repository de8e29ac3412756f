"""The data report counts what is in the tables, and its sheets show the faces and images they name."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest
from tests.nodes.located import alignment, listed, listed_pairs, located, scene

from mien.io.sheets import COLUMNS
from mien.nodes import data_report
from mien.nodes.alignment import locate_faces
from mien.nodes.cropping import crop_faces
from mien.nodes.data_report import TILE, aligned_sheet, rejected_sheet, report_faces, summarise_faces

IMAGES = ("one.png", "broken.png", "none.png", "two.png", "one.png")
PUBLISHED = {"train": {"happy": 6}}


def faces(samples: pd.DataFrame, raw, size: int = TILE, channels: str = "rgb") -> np.ndarray:
    stream = crop_faces(samples, raw, alignment(), size=size, channels=channels)
    return np.concatenate(list(stream.batches(0)))


def holds(sheet: np.ndarray, picture: np.ndarray, tolerance: float = 0) -> bool:
    """Whether a picture is somewhere on a sheet, up to a mean squared difference."""
    match = cv2.matchTemplate(sheet, picture, cv2.TM_SQDIFF)
    top, left = np.unravel_index(match.argmin(), match.shape)
    there = sheet[top : top + picture.shape[0], left : left + picture.shape[1]].astype(float)
    return bool(((there - picture) ** 2).mean() <= tolerance)


def test_the_report_has_five_parts_that_the_catalog_can_save(raw):
    samples = located(raw, *IMAGES)
    counts, summary, plot, aligned, rejected = report_faces(
        listed(*IMAGES), samples, raw, faces(samples, raw), published=PUBLISHED
    )
    assert counts.to_dict("records") == [
        {"split": "train", "class": "happy", "found": 5, "published": 6, "difference": -1}
    ]
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert plot._suptitle.get_text().startswith(f"{raw.name} (5 samples)")
    assert len(plot.axes) == 5
    for sheet in (aligned, rejected):
        assert sheet.dtype == np.uint8
        assert sheet.shape[2] == 3


def test_counted_rows_need_not_be_the_samples(raw):
    """Clips are counted, their frames searched."""
    samples = located(raw, "one.png", "two.png")
    clips = pd.DataFrame({"split": ["train"], "expression": ["happy"]})
    counts, summary, *_ = report_faces(clips, samples, raw, faces(samples, raw), published={})
    assert counts["found"].tolist() == [1]
    assert summary["samples"] == 2


def test_the_summary_tells_what_became_of_the_samples(raw):
    samples = located(raw, *IMAGES)
    summary = summarise_faces(samples)
    assert (summary["samples"], summary["faces"]) == (5, 4)
    assert summary["splits"] == {"train": 5}
    assert summary["reasons"] == {
        "aligned": {"count": 2, "share": 0.4},
        "truncated": {"count": 1, "share": 0.2},
        "no_face": {"count": 1, "share": 0.2},
        "several_faces": {"count": 1, "share": 0.2},
    }
    assert summary["detection_rate"] == 3 / 4, "of those that could be read"
    assert summary["median_size"] == {"height": 80, "width": 96}
    assert summary["synthetic_share"] == 1
    assert summary["roll_degrees"]["median"] == pytest.approx(samples["roll_degrees"].median())
    assert summary["roll_degrees"]["p05"] < 0 < summary["roll_degrees"]["p95"]
    levels = [scene(0).image.mean(), cv2.imread(str(raw / "none.png")).mean(), scene(1).image.mean()]
    assert summary["brightness"]["mean"] == pytest.approx(np.mean([*levels, levels[0]]), rel=1e-5)
    assert (summary["leaks"], summary["near_duplicates"]) == (0, 0)
    assert "leaks" not in summarise_faces(samples.assign(split="folds")), "without a training split nothing leaks"


def test_what_was_not_measured_is_none_and_leaks_are_counted(raw):
    samples = located(raw, "one.png", "one.png", method="given").assign(leaks=[True, False], split=["test", "train"])
    summary = summarise_faces(samples)
    assert summary["detection_rate"] is None
    assert set(summary["roll_degrees"].values()) == {None}
    assert summarise_faces(samples[:1])["brightness"]["standard_deviation"] is None, "one image has no spread"
    assert summary["leaks"] == 1
    json.dumps(summary, allow_nan=False)


@pytest.mark.parametrize("channels", ["rgb", "grey"])
def test_the_aligned_sheet_shows_each_aligned_face_once(raw, channels):
    samples = located(raw, *IMAGES[:4])
    packed = faces(samples, raw, channels=channels)
    sheet = aligned_sheet(samples, packed, "expression")
    shown = {"one": packed[0], "none": packed[1], "two": packed[2]}
    found = {
        name: holds(sheet, np.repeat(face, 3, axis=2) if channels == "grey" else face) for name, face in shown.items()
    }
    assert found == {"one": True, "none": False, "two": True}
    assert sheet.shape[1] < 3.5 * TILE, "two faces, no more"


def test_small_faces_are_enlarged(raw):
    samples = located(raw, "one.png")
    packed = faces(samples, raw, size=48)
    assert holds(aligned_sheet(samples, packed, "expression"), cv2.resize(packed[0], (TILE, TILE)), tolerance=1)


def test_of_many_faces_64_different_ones_are_shown_from_the_whole_table():
    n = 1000
    samples = pd.DataFrame({"face_index": range(n), "crop": "points", "expression": "sad", "synthetic": False})
    packed = np.zeros((n, TILE, TILE, 3), np.uint8)
    packed[..., 0], packed[..., 1] = np.arange(n)[:, None, None] // 256, np.arange(n)[:, None, None] % 256
    sheet = aligned_sheet(samples, packed, "expression")
    step_y, step_x = (len(sheet) - 26) // 8, (sheet.shape[1] - 6) // 8
    middles = sheet[26 + TILE // 2 :: step_y, 6 + TILE // 2 :: step_x][:8, :8].reshape(-1, 3).astype(int)
    rows = middles[:, 0] * 256 + middles[:, 1]
    assert len(set(rows)) == 64
    assert (np.diff(rows) > 0).all()
    assert (np.abs((rows + 0.5) * 64 / n - np.arange(64) - 0.5) <= 0.6).all(), "one of each 64th part"
    np.testing.assert_array_equal(sheet, aligned_sheet(samples, packed, "expression"))


def test_pairs_stand_side_by_side_the_onset_first(raw):
    pairs = locate_faces(listed_pairs(("one.png", "two.png")), raw, raw / "unfinished", alignment())
    packed = faces(pairs, raw)
    assert packed.shape[1] == 2
    sheet = aligned_sheet(pairs, packed, "kind")
    assert holds(sheet, np.concatenate(list(packed[0]), axis=1))


@pytest.mark.parametrize("between", [1, 9])
def test_sequences_of_any_length_stand_in_a_row(raw, between):
    listed = listed_pairs(("one.png", "two.png")).assign(
        **{f"frame_{number + 1}": "one.png" for number in range(between)}
    )
    sequences = locate_faces(listed, raw, raw / "unfinished", alignment())
    packed = faces(sequences, raw)
    assert packed.shape[1] == between + 2
    assert holds(aligned_sheet(sequences, packed, "kind"), np.concatenate(list(packed[0]), axis=1))
    broken = sequences.assign(reason="several_faces")
    assert rejected_sheet(broken, raw).shape[1] >= (between + 2) * TILE


def test_no_aligned_face_is_said(raw):
    samples = located(raw, "none.png")
    sheet = aligned_sheet(samples, faces(samples, raw), "expression")
    assert sheet.shape == (2 * TILE, COLUMNS * TILE, 3)
    assert (sheet < 100).any()


def test_the_rejected_sheet_shows_why_and_the_image_where_there_is_one(raw):
    samples = located(raw, *IMAGES)
    sheet = rejected_sheet(samples, raw)
    none = cv2.cvtColor(cv2.imread(str(raw / "none.png")), cv2.COLOR_BGR2RGB)
    assert holds(sheet, cv2.resize(none, (TILE, round(80 * TILE / 96))), tolerance=1)
    assert not holds(sheet, cv2.resize(scene(0).image, (TILE, round(80 * TILE / 96))), tolerance=200)
    captions = captions_of(rejected_sheet, samples, raw)
    assert captions == [["no face", "s2"], ["several faces", "s3"], ["truncated", "s1"]]


def captions_of(show, *arguments):
    """What a sheet writes below its tiles."""
    written = []
    original = data_report.captioned_sheet

    def keep(tiles, captions, **options):
        written.extend(captions)
        return original(tiles, captions, **options)

    data_report.captioned_sheet = keep
    try:
        show(*arguments)
    finally:
        data_report.captioned_sheet = original
    return written


def test_the_chosen_of_several_faces_is_framed(raw):
    samples = located(raw, "two.png")
    framed = rejected_sheet(samples, raw)
    plain = rejected_sheet(samples.assign(reason="no_face"), raw)
    top = 26 + (TILE - round(80 * TILE / 96)) // 2
    x0, y0, x1, y1 = (samples.iloc[0][["box_x0", "box_y0", "box_x1", "box_y1"]].to_numpy(float) * TILE / 96).round()
    changed = np.argwhere((framed[: 26 + TILE] != plain[: 26 + TILE]).any(axis=2))
    changed = changed[changed[:, 0] >= top]  # below the heading
    np.testing.assert_allclose(changed.min(axis=0), [top + y0, 6 + x0], atol=2)
    np.testing.assert_allclose(changed.max(axis=0), [top + y1, 6 + x1], atol=2)


def test_a_broken_half_of_a_pair_is_a_message_beside_the_other(raw):
    pairs = locate_faces(listed_pairs(("one.png", "broken.png")), raw, raw / "unfinished", alignment())
    assert pairs["reason"].tolist() == ["truncated"]
    sheet = rejected_sheet(pairs, raw)
    small = cv2.resize(scene(0).image, (TILE, round(80 * TILE / 96)))
    assert holds(sheet, small, tolerance=1)
    assert holds(sheet, data_report.message_tile("truncated", TILE, TILE))


def test_nothing_rejected_is_said(raw):
    sheet = rejected_sheet(located(raw, "one.png"), raw)
    np.testing.assert_array_equal(sheet, data_report.message_tile("none rejected", 2 * TILE, COLUMNS * TILE))


@pytest.mark.parametrize(
    ("counts", "shares"),
    [
        ({"empty": 500, "no_face": 3, "several_faces": 2}, {"empty": 59, "no_face": 3, "several_faces": 2}),
        ({"empty": 5, "no_face": 3}, {"empty": 5, "no_face": 3}),
        ({"empty": 500, "no_face": 500}, {"empty": 32, "no_face": 32}),
    ],
)
def test_every_reason_has_its_fair_part_of_the_sheet(tmp_path, counts, shares):
    reasons = [reason for reason, count in counts.items() for _ in range(count)]
    samples = pd.DataFrame({"reason": reasons, "synthetic": False})
    samples["sample_id"] = [f"s{row}" for row in samples.index]
    samples["image"] = "absent.png"
    captions = captions_of(rejected_sheet, samples, tmp_path)
    assert pd.Series([why.replace(" ", "_") for why, _ in captions]).value_counts().to_dict() == shares
    assert len({sample_id for _, sample_id in captions}) == len(captions)
