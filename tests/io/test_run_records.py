"""Records of runs: written beside the metrics, read back for a report, whole or not at all."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from kedro.io import DatasetError

from mien.io.run_records import METRICS, RECORD, RunRecord, RunRecords, read_record, seeded_variant

RUN = RunRecord(
    system="sae",
    variant="keep_0.6-seed_2",
    env="demo",
    dataset="raf_db",
    command="kedro run --pipelines=sae",
    machine="x86_64, 2 cores",
    date="2026-01-31T12:00:00+00:00",
    run_id="abc",
    commit="481e3d0",
    parameters={"model.keep_rate": 0.6},
)


def finish(folder, run: RunRecord, accuracy: float = 0.5) -> None:
    place = folder / "08_reporting" / run.system / run.variant
    run.write(place)
    (place / METRICS).write_text(json.dumps({"test/accuracy": accuracy}))


def records(folder) -> list[RunRecord]:
    return RunRecords(
        filepath=str(folder / "08_reporting"), predictions={"filepath": str(folder / "07_model_output")}
    ).load()


def test_a_record_comes_back_with_its_metrics(tmp_path):
    finish(tmp_path, RUN, 0.75)
    (found,) = records(tmp_path)
    assert replace(found, predictions=None) == RUN
    assert found.metrics == {"test/accuracy": 0.75}


def test_records_are_sorted_and_a_run_that_has_not_ended_is_none(tmp_path):
    finish(tmp_path, replace(RUN, variant="b"))
    finish(tmp_path, replace(RUN, variant="a"))
    RUN.write(tmp_path / "08_reporting/sae/without_metrics")
    (tmp_path / "08_reporting/sae/without_record").mkdir()
    (tmp_path / "08_reporting/sae/without_record" / METRICS).write_text("{}")
    assert [run.variant for run in records(tmp_path)] == ["a", "b"]


def test_a_folder_without_a_record_has_none(tmp_path):
    assert read_record(tmp_path) is None
    assert records(tmp_path / "absent") == []


@pytest.mark.parametrize(
    ("variant", "base"),
    [
        ("keep_0.6-seed_2", "keep_0.6"),
        ("keep_0.6", "keep_0.6"),
        ("a-seed_b", "a-seed_b"),
        ("a-seed_1-seed_2", "a-seed_1"),
    ],
)
def test_runs_that_differ_by_the_seed_alone_share_a_base_variant(variant, base):
    assert replace(RUN, variant=variant).base_variant == base


def test_the_seed_is_part_of_the_name_of_a_runs_folders():
    assert replace(RUN, variant=seeded_variant("keep_0.6", 2)) == RUN


def test_predictions_are_read_from_the_runs_own_folder_and_missed_by_name(tmp_path):
    finish(tmp_path, RUN)
    (found,) = records(tmp_path)
    with pytest.raises(ValueError, match=r"predictions of sae keep_0\.6-seed_2 are gone.*kedro run --pipelines=sae"):
        found.load_predictions()
    table = pd.DataFrame({"sample_id": ["a"], "target": [0]})
    place = tmp_path / "07_model_output/sae/keep_0.6-seed_2"
    place.mkdir(parents=True)
    table.to_parquet(place / "predictions.parquet")
    pd.testing.assert_frame_equal(found.load_predictions(), table)


def test_a_record_of_a_later_version_with_more_fields_is_read(tmp_path):
    RUN.write(tmp_path)
    content = json.loads((tmp_path / RECORD).read_text())
    (tmp_path / RECORD).write_text(json.dumps({**content, "new_field": 1}))
    assert read_record(tmp_path) == RUN


def test_no_node_writes_all_records(tmp_path):
    with pytest.raises(DatasetError, match="write their own records"):
        RunRecords(filepath=str(tmp_path), predictions={"filepath": str(tmp_path)}).save([])
