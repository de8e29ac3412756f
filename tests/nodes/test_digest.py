"""Digests: equal for equal data however it lies in memory, another for any change."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from tests.pipelines.temporary_project import ROOT
from tests.project.project_config import load_config

from mien.models.network import Network
from mien.nodes import digest
from mien.nodes.digest import array_digest, settings_digest, table_digest, training_fingerprint
from mien.nodes.params import TrainingParams

arrays = npst.arrays(np.uint8, npst.array_shapes(min_dims=2, max_dims=4, max_side=5))
tables = st.lists(st.tuples(st.text(max_size=3), st.integers(-9, 9), st.floats(allow_nan=True)), min_size=1, max_size=8)


@given(arrays)
def test_equal_arrays_have_equal_digests_in_any_memory_layout(array):
    assert array_digest(array) == array_digest(np.asfortranarray(array.copy()))


@given(arrays, st.data())
def test_any_changed_value_changes_an_arrays_digest(array, data):
    place = tuple(data.draw(st.integers(0, side - 1)) for side in array.shape)
    changed = array.copy()
    changed[place] ^= data.draw(st.integers(1, 255))
    assert array_digest(changed) != array_digest(array)


def test_shape_and_type_count_even_where_the_bytes_are_equal():
    array = np.zeros((2, 6), np.uint8)
    others = [array.reshape(3, 4), array.view(np.int8), array[:, :5], np.zeros((0, 6), np.uint8)]
    assert len({array_digest(each) for each in [array, *others]}) == 5


def test_an_array_on_the_disk_is_read_in_chunks_and_digests_as_in_memory(tmp_path, monkeypatch):
    array = np.random.default_rng(0).integers(0, 256, (50, 4, 4, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", array)
    whole = array_digest(array)
    monkeypatch.setattr(digest, "CHUNK_BYTES", 7 * 48)
    assert array_digest(np.load(tmp_path / "a.npy", mmap_mode="r")) == whole


@given(tables)
def test_equal_tables_have_equal_digests_whatever_their_index(rows):
    table = pd.DataFrame(rows, columns=["text", "whole", "real"])
    assert table_digest(table) == table_digest(table.set_axis(range(5, 5 + len(table))))


@given(tables, st.data())
def test_any_changed_cell_changes_a_tables_digest(rows, data):
    table = pd.DataFrame(rows, columns=["text", "whole", "real"])
    row = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from(["text", "whole"]))
    changed = table.copy()
    changed.loc[row, column] = table.loc[row, column] + ("x" if column == "text" else 1)
    assert table_digest(changed) != table_digest(table)


def test_names_order_and_number_of_columns_and_rows_count():
    table = pd.DataFrame({"a": [1, 2], "b": [2, 1]})
    others = [table[["b", "a"]], table.rename(columns={"b": "c"}), table.iloc[::-1], table[:1], table[["a"]]]
    assert len({table_digest(each) for each in [table, *others]}) == 6


def test_a_table_that_was_saved_and_loaded_keeps_its_digest(tmp_path):
    table = pd.DataFrame({"id": ["x", "y"], "score": np.float32([0.5, np.nan]), "n": [1, 2], "on": [True, False]})
    table.to_parquet(tmp_path / "t.parquet")
    assert table_digest(pd.read_parquet(tmp_path / "t.parquet")) == table_digest(table)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("sae", {"lr": 0.1}), ("sae", {"lr": 0.2})),
        (("sae", {"lr": 0.1}), ("sae", {"rl": 0.1})),
        (("sae", "a", "b"), ("sae", "ab", "")),
        (("sae", [1, 2]), ("sae", [2, 1])),
        (("sae", None), ("sae", 0)),
    ],
)
def test_different_settings_have_different_digests(one, other):
    assert settings_digest(*one) != settings_digest(*other)


def test_the_order_of_keys_does_not_matter():
    assert settings_digest({"a": 1, "b": {"c": 2, "d": 3}}) == settings_digest({"b": {"d": 3, "c": 2}, "a": 1})


@pytest.mark.parametrize(
    ("device", "processes", "precision"),
    [("cuda", 1, "32-true"), ("cpu", 2, "32-true"), ("cpu", 1, "bf16-mixed")],
)
def test_a_trainings_fingerprint_depends_on_the_device_the_processes_and_the_precision_used(
    device, processes, precision
):
    assert fingerprint() == fingerprint()
    assert fingerprint(device, processes, precision) != fingerprint()


def fingerprint(device: str = "cpu", processes: int = 1, precision: str = "32-true") -> str:
    strategy = SimpleNamespace(precision=SimpleNamespace(precision=precision))
    fabric = SimpleNamespace(device=torch.device(device), world_size=processes, strategy=strategy)
    start = Network("layer", {}, ("a", "b"), torch.nn.Linear(1, 2))
    torch.nn.init.zeros_(start.model.weight)
    torch.nn.init.zeros_(start.model.bias)
    return training_fingerprint(start, published(), fabric, ["data"])


@cache
def published() -> TrainingParams:
    return TrainingParams(**load_config(ROOT / "conf", "paper")["parameters"]["sae"]["training"])
