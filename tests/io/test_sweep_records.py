"""Records of sweeps: one file each, read back whole or reported to be damaged."""

import pytest
from kedro.io import DatasetError

from mien.io.sweep_records import SweepRecord, SweepRecords

TINY = SweepRecord("tiny", (("sae", "keep_0.6"), ("linear", "v")), (0, 2))


def test_sweeps_come_back_by_name_and_one_started_anew_replaces_its_own(tmp_path):
    sweeps = SweepRecords(filepath=str(tmp_path / "sweeps"))
    assert not sweeps.exists()
    assert sweeps.load() == []
    other = SweepRecord("my/own sweep", (("sae", "a"),), (7,))
    for record in (SweepRecord("tiny", (("sae", "x"),), (1,)), TINY, other):
        sweeps.save(record)
    assert sweeps.load() == [other, TINY]
    assert sweeps.exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "tiny"}', '{"name": "tiny", "members": [1], "seeds": []}'])
def test_a_damaged_record_is_reported_by_file_with_what_to_do(tmp_path, content):
    (tmp_path / "tiny.json").write_text(content)
    with pytest.raises(DatasetError, match=r"tiny\.json cannot be read: .*Start the sweep again"):
        SweepRecords(filepath=str(tmp_path)).load()
