"""The networks' part of the benchmark: what is counted, timed, compared and written, on tiny networks."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from tests.project.project_config import load_config

from mien.pipelines.benchmark import networks as nodes
from mien.pipelines.benchmark.network_memory import peak_memory
from mien.pipelines.benchmark.network_modes import runner
from mien.pipelines.benchmark.network_parts import Cost, build, costs, parts_of, random_images
from mien.pipelines.benchmark.network_report import draw_networks, write_networks
from mien.pipelines.benchmark.networks import BY_CPU, TRAINING_STEP, measure_networks
from mien.pipelines.benchmark.params import NetworksBenchmark, NetworkWay
from mien.pipelines.benchmark.timing import LEAST_ROUNDS, Lap, interleaved

PUBLISHED = load_config(Path(__file__).resolve().parents[2] / "conf", "base")["parameters"]["benchmark"]["networks"]
SMALL = {
    "image_size": 32,
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
    "backbone_widths": [4, 4, 8],
    "backbone_units": [1, 1, 1],
    "landmark_widths": [4, 4, 4, 16],
    "landmark_units": [1, 1, 1],
}


def way(name: str, architecture: str = "sae", **config: Any) -> dict[str, Any]:
    return {"name": name, "architecture": architecture, "config": {**SMALL, **config}}


TINY = PUBLISHED | {
    "ways": [
        way("poster", "poster"),
        way("all", keep_rate=1.0, prune_blocks=[0]),
        way("few", keep_rate=0.25, prune_blocks=[0]),
        {"name": "linear", "architecture": "softmax_regression", "config": {"image_size": 16}},
    ],
    "baseline": "all",
    "batch_sizes": (1, 3),
    "repeats": 2,
    "training": (),
    "train_batch_size": 2,
    "accelerator": "cpu",
    "aims": [
        {"way": "few", "of": "all", "part": "fusion", "batch_size": 3, "at_most": 0.5},
        {"way": "few", "of": "poster", "part": "whole", "batch_size": 3, "at_most": 0.5},
        {"way": "few", "of": "all", "part": "whole", "batch_size": 2, "at_most": 0.5},  # a size that is not measured
    ],
}
PARTS = ["whole", "backbone", "landmarks", "fusion"]


def tiny(**changes: Any) -> NetworksBenchmark:
    return NetworksBenchmark(**TINY | changes)


def published(**changes: Any) -> NetworksBenchmark:
    return NetworksBenchmark(**PUBLISHED | changes)


def named(networks: NetworksBenchmark, name: str) -> NetworkWay:
    return next(each for each in networks.ways if each.name == name)


@cache
def published_costs(name: str) -> dict[str, Cost]:
    return costs(named(published(), name), published())


def given_peak(way: NetworkWay, networks: NetworksBenchmark, device: torch.device) -> float:
    """Memory without the seconds that a process of its own takes to start."""
    return 12.5


@pytest.fixture
def no_child(monkeypatch) -> None:
    monkeypatch.setattr(nodes, "peak_memory", given_peak)


# ---- parts ---------------------------------------------------------------------------------------------------------


def test_a_part_alone_computes_what_it_computes_in_the_network():
    networks = tiny()
    model = build(named(networks, "few"), networks, "cpu")
    images = random_images(model, 3, networks, "cpu")
    parts = parts_of(model, images, networks.parts["sae"])
    assert list(parts) == PARTS
    with torch.no_grad():
        fused = parts["fusion"].module(*parts["fusion"].inputs)
        torch.testing.assert_close(model.head(model.gate(fused)), model(images))
        torch.testing.assert_close(parts["whole"].module(*parts["whole"].inputs), model(images))
    assert parts["landmarks"].inputs[0].shape == images.shape
    assert not torch.equal(parts["landmarks"].inputs[0], images), "the landmark network sees other pixels"


def test_no_hook_is_left_behind():
    networks = tiny()
    model = build(named(networks, "few"), networks, "cpu")
    parts_of(model, random_images(model, 1, networks, "cpu"), networks.parts["sae"])
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_an_attribute_that_a_network_lacks_is_named():
    networks = tiny()
    model = build(named(networks, "few"), networks, "cpu")
    with pytest.raises(ValueError, match=r"SAE has no module 'fusoin', which benchmark.networks.parts gives as fusion"):
        parts_of(model, random_images(model, 1, networks, "cpu"), {"fusion": "fusoin"})


# ---- operations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "fusion", "whole"), [("poster", 2.142, 7.857), ("keep_1.0", 2.161, 7.876)])
def test_operations_of_the_published_sizes_are_those_of_the_design_table(name, fusion, whole):
    counted = published_costs(name)
    parts = ("backbone", "landmarks", "fusion", "whole")
    assert [round(counted[part].macs / 1e9, 3) for part in parts] == [5.468, 0.221, fusion, whole]


def test_the_light_network_has_less_than_half_of_posters_operations():
    assert published_costs("lite")["whole"].macs < 0.47 * published_costs("poster")["whole"].macs


def test_a_network_without_parts_is_counted_as_a_whole():
    networks = tiny()
    counted = costs(named(networks, "linear"), networks)
    assert list(counted) == ["whole"]
    inputs = counted["whole"].macs // networks.num_classes
    assert counted["whole"].parameters == (inputs + 1) * networks.num_classes


# ---- times ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_child")
def test_every_network_is_timed_in_each_part_and_batch_size():
    table, _ = measure_networks(tiny(training=["all"]))
    passes = table[table["part"] != TRAINING_STEP]
    expected = [(name, part) for name in ("poster", "all", "few") for part in PARTS] + [("linear", "whole")]
    assert list(zip(passes["way"], passes["part"], strict=True)) == expected * 2
    assert passes["batch_size"].tolist() == [1] * 13 + [3] * 13
    step = table[table["part"] == TRAINING_STEP].squeeze()
    assert (step["way"], step["batch_size"]) == ("all", 2)
    assert np.isnan(step["gmac"])
    for name in ("ms", "images_per_s", "cpu_ms", "ratio", "cpu_ratio"):
        assert (table[f"{name}_low"] <= table[name]).all(), name
        assert (table[name] <= table[f"{name}_high"]).all(), name
    assert (table["rounds"] == 2).all()
    assert table["device"].str.contains("core").all()
    np.testing.assert_allclose(table["images_per_s_high"], 1e3 * table["batch_size"] / table["ms_low"])


@pytest.mark.usefixtures("no_child")
def test_a_training_step_changes_the_weights_and_leaves_the_network_in_evaluation_mode(monkeypatch):
    models: dict[str, torch.nn.Module] = {}

    def keep(each, networks, device):
        if str(device) == "meta":
            return build(each, networks, device)
        model = models[each.name] = build(each, networks, device)
        before[each.name] = model.head.weight.clone() if each.name != "linear" else None
        return model

    before: dict[str, Any] = {}
    monkeypatch.setattr(nodes, "build", keep)
    measure_networks(tiny(training=["all"], batch_sizes=[1]))
    assert not torch.equal(models["all"].head.weight, before["all"])
    assert torch.equal(models["few"].head.weight, before["few"])
    assert not any(model.training for model in models.values())


SECONDS: dict[tuple[str, str], tuple[float, ...]] = {
    ("all", "whole"): (1.0, 2.0, 4.0),
    ("few", "whole"): (0.5, 1.5, 2.0),  # ratios 0.5, 0.75, 0.5
    ("poster", "whole"): (2.0, 2.0, 2.0),  # of few: 0.25, 0.75, 1
    ("all", "fusion"): (0.5, 0.5, 1.0),
    ("few", "fusion"): (0.1, 0.2, 0.3),  # 0.2, 0.4, 0.3
}


@pytest.fixture(scope="module")
def by_hand() -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is made of times that are given, the processor's ten times those of the clock but for poster."""

    def timed(ways, repeats, seconds):
        return {
            name: [
                Lap(seconds=each, cpu_seconds=each * (1 if name[0] == "poster" else 10))
                for each in SECONDS.get(name, (1.0, 1.0, 1.0))
            ]
            for name in ways
        }

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(nodes, "interleaved", timed)
        monkeypatch.setattr(nodes, "peak_memory", given_peak)
        return measure_networks(tiny(batch_sizes=[3]))


def row_of(table: pd.DataFrame, name: str, part: str) -> pd.Series:
    return table[(table["way"] == name) & (table["part"] == part)].squeeze()


def test_ratios_are_taken_within_each_round(by_hand):
    few = row_of(by_hand[0], "few", "whole")
    assert few[["ratio", "ratio_low", "ratio_high"]].tolist() == [0.5, 0.5, 0.75]
    assert few[["ms", "ms_low", "ms_high"]].tolist() == [1500, 500, 2000]
    assert few[["images_per_s", "images_per_s_low", "images_per_s_high"]].tolist() == [2, 1.5, 6]
    assert few["cpu_ms"] == 15_000
    assert row_of(by_hand[0], "all", "whole")["ratio_high"] == 1
    assert few["peak_mb"] == 12.5
    assert np.isnan(row_of(by_hand[0], "few", "fusion")["peak_mb"])


def test_aims_are_evaluated_by_cpu_time_on_a_cpu_and_only_at_their_batch_size(by_hand):
    aims = by_hand[1]
    assert aims[["way", "of", "part"]].to_numpy().tolist() == [["few", "all", "fusion"], ["few", "poster", "whole"]]
    np.testing.assert_allclose(aims["ratio"], [0.3, 7.5])
    np.testing.assert_allclose(aims["ratio_high"], [0.4, 10])
    assert aims["met"].tolist() == [True, False]
    assert (aims["estimated_by"] == BY_CPU).all()


def test_the_page_has_a_line_per_network_and_says_what_is_met(by_hand):
    text = write_networks(*by_hand)
    assert (
        "| few, fusion | all | 3 | eager, 1 thread | at most 0.50 | 0.300 (0.200 to 0.400) | CPU time | yes |" in text
    )
    assert (
        "| few, whole | poster | 3 | eager, 1 thread | at most 0.50 | 7.500 (2.500 to 10.000) | CPU time | no |" in text
    )
    passes = text.partition("## Passes, batch of 3, eager, 1 thread")[2]
    (few,) = (line for line in passes.splitlines() if line.startswith("| few |"))
    assert few.startswith(
        "| few | 2.0 (1.5 to 6.0) | 1500.0 (500.0 to 2000.0) | 15000.0 | 10000.0 | 10000.0 | 2000.0 |"
    )
    assert "| 0.500 (0.500 to 0.750) | 1.000 (1.000 to 1.000) | 1.000 (1.000 to 1.000) | 0.300" in few
    (linear,) = (line for line in passes.splitlines() if line.startswith("| linear |"))
    assert linear.count("|  |") + linear.count("|  |  |") > 0, "it has no parts"
    assert by_hand[0]["device"].iloc[0] in text


def test_the_page_says_so_where_no_aim_was_measured(by_hand):
    assert "none of those measured" in write_networks(by_hand[0], by_hand[1].iloc[:0])


def test_the_bars_of_a_network_add_up_to_the_whole(by_hand):
    figure = draw_networks(by_hand[0])
    assert [bar.name for bar in figure.data] == ["backbone", "landmarks", "fusion", "the rest"]
    total = np.sum([bar.x for bar in figure.data], axis=0)
    assert figure.data[0].y == ("poster", "all", "few", "linear")
    assert total[3] == pytest.approx(1000 / 3)  # nothing but the rest
    assert figure.data[2].x[2] == pytest.approx(200 / 3)
    assert [note.text for note in figure.layout.annotations] == ["batch of 3, eager, 1 thread"]


def test_no_further_round_begins_after_so_many_seconds_but_for_the_first_three():
    run: list[int] = []
    ways: dict[tuple[str, int], Callable[[Lap], object]] = {("a", 1): lambda lap: run.append(1)}
    assert len(interleaved(ways, repeats=9, seconds=-1)["a", 1]) == LEAST_ROUNDS == len(run)
    assert len(interleaved(ways, repeats=9)["a", 1]) == 9
    assert len(interleaved(ways, repeats=2, seconds=-1)["a", 1]) == 2


# ---- memory, compilation -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_memory_grows_by_more_than_the_largest_map_and_with_the_batch():
    wide = way("wide", image_size=112, prune_blocks=[0], backbone_widths=[64, 4, 8])
    peaks = []
    for batch_size in (1, 16):
        networks = tiny(ways=[wide], baseline="wide", aims=[], memory_batch_size=batch_size)
        peaks.append(peak_memory(networks.ways[0], networks, torch.device("cpu")))
    stem = 4 * 64 * 112**2 / 1e6  # MB of an image's largest map
    assert peaks[1] > 16 * stem
    assert peaks[0] < peaks[1] / 2


@pytest.mark.slow
@pytest.mark.usefixtures("no_child")
@pytest.mark.parametrize(
    "backend",
    [
        "eager",  # captured as one graph each, but not built: on a CPU torch's compiler builds C++ for minutes
        pytest.param("inductor", marks=pytest.mark.gpu),
    ],
)
def test_compiled_networks_are_timed_too(monkeypatch, backend):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    compared = [way("all", keep_rate=1.0, prune_blocks=[0]), way("few", keep_rate=0.25, prune_blocks=[0])]
    networks = tiny(ways=compared, aims=[], modes=["compiled"], accelerator="auto")
    table, _ = measure_networks(networks)
    assert table["part"].tolist() == PARTS * 4
    assert (table["mode"] == "compiled").all()
    assert (table["cpu_ms"] > 0).all()


@pytest.mark.slow
@pytest.mark.gpu
def test_networks_replayed_by_cuda_graphs_are_timed_too():
    compared = [way("all", keep_rate=1.0, prune_blocks=[0]), way("few", keep_rate=0.25, prune_blocks=[0])]
    table, _ = measure_networks(tiny(ways=compared, aims=[], modes=["eager", "graph"], accelerator="cuda"))
    assert table["mode"].value_counts().to_dict() == {"eager": 16, "graph": 16}


def test_a_graph_needs_a_gpu():
    with pytest.raises(ValueError, match=r"mode graph replays a CUDA graph.*computes on cpu.*Take graph out"):
        measure_networks(tiny(modes=["graph"]))


def test_bfloat16_computes_in_bfloat16_near_the_full_precision():
    module, inputs, cpu = torch.nn.Linear(8, 4), (torch.rand(3, 8),), torch.device("cpu")
    with torch.no_grad():
        full = runner(module, inputs, "eager", "32-true", cpu)()
        half = runner(module, inputs, "eager", "bf16-mixed", cpu)()
    assert (full.dtype, half.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(half.float(), full, rtol=0, atol=0.02)


# ---- parameters ----------------------------------------------------------------------------------------------------


def test_only_the_named_ways_are_measured_all_where_none_is_named():
    assert [each.name for each in tiny(only=["all", "few"]).measured] == ["all", "few"]
    assert len(tiny(only=[]).measured) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ways": [way("all"), way("all")], "aims": []}, "two ways have the same name"),
        ({"baseline": "al"}, "al of only, baseline, training or aims is none of the ways poster, all, few, linear"),
        ({"training": ["fwe"]}, "fwe of only"),
        ({"only": ["few"]}, "baseline all is not among only, few"),
        ({"modes": ["fast"]}, "modes"),
        ({"batch_sizes": []}, "batch_sizes"),
        ({"repeats": 0}, "repeats"),
        ({"train_batch_size": 1}, "train_batch_size"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        tiny(**change)
