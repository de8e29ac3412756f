"""FER+'s four ways to train, from votes to loss beside its own formulas, and through Kedro in every classifier."""

import logging
import math
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from tests.data.test_ferplus_votes import MODES, one_by_one, splits_of_ten
from tests.pipelines.tiny_systems import TINY, TINY_DATA, TINY_LANDMARKS
from tests.project.project_config import data_entries, load_config

from mien.data.face_images import FaceImages
from mien.data.ferplus_votes import VOTED_EXPRESSIONS, label_votes
from mien.data.target_shares import add_target_shares, target_mode, target_shares
from mien.io.schemas import Listed
from mien.labels import FERPLUS_EXPRESSIONS, TargetMode
from mien.losses import ExpressionLoss, JointLoss
from mien.mlflow_run import connect
from mien.models import create_model
from mien.models.network import Network
from mien.pipeline_registry import is_system, register_pipelines
from mien.pipelines.data_ferplus.nodes import provide_ferplus, read_listed
from mien.pipelines.data_ferplus.params import FerPlusReader, SyntheticFerPlus

PUBLISHED = load_config(Path(__file__).resolve().parents[2] / "conf", "paper")["parameters"]
PIPELINES = register_pipelines()
CLASSIFIERS = sorted(
    name
    for name, pipeline in PIPELINES.items()
    if is_system(name, pipeline) and {"ferplus_samples", f"{name}.train_and_val"} <= data_entries(pipeline)
)
"""Every system that the registry makes on FERPlus."""


def ferplus_cost(shares: list[float], p: np.ndarray, mode: TargetMode, drawn: int) -> float:
    """FER+'s cost of one image in its own order of classes, in plain numbers.

    Source: Barsoum et al. 2016, section 4, and METHODS 7.2.
    """
    if mode == "multi_target":
        accepted = [(1 - 0.001) * (share > 0) + 0.001 for share in shares]
        return -math.log(max(weight * chance for weight, chance in zip(accepted, p, strict=True)))
    wanted = [float(number == drawn) for number in range(8)] if mode == "probability" else shares
    return -sum(share * math.log(chance) for share, chance in zip(wanted, p, strict=True))


@settings(max_examples=200, deadline=None)
@given(
    votes=st.lists(splits_of_ten(), min_size=1, max_size=8),
    mode=st.sampled_from(MODES),
    seed=st.integers(0, 1000),
    heads=st.booleans(),
)
def test_votes_become_the_loss_of_ferplus_own_formulas(votes, mode, seed, heads):
    by_hand = [one_by_one(each, mode) for each in votes]
    labelled = label_votes(np.array(votes), mode)
    kept = labelled.labels >= 0
    assert kept.tolist() == [each is not None for each in by_hand]
    by_hand = [each for each in by_hand if each is not None]
    if not by_hand:
        return
    table = add_target_shares(
        pd.DataFrame({"label": labelled.labels[kept]}), labelled.targets[kept], FERPLUS_EXPRESSIONS, [mode] * kept.sum()
    )
    hard = target_mode(table) == "majority"
    images = FaceImages(
        np.zeros((1, 2, 2, 3), np.uint8),
        [0] * len(table),
        table["label"].to_numpy() if hard else target_shares(table, FERPLUS_EXPRESSIONS),
        image_size=2,
        mean=(0,) * 3,
        std=(1,) * 3,
        draw=target_mode(table) == "probability",
        seed=seed,
    )
    target = torch.stack([images[key][1] for key in range(len(table))])
    p = np.random.default_rng(seed).dirichlet([0.3] * 8, len(table)) + 1e-9
    p /= p.sum(axis=1, keepdims=True)  # in FER+'s order
    place = [VOTED_EXPRESSIONS.index(name) for name in FERPLUS_EXPRESSIONS]
    drawn = [place[int(each)] if each.ndim == 0 else -1 for each in target]
    assert mode != "probability" or all(by_hand[row][each] > 0 for row, each in enumerate(drawn))
    expected = np.mean([ferplus_cost(s, q, mode, d) for s, q, d in zip(by_hand, p, drawn, strict=True)])
    logits = torch.from_numpy(np.log(p[:, place]))
    accepted = mode == "multi_target"
    if heads:
        loss = JointLoss(1.0, 1.0, accepted)(torch.stack([logits, logits], 1), target) / 2
    else:
        loss = ExpressionLoss(1.0, 0.0, any_accepted=accepted)(logits, target)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_every_system_on_ferplus_is_tried():
    assert {"sae_ferplus", "fer_former_ferplus"} <= set(CLASSIFIERS)


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> dict[str, pd.DataFrame]:
    """What the preparation lists of a drawn FER+ in each mode, every image with a packed face."""
    folder = tmp_path_factory.mktemp("synthetic") / "ferplus"
    provide_ferplus(SyntheticFerPlus(**TINY_DATA["ferplus"]["synthetic"], folders=False, seed=0))(folder)
    readers = {
        mode: FerPlusReader(max_passed_over=0.01, layout="auto", votes="auto", label_mode=mode) for mode in MODES
    }
    listed = {mode: read_listed(folder, reader)[0] for mode, reader in readers.items()}
    return {mode: Listed.validate(each).assign(face_index=range(len(each))) for mode, each in listed.items()}


def typed_parameters(pipeline: Pipeline) -> dict[str, Any]:
    """The sections of parameters that a pipeline reads, as its nodes' signatures type them."""
    built = {}
    for step in pipeline.nodes:
        types = list(get_type_hints(step.func).values())
        for entry, section in zip(step.inputs, types, strict=False):
            if entry.startswith("params:"):
                system, _, name = entry.removeprefix("params:").partition(".")
                built[entry] = section(**merged(PUBLISHED[system][name], TINY[system][name]))
    return built


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    both = {name: merged(base[name], new) if isinstance(new, dict) else new for name, new in changes.items()}
    return {**base, **both}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_trains_towards_what_the_table_says(name, tables, tmp_path, caplog):
    steps = PIPELINES[name].filter(node_namespaces=[name], to_nodes=[f"{name}.train"])
    sizes = TINY_LANDMARKS["model"]
    landmarks = Network("mobilefacenet", sizes, (), create_model("mobilefacenet", **sizes))
    histories = {}
    for mode, table in tables.items():
        faces = np.random.default_rng(0).integers(0, 256, (len(table), 48, 48, 3), dtype=np.uint8)
        inputs = {
            "ferplus_samples": table,
            "ferplus_faces_112": faces,
            "landmark_network": landmarks,
            f"{name}.checkpoints": tmp_path / mode,
            **typed_parameters(steps),
        }
        catalog = DataCatalog({each: MemoryDataset(inputs[each], copy_mode="assign") for each in steps.inputs()})
        caplog.clear()
        with caplog.at_level(logging.INFO, "mien"):
            histories[mode] = SequentialRunner().run(steps, catalog)[f"{name}.history"].load()
        assert f"training samples: {mode}, " in caplog.text
    losses = [history["train/loss"].iloc[0] for history in histories.values()]
    assert np.isfinite(losses).all()
    assert len(set(losses)) == len(MODES), "two modes train alike"


def test_the_mode_is_reported_to_the_dataset_alone_and_stands_in_mlflow_as_the_table_has_it(project, run_project):
    ferplus = {**TINY_DATA["ferplus"], "reader": {"label_mode": "multi_target"}}
    run_project("data_ferplus", params={"ferplus": ferplus})
    name = "fer_former_ferplus"
    set_otherwise = {**TINY, "ferplus": TINY_DATA["ferplus"]}
    run_project(name, params=set_otherwise, namespaces=[name], to_nodes=[f"{name}.train"])
    client = connect(project)
    experiments = [each.experiment_id for each in client.search_experiments()]
    run = client.search_runs(experiments, order_by=["attributes.start_time DESC"])[0]
    assert (run.data.tags["system"], run.data.params["training.targets"]) == (name, "multi_target")
