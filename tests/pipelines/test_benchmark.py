"""The benchmark on a few small scenes: what it counts, compares and writes."""

import time

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from mien.models.face_detector import STAGES, FaceDetections, FaceDetector
from mien.models.face_detector_loop import FaceDetectorLoop
from mien.pipelines.benchmark.detector import LOOP, _scenes, draw, equal_faces, measure, write
from mien.pipelines.benchmark.params import DetectorBenchmark
from mien.pipelines.benchmark.timing import Lap, interleaved, spread

TINY = {"image_sizes": (80, 64), "batch_sizes": (1, 3), "threads": (1,), "repeats": 2, "min_face_size": 24, "seed": 0}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return measure(DetectorBenchmark(**TINY))


def test_each_size_has_the_loop_and_every_batch_size_on_a_row(table):
    ways = [LOOP, "batches of 1", "batches of 3"]
    assert table["way"].tolist() == ways * 2
    assert table["image_size"].tolist() == [80] * 3 + [64] * 3
    assert (table[["threads", "images", "repeats"]] == [1, 3, 2]).all(axis=None)
    assert table["machine"].str.contains("core").all()


def test_speeds_and_ratios_are_medians_between_their_least_and_largest(table):
    for name in ("images_per_s", "ms_per_image", "speedup", "cpu_speedup", "cpu_ms_per_image"):
        assert (table[f"{name}_low"] <= table[name]).all(), name
        assert (table[name] <= table[f"{name}_high"]).all(), name
    loop = table[table["way"] == LOOP]
    assert (loop[["speedup", "speedup_low", "speedup_high", "cpu_speedup"]] == 1).all(axis=None)
    np.testing.assert_allclose(table["images_per_s_high"], 1e3 / table["ms_per_image_low"])


def test_stages_and_the_rest_add_up_to_the_whole(table):
    stages = table[[f"{stage}_ms" for stage in (*STAGES, "other")]]
    assert (stages > 0).all(axis=None)
    total = stages.sum(axis=1)  # medians of two repeats, which are means
    np.testing.assert_allclose(total, table["ms_per_image"], rtol=1e-6)


def test_the_ways_find_equal_faces(table):
    assert (table["equal"] == 1).all()
    assert (table["faces"] >= 2).all()


def test_threads_are_as_before(table):
    before = torch.get_num_threads(), cv2.getNumThreads()
    measure(DetectorBenchmark(**TINY | {"image_sizes": (64,), "batch_sizes": (1,), "repeats": 1, "threads": (1, 2)}))
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


def test_the_figure_has_a_panel_per_size_and_a_bar_per_way_and_stage(table):
    figure = draw(table)
    assert len(figure.data) == 2 * (len(STAGES) + 1)
    bar = figure.data[1]
    assert bar.name == "pnet"
    np.testing.assert_allclose(bar.x, table.loc[table["image_size"] == 80, "pnet_ms"])
    assert bar.y[2] == "batches of 3, 1 thread"
    assert "synthetic faces" in figure.layout.title.subtitle.text


def test_the_markdown_has_a_line_per_row_and_names_the_machine(table):
    text = write(table)
    lines = [line for line in text.splitlines() if line.startswith("| ") and " px | " in line]
    assert len(lines) == len(table)
    last = table.iloc[-1]
    assert f"| {last['image_size']} px | 1 | batches of 3 | {last['images_per_s']:.1f} (" in lines[-1]
    assert last["machine"] in text
    assert "3 synthetic scenes" in text


@pytest.mark.parametrize(
    "wrong", [{"image_sizes": ()}, {"batch_sizes": (0,)}, {"threads": (0,)}, {"repeats": 0}, {"min_face_size": 11}]
)
def test_settings_outside_their_range_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        DetectorBenchmark(**TINY | wrong)


# ---- equal faces ---------------------------------------------------------------------------------------------------


def faces(*lefts: float, score: float = 0.99, shift: float = 0.0) -> FaceDetections:
    boxes = np.array([[left, 0, left + 20, 20] for left in lefts], np.float32).reshape(-1, 4)
    points = np.repeat(boxes[:, None, :2], 5, axis=1) + shift
    return FaceDetections(boxes, np.full(len(lefts), score, np.float32), points)


def test_faces_are_equal_with_boxes_and_points_within_bounds():
    assert equal_faces([faces(10)], [faces(10.5, shift=1.4)]) == 1  # IoU 19.5 / 20.5, points 1.9 px
    assert equal_faces([faces(10)], [faces(12)]) == 0  # IoU 18 / 22
    assert equal_faces([faces(10)], [faces(10, shift=2.5)]) == 0


def test_a_face_that_one_output_lacks_counts_once_and_an_uncertain_one_not_at_all():
    assert equal_faces([faces(10, 50)], [faces(10)]) == pytest.approx(2 / 3)
    assert equal_faces([faces(10)], [faces(10, 50)]) == pytest.approx(2 / 3)
    assert equal_faces([faces(10, score=0.8)], [faces()]) == 1
    assert equal_faces([faces()], [faces()]) == 1


@pytest.mark.slow
def test_the_loop_and_the_batched_detector_find_equal_faces_in_200_scenes():
    scenes = [scene for size in (100, 150, 203, 240) for scene in _scenes(size, 50, seed=1)]
    batched, loop = FaceDetector().detect(scenes), FaceDetectorLoop().detect(scenes)
    assert sum(map(len, batched)) >= 190
    assert equal_faces(batched, loop) >= 0.97


# ---- timing --------------------------------------------------------------------------------------------------------


def test_ways_are_timed_in_turn_and_stages_within_them():
    order = []

    def quick(lap: Lap) -> None:
        order.append("quick")

    def slow(lap: Lap) -> None:
        order.append("slow")
        for _ in range(2):
            with lap.stage("waiting"):
                time.sleep(0.01)

    laps = interleaved({"quick": quick, "slow": slow}, repeats=2)
    assert order == ["quick", "slow"] * 2
    assert all(lap.seconds >= lap.stages["waiting"] >= 0.02 for lap in laps["slow"])
    assert all(lap.cpu_seconds < 0.02 for lap in laps["slow"])  # waiting takes no processor time
    assert all(lap.stages == {} for lap in laps["quick"])


def test_the_spread_of_an_even_number_has_the_mean_of_the_middle_two():
    assert spread([4.0, 1.0, 2.0, 9.0]) == (3.0, 1.0, 9.0)
