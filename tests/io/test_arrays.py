"""Named arrays come back as they were, from one file that equal arrays make equal."""

import numpy as np
import pytest
from kedro.io import DatasetError

from mien.io.arrays import ArrayArchive


def test_arrays_come_back_by_name_with_shape_and_type(tmp_path):
    entry = ArrayArchive(filepath=str(tmp_path / "deep" / "a.npz"))
    assert not entry.exists()
    given = {"x": np.arange(6, dtype=np.float16).reshape(2, 3), "none": np.zeros((0, 4)), "n": np.array([1, 2])}
    entry.save(given)
    loaded = entry.load()
    assert list(loaded) == list(given)
    for name, array in given.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)


def test_equal_arrays_are_equal_files_and_a_failed_save_leaves_the_old_one(tmp_path):
    paths = [tmp_path / "one.npz", tmp_path / "two.npz"]
    for path in paths:
        ArrayArchive(filepath=str(path)).save({"x": np.arange(5)})
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with pytest.raises(DatasetError, match=r"Arrays \['y'\] .* hold objects: give numbers"):
        ArrayArchive(filepath=str(paths[0])).save({"y": np.array([object()])})
    assert paths[0].read_bytes() == paths[1].read_bytes()
